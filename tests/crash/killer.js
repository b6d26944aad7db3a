// killer.js: ends parts of a stack with kill -9 and starts them again: at random moments, or at a named kill point (core/killpoint.h).
//
// Responsible for: the account of kills. A kill counts only when a registration was in flight; a hit of a kill point counts when the
// program itself wrote it down before it died. Must never kill anything but parts of its own stack.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { isRunning } = require('../lib/stack');
const { sleep, until } = require('../lib/https');

const PROCESS = { postgres: 'postgres', api: 'api1', worker: 'worker1' };

class Killer {
  // points: the kill points that are to be hit, each with the part that has it.
  constructor(stack, random, points) {
    Object.assign(this, { stack, random, points });
    this.file = path.join(stack.dir, 'kills');
    this.kills = { postgres: 0, api: 0, worker: 0 };
    this.hits = Object.fromEntries(Object.keys(points).map((point) => [point, 0]));
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

  // Starts the part so that it dies (or freezes) at the point, at one hit in `oneIn`; with `aim`, only where one of these stands.
  async arm(point, { oneIn = 1, signal = 'KILL', name = this.points[point], aim } = {}) {
    const env = { IDSCOPE_KILL_POINT: point, IDSCOPE_KILL_LOG: this.file, IDSCOPE_KILL_ONE_IN: String(oneIn), IDSCOPE_KILL_SIGNAL: signal, ...(aim && { IDSCOPE_KILL_AIM: ` ${aim.join(' ')} ` }) };
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
    const part = this.points[point];
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

  lines(point) {
    if (!fs.existsSync(this.file)) return [];
    return fs.readFileSync(this.file, 'utf8').split('\n').map((line) => line.split(/ +/).filter(Boolean)).filter(([name]) => name === point);
  }

  logged(point) { return this.lines(point).length; }

  // Whose work stood at the point when a part died there last, of kills with an aim.
  stood(point) { return this.lines(point).at(-1).slice(1); }

  summary() {
    const list = (of) => Object.entries(of).map(([name, count]) => `${name} ${count}`).join(', ');
    return `${list(this.kills)}; of these at kill points: ${list(this.hits)}`;
  }
}

module.exports = { Killer };
