// crash.js: the crash test (`make crash`): registrations while PostgreSQL, api and worker are killed with -9 and started again.
//
// Responsible for: the storm (devices register in step with the kills, so that each kill meets registrations in flight), the second storm of
// devices that move to another hub, the single scenarios, the verdict. Passes only when nothing was lost, nothing doubled, every kill
// point was hit, and the service answers without a 5xx afterwards.
//     CRASH_DEVICES (5000)   CRASH_KILLS (20: at least so many count)   CRASH_SEED (drawn and printed)
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Stack, temporaryFolder } = require('../lib/stack');
const { Idscope } = require('../lib/idscope');
const { sleep } = require('../lib/https');
const { Fleet } = require('./fleet');
const { Killer } = require('./killer');
const { Scenarios } = require('./scenarios');
const { judge, insistClean, insistNothingLeft, settled } = require('./verdict');

const GROUP = 'crash';
// Those of the first storm, and those that other parts of the test hit.
const STORM = { batch_prepared: 'api', register_before_commit: 'api', register_after_commit: 'api', batch_written: 'api', assign_chosen: 'worker', assign_hub_done: 'worker', assign_finished: 'worker' };
const POINTS = { ...STORM, remove_done: 'worker', sweep_bitten: 'worker', import_bite: 'worker', inventory_page: 'worker', audit_sealing: 'worker' };
const WORKER_ARGS = '--lease-ms=3000 --hub-timeout-ms=2000 --link-check-s=5';
const began = Date.now();
const say = (text) => console.log(`crash ${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

function setting(name, fallback) {
  const value = Number(process.env[name] || fallback);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number from 1`);
  return value;
}

// mulberry32: the same kills again from the same seed, as far as the machine's own timing allows.
function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(list, random) {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

class Crash {
  constructor() {
    this.count = setting('CRASH_DEVICES', 5000);
    this.wanted = setting('CRASH_KILLS', 20);
    this.seed = setting('CRASH_SEED', 1 + Math.floor(Math.random() * 1e9));
    this.random = generator(this.seed);
    this.dir = temporaryFolder('crash');
    fs.chmodSync(this.dir, 0o755);
  }

  async open() {
    this.stack = await Stack.make(path.join(this.dir, 's'), { FLAVOR: 'crash', API_ARGS: '--limits=pollsPerTenSeconds=0', WORKER_ARGS });
    await this.stack.start();
    this.service = new Idscope(this.stack.env, { sockets: 64 });
    await this.service.createGroup(GROUP);
    this.hubs = [];
    for (const name of ['crash-north', 'crash-south', 'crash-west']) this.hubs.push(await this.service.createHub(GROUP, name));
    const instance = await this.service.createInstance(GROUP, 'crash-dps', { allocationPolicy: 'Hashed', iotHubs: this.hubs.slice(0, 2).map((hub) => Idscope.link(hub)) });
    this.killer = new Killer(this.stack, this.random, POINTS);
    this.fleet = new Fleet(this.service, instance, this.random, this.stack.plainPort);
  }

  async close() {
    if (this.service) this.service.close();
    if (this.stack) await this.stack.remove();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  // --- the storm --------------------------------------------------------------------------------------------------------------

  // Half of the kills at random moments, most of them PostgreSQL; for each kill point one kill to arm the program and one at the point.
  plan() {
    const points = Object.entries(STORM).map(([point, part]) => ({ point, part }));
    const strikes = Array.from({ length: Math.max(5, this.wanted - 2 * points.length) }, (_, i) => ({ part: ['postgres', 'worker', 'postgres', 'api'][i % 4] }));
    return shuffled([...points, ...strikes], this.random);
  }

  // Devices begin in step with the kills: a share before each, and more whenever none is in flight.
  feeder(devices, steps) {
    const waiting = [...devices];
    const share = Math.ceil(devices.length / (steps + 1));
    const release = (count) => this.fleet.release(waiting.splice(0, count));
    return { share: () => release(share), more: () => { if (this.fleet.inFlight() < 4) release(Math.ceil(share / 8)); }, rest: () => release(waiting.length),
      left: () => waiting.length };
  }

  async storm(devices, plan) {
    const feeder = this.feeder(devices, plan.length);
    const flying = () => this.fleet.inFlight();
    for (const { part, point } of plan) {
      feeder.share();
      feeder.more();
      await this.killer.strike(part, flying);
      if (point) {
        const before = await this.killer.arm(point, { oneIn: 1 + Math.floor(this.random() * 3) });
        await this.killer.fell(point, before, flying, () => feeder.more());
      }
      await this.stack.startPart(part);
      say(`${point || part} (${flying()} in flight, ${feeder.left()} to come)`);
    }
    feeder.rest();
    await this.fleet.settled();
    this.insistNoViolations();
  }

  insistNoViolations() {
    const { violations } = this.fleet;
    if (violations.length) throw new Error(`${violations.length} violations: ${violations.slice(0, 5).join('; ')}`);
  }

  async firstStorm() {
    const devices = await this.fleet.enroll(this.count, 'dev');
    say(`${devices.length} devices enrolled; the storm begins`);
    await this.storm(devices, this.plan());
    say(`all assigned after ${this.killer.total()} kills; ${JSON.stringify(this.fleet.retries)}`);
    insistClean(await judge(this.stack, this.service, this.hubs, this.fleet.devices));
  }

  // A third hub is linked: devices move when they register again, and are to be taken off their old hubs. (Not only to the third one: with the
  // api killed, hubs may be unreachable for a moment, and what is chosen then passes them by.)
  async secondStorm() {
    const { instance } = this.fleet;
    await this.service.putInstance(GROUP, instance.name, { allocationPolicy: 'Hashed', iotHubs: this.fleet.link(this.hubs) });
    const devices = shuffled(this.fleet.devices, this.random).slice(0, Math.max(100, Math.ceil(this.count / 5)));
    const before = new Map(devices.map((device) => [device, device.state.assignedHub]));
    await this.storm(devices, [{ part: 'worker', point: 'remove_done' }, { part: 'postgres' }, { part: 'worker', point: 'remove_done' }, { part: 'api' }]);
    await settled(this.stack);
    const moved = devices.filter((device) => device.state.assignedHub !== before.get(device));
    if (!moved.some((device) => device.state.assignedHub === this.hubs[2].host)) throw new Error('no device moved to the third hub');
    say(`${moved.length} of ${devices.length} devices moved to another hub`);
  }

  // --- afterwards -------------------------------------------------------------------------------------------------------------

  async scenarios() {
    for (const [name, work] of new Scenarios(this).list()) {
      await work();
      this.insistNoViolations();
      say(`ok  ${name}`);
    }
  }

  // With everything up again nobody meets a 5xx or a lost connection.
  async calm() {
    await sleep(1000); // kept-alive connections to what was killed last are noticed
    const before = JSON.stringify(this.fleet.retries);
    this.fleet.release(await this.fleet.enroll(100, 'calm'));
    await this.fleet.settled();
    this.insistNoViolations();
    if (JSON.stringify(this.fleet.retries) !== before) throw new Error(`5xx or lost connections after recovery: ${before} -> ${JSON.stringify(this.fleet.retries)}`);
  }

  async verdict() {
    const wrong = await judge(this.stack, this.service, this.hubs, this.fleet.devices);
    insistClean(wrong);
    await insistNothingLeft(this.stack);
    for (const [point, hits] of Object.entries(this.killer.hits)) if (!hits) throw new Error(`the kill point ${point} was never hit`);
    if (this.killer.total() < this.wanted) throw new Error(`only ${this.killer.total()} kills met a registration in flight, ${this.wanted} are wanted`);
    console.log(`crash: ${this.fleet.devices.length} registrations, ${this.killer.total()} kills (${this.killer.summary()}), ${this.killer.idle} more that met none in flight, `
      + `seed ${this.seed}: ${wrong.lost.length} lost, ${wrong.doubled.length} doubled`);
  }
}

async function main() {
  const crash = new Crash();
  let closing;
  const close = () => (closing = closing || crash.close());
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => close().finally(() => process.exit(1)));
  say(`${crash.count} devices, at least ${crash.wanted} kills, seed ${crash.seed}`);
  try {
    await crash.open();
    await crash.firstStorm();
    await crash.secondStorm();
    await crash.scenarios();
    await crash.calm();
    await crash.verdict();
  } catch (error) {
    if (process.env.CRASH_KEEP) closing = Promise.resolve();
    throw new Error(`seed ${crash.seed}: ${error.message}${process.env.CRASH_KEEP ? ` (kept: ${crash.dir})` : ''}`);
  } finally {
    await close();
  }
}

main().catch((error) => {
  console.error(`crash: failed: ${error.message}`);
  process.exitCode = 1;
});
