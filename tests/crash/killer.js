// killer.js: ends parts of a stack with kill -9 and starts them again: at random moments, or at a named kill point (core/killpoint.h).
//
// Responsible for: the account of kills. A kill counts only when a registration was in flight; a hit of a kill point counts when the
// program itself wrote it down before it died. Must never kill anything but parts of its own stack.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { isRunning } = require('../lib/stack');
const { sleep, until } = require('../lib/https');

const POINTS = { batch_prepared: 'api', register_before_commit: 'api', register_after_commit: 'api', batch_written: 'api',
  assign_chosen: 'worker', assign_left: 'worker', assign_left_twin: 'worker', assign_twin: 'worker', assign_hub_done: 'worker', assign_finished: 'worker', remove_done: 'worker', sweep_bitten: 'worker', import_bite: 'worker' };
const PROCESS = { postgres: 'postgres', api: 'api1', worker: 'worker1' };

class Killer {
  constructor(stack, random) {
    this.stack = stack;
    this.random = random;
    this.file = path.join(stack.dir, 'kills');
    this.kills = { postgres: 0, api: 0, worker: 0 };
    this.hits = Object.fromEntries(Object.keys(POINTS).map((point) => [point, 0]));
    this.idle = 0;
  }

  total() { return Object.values(this.kills).reduce((a, b) => a + b, 0); }

  count(part, inFlight) {
    if (inFlight > 0) this.kills[part]++;
    else this.idle++;
  }

  // At a random moment; the part is down for a random while.
  async strike(part, inFlight) {
    await sleep(this.random() * 250);
    const flying = inFlight();
    await this.stack.killPart(part);
    this.count(part, flying);
    await sleep(this.random() * 200);
  }

  // Starts the part so that it dies (or freezes) at the point, at one hit in `oneIn`.
  async arm(point, oneIn = 1, signal = 'KILL', name = POINTS[point]) {
    const env = { IDSCOPE_KILL_POINT: point, IDSCOPE_KILL_LOG: this.file, IDSCOPE_KILL_ONE_IN: String(oneIn), IDSCOPE_KILL_SIGNAL: signal };
    const before = this.logged(point);
    fs.closeSync(fs.openSync(this.file, 'a'));
    fs.chmodSync(this.file, 0o666); // whoever the program runs as
    try {
      await this.stack.startPart(name, env);
    } catch (error) {
      if (this.logged(point) === before) throw error; // else it died so early that it was never seen ready
    }
    return before;
  }

  // Waits until an armed part has died at its point; `keepBusy` is called while it has not.
  async fell(point, before, inFlight, keepBusy = () => {}) {
    const part = POINTS[point];
    let flying = inFlight();
    await until(`${part} to reach ${point}`, () => {
      if (!isRunning(this.stack.pid(PROCESS[part]))) return true;
      flying = inFlight();
      keepBusy();
      return false;
    }, { timeoutMs: 60000, everyMs: 10 });
    if (this.logged(point) === before) throw new Error(`${part} ended, but not at ${point}: see ${this.stack.log(PROCESS[part])}`);
    this.hits[point]++;
    this.count(part, flying);
  }

  logged(point) {
    if (!fs.existsSync(this.file)) return 0;
    return fs.readFileSync(this.file, 'utf8').split('\n').filter((line) => line === point).length;
  }

  summary() {
    const list = (of) => Object.entries(of).map(([name, count]) => `${name} ${count}`).join(', ');
    return `${list(this.kills)}; of these at kill points: ${list(this.hits)}`;
  }
}

module.exports = { Killer, POINTS, PROCESS };
