// large.js: an enrollment list of a million rows (`make bench-large`; with BENCH_SMOKE=1 a short form with small numbers, `make bench-large-smoke`): what
// importing it through the edge costs beside COPY of the same sealed rows, what the api holds meanwhile, and what asking it and registering with it cost beside
// a small list.
//
// Responsible for: each row of the table measured and counted; a row that was not measured is printed so, and fails. An aim that is missed is printed and fails
// nothing. Must never take a row for measured whose answers do not add up.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { loadClient } = require('../lib/load');
const { Stack, Session, ROOT, temporaryFolder } = require('../lib/stack');
const { Idscope } = require('../lib/idscope');
const { until } = require('../lib/https');
const sas = require('../lib/sas');
const { residentMib, median } = require('./measure');
const { Table } = require('./table');

const smoke = process.env.BENCH_SMOKE === '1';
const SIZES = smoke ? { large: 20000, small: 2000, asks: 15, seconds: 1 } : { large: Number(process.env.BENCH_LARGE_ROWS || 1000000), small: 10000, asks: 60, seconds: 5 };
const POSTGRES_ARGS = '-c shared_buffers=512MB -c max_wal_size=8GB';
const GROUP = 'large';
// Each of the members that have an index, asked as an operator would; the last is for the cost of a page alone.
const FILTERS = {
  registrationId: "registrationId = 'dev-1001234'",
  deviceId: "deviceId = 'dev-1001234'",
  provisioningStatus: "provisioningStatus = 'disabled'",
  'attestation.type': "attestation.type = 'tpm'",
  allocationPolicy: "allocationPolicy = 'static'",
  createdDateTimeUtc: "createdDateTimeUtc > '2100-01-01T00:00:00Z'",
  lastUpdatedDateTimeUtc: "lastUpdatedDateTimeUtc > '2100-01-01T00:00:00Z'",
  'a page of 100': undefined,
};
const began = Date.now();
const say = (text) => process.stdout.write(`bench-large ${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
const insist = (right, words) => { if (!right) throw new Error(`does not add up: ${words}`); };
const lap = () => { const from = process.hrtime.bigint(); return () => Number(process.hrtime.bigint() - from) / 1e9; };

const ROWS = ['import through the edge, rows per second', 'COPY of the same sealed rows, rows per second', 'import to COPY', 'of it, sending the body, rows per second', 'api, MiB before', 'api, MiB at most',
      ...Object.keys(FILTERS).map((name) => `query by ${name}, large to small`), 'register, large to small, rate', 'register while a list is imported, to alone, p99', 'as a whole, rows per second', 'worker meanwhile, MiB at most', 'register while a list is written as a whole, to alone, p99', 'export, rows per second'];

class Large {
  constructor(table) {
    this.table = table;
    this.dir = temporaryFolder('large');
    fs.chmodSync(this.dir, 0o755);
  }

  async open() {
    this.stack = await Stack.make(path.join(this.dir, 's'), { POSTGRES_ARGS, API_ARGS: '--quick-return-s=0' });
    await this.stack.start();
    this.session = new Session(this.stack);
    this.idscope = new Idscope(this.stack.env);
    await this.idscope.createGroup(GROUP);
    this.hub = await this.idscope.createHub(GROUP, 'large-hub');
    for (const name of ['large', 'small']) {
      this[name] = await this.idscope.createInstance(GROUP, `list-${name}`, { allocationPolicy: 'Hashed', iotHubs: [Idscope.link(this.hub)] });
      this[name].file = path.join(this.dir, `${name}.scopes`);
      fs.writeFileSync(this[name].file, `${this[name].idScope}\n`);
    }
  }

  async close() {
    if (this.idscope) this.idscope.close();
    if (this.session) this.session.close();
    if (this.stack) await this.stack.remove();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  scope(instance) { return `'${instance.idScope.toLowerCase()}'`; }
  service(instance, method, at, options) { return this.idscope.service(instance, method, at, options); }

  // The body comes from the program that makes it, as fast as the edge takes it.
  send(instance, rows, mode) {
    const lines = spawn(path.join(ROOT, 'build/release/tests/load/seed'), ['ndjson', String(rows)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const headers = { Host: `${instance.host}:${this.stack.edgePort}`, Authorization: sas.forHost(instance.host, instance.policy, instance.key), 'Content-Type': 'application/x-ndjson' };
    return new Promise((resolve, reject) => {
      const request = https.request({ method: 'POST', host: '127.0.0.1', port: this.stack.edgePort, servername: instance.host, ca: fs.readFileSync(this.stack.env.IDSCOPE_CA),
        path: `/enrollments/import?api-version=2021-10-01&mode=${mode}`, headers }, (response) => {
        let text = '';
        response.on('data', (part) => { text += part; });
        response.on('end', () => (response.statusCode === 202 ? resolve(JSON.parse(text)) : reject(new Error(`the import was answered ${response.statusCode}: ${text}`))));
      });
      request.on('error', reject);
      lines.stdout.pipe(request);
    });
  }

  async import(instance, rows, mode = 'perRow') {
    const time = lap();
    let [most, worker] = [0, 0];
    const watch = setInterval(() => { most = Math.max(most, residentMib(this.stack.pid('api1'))); worker = Math.max(worker, residentMib(this.stack.pid('worker1'))); }, 100);
    const { operationId } = await this.send(instance, rows, mode);
    const sent = time();
    const at = `/enrollments/imports/${operationId}`;
    const done = await until('the import to end', async () => {
      const { json } = await this.service(instance, 'GET', at);
      return !['running', 'writing'].includes(json.status) && json;
    }, { timeoutMs: 3600000, everyMs: 200 });
    const seconds = time();
    clearInterval(watch);
    insist(done.status === 'succeeded' && done.written === rows, JSON.stringify(done));
    insist(await this.session.number(`select count(*) from idscope.enrollment where id_scope = ${this.scope(instance)}`) === rows, 'rows of the import');
    return { seconds, sent, most, worker };
  }

  async imports() {
    await this.import(this.small, SIZES.small);
    say('the small list is there');
    const before = residentMib(this.stack.pid('api1'));
    const { seconds, sent, most } = await this.import(this.large, SIZES.large);
    say(`imported in ${seconds.toFixed(1)} s, of which sending took ${sent.toFixed(1)}`);
    this.imported = SIZES.large / seconds;
    this.table.set('import through the edge, rows per second', this.imported, 0);
    this.table.set('of it, sending the body, rows per second', SIZES.large / sent, 0);
    this.table.set('api, MiB before', before, 1);
    this.table.set('api, MiB at most', most, 1, '< 64', most < 64);
  }

  // The rows as they are sealed, into a table with the same indexes.
  async copy() {
    const rows = path.join(this.dir, 'rows');
    await this.session.sql(`create table public.yardstick (like idscope.enrollment including all)`);
    await this.session.sql(`\\copy (select * from idscope.enrollment where id_scope = ${this.scope(this.large)}) to '${rows}' (format binary)`);
    await this.session.sql('checkpoint');
    const time = lap();
    await this.session.sql(`\\copy public.yardstick from '${rows}' (format binary)`);
    const rate = SIZES.large / time();
    insist(await this.session.number('select count(*) from public.yardstick') === SIZES.large, 'rows of the yardstick');
    await this.session.sql('drop table public.yardstick');
    fs.rmSync(rows);
    this.table.set('COPY of the same sealed rows, rows per second', rate, 0);
    this.table.set('import to COPY', this.imported / rate, 2, '>= 0.3', this.imported / rate >= 0.3);
  }

  // The median of some askings, one after the other; of both lists in turn.
  async filters() {
    await this.session.sql('vacuum (analyze) idscope.enrollment');
    for (const [name, where] of Object.entries(FILTERS)) {
      const times = { large: [], small: [] };
      for (let i = 0; i < SIZES.asks; i++)
        for (const which of ['large', 'small']) {
          const time = lap();
          const answer = await this.service(this[which], 'POST', '/enrollments/query', { body: { query: where ? `SELECT * WHERE ${where}` : 'SELECT *' } });
          times[which].push(time());
          insist(answer.status === 200 && answer.json.length === (where ? Number(/^(registrationId)/.test(where)) : 100), `${name}: ${answer.text.slice(0, 200)}`);
        }
      const ratio = median(times.large) / median(times.small);
      this.table.set(`query by ${name}, large to small`, ratio, 2, '<= 1.5', ratio <= 1.5);
    }
    say('asked');
  }

  async register() {
    await this.stack.stopPart('worker');
    const rates = { large: [], small: [] };
    for (let round = 0; round < 3; round++)
      for (const which of ['large', 'small']) {
        await this.session.sql('truncate idscope.registration, idscope.job; checkpoint');
        const count = Math.min(SIZES[which], 8000 * SIZES.seconds);
        const done = await loadClient({ ask: 'register', port: this.stack.plainPort, scopes: this[which].file, size: SIZES[which], first: round * count % SIZES[which], count, connections: 32, seconds: SIZES.seconds });
        insist(done.broken === 0 && done.status[202] === done.sent, `registers: ${JSON.stringify(done)}`);
        rates[which].push(done.sent / done.seconds);
      }
    const ratio = median(rates.small) / median(rates.large);
    say(`registered: ${median(rates.large).toFixed(0)} a second of the large list, ${median(rates.small).toFixed(0)} of the small one`);
    this.table.set('register, large to small, rate', ratio, 2, '<= 1.5', ratio <= 1.5);
  }

  // Devices of another list, with a steady few connections, alone and while a list comes in and is written: row by row, and as a whole.
  async beside() {
    const rows = Math.ceil(SIZES.large / 10);
    await this.session.sql('truncate idscope.registration, idscope.job');
    const p99 = async (first) => {
      const done = await loadClient({ ask: 'register', port: this.stack.plainPort, scopes: this.small.file, size: SIZES.small, first, count: SIZES.small / 2, connections: 4, cycle: 1, seconds: SIZES.seconds });
      insist(done.broken === 0 && done.status[202] === done.sent, `registers: ${JSON.stringify(done)}`);
      return done.p99_us;
    };
    const alone = await p99(0);
    await this.stack.startPart('worker');
    await this.session.sql("delete from idscope.job where kind = 'assign'");
    for (const [mode, name] of [['perRow', 'register while a list is imported, to alone, p99'], ['allOrNothing', 'register while a list is written as a whole, to alone, p99']]) {
      const other = await this.idscope.createInstance(GROUP, `list-${mode.toLowerCase()}`, { allocationPolicy: 'Hashed', iotHubs: [Idscope.link(this.hub)] });
      const [during, { seconds, worker }] = await Promise.all([p99(SIZES.small / 2), this.import(other, rows, mode)]);
      say(`registered beside an import (${mode}): p99 ${(during / 1000).toFixed(1)} ms, alone ${(alone / 1000).toFixed(1)} ms`);
      this.table.set(name, during / alone, 2, '<= 3', during / alone <= 3);
      if (mode === 'allOrNothing') {
        this.table.set('as a whole, rows per second', rows / seconds, 0);
        this.table.set('worker meanwhile, MiB at most', worker, 1, '< 64', worker < 64);
      }
    }
  }

  async export() {
    const time = lap();
    const headers = { Host: this.large.host, Authorization: sas.forHost(this.large.host, this.large.policy, this.large.key) };
    let lines = 0;
    await new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port: this.stack.plainPort, path: '/enrollments/export?api-version=2021-10-01', headers }, (response) => {
        response.on('data', (part) => { for (const byte of part) lines += byte === 10 ? 1 : 0; });
        response.on('end', resolve);
        response.on('error', reject);
      }).on('error', reject);
    });
    insist(lines === SIZES.large, `${lines} lines of ${SIZES.large}`);
    this.table.set('export, rows per second', SIZES.large / time(), 0);
  }
}

async function main() {
  const table = new Table(ROWS);
  const large = new Large(table);
  let failure;
  try {
    await large.open();
    for (const work of ['imports', 'copy', 'filters', 'export', 'register', 'beside']) await large[work]();
  } catch (error) {
    failure = error;
  } finally {
    await large.close();
  }
  console.log(`\n${table.text()}\n`);
  if (failure) throw failure;
  if (table.missing()) throw new Error(`${table.missing()} rows were not measured`);
  console.log(`bench-large: ${table.rows.size} rows, all measured, of ${SIZES.large} and ${SIZES.small} enrollments, in ${((Date.now() - began) / 1000).toFixed(0)} s`);
}

main().catch((error) => {
  console.error(`bench-large: failed: ${error.message}`);
  process.exitCode = 1;
});
