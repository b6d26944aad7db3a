// dear.js: devices whose credentials are dear to check have lanes of their own. Most tests enroll keys, so a second door is asked that was built as
// if the check of every stored credential were dear; what is cheap there is the token of an id that is not enrolled, when no key makes it good.
'use strict';

const fs = require('node:fs');
const { describe, test } = require('node:test');
const { assert, stack, idscope, sas, fresh, scene, until } = require('../kit');
const { Door, DOOR_MS } = require('../door');

const program = process.env.DEAR_DOOR;
const PROMPT_MS = DOOR_MS / 4; // no wait for anybody

// What a device asks through a door; each gives the number of the call.
class Asker {
  constructor(door, idScope) {
    Object.assign(this, { door, idScope });
  }

  ask(method, { id, key, expiry }, rest = '') {
    return this.door.ask(method, `global.dps.${idscope.domain}`, `/${this.idScope}/registrations/${id}${rest}?api-version=2021-10-01`, sas.forDevice(this.idScope, id, key, { expiry }));
  }

  register(device) { return this.ask('PUT', device, '/register'); }
  poll(device, operation) { return this.ask('GET', device, `/operations/${operation}`); }
  status(device) { return this.ask('POST', device); }
}

async function opened(t, made, options) {
  const door = new Door(t, options);
  await until('the door to be open', () => door.open, { timeoutMs: 20000 });
  return new Asker(door, made.idScope);
}

// A poll is told 202 or 200, as the worker gets on.
const likeness = (status) => (status < 300 ? 'done' : status);
const ranBy = (door, lane) => door.numbers[`idscope_lane_calls_total{lane="${lane}"}`];
const waitedFor = (door, lane) => door.numbers[`idscope_lane_wait_seconds_total{lane="${lane}"}`];

describe('dear: credentials that are dear to check', () => {
  test('register, poll and status look-up are run by the second class of lanes, and answered and logged like cheap ones, good or bad', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.registered();
    const bad = { id: device.id, key: sas.newKey() };
    const stranger = { id: fresh('stranger'), key: device.key };
    const late = { ...stranger, expiry: sas.inSeconds(-1000) };
    const seen = [];
    for (const options of [{}, { program }]) {
      const asker = await opened(t, made, options);
      const { operationId } = await made.start(device);
      const asked = async (work) => (await asker.door.answersTo([device, bad, stranger, late].map(work), 10000)).map(({ status }) => likeness(status));
      const statuses = [];
      for (const work of [(one) => asker.poll(one, operationId), (one) => asker.poll(one, 'none'), (one) => asker.status(one), (one) => asker.register(one)]) statuses.push(await asked(work));
      await asker.door.end();
      const logged = asker.door.requests().map(({ operation, status, error, detail, idScope, plane }) => JSON.stringify({ operation, status: likeness(status), error, detail, idScope, plane })).sort();
      seen.push({ statuses, logged, first: ranBy(asker.door, 'device'), second: ranBy(asker.door, 'device-dear'),
        waited: ['device', 'device-dear'].map((lane) => waitedFor(asker.door, lane) > 0) });
    }
    const [cheap, dear] = seen;
    assert.deepEqual(cheap.statuses, [['done', 401, 401, 401], [404, 401, 401, 401], ['done', 401, 401, 401], ['done', 401, 401, 401]]);
    assert.deepEqual([cheap.first, cheap.second], [8, 8], 'whoever may be one of a group is looked for by the second class, whether there is one or not');
    assert.deepEqual([dear.first, dear.second], [4, 12], 'only the stranger whose token no key makes good is cheap');
    assert.deepEqual([cheap.waited, dear.waited], [[true, true], [true, true]], 'each call waited for its lane, if a moment');
    assert.deepEqual(dear.statuses, cheap.statuses);
    assert.deepEqual(dear.logged, cheap.logged);
  });

  test('while the dear ones are held up, cheap ones have their answers at once; those that wait get theirs in time, and nothing is left', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const devices = await Promise.all(Array.from({ length: 8 }, () => made.enroll()));
    const stranger = { id: fresh('stranger'), key: sas.newKey(), expiry: sas.inSeconds(-1000) };
    const asker = await opened(t, made, { program });
    const { door } = asker;
    await door.answersTo([asker.register(stranger)], 10000);

    const holder = stack.sql('begin; lock table idscope.job in exclusive mode; select pg_sleep(30); commit').catch(() => {});
    const sessions = (what, which) => stack.sql(`select ${what} from pg_stat_activity where ${which}`);
    await until('the lock to be held', async () => (await sessions('count(*)', "query ~ 'pg_sleep.30.' and wait_event = 'PgSleep'")) === '1');
    const first = asker.register(devices[0]);
    await until('the dear lane to be held', async () => (await sessions('count(*)', "wait_event_type = 'Lock' and application_name = 'idscope-api device-dear'")) === '1');
    const held = [first, ...Array.from({ length: 100 }, (_, i) => asker.register(devices[i % devices.length]))];
    for (const { status, ms } of await door.answersTo(Array.from({ length: 20 }, () => asker.register(stranger)), 10000)) {
      assert.equal(status, 401);
      assert.ok(ms < PROMPT_MS, `a cheap one took ${ms} ms`);
    }
    assert.ok(!door.answers.has(first), 'the dear lane was held all the while');
    for (const { status, ms } of await door.answersTo(held, 10000)) {
      assert.equal(status, 503);
      assert.ok(ms < DOOR_MS + 1500, `an answer took ${ms} ms`);
    }
    await sessions('pg_terminate_backend(pid)', "query ~ 'pg_sleep.30.' and wait_event = 'PgSleep'");
    await holder;
    await until('dear ones to be served again', async () => (await door.answersTo([asker.register(devices[0])], 10000))[0].status === 202, { timeoutMs: 30000 });
    await door.end();
    assert.equal(ranBy(door, 'device'), 21, 'what the first lanes answered is the cheap ones');
  });

  test('their threads leave the processors to all others', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const { door } = await opened(t, made);
    const tasks = `/proc/${door.child.pid}/task`;
    const threads = fs.readdirSync(tasks).map((id) => [fs.readFileSync(`${tasks}/${id}/comm`, 'utf8').trim(), Number(fs.readFileSync(`${tasks}/${id}/stat`, 'utf8').split(') ')[1].split(' ')[16])]);
    const nice = (of) => [...new Set(threads.filter(([name]) => of(name)).map(([, nice]) => nice))];
    const [[dear], others] = [nice((name) => name === 'device-dear'), nice((name) => name !== 'device-dear')];
    assert.deepEqual(others, [0]);
    assert.ok(dear > 0, `their nice value is ${dear}`);
    await door.end();
  });
});
