// lanes.js: many clients of all planes at once, so that batches, queues and the gate's cache are shared by threads (tests/tsan does that under ThreadSanitizer).
// What is asked for is only that everybody is served rightly.
'use strict';

const { describe, test } = require('node:test');
const { assert, idscope, expect, each, fresh, scene, sas, refused } = require('../kit');

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
});
