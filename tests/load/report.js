// report.js: the benchmark's figures as people read them.
//
// Responsible for: medians with their range over the rounds, the table, the aims with what was reached. Every cell is filled; a figure
// that falls short of its aim is printed like any other. Must never measure.
'use strict';

const os = require('node:os');
const { median } = require('./measure');
const { CERTIFIED, ALONE } = require('./rows');

// The median of the rounds, with their range when there are several; fewer digits where they say nothing.
function span(values) {
  const middle = median(values);
  const show = (value) => value.toFixed(middle >= 100 ? 0 : middle >= 10 ? 1 : 2);
  return values.length === 1 ? show(middle) : `${show(middle)} [${show(Math.min(...values))}..${show(Math.max(...values))}]`;
}

class Report {
  constructor(names) {
    this.names = names;
    this.rounds = new Map(names.map((name) => [name, []]));
    this.memory = [];
  }

  add(name, row) { this.rounds.get(name).push(row); }
  values(name, key) { return this.rounds.get(name).map((row) => row[key]); }
  rate(name) { return median(this.values(name, 'rate')); }

  named(start) { return this.names.filter((name) => name.startsWith(start)); }
  best(start) { return this.named(start).reduce((best, name) => (this.rate(name) > this.rate(best) ? name : best)); }

  table() {
    this.yardstick = this.best('pgbench');
    const lines = [['', 'per second', 'x best pgbench', 'PG us', 'api us', 'worker us', 'edge us', 'client us', 'p50 ms', 'p99 ms', 'neighbours']];
    for (const name of this.names) {
      const of = (key) => span(this.values(name, key));
      lines.push([name, of('rate'), (this.rate(name) / this.rate(this.yardstick)).toFixed(2), of('postgres'), of('api'), of('worker'), of('edge'),
        of('client'), of('p50'), of('p99'), of('neighbours')]);
    }
    const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
    return lines.map((line) => line.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' | ')).join('\n');
  }

  ratio(name, key, to) { return median(this.values(name, key)) / median(this.values(to, key)); }

  // Of the batches of two lanes at 128 connections, the share that was prepared while another one was in the database.
  beside() { return median(this.values('register, two lanes, 128 conn.', 'beside')); }

  // How a trickle of devices with keys of their own fares beside a storm, to how it fares alone (tests/load/storm.js).
  beneath(line, what, storm, key) {
    const times = this.storms[storm][key] / this.storms.none[key];
    return line(what, times.toFixed(1), '<= 3', times <= 3);
  }

  stormy() {
    return Object.entries(this.storms).map(([name, of]) => `Storm of ${name}: ${of.storm.toFixed(0)} per second; trickle p99 ${of.p99.toFixed(1)} ms, a call of its lane waits ${of.wait.toFixed(2)} ms.`).join('\n');
  }

  aims() {
    const best = this.best('register, one scope');
    const [few, more, most] = this.named('register to assigned, ').filter((name) => /, [0-9]+ hubs$/.test(name) && !name.includes('TLS'));
    const [small, large] = this.names.filter((name) => name.includes('enrolled'));
    const [at32] = this.names.filter((name) => name === 'register, one scope, 32 conn.');
    const tail = median(this.values(at32, 'p99')) / median(this.values(at32, 'p50'));
    const device = this.ratio('register, TLS edge, a new conn. each', 'edge', 'openssl s_server, a new conn. each');
    const certified = this.ratio(CERTIFIED, 'edge', ALONE);
    const [at128] = this.names.filter((name) => name === 'register, one scope, 128 conn.');
    const of128 = (key) => median(this.values(at128, key));
    const served = of128('postgres') + of128('api');
    const busy = 100 * (this.rate(at128) * (served + of128('client')) / 1e6 + of128('neighbours')) / os.cpus().length;
    const held = median(this.memory.map((row) => row.held));
    const line = (what, reached, aim, good) => `${what.padEnd(72)} ${reached.padStart(9)}   aim ${aim.padEnd(10)} ${good ? 'reached' : 'falls short'}`;
    const times = (name) => this.rate(name) / this.rate(this.yardstick);
    return [
      `The yardstick is "${this.yardstick}": ${this.rate(this.yardstick).toFixed(0)} per second.`,
      line(`"${best}" to the yardstick`, times(best).toFixed(2), '>= 2.6', times(best) >= 2.6),
      line(`"${at32}" to the yardstick`, times(at32).toFixed(2), '>= 2.0', times(at32) >= 2),
      line('PostgreSQL and api at 128 connections, CPU us a registration', served.toFixed(1), '<= 75', served <= 75),
      line('cores that are busy at 128 connections, neighbours included, %', busy.toFixed(0), '>= 90', busy >= 90),
      line('batches of two lanes at 128 connections prepared beside another one', this.beside().toFixed(2), '>= 0.5', this.beside() >= 0.5),
      ...[[few, 1.2], [more, 1.0], [most, 0.9]].map(([name, aim]) => line(`"${name}" to the yardstick`, times(name).toFixed(2), `>= ${aim.toFixed(1)}`, times(name) >= aim)),
      line('p99 to p50 at 32 connections', tail.toFixed(1), '<= 3', tail <= 3),
      line('a new TLS device at the edge to bare `openssl s_server`, CPU', device.toFixed(2), '<= 1.25', device <= 1.25),
      line(`api, MiB resident with ${this.connections} open connections`, held.toFixed(1), '< 64', held < 64),
      line('a TLS device with a chain of three at the edge to HAProxy alone, CPU', certified.toFixed(2), '<= 1.5', certified <= 1.5),
      ...['certificates, half', 'keys of a group, half'].map((storm) => this.beneath(line, `p99 beside a storm (${storm}) to alone`, storm, 'p99')),
      ...['certificates, all', 'keys of a group, all'].map((storm) => this.beneath(line, `wait for a lane beside a storm (${storm}) to alone`, storm, 'wait')),
      this.stormy(),
      `Fresh, the same api takes ${span(this.memory.map((row) => row.fresh))} MiB; held ${span(this.memory.map((row) => row.held))} MiB.`,
      `Growth, "${large}" to "${small}": rate ${this.ratio(large, 'rate', small).toFixed(2)}, PG us ${this.ratio(large, 'postgres', small).toFixed(2)}, api us ${this.ratio(large, 'api', small).toFixed(2)}.`,
      `Growth, "${more}" to "${few}": rate ${this.ratio(more, 'rate', few).toFixed(2)}, worker us ${this.ratio(more, 'worker', few).toFixed(2)}.`,
      `Growth, "${most}" to "${few}": rate ${this.ratio(most, 'rate', few).toFixed(2)}, worker us ${this.ratio(most, 'worker', few).toFixed(2)}.`,
    ].join('\n');
  }
}

module.exports = { Report, span };
