// many.js: a subscription with a thousand instances of fifty linked hubs each (`make bench-many`; with BENCH_SMOKE=1 a short form, `make bench-many-smoke`):
// its lists page by page, and what reading and writing one instance costs among so many beside what it costs among ten.
//
// Responsible for: each row measured; lists that are whole and in order; a PUT that changes what it says and nothing else. An aim that is missed is printed and
// fails nothing; ten times the aim fails. Must never measure with a worker: validation is paused.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Stack, temporaryFolder } = require('../lib/stack');
const { Idscope, expect, each } = require('../lib/idscope');
const sas = require('../lib/sas');
const { snapshot, difference, median } = require('./measure');
const { Table } = require('./table');

const SIZES = process.env.BENCH_SMOKE === '1' ? { few: 10, many: 100, links: 10, turns: 20 } : { few: 10, many: 1000, links: 50, turns: 200 };
const [AIM, LIMIT] = [1.5, 15];
const GROUP = 'many';
const ASKS = ['GET', 'PUT'];
const name = (kind, unit) => `${kind} of one instance, among ${SIZES.many} to among ${SIZES.few}, ${unit}`;
const ROWS = [...ASKS.map((kind) => name(kind, 'median')), ...['api', 'postgres'].map((program) => name('GET and PUT', `CPU of ${program}`)),
  'list of the subscription, pages', 'list of the subscription, ms a page', 'instances made, per second'];
const began = Date.now();
const seconds = () => (Date.now() - began) / 1000;
const say = (text) => process.stdout.write(`bench-many ${seconds().toFixed(0).padStart(4)} s  ${text}\n`);
const insist = (right, words) => { if (!right) throw new Error(`does not add up: ${words}`); };
const named = (i) => `many-${String(i).padStart(4, '0')}`;

class Many {
  constructor(table) {
    this.table = table;
    this.dir = temporaryFolder('many');
    fs.chmodSync(this.dir, 0o755);
    this.properties = { allocationPolicy: 'Hashed', iotHubs: Array.from({ length: SIZES.links }, (_, i) => ({ location: 'westeurope', connectionString: `HostName=hub-${i}.example;SharedAccessKeyName=owner;SharedAccessKey=${sas.newKey()}` })) };
  }

  async open() {
    this.stack = await Stack.make(path.join(this.dir, 's'), { API_ARGS: `--instances-max=${SIZES.many} --links-max=${SIZES.many * SIZES.links}` });
    await this.stack.start();
    await this.stack.stopPart('worker');
    this.idscope = new Idscope(this.stack.env);
    await this.idscope.createGroup(GROUP);
    this.trees = { api: [this.stack.pid('api1')], postgres: [this.stack.pid('postgres')] };
  }

  async close() {
    if (this.idscope) this.idscope.close();
    if (this.stack) await this.stack.remove();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  make(from, to) {
    return each(Array.from({ length: to - from }, (_, i) => named(from + i)), 4, (one) => this.idscope.putInstance(GROUP, one, this.properties));
  }

  // Reads and writes in turn; each write changes one weight.
  async turns() {
    const one = named(0);
    const times = { GET: [], PUT: [] };
    const timed = async (kind, work) => {
      const from = process.hrtime.bigint();
      const answer = await work();
      times[kind].push(Number(process.hrtime.bigint() - from) / 1e6);
      return answer;
    };
    const before = snapshot(this.trees);
    for (let turn = 0; turn < SIZES.turns; turn++) {
      const read = await timed('GET', () => this.idscope.getInstance(GROUP, one));
      insist(read.properties.iotHubs.length === SIZES.links, `links of ${one}`);
      read.properties.iotHubs[turn % SIZES.links].allocationWeight = 2 + turn % 998;
      const { properties, etag } = await timed('PUT', () => this.idscope.putInstance(GROUP, one, read.properties));
      insist(etag !== read.etag && properties.iotHubs.every((link, i) => link.allocationWeight === read.properties.iotHubs[i].allocationWeight), `weights of ${one}`);
    }
    return { ...Object.fromEntries(ASKS.map((kind) => [kind, median(times[kind])])), ...difference(before, snapshot(this.trees)).used };
  }

  // Of the whole subscription: each instance once, in order, with all its links.
  async list() {
    const names = [];
    const times = [];
    let at = `/subscriptions/${this.idscope.subscription}/providers/Microsoft.Devices/provisioningServices`;
    while (at) {
      const from = Date.now();
      const { value, nextLink } = expect('list', await this.idscope.arm('GET', at, nextLinked(at)), 200);
      times.push(Date.now() - from);
      insist(value.every(({ properties }) => properties.iotHubs.length === SIZES.links), 'links on a page');
      names.push(...value.map((one) => one.name));
      insist(names.length <= SIZES.many, 'the list ends');
      at = nextLink && new URL(nextLink).pathname + new URL(nextLink).search;
    }
    insist(names.join() === Array.from({ length: SIZES.many }, (_, i) => named(i)).join(), `the list has ${names.length} names, or not in order`);
    this.table.set('list of the subscription, pages', times.length, 0);
    this.table.set('list of the subscription, ms a page', median(times), 0);
  }

  compare(row, many, few) {
    const ratio = many / few;
    this.table.set(row, ratio, 2, `<= ${AIM}`, ratio <= AIM);
    insist(ratio <= LIMIT, `${row}: ${ratio.toFixed(1)}`);
  }

  async measure() {
    await this.make(0, SIZES.few);
    await this.turns(); // nobody's first time is measured
    const few = await this.turns();
    say(`among ${SIZES.few}: GET ${few.GET.toFixed(1)} ms, PUT ${few.PUT.toFixed(1)} ms`);
    const from = seconds();
    await this.make(SIZES.few, SIZES.many);
    this.table.set('instances made, per second', (SIZES.many - SIZES.few) / (seconds() - from), 0);
    say(`${SIZES.many} instances with ${SIZES.links} links each`);
    const many = await this.turns();
    say(`among ${SIZES.many}: GET ${many.GET.toFixed(1)} ms, PUT ${many.PUT.toFixed(1)} ms`);
    for (const kind of ASKS) this.compare(name(kind, 'median'), many[kind], few[kind]);
    for (const program of ['api', 'postgres']) this.compare(name('GET and PUT', `CPU of ${program}`), many[program], few[program]);
    await this.list();
  }
}

// nextLink brings its own version.
const nextLinked = (at) => (at.includes('api-version=') ? { version: null } : {});

async function main() {
  const table = new Table(ROWS);
  const many = new Many(table);
  let failure;
  try {
    await many.open();
    await many.measure();
  } catch (error) {
    failure = error;
  } finally {
    await many.close();
  }
  console.log(`\n${table.text()}\n`);
  if (failure) throw failure;
  if (table.missing()) throw new Error(`${table.missing()} rows were not measured`);
  console.log(`bench-many: ${table.rows.size} rows, all measured, of ${SIZES.many} instances with ${SIZES.links} links each, in ${seconds().toFixed(0)} s`);
}

main().catch((error) => {
  console.error(`bench-many: failed: ${error.message}`);
  process.exitCode = 1;
});
