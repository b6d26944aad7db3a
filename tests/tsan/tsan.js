// tsan.js: api and worker, built with ThreadSanitizer, under every plane at once, while the database restarts and the programs drain; at the end
// they are to stop while the database is frozen.
//
// Responsible for: the stack, the load clients beside the actors, what is taken away when, the verdict. Fails on a report of the sanitizer, on a
// program that did not end with 0 when asked to, on an answer 500, and when a plane, the worker or a drain was not exercised at all. Before
// that a program with a known race has to be reported: a sanitizer that sees nothing is no evidence.
//     TSAN_SECONDS (30): of load
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { Stack, ROOT, run, temporaryFolder } = require('../lib/stack');
const { Idscope } = require('../lib/idscope');
const { seed, loadClient } = require('../lib/load');
const { sleep, until } = require('../lib/https');
const { Actors, Tally } = require('./actors');

const GROUP = 'tsan';
const FLEET = 3000;
const POLLED = 400;
const WAITING = 6;
const LEAST_SERVED = 10; // of each plane: on a busy machine there is little more
const FROZEN_END_MS = 20000;
const EXIT_ON_REPORT = 66;
const SUPPRESSIONS = path.join(ROOT, 'tests/tsan/suppressions.txt');
const API_ARGS = '--device-lanes=2 --service-lanes=2 --hub-lanes=2 --management-lanes=2 --quick-return-s=2 --limits=pollsPerTenSeconds=0';
const WORKER_ARGS = '--job-slots=8 --link-check-s=3 --latency-check-s=2';
const PLANES = ['management', 'sign-in', 'service', 'hub', 'device', 'poll', 'probe'];

const began = Date.now();
const say = (text) => console.log(`tsan ${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);
const options = (log) => `halt_on_error=0:exitcode=${EXIT_ON_REPORT}:second_deadlock_stack=1:history_size=4:log_path=${log}:suppressions=${SUPPRESSIONS}:print_suppressions=1`;

class Lanes {
  constructor() {
    this.seconds = Number(process.env.TSAN_SECONDS || 30);
    this.dir = temporaryFolder('tsan');
    fs.chmodSync(this.dir, 0o755);
    this.faults = [];
  }

  // --- the sanitizer works ------------------------------------------------------------------------------------------------------

  selfCheck() {
    const log = path.join(this.dir, 'racy');
    const { status } = spawnSync(path.join(ROOT, 'build/tsan/tests/tsan/racy'), { env: { TSAN_OPTIONS: options(log) } });
    const reported = fs.readdirSync(this.dir).some((file) => file.startsWith('racy.') && /data race/.test(fs.readFileSync(path.join(this.dir, file), 'utf8')));
    if (status !== EXIT_ON_REPORT || !reported) throw new Error(`a known race was not reported (exit ${status})`);
  }

  // --- the stack ----------------------------------------------------------------------------------------------------------------

  async open() {
    const dir = path.join(this.dir, 's');
    process.env.TSAN_OPTIONS = options(path.join(dir, 'log/tsan'));
    this.stack = await Stack.make(dir, { FLAVOR: 'tsan', API_ARGS, WORKER_ARGS, START_TIMEOUT_S: '120' });
    await this.stack.start();
    const service = this.service = new Idscope(this.stack.env, { sockets: 64 });
    await service.createGroup(GROUP);
    const hubs = [];
    for (const name of ['tsan-north', 'tsan-south', 'tsan-west']) hubs.push(await service.createHub(GROUP, name));
    const properties = { allocationPolicy: 'Hashed', iotHubs: hubs.map((hub) => Idscope.link(hub)) };
    const instances = [];
    for (const name of ['tsan-one', 'tsan-two']) instances.push(await service.createInstance(GROUP, name, properties));
    this.scopes = await this.fleetIn('scopes', instances, FLEET);
    this.quietScopes = await this.fleetIn('quiet', [await service.createInstance(GROUP, 'tsan-quiet', properties)], POLLED);
    const devices = Array.from({ length: FLEET }, (_, i) => `dev-${1000000 + i}`);
    this.actors = new Actors({ service, stack: this.stack, group: GROUP, hubs, instances, devices });
  }

  async fleetIn(name, instances, size) {
    const file = path.join(this.dir, name);
    fs.writeFileSync(file, `${instances.map((instance) => instance.idScope).join('\n')}\n`);
    await seed(this.stack, file, size);
    return file;
  }

  // --- load ---------------------------------------------------------------------------------------------------------------------

  // One walk through the fleet, again and again until the time is over.
  async load(kind, more) {
    const account = await loadClient({ scopes: this.scopes, size: FLEET, count: FLEET, cycle: 1, ...more });
    for (const [status, count] of Object.entries(account.status)) this.actors.tally.add(kind, Number(status), count);
    this.actors.tally.broken += account.broken;
  }

  // The plain listener goes away with the api, so its clients end before that; those of the edge stay.
  clients(plainSeconds) {
    const plain = { port: this.stack.plainPort, seconds: plainSeconds };
    const edge = { port: this.stack.edgePort, host: this.service.deviceHost, ca: this.service.env.IDSCOPE_CA, seconds: this.seconds };
    const polls = { ask: 'poll', scopes: this.quietScopes, size: POLLED, count: POLLED, load: this.operations };
    return [
      this.load('device', { ...plain, connections: 40, first: 0 }),
      this.load('device', { ...edge, connections: 24, first: 1000 }),
      this.load('device', { ...edge, connections: 4, connection: 'new', first: 2000 }),
      this.load('poll', { ...plain, ...polls, connections: 24 }),
      this.load('poll', { ...edge, ...polls, connections: 12 }),
    ];
  }

  // Devices that are polled and do not register again, so that their operations stay known.
  async firstRegistrations() {
    this.operations = path.join(this.dir, 'operations');
    await this.load('device', { port: this.stack.plainPort, scopes: this.quietScopes, size: POLLED, count: POLLED, cycle: 0, connections: 64,
      save: this.operations });
  }

  // What is taken away under load: the database after a third of the time, api and then worker towards the end.
  async faultsInTime(end) {
    await sleep(this.seconds * 1000 / 3);
    say('the database restarts');
    await this.stack.script(['restart-part', 'postgres']);
    await sleep(Math.max(0, end - Date.now() - this.drainMs));
    say('api and worker drain under load and start again');
    await Promise.all([this.stack.script(['restart-part', 'api']), this.stack.script(['restart-part', 'worker'])]);
  }

  async storm() {
    this.drainMs = this.seconds * 1000 / 4;
    await this.firstRegistrations();
    const end = Date.now() + this.seconds * 1000;
    let over = false;
    say(`load for ${this.seconds} s`);
    const acting = this.actors.run(() => !over);
    try {
      await Promise.all([...this.clients(Math.floor((this.seconds * 1000 - this.drainMs) / 1000) - 1), this.faultsInTime(end)]);
    } finally {
      over = true;
      await acting;
    }
  }

  // After all that devices are still assigned: the threads live.
  async settle() {
    this.assigned = await until('registrations to be assigned', () => this.stack.number("select count(*) from idscope.registration where status = 'assigned'"),
      { timeoutMs: 60000, everyMs: 500 });
  }

  // A database that stopped answering keeps nobody: who waits is refused, and both programs end as asked.
  async endWhileFrozen() {
    const { service, instances } = this.actors;
    const server = this.stack.pid('postgres');
    const pids = [...(await run('pgrep', ['-P', String(server)])).trim().split('\n').map(Number), server];
    say('api and worker end while the database is frozen');
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      const waiting = Array.from({ length: WAITING }, (_, i) => service.service(instances[0], 'GET', `/enrollments/nobody-${i}`));
      await until('requests to wait', async () => (await this.actors.inFlight()) >= WAITING, { timeoutMs: 20000 });
      const asked = Date.now();
      await Promise.all([this.stack.stopPart('api'), this.stack.stopPart('worker')]);
      if (Date.now() - asked > FROZEN_END_MS) this.faults.push(`with a frozen database the programs took ${Date.now() - asked} ms to end`);
      const others = (await Promise.all(waiting)).filter((answer) => answer.status !== 503);
      if (others.length > 0) this.faults.push(`with a frozen database a request was answered ${others[0].status} ${others[0].text}`);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
  }

  // --- the verdict --------------------------------------------------------------------------------------------------------------

  reports() {
    const log = path.join(this.stack.dir, 'log');
    return fs.readdirSync(log).filter((file) => file.startsWith('tsan.')).map((file) => fs.readFileSync(path.join(log, file), 'utf8'));
  }

  // Every start must have an end that was asked for; a second one of each was the drain.
  ends(name, starts) {
    const log = fs.existsSync(this.stack.log(name)) ? fs.readFileSync(this.stack.log(name), 'utf8') : '';
    const events = log.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    const stopped = events.filter((one) => one.event === 'stopped');
    const started = events.filter((one) => one.event === 'started').length;
    if (started !== starts || stopped.length !== starts || stopped.some((one) => one.code !== 0))
      this.faults.push(`${name}: ${started} starts, ends with ${stopped.map((one) => one.code).join(', ') || 'nothing said'}; ${starts} of each and 0 wanted`);
    const drained = events.find((one) => one.event === 'draining' && one.inFlight > 0);
    if (name === 'api1' && !drained) this.faults.push('api1 drained with nothing in flight');
  }

  verdict() {
    const tally = this.actors ? this.actors.tally : new Tally();
    const reports = this.reports();
    const races = reports.flatMap((text) => text.match(/^(WARNING|ERROR|FATAL): ThreadSanitizer.*|ThreadSanitizer:DEADLYSIGNAL/gm) || []);
    for (const text of reports) if (/ThreadSanitizer: |DEADLYSIGNAL/.test(text)) console.log(text);
    this.ends('api1', 2);
    this.ends('worker1', 2);
    for (const plane of PLANES) if (tally.served(plane) < LEAST_SERVED) this.faults.push(`${plane}: only ${tally.served(plane)} requests were served`);
    if (this.assigned < POLLED) this.faults.push(`only ${this.assigned} registrations were assigned`);
    this.faults.push(...tally.strange.slice(0, 5));
    for (const line of tally.lines()) say(line);
    say(`${this.assigned} registrations assigned, ${tally.broken} connections broke`);
    const entries = fs.readFileSync(SUPPRESSIONS, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    say(`suppressions: ${entries}, matched ${reports.flatMap((text) => text.match(/^ThreadSanitizer: Matched [0-9]+/gm) || []).map((line) => Number(line.split(' ')[2])).reduce((a, b) => a + b, 0)}`);
    for (const fault of this.faults) console.log(`tsan: FAILED: ${fault}`);
    console.log(`tsan: ${tally.total()} requests, ${races.length} races`);
    return races.length === 0 && this.faults.length === 0;
  }

  async close() {
    if (this.service) this.service.close();
    await this.stack.script(['stop']);
  }

  async remove() {
    await this.stack.remove();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

// Whatever failed on the way, what the sanitizer saw is told.
async function main() {
  const lanes = new Lanes();
  lanes.selfCheck();
  try {
    await lanes.open();
    await lanes.storm();
    await lanes.settle();
    await lanes.endWhileFrozen();
  } catch (error) {
    lanes.faults.push(error.stack);
  }
  await lanes.close();
  const good = lanes.verdict();
  if (good) await lanes.remove();
  else console.log(`tsan: kept ${lanes.dir}`);
  process.exitCode = good ? 0 : 1;
}

main().catch((error) => {
  console.error(`tsan: FAILED: ${error.stack}`);
  process.exitCode = 1;
});
