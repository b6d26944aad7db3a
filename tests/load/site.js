// site.js: what the benchmark measures: two deployments with hubs, instances and enrollments.
//
// Responsible for: setting both up through the management plane, loading the enrollments, bringing the tables back to the same state
// before each measurement. Must never touch settings of PostgreSQL that durability depends on.
//
// Deployment a: many hubs; instances main (few hubs, the large fleet), wide and widest (more hubs), shared (some with few hubs and few devices
// each), and many small ones.
// Deployment b: its own database, api, worker and edge; one instance with the small fleet, whose hubs are those of a.
// Bare: `openssl s_server` with the certificate of a's edge, the yardstick of the edge.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { seed } = require('../lib/load');
const { Stack, Session, freePort, isFree, temporaryFolder } = require('../lib/stack');
const { Idscope, each } = require('../lib/idscope');
const { until } = require('../lib/https');
const { Groups } = require('./groups');

const POSTGRES_ARGS = '-c shared_buffers=512MB -c max_wal_size=8GB';
// Unchanged re-registrations are to be answered without a call to the hub; schedules must not fall into a measurement. One tenant has it all.
const API_ARGS = '--quick-return-s=0 --instances-max=2000 --links-max=2000';
const WORKER_ARGS = '--link-check-s=86400 --latency-check-s=86400';
const GROUP = 'bench';

class Site {
  constructor(sizes) {
    this.sizes = sizes;
    this.dir = temporaryFolder('bench');
    fs.chmodSync(this.dir, 0o755);
    this.stacks = [];
  }

  async open(say) {
    const a = this.a = await this.make('a', WORKER_ARGS);
    const b = this.b = await this.make('b', `${WORKER_ARGS} --edge-address=127.0.0.1:${a.edgePort} --ca-file=${a.dir}/tls/ca.pem`);
    await Promise.all([a.start(), b.start()]);
    for (const stack of this.stacks) stack.session = new Session(stack);
    say('two deployments run');
    await this.makeHubs();
    await this.makeInstances();
    say(`${this.hubs.length} hubs and ${this.many.length} instances made`);
    await this.validated(a);
    await this.validated(b);
    await this.seed(a, this.main, this.sizes.fleet);
    await this.seed(a, [...this.wide, ...this.widest], this.sizes.assign);
    await this.seed(a, this.shared, Math.ceil(this.sizes.assign / this.sizes.shared));
    // Their hubs are the same, so their devices there are called differently.
    await a.session.sql(`update idscope.enrollment set device_id = registration_id || '-' || id_scope
      where id_scope in (${this.shared.map((scope) => `lower('${scope}')`)})`);
    await this.seed(a, this.many, this.sizes.perScope);
    await this.seed(b, this.small, this.sizes.small);
    for (const stack of this.stacks) await stack.session.sql('vacuum (analyze, freeze) idscope.enrollment');
    say('enrollments loaded');
    for (const stack of this.stacks) await stack.stopPart('worker');
    await this.startBare();
    if (this.sizes.groups) {
      this.groups = new Groups(this, GROUP);
      await this.groups.open();
      say('enrollment groups made');
    }
  }

  // It sends a file as it is, head and all, and no session tickets, with which nobody would come back.
  async startBare() {
    const pair = path.join(this.a.dir, 'tls/server.pem.ecdsa');
    fs.writeFileSync(path.join(this.dir, 'answer'), 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}');
    const port = await freePort();
    const args = ['s_server', '-quiet', '-HTTP', '-num_tickets', '0', '-accept', `127.0.0.1:${port}`, '-cert', pair, '-key', pair];
    this.bare = { port, child: spawn('openssl', args, { cwd: this.dir, stdio: 'ignore' }) };
    await until('the bare TLS server', async () => !await isFree(port), { timeoutMs: 10000, everyMs: 50 });
  }

  async make(name, workerArgs) {
    const stack = await Stack.make(path.join(this.dir, name), { API_ARGS, WORKER_ARGS: workerArgs, POSTGRES_ARGS });
    this.stacks.push(stack);
    return stack;
  }

  // `work` with an api of further settings.
  async apiWith(stack, args, work) {
    await this.restartApi(stack, `${API_ARGS} ${args}`);
    try {
      return await work();
    } finally {
      await this.restartApi(stack, API_ARGS);
    }
  }

  async restartApi(stack, args) {
    await stack.stopPart('api1');
    await stack.startPart('api1', { API_ARGS: args });
  }

  async close() {
    for (const client of this.clients || []) client.close();
    if (this.bare) this.bare.child.kill();
    if (this.groups) this.groups.close();
    for (const stack of this.stacks) {
      if (stack.session) stack.session.close();
      await stack.remove();
    }
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  async makeHubs() {
    this.service = new Idscope(this.a.env);
    this.other = new Idscope(this.b.env);
    this.clients = [this.service, this.other];
    await this.service.createGroup(GROUP);
    await this.other.createGroup(GROUP);
    const names = Array.from({ length: Math.max(...this.sizes.hubs) }, (_, i) => `bench-hub-${i}`);
    this.hubs = await each(names, 4, (name) => this.service.createHub(GROUP, name));
  }

  // A file with the ID scopes of new instances, as the client and the seed read it.
  async makeScopes(service, name, count, hubs) {
    const properties = { allocationPolicy: 'Hashed', iotHubs: this.hubs.slice(0, hubs).map((hub) => Idscope.link(hub)) };
    const names = Array.from({ length: count }, (_, i) => `bench-${name}-${i}`);
    const made = await each(names, 4, (instance) => service.putInstance(GROUP, instance, properties));
    const scopes = made.map((instance) => instance.properties.idScope);
    scopes.file = path.join(this.dir, `${name}.scopes`);
    fs.writeFileSync(scopes.file, `${scopes.join('\n')}\n`);
    return scopes;
  }

  async makeInstances() {
    const [few, more, most] = this.sizes.hubs;
    this.main = await this.makeScopes(this.service, 'main', 1, few);
    this.wide = await this.makeScopes(this.service, 'wide', 1, more);
    this.widest = await this.makeScopes(this.service, 'widest', 1, most);
    this.shared = await this.makeScopes(this.service, 'shared', this.sizes.shared, few);
    this.many = await this.makeScopes(this.service, 'many', this.sizes.scopes, 0);
    this.small = await this.makeScopes(this.other, 'small', 1, few);
  }

  validated(stack) {
    return until('all links to be valid', async () => await stack.session.number("select count(*) from idscope.linked_hub where state <> 'valid'") === 0,
      { timeoutMs: 60000, everyMs: 200 });
  }

  // The whole fleet for each of the scopes, straight into the table: 1,000,000 PUTs would take longer than the rest.
  async seed(stack, scopes, size) {
    const file = path.join(this.dir, 'seed.scopes');
    fs.writeFileSync(file, `${scopes.join('\n')}\n`);
    await seed(stack, file, size);
  }

  // The same state before each measurement: no registrations, jobs and identities, nothing left for a checkpoint to do.
  async empty(stack) {
    await stack.session.sql('truncate idscope.registration, idscope.job, idscope.alloc_input, idscope.hub_device');
    await stack.session.sql('checkpoint');
  }

  async emptyAll() {
    for (const stack of this.stacks) await this.empty(stack);
  }

  // The processes of both deployments by program, for the account of CPU; the bare server counts as an edge, and so does HAProxy alone.
  trees() {
    const pids = (name) => this.stacks.flatMap((stack) => { try { return [stack.pid(name)]; } catch { return []; } });
    return { postgres: pids('postgres'), api: pids('api1'), worker: pids('worker1'), edge: [...pids('edge'), this.bare.child.pid, ...(this.groups ? [this.groups.alone.pid] : [])] };
  }
}

module.exports = { Site };
