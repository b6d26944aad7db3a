// reprovision.js: the table of registering again, with a worker that dies (`make crash-reprovision`):
// updateHubAssignment × migrateDeviceData × what becomes of the hub × attestation × each step at which the worker may die.
//
// Responsible for: the rows, made from the dimensions; a world for each step, and one in which nobody dies; the kills, counted for each row by
// what the dying worker wrote down; at every death, that no device is without a hub; in the end, that the registries of all hubs and the
// registrations are those of the world in which nobody died, whole.
// REPROVISION_STEPS: some of the steps, between blanks. CRASH_KEEP: the stack's folder stays when it fails.
// Must never take a row for done that did not stand at its step when a worker died there.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { DEVICES } = require('../lib/attested');
const { Front } = require('../lib/front');
const { Stack, freePort, temporaryFolder } = require('../lib/stack');
const { Idscope } = require('../lib/idscope');
const { each } = require('../lib/https');
const { Killer } = require('./killer');
const { CELLS, STEPS, WHATS, World } = require('./world');

const GROUP = 'again';
const WANTED = process.env.REPROVISION_STEPS ? process.env.REPROVISION_STEPS.split(/ +/) : Object.keys(STEPS);
const began = Date.now();
const say = (text) => console.log(`reprovision ${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

class Table {
  constructor() {
    this.dir = temporaryFolder('again');
    fs.chmodSync(this.dir, 0o755);
    this.down = new Set(); // hosts that do not answer workers
  }

  // The worker reaches all hubs by a front, where some of them are not there; the test itself goes by the edge.
  async open() {
    const port = await freePort();
    const dir = path.join(this.dir, 's');
    const WORKER_ARGS = `--lease-ms=4000 --hub-timeout-ms=3000 --link-check-s=3600 --edge-address=127.0.0.1:${port}`;
    this.stack = await Stack.make(dir, { FLAVOR: 'crash', API_ARGS: '--limits=pollsPerTenSeconds=0', WORKER_ARGS });
    await this.stack.start();
    const pem = fs.readFileSync(path.join(dir, 'tls/server.pem.ecdsa'));
    const ca = fs.readFileSync(path.join(dir, 'tls/ca.pem'));
    this.front = new Front('127.0.0.1', pem, ca, '127.0.0.1', ({ host }) => (this.down.has(host) ? 'cut' : undefined), { port, targetPort: this.stack.edgePort });
    await this.front.start();
    this.service = new Idscope(this.stack.env, { sockets: 64 });
    this.killer = new Killer(this.stack, Math.random, Object.fromEntries(Object.keys(STEPS).map((step) => [step, 'worker'])));
    await this.service.createGroup(GROUP);
  }

  async close() {
    if (this.service) this.service.close();
    if (this.stack) await this.stack.remove();
    if (this.front) await this.front.stop();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  async build() {
    const devices = CELLS.map((cell) => new DEVICES[cell.attested](undefined, cell.id));
    this.worlds = WANTED.map((step) => new World(this, GROUP, step));
    this.control = new World(this, GROUP, undefined);
    await each([this.control, ...this.worlds], 3, (world) => world.build(devices));
    await this.stack.stopPart('worker');
  }

  async run() {
    for (const world of [this.control, ...this.worlds]) {
      await world.live();
      say(`${world.name}: ${world.rows.length} rows, ${world.deaths} deaths`);
    }
    await this.stack.startPart('worker');
    await each([this.control, ...this.worlds], 9, (world) => world.settle());
  }

  // Each row with what is wrong with it; the rest of a world is wrong with all of its rows.
  async judge() {
    const whole = await this.control.seen();
    this.control.insistExpected(whole);
    let good = 0;
    let count = 0;
    for (const world of this.worlds) {
      const seen = await world.seen();
      for (const row of world.rows) {
        const wrong = world.wrongWith(row, seen, whole);
        count++;
        if (!wrong.length) good++;
        console.log(`${wrong.length ? 'not ok' : 'ok'}  ${row.name}: killed at ${world.step} ${world.hits.get(row.id)} times${wrong.slice(0, 3).map((words) => `\n      ${words}`).join('')}`);
      }
    }
    console.log(`reprovision: ${good} of ${count} rows (${CELLS.length} cases of ${Object.keys(DEVICES).length} attestations × ${WHATS.length} hubs × 4 policies, ${WANTED.length} steps), `
      + `${this.worlds.reduce((sum, world) => sum + world.deaths, 0)} deaths of workers`);
    assert.equal(good, count, 'rows of the table');
  }
}

async function main() {
  const table = new Table();
  let closing;
  const close = () => (closing = closing || table.close());
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => close().finally(() => process.exit(1)));
  try {
    await table.open();
    say('the stack runs');
    await table.build();
    say(`${table.worlds.length + 1} worlds of ${CELLS.length} devices stand`);
    await table.run();
    say('all has settled');
    await table.judge();
  } catch (error) {
    if (process.env.CRASH_KEEP) closing = Promise.resolve(console.error(`kept: ${table.dir}`));
    throw error;
  } finally {
    await close();
  }
}

main().catch((error) => {
  console.error(`reprovision: failed: ${error.message}`);
  process.exitCode = 1;
});
