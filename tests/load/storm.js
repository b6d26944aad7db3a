// storm.js: how devices with keys of their own fare beside a storm of devices whose check is dear.
//
// Responsible for: a steady trickle of the former through the edge, measured alone and beside storms of devices that enrollment groups admit, at half
// of the rate at which devices with a chain of certificates register, and without a bound. Must never take a measurement for good in which an answer
// is missing, or a row.
'use strict';

const { loadClient } = require('../lib/load');
const { until } = require('../lib/https');

const TRICKLE = 300; // devices a second
const SPARE_S = 4; // the storm begins before the trickle and ends behind it

class Storm {
  constructor(rows) {
    this.rows = rows;
    this.site = rows.site;
    this.seconds = rows.sizes.seconds;
  }

  // The storms by name: what their load client is told.
  storms(half) {
    const { groups } = this.site;
    const certificates = { ...this.rows.certified(), scopes: groups.certified.file };
    const keys = { scopes: groups.derived.file, derive: groups.key, connection: 'new' };
    return { 'none': undefined, 'certificates, half': { ...certificates, rate: half }, 'keys of a group, half': { ...keys, rate: half },
      'certificates, all': certificates, 'keys of a group, all': keys };
  }

  // half: of the rate at which devices with certificates register. Gives by storm the trickle's p99 in ms, and what a call of its lane waited, in ms.
  async run(half) {
    const found = {};
    for (const [name, storm] of Object.entries(this.storms(Math.round(half)))) found[name] = await this.beside(storm);
    return found;
  }

  async beside(storm) {
    const { a, main } = this.site;
    await this.site.empty(a);
    const edge = this.rows.edge();
    const raging = storm && loadClient({ ask: 'register', ...edge, ...storm, size: this.rows.sizes.fleet, connections: 32, first: this.rows.nextWalk(),
      count: this.rows.mostCertified(this.seconds + SPARE_S), seconds: this.seconds + SPARE_S });
    if (storm) await this.begun();
    const before = await this.waited();
    const trickle = await loadClient({ ask: 'register', ...edge, scopes: main.file, size: this.rows.sizes.fleet, connections: 32, first: this.rows.nextWalk(),
      count: TRICKLE * this.seconds, rate: TRICKLE });
    const after = await this.waited();
    const raged = storm && await raging;
    for (const done of [trickle, raged]) if (done) this.rows.allAnswered(done, 202);
    await this.rows.counted(a, trickle.sent + (raged ? raged.sent : 0));
    return { p99: trickle.p99_us / 1000, wait: 1000 * (after.seconds - before.seconds) / (after.calls - before.calls), storm: raged ? raged.sent / raged.seconds : 0 };
  }

  begun() {
    const from = this.site.a.metric('api1', 'idscope_lane_calls_total{lane="device-dear"}');
    return until('the storm', async () => await this.site.a.metric('api1', 'idscope_lane_calls_total{lane="device-dear"}') > await from + 10, { timeoutMs: 30000, everyMs: 20 });
  }

  async waited() {
    const of = (name) => this.site.a.metric('api1', `${name}{lane="device"}`);
    return { calls: await of('idscope_lane_calls_total'), seconds: await of('idscope_lane_wait_seconds_total') };
  }
}

module.exports = { Storm };
