// lanes.js: many clients of all planes at once, so that batches, queues and the gate's cache are shared by threads (tests/tsan does that under ThreadSanitizer).
// What is asked for is only that everybody is served rightly.
'use strict';

const { describe, test } = require('node:test');
const { assert, stack, idscope, expect, each, fresh, scene, sas, refused, until } = require('../kit');
const { Door } = require('../door');

describe('lanes', () => {
  test('devices of several scopes, operators and hub clients at the same time are all served', async (t) => {
    const scenes = await Promise.all([1, 2, 3].map((hubs) => scene(t, { hubs })));
    const devices = scenes.flatMap((made) => Array.from({ length: 60 }, () => ({ made, id: fresh('many') })));
    await each(devices, 24, async (one) => Object.assign(one, await one.made.enroll({}, one.id)));

    const provision = each(devices, 48, async (one) => {
      one.state = await one.made.register(one);
      assert.equal(one.state.status, 'assigned');
    });
    const strangers = each(devices, 8, async (one) => {
      const id = fresh('stranger');
      refused(await idscope.device('PUT', one.made.idScope, `${id}/register`, { body: {}, authorization: sas.forDevice(one.made.idScope, id, one.key) }), 401);
    });
    const operators = each(devices, 8, async ({ made, id }) => {
      expect('enrollment', await idscope.service(made.instance, 'GET', `/enrollments/${id}`), 200);
      expect('instance', await idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), 200);
      expect('statistics', await idscope.hub(made.hubs[0], 'GET', '/statistics/devices'), 200);
    });
    const writers = each(scenes, 3, async (made) => {
      for (let i = 0; i < 5; i++) await made.put({ allocationPolicy: 'Hashed', comments: i });
    });
    await Promise.all([provision, strangers, operators, writers]);

    for (const made of scenes) {
      const registries = await Promise.all(made.hubs.map((hub) => idscope.registry(hub)));
      const mine = devices.filter((one) => one.made === made);
      assert.equal(registries.reduce((sum, registry) => sum + registry.size, 0), mine.length);
      for (const one of mine) assert.ok(registries[made.hubs.findIndex((hub) => hub.host === one.state.assignedHub)].has(one.id));
    }
  });

  test('one device that registers a hundred times at once has one registration and one identity', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const device = await made.enroll();
    const started = await Promise.all(Array.from({ length: 100 }, () => made.start(device)));
    for (const one of started) assert.ok(one.operationId);
    assert.equal((await made.register(device)).status, 'assigned');
    const sizes = await Promise.all(made.hubs.map(async (hub) => (await idscope.registry(hub)).size));
    assert.deepEqual(sizes.sort(), [0, 1]);
  });

  // A lock holds up what writes, and nothing that reads.
  test('while one batch is written the next is prepared and waits for its turn; what comes meanwhile makes one batch', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const devices = await Promise.all(Array.from({ length: 12 }, () => made.enroll()));
    const door = new Door(t, { callMs: 30000, more: { 'device-lanes': 2 } });
    const register = ({ id, key }) => door.ask('PUT', `global.dps.${idscope.domain}`, `/${made.idScope}/registrations/${id}/register?api-version=2021-10-01`, sas.forDevice(made.idScope, id, key));
    const sessions = (what, which) => stack.sql(`select ${what} from pg_stat_activity where ${which}`);
    const ofDoor = `application_name = 'idscope-api device' and pid in (${await doors(door)})`;
    const locker = "query ~ 'pg_sleep.40.' and wait_event = 'PgSleep'";

    const holder = stack.sql('begin; lock table idscope.job in exclusive mode; select pg_sleep(40); commit').catch(() => {});
    await until('the lock to be held', async () => (await sessions('count(*)', locker)) === '1');
    const answers = [register(devices[0])];
    const held = () => sessions('count(*)', `${ofDoor} and wait_event_type = 'Lock'`);
    await until('a batch to be held up', async () => (await held()) === '1');
    answers.push(register(devices[1]));
    await until('the next to be looked up', async () => (await sessions('count(*)', `${ofDoor} and state = 'idle' and query ~ 'r.enrollment_version AS pushed_version'`)) === '1');
    for (const device of devices.slice(2)) answers.push(register(device));
    assert.equal(await held(), '1', 'one batch of a class of lanes is written at a time');
    await sessions('pg_terminate_backend(pid)', locker);
    await holder;
    for (const { status } of await door.answersTo(answers, 20000)) assert.equal(status, 202);
    await door.end();
    assert.deepEqual(['idscope_batch_size_count', 'idscope_batch_size_sum'].map((name) => door.numbers[name]), [3, 12]);
    assert.ok(door.numbers.idscope_batches_beside_total >= 1, 'the second was prepared beside the first');
  });
});

// The processes that serve a door's device lanes, which are the youngest.
async function doors(door) {
  const select = "select string_agg(pid::text, ',') from (select pid from pg_stat_activity where application_name = 'idscope-api device' order by backend_start desc limit 2) p";
  await until('the door to be open', () => door.open, { timeoutMs: 20000 });
  return stack.sql(select);
}
