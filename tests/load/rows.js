// rows.js: the rows of the benchmark's table: what each one does, and that its figures add up.
//
// Responsible for: running the load client and pgbench, checking after each measurement that the tables hold exactly what was answered.
// A measurement that does not add up ends the benchmark: a figure of wrong results is no figure.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { loadClient } = require('../lib/load');
const { ROOT } = require('../lib/stack');
const { sleep } = require('../lib/https');
const { snapshot, difference, residentMib, percentile } = require('./measure');

const PER_SECOND = 40000; // more than the client could send
const CERTIFIED_PER_SECOND = 4000; // the same, where each brings a certificate
const GIVE_UP_MS = 120000;
const CERTIFIED = 'register, chain of three at the TLS edge, a new conn. each';
const ALONE = 'openssl s_time and HAProxy alone, chain of three';

function insist(condition, what) {
  if (!condition) throw new Error(`does not add up: ${what}`);
}

class Rows {
  constructor(site, sizes) {
    this.site = site;
    this.sizes = sizes;
    this.walk = 0;
  }

  // All rows in the order of a round: [name, run].
  list() {
    const { a, b, main, many, wide, widest, shared, small } = this.site;
    const [few, more, most] = this.sizes.hubs;
    const plain = { port: a.plainPort };
    const edge = this.edge();
    const fleet = { stack: a, scopes: main, size: this.sizes.fleet };
    const spread = { stack: a, scopes: many, size: this.sizes.perScope };
    const rows = [];
    const add = (name, work) => rows.push({ name, work });
    for (const clients of [8, 16, 32]) add(`pgbench, one row per transaction, ${clients} clients`, () => this.pgbench(clients));
    for (const connections of [1, 32, 128]) {
      add(`register, one scope, ${connections} conn.`, () => this.register({ ...fleet, ...plain, connections }));
      add(`register, ${many.length} scopes, ${connections} conn.`, () => this.register({ ...spread, ...plain, connections }));
      add(`register, TLS edge, ${connections} conn.`, () => this.register({ ...fleet, ...edge, connections }));
    }
    add('register, two lanes, 128 conn.', () => this.site.apiWith(a, '--device-lanes=2', () => this.register({ ...fleet, ...plain, connections: 128 })));
    add('register, TLS edge, a new conn. each', () => this.register({ ...fleet, ...edge, connections: 32, connection: 'new' }));
    add('openssl s_server, a new conn. each', () => this.bare(edge));
    if (this.site.groups) {
      const { certified, derived, key } = this.site.groups;
      add(CERTIFIED, () => this.register({ stack: a, scopes: certified, size: this.sizes.fleet, ...edge, ...this.certified(), connections: 32, most: this.mostCertified(this.sizes.seconds) }));
      add(ALONE, () => this.alone());
      add('register, keys of a group, 32 conn.', () => this.register({ stack: a, scopes: derived, size: this.sizes.fleet, ...plain, derive: key, connections: 32 }));
    }
    const count = this.sizes.small;
    add(`register, ${words(this.sizes.small)} enrolled, 32 conn.`, () => this.register({ stack: b, scopes: small, size: count, port: b.plainPort, connections: 32, count }));
    add(`register, ${words(this.sizes.fleet)} enrolled, 32 conn.`, () => this.register({ ...fleet, ...plain, connections: 32, count }));
    add(`register to assigned, ${few} hubs`, () => this.assign({ ...fleet, ...plain, home: a, hubs: few }));
    add('register again, nothing changed', () => this.again());
    add('poll, assigned', () => this.poll());
    add(`register to assigned, ${more} hubs`, () => this.assign({ stack: a, scopes: wide, size: this.sizes.assign, ...plain, home: a, hubs: more }));
    add(`register to assigned, ${most} hubs`, () => this.assign({ stack: a, scopes: widest, size: this.sizes.assign, ...plain, home: a, hubs: most }));
    add(`register to assigned, ${few} hubs of ${shared.length} scopes`, () => this.assign({ stack: a, scopes: shared, size: Math.ceil(this.sizes.assign / shared.length), ...plain, home: a, hubs: few }));
    add(`register to assigned, TLS edge, ${few} hubs`, () => this.assign({ ...fleet, ...edge, home: a, hubs: few }));
    add('register to assigned, hubs of another deployment', () => this.assign({ stack: b, scopes: small, size: count, port: b.plainPort, home: a, hubs: few }));
    return rows;
  }

  edge() {
    const { a } = this.site;
    return { port: a.edgePort, host: a.env.IDSCOPE_DEVICE_HOST, ca: a.env.IDSCOPE_CA };
  }

  // How devices with certificates come: none can come back to a connection of before.
  certified() { return { chain: this.site.groups.chain, connection: 'new' }; }
  mostCertified(seconds) { return Math.min(this.sizes.fleet, CERTIFIED_PER_SECOND * seconds); }

  // --- the clients ------------------------------------------------------------------------------------------------------------

  async measured(work) {
    const before = snapshot(this.site.trees());
    const done = await work();
    return { done, cost: difference(before, snapshot(this.site.trees())) };
  }

  // A walk through the fleet that no measurement of this run has begun at.
  nextWalk() {
    this.walk += 104729;
    return this.walk;
  }

  // --- the yardstick ----------------------------------------------------------------------------------------------------------

  async pgbench(clients) {
    const { a, main, dir } = this.site;
    await this.site.empty(a);
    const [[version]] = await a.session.sql(`select version from idscope.scope where id_scope = lower('${main[0]}')`);
    const folder = fs.mkdtempSync(path.join(dir, 'pgbench.'));
    const variables = { first: this.nextWalk(), range: Math.floor(this.sizes.fleet / clients), n: 0, size: this.sizes.fleet,
      scope: main[0].toLowerCase(), version };
    const args = ['-n', '-M', 'prepared', '-c', clients, '-j', 1, '-T', this.sizes.seconds, '-f', path.join(ROOT, 'tests/load/upsert.pgbench'),
      '-l', '--sampling-rate=0.2', `--log-prefix=${folder}/log`, ...Object.entries(variables).flatMap(([name, value]) => ['-D', `${name}=${value}`]),
      await this.url(a, 'idscope_api')];
    const { done, cost } = await this.measured(() => this.output('pgbench', args.map(String), folder));
    const count = Number(done.match(/transactions actually processed: ([0-9]+)/)[1]);
    const failed = Number(done.match(/failed transactions: ([0-9]+)/)[1]);
    const rate = Number(done.match(/^tps = ([0-9.]+)/m)[1]);
    const took = fs.readdirSync(folder).flatMap((file) => fs.readFileSync(path.join(folder, file), 'utf8').trim().split('\n'))
      .map((line) => Number(line.split(' ')[2]));
    insist(failed === 0, `pgbench: ${failed} failed transactions`);
    await this.counted(a, count);
    return this.row(cost, { count, rate, clientUs: cost.used.self, p50: percentile(took, 0.5), p99: percentile(took, 0.99) });
  }

  url(stack, role) {
    return `postgresql://${role}@/idscope?host=${fs.readFileSync(path.join(stack.dir, 'run/sockets'), 'utf8')}/pg`;
  }

  output(program, args, cwd) {
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
      let text = '';
      let errors = '';
      child.stdout.on('data', (part) => { text += part; });
      child.stderr.on('data', (part) => { errors += part; });
      child.on('error', reject);
      child.on('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${program} ended with ${code}\n${errors.slice(-1000)}`))));
    });
  }

  // --- register ---------------------------------------------------------------------------------------------------------------

  // First registrations only, the workers stopped: `count` of them, or as many as the time holds.
  async register({ stack, scopes, size, port, host, ca, connections, connection, chain, derive, count, most = PER_SECOND * this.sizes.seconds }) {
    await this.site.empty(stack);
    const options = { ask: 'register', port, host, ca, scopes: scopes.file, size, connections, connection, chain, derive, first: this.nextWalk(),
      count: count || Math.min(size * scopes.length, most), seconds: count ? 0 : this.sizes.seconds };
    const before = await this.batches(stack);
    const { done, cost } = await this.measured(() => loadClient(options));
    const after = await this.batches(stack);
    this.allAnswered(done, 202);
    await this.counted(stack, done.sent);
    return { ...this.row(cost, this.figures(done)), beside: (after.beside - before.beside) / (after.all - before.all) };
  }

  // How many batches there were, and how many of them were prepared while another one was in the database.
  async batches(stack) {
    return { all: await stack.metric('api1', 'idscope_batch_size_count'), beside: await stack.metric('api1', 'idscope_batches_beside_total') };
  }

  // The least that a new TLS connection with one request costs a server here: the edge's certificate, the same client, no rules, no API.
  async bare({ host, ca }) {
    const { main, bare } = this.site;
    const options = { ask: 'file', port: bare.port, host, ca, scopes: main.file, size: this.sizes.fleet, connections: 32, connection: 'new',
      first: this.nextWalk(), count: PER_SECOND * this.sizes.seconds, seconds: this.sizes.seconds };
    const { done, cost } = await this.measured(() => loadClient(options));
    this.allAnswered(done, 200);
    return this.row(cost, this.figures(done));
  }

  // The same chain presented to the edge's TLS with nothing behind it, by the program that people measure with.
  async alone() {
    const { leaf, port } = this.site.groups;
    const args = ['s_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', String(Math.max(this.sizes.seconds, 2)), '-cert', leaf.cert, '-key', leaf.key, '-CAfile', leaf.above, '-www', '/answer'];
    const { done, cost } = await this.measured(() => this.output('openssl', args, this.site.dir));
    const [, count, seconds] = done.match(/([0-9]+) connections in ([0-9]+) real seconds/);
    return this.row(cost, { count: Number(count), rate: Number(count) / Number(seconds), clientUs: cost.used.self, p50: 0, p99: 0 });
  }

  allAnswered(done, status) {
    insist(done.broken === 0 && done.status[status] === done.sent, `${done.sent} requests, answers ${JSON.stringify(done.status)}, ${done.broken} broken`);
  }

  // As many registrations and jobs as accepted answers, each with an operation of its own.
  async counted(stack, accepted) {
    const [[rows, operations, jobs]] = await stack.session.sql(`select (select count(*) from idscope.registration), (select count(distinct operation_id)
      from idscope.registration), (select count(*) from idscope.job where kind = 'assign')`);
    insist(Number(rows) === accepted, `${accepted} accepted answers, ${rows} registrations`);
    insist(Number(operations) === accepted, `${accepted} accepted answers, ${operations} operations`);
    insist(Number(jobs) === accepted, `${accepted} accepted answers, ${jobs} jobs`);
  }

  figures(done) {
    return { count: done.sent, rate: done.sent / done.seconds, clientUs: done.cpu_us, p50: done.p50_us, p99: done.p99_us };
  }

  row(cost, { count, rate, clientUs, p50, p99 }) {
    const us = (name) => cost.used[name] / count;
    return { rate, postgres: us('postgres'), api: us('api'), worker: us('worker'), edge: us('edge'), client: clientUs / count,
      p50: p50 / 1000, p99: p99 / 1000, neighbours: cost.neighbours };
  }

  // --- register to assigned -----------------------------------------------------------------------------------------------------

  // `stack` registers, the hubs are those of `home`.
  async assign({ stack, home, scopes, size, port, host, ca }) {
    await this.site.emptyAll();
    await stack.startPart('worker');
    const count = this.sizes.assign;
    const options = { ask: 'register', port, host, ca, scopes: scopes.file, size, connections: Math.min(128, count), first: this.nextWalk(), count,
      save: path.join(this.site.dir, 'operations') };
    const { done, cost } = await this.measured(async () => {
      const answers = await loadClient(options);
      const answered = process.hrtime.bigint();
      await this.idle(stack);
      return { answers, seconds: answers.seconds + Number(process.hrtime.bigint() - answered) / 1e9 };
    });
    this.allAnswered(done.answers, 202);
    await this.assigned(stack, home, count);
    const [[p50, p99]] = await stack.session.sql(`select percentile_cont(0.5) within group (order by t), percentile_cont(0.99) within group (order by t)
      from (select 1e6 * extract(epoch from updated_at - operation_at) as t from idscope.registration) x`);
    await stack.stopPart('worker');
    this.last = { ...options, stack };
    return this.row(cost, { count, rate: count / done.seconds, clientUs: done.answers.cpu_us, p50: Number(p50), p99: Number(p99) });
  }

  async idle(stack) {
    const end = Date.now() + GIVE_UP_MS;
    while (await stack.session.number("select count(*) from (select from idscope.job where kind in ('assign', 'hub_remove') limit 1) j") > 0) {
      if (Date.now() > end) {
        const waiting = await stack.session.sql('select status, waiting_for, count(*) from idscope.registration group by 1, 2');
        throw new Error(`assignments do not end: ${JSON.stringify(waiting)}`);
      }
      await sleep(10);
    }
  }

  async assigned(stack, home, count) {
    const [[all, good]] = await stack.session.sql("select count(*), count(*) filter (where status = 'assigned') from idscope.registration");
    const identities = await home.session.number('select count(*) from idscope.hub_device');
    const ids = await home.session.number('select count(distinct device_id) from idscope.hub_device');
    insist(Number(all) === count && Number(good) === count, `${count} accepted answers, ${all} registrations, ${good} assigned`);
    insist(identities === count && ids === count, `${count} assigned, ${identities} identities of ${ids} devices in the hubs`);
  }

  // --- of devices that are assigned (the row before) -----------------------------------------------------------------------------

  // No hub is asked: no job is made and no identity is touched.
  async again() {
    const { stack, port, scopes, size, first, count, save } = this.last;
    const touched = () => stack.session.sql('select sum(revision), max(status_at) from idscope.hub_device');
    const before = JSON.stringify(await touched());
    const { done, cost } = await this.measured(() => loadClient({ ask: 'register', port, scopes, size, first, count, connections: 32, cycle: 1,
      seconds: this.sizes.seconds, load: save, save }));
    this.allAnswered(done, 202);
    const [[still, jobs]] = await stack.session.sql(`select count(*) filter (where status = 'assigned'), (select count(*) from idscope.job where kind = 'assign')
      from idscope.registration`);
    insist(Number(still) === count && Number(jobs) === 0, `${count} devices registered again, ${still} assigned, ${jobs} jobs`);
    insist(JSON.stringify(await touched()) === before, 'a hub was asked for an unchanged registration');
    return this.row(cost, this.figures(done));
  }

  async poll() {
    const { port, scopes, size, first, count, save } = this.last;
    const { done, cost } = await this.measured(() => loadClient({ ask: 'poll', port, scopes, size, first, count, connections: 32, cycle: 1,
      seconds: this.sizes.seconds, load: save }));
    this.allAnswered(done, 200);
    return this.row(cost, this.figures(done));
  }

  // --- memory -----------------------------------------------------------------------------------------------------------------

  // What a fresh api takes with so many open connections that have each sent one request.
  async memory() {
    const { a, main } = this.site;
    await this.site.empty(a);
    await a.stopPart('api');
    await a.startPart('api');
    const fresh = residentMib(a.pid('api1'));
    let held;
    const done = await loadClient({ ask: 'register', port: a.plainPort, scopes: main.file, size: this.sizes.fleet, first: this.nextWalk(),
      count: this.sizes.held, connections: 32, connection: 'held' }, () => { held = residentMib(a.pid('api1')); });
    this.allAnswered(done, 202);
    insist(done.held === this.sizes.held, `${done.held} connections held of ${this.sizes.held}`);
    await this.counted(a, done.sent);
    return { fresh, held };
  }
}

function words(count) {
  if (count >= 1000000) return `${count / 1000000}M`;
  return count >= 1000 ? `${count / 1000}k` : String(count);
}

module.exports = { Rows, insist, CERTIFIED, ALONE };
