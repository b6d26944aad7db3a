// door.js: the second door to the lanes (door.c) as the suites use it.
//
// Responsible for: its process, with a short time for each call, and the account at its end: each call answered once, logged and counted, and nothing
// left. Must never be asked what a client of HTTP can ask.
'use strict';

const path = require('node:path');
const readline = require('node:readline');
const { spawn } = require('node:child_process');
const { assert, stack, idscope, until } = require('./kit');

const DOOR_MS = 1000;

// One running second door. Numbers of calls to answers {status, ms}.
class Door {
  constructor(t, { callMs = DOOR_MS, program = process.env.DOOR, more = {} } = {}) {
    const settings = { 'database-url': stack.databaseUrl('idscope_api'), 'key-ring-file': path.join(stack.folder, 'keys/ring'), domain: idscope.domain, 'request-timeout-ms': callMs, ...more };
    this.child = spawn(program, Object.entries(settings).map(([name, value]) => `--${name}=${value}`), { stdio: ['pipe', 'pipe', 'pipe'] });
    t.after(() => this.child.kill('SIGKILL'));
    this.answers = new Map();
    this.calls = 0;
    this.numbers = {};
    this.log = [];
    readline.createInterface({ input: this.child.stderr }).on('line', (line) => (line.startsWith('{') ? this.log.push(JSON.parse(line)) : console.error(line)));
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => {
      const [word, status, ms] = line.split(' ');
      if (word === 'open') this.open = true;
      else if (word === 'left' || word.startsWith('idscope_')) this.numbers[word] = Number(status);
      else if (word !== '#') this.answers.set(word, [...(this.answers.get(word) || []), { status: Number(status), ms: Number(ms) }]);
    });
  }

  ask(method, host, target, authorization = '') {
    const number = String(this.calls++);
    this.child.stdin.write(`${number} ${method} ${host} ${target}${authorization && ` ${authorization}`}\n`);
    return number;
  }

  requests() { return this.log.filter(({ event }) => event === 'request'); }

  // The one answer to each of these calls; none has two.
  async answersTo(numbers, timeoutMs) {
    await until('the second door to answer', () => numbers.every((number) => this.answers.has(number)), { timeoutMs });
    return numbers.map((number) => {
      assert.equal(this.answers.get(number).length, 1, `call ${number} came back more than once`);
      return this.answers.get(number)[0];
    });
  }

  async end() {
    const ended = new Promise((resolve) => { this.child.on('close', resolve); });
    this.child.stdin.end();
    assert.equal(await ended, 0);
    for (const answers of this.answers.values()) assert.equal(answers.length, 1);
    for (const name of ['left', 'idscope_arenas', 'idscope_requests_in_flight']) assert.equal(this.numbers[name], 0, name);
    const counted = Object.entries(this.numbers).filter(([name]) => name.startsWith('idscope_requests_total')).reduce((sum, [, n]) => sum + n, 0);
    assert.equal(counted, this.calls, 'calls that /metrics counts');
    const statuses = (list) => list.map(({ status }) => status).sort();
    assert.deepEqual(statuses(this.requests()), statuses([...this.answers.values()].flat()), 'each answer has its line in the access log');
  }
}

module.exports = { Door, DOOR_MS };
