// again.js: registering again: configuration re-opens an assignment, weather never does; what has not changed costs the hub no call.
// The deployment runs with quick_return_s = 5: a device that is back sooner than that says that its hub refused it.
'use strict';

const { describe, test } = require('node:test');
const { assert, stack, idscope, Idscope, expect, sas, scene, until } = require('../kit');
const { Beside } = require('../strangers');

const QUICK_MS = 5000;
const links = (hubs, weights = []) => hubs.map((hub, i) => Idscope.link(hub, { allocationWeight: weights[i] }));

// Until the time in which a return counts as a complaint is over.
const later = (state) => until('the quick return time to be over', async () => Date.now() > Date.parse(state.lastUpdatedDateTimeUtc) + QUICK_MS + 200, { timeoutMs: 2 * QUICK_MS });

async function loseIdentity(made, device) {
  const hub = made.hubAt(device.state.assignedHub);
  assert.equal((await idscope.hub(hub, 'DELETE', `/devices/${device.state.deviceId}`, { headers: { 'If-Match': '*' } })).status, 204);
}

const identity = (made, device) => made.identity(made.hubAt(device.state.assignedHub), device.state.deviceId);
// A day and an hour pass for the registrations of a scene.
const aDayPasses = (made) => stack.sql(`update idscope.registration set checked_at = checked_at - interval '25 hours', updated_at = updated_at - interval '25 hours',
  operation_at = operation_at - interval '25 hours', created_at = created_at - interval '25 hours' where id_scope = '${made.idScope.toLowerCase()}'`);
const goneFrom = (made, hub, id) => until(`${id} to be removed from ${hub.host}`, async () => (await made.identity(hub, id)) === undefined);

describe('again: nothing changed', { concurrency: 6 }, () => {
  test('answered without a call to the hub: same hub, new etag, and a lost identity stays lost', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const device = await made.registered();
    await later(device.state);
    await loseIdentity(made, device);
    const state = await made.register(device);
    assert.deepEqual([state.status, state.assignedHub, state.substatus], ['assigned', device.state.assignedHub, 'reprovisionedToInitialAssignment']);
    assert.equal(state.createdDateTimeUtc, device.state.createdDateTimeUtc);
    assert.notEqual(state.etag, device.state.etag);
    assert.equal(await identity(made, device), undefined, 'the hub was called');
  });

  test('a device that is back at once has its hub asked, and its identity made again', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const device = await made.registered();
    await loseIdentity(made, device);
    const state = await made.register(device);
    assert.deepEqual([state.status, state.assignedHub], ['assigned', device.state.assignedHub]);
    const found = await identity(made, device);
    assert.equal(found.authentication.symmetricKey.primaryKey, device.key);
  });

  test('a hub that was last asked a day ago is asked again', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.registered();
    await loseIdentity(made, device);
    await aDayPasses(made);
    assert.equal((await made.register(device)).status, 'assigned');
    assert.ok(await identity(made, device), 'the identity was made again');
  });

  test('weather changes nothing: links and figures come and go, the hub stays', async (t) => {
    const made = await scene(t, { hubs: 2, properties: { allocationPolicy: 'GeoLatency' } });
    const device = await made.registered();
    await until('new latency figures', async () => [...(await made.links()).values()].every((link) => link.latency.some((figure) => figure.count >= 2)));
    await later(device.state);
    assert.equal((await made.register(device)).assignedHub, device.state.assignedHub);
  });
});

describe('again: something changed', { concurrency: 6 }, () => {
  test('new keys on the enrollment reach the hub', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.registered();
    await later(device.state);
    const symmetricKey = { primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
    await made.change(device, { attestation: { type: 'symmetricKey', symmetricKey } });
    const state = await made.register({ ...device, key: symmetricKey.primaryKey });
    assert.deepEqual([state.status, state.substatus], ['assigned', 'reprovisionedToInitialAssignment']);
    assert.deepEqual((await identity(made, device)).authentication.symmetricKey, symmetricKey);
  });

  for (const [migrateDeviceData, substatus] of [[true, 'deviceDataMigrated'], [false, 'deviceDataReset']]) {
    test(`another hub is named: created there, then removed from the old one; ${substatus}`, async (t) => {
      const made = await scene(t, { hubs: 2 });
      const [a, b] = made.hubs;
      const policy = { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData } };
      const device = await made.registered({ iotHubs: [a.host], ...policy });
      await made.change(device, { iotHubs: [b.host], ...policy });
      const state = await made.register(device);
      assert.deepEqual([state.status, state.assignedHub, state.substatus], ['assigned', b.host, substatus]);
      assert.ok(await made.identity(b, device.id));
      await goneFrom(made, a, device.id);
      assert.ok(await made.identity(b, device.id), 'the new identity stays');
    });
  }

  test('to another hub and back in quick succession leaves exactly one identity', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [a, b] = made.hubs;
    const device = await made.registered({ iotHubs: [a.host] });
    for (const hub of [b, a, b, a]) {
      await made.change(device, { iotHubs: [hub.host] });
      assert.equal((await made.register(device)).assignedHub, hub.host);
    }
    await goneFrom(made, b, device.id);
    assert.ok(await made.identity(a, device.id));
  });

  test('updateHubAssignment false: the hub stays whatever changes, and is told so', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [a, b] = made.hubs;
    const policy = { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: true } };
    const device = await made.registered({ iotHubs: [a.host], ...policy });
    await made.change(device, { iotHubs: [b.host], ...policy });
    const state = await made.register(device);
    assert.deepEqual([state.assignedHub, state.substatus], [a.host, 'reprovisionedToInitialAssignment']);
    assert.equal(await made.identity(b, device.id), undefined);
  });

  test('policy, weights or the set of links change: chosen anew', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [a, b] = made.hubs;
    await made.relink(links(made.hubs, [1000, 1]));
    const device = await made.registered();
    await made.relink([Idscope.link(a, { applyAllocationPolicy: device.state.assignedHub !== a.host }), Idscope.link(b, { applyAllocationPolicy: device.state.assignedHub !== b.host })]);
    const other = [a, b].find((hub) => hub.host !== device.state.assignedHub);
    assert.equal((await made.register(device)).assignedHub, other.host, 'its hub was drained');
    await made.relink([Idscope.link(made.hubAt(device.state.assignedHub))]);
    assert.equal((await made.register(device)).assignedHub, device.state.assignedHub, 'its hub was unlinked');
  });

  for (const by of ['connection string', 'resource id']) {
    test(`a hub linked by ${by} that was deleted is not down: nobody is told it any more, and the next register chooses anew`, async (t) => {
      const made = await scene(t, { hubs: 2 });
      if (by === 'resource id') await made.relink(made.hubs.map((hub) => ({ hubResourceId: idscope.hubPath(made.group, hub.name), location: 'westeurope' })));
      for (const hub of made.hubs) await made.linkState(hub.host, 'valid');
      const gone = made.hubs[0];
      const onIt = async (more) => {
        for (;;) {
          const device = await made.enroll(more);
          device.operation = (await made.start(device)).operationId;
          device.state = await until('an end', async () => { const answer = await made.poll(device, device.operation); return answer.status === 200 && answer.json.registrationState; });
          if (device.state.assignedHub === gone.host) return device;
        }
      };
      const devices = [await onIt(), await onIt({ reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: true } })];
      assert.equal((await idscope.arm('DELETE', idscope.hubPath(made.group, gone.name))).status, 204);
      const told = async (device) => {
        const poll = expect('poll', await made.poll(device, device.operation), 200);
        const look = expect('look up', await idscope.device('POST', made.idScope, device.id, { body: { registrationId: device.id }, authorization: sas.forDevice(made.idScope, device.id, device.key) }), 200);
        const { registrationState } = expect('enrollment', await idscope.service(made.instance, 'GET', `/enrollments/${device.id}`), 200);
        return [poll, poll.registrationState, look, await idscope.registration(made.instance, device.id), registrationState];
      };
      for (const device of devices) {
        await until('the hub to be told no more', async () => (await told(device)).every((state) => state.status === 'unassigned'));
        for (const state of await told(device)) assert.deepEqual([state.assignedHub, state.deviceId, state.substatus], [undefined, undefined, undefined]);
        assert.match((await idscope.registration(made.instance, device.id)).errorMessage, new RegExp(`${gone.host} was deleted`));
      }
      const link = await made.linkState(gone.host, 'invalid');
      assert.equal(link.reason, 'hub_deleted');
      for (const device of devices) {
        const state = await made.register(device);
        assert.deepEqual([state.status, state.assignedHub], ['assigned', made.hubs[1].host]);
        assert.ok(await made.identity(made.hubs[1], device.id));
      }
    });
  }

  test('a hub that was made again under its name is another one', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    const device = await made.registered();
    assert.equal((await idscope.arm('DELETE', idscope.hubPath(made.group, hub.name))).status, 204);
    const again = await idscope.createHub(made.group, hub.name);
    await until('the old one to be told no more', async () => (await idscope.registration(made.instance, device.id)).status === 'unassigned');
    await made.relink([Idscope.link(again)]);
    const state = await made.register(device);
    assert.deepEqual([state.status, state.assignedHub], ['assigned', again.host]);
    assert.ok(await made.identity(again, device.id), 'the identity was made on the new one');
    assert.equal((await idscope.registration(made.instance, device.id)).status, 'assigned');
  });

  test('a change of the device id alone leaves the old identity where it is', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.registered({ deviceId: 'first' });
    await made.change(device, { deviceId: 'second' });
    assert.equal((await made.register(device)).deviceId, 'second');
    assert.deepEqual([...(await idscope.registry(made.hubs[0])).keys()].sort(), ['first', 'second']);
  });

  test('two changes of an instance at once: whoever registers or writes an enrollment meanwhile is served, not sent away', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const devices = await Promise.all(Array.from({ length: 8 }, () => made.enroll()));
    const change = (device, round) => made.change(device, { deviceId: `${device.id}-${round}` });
    for (let round = 1; round <= 25; round++) {
      await Promise.all([
        ...[1, 2].map((more) => made.relink(links(made.hubs, [2 * round + more]))),
        ...devices.map((device) => made.start(device)),
        ...devices.map((device) => change(device, round)),
      ]);
    }
    for (const device of devices) assert.equal((await made.register(device)).deviceId, `${device.id}-25`);
  });

  test('a third hub takes its share and nothing moves between the old ones', async (t) => {
    const made = await scene(t, { hubs: 3 });
    await made.relink(links(made.hubs.slice(0, 2)));
    const devices = await Promise.all(Array.from({ length: 40 }, () => made.registered()));
    await made.relink(links(made.hubs));
    const states = await Promise.all(devices.map((device) => made.register(device)));
    const moved = devices.filter((device, i) => states[i].assignedHub !== device.state.assignedHub);
    assert.ok(moved.length > 0 && moved.length < 30, `${moved.length} of 40 moved`);
    devices.forEach((device, i) => {
      if (states[i].assignedHub !== device.state.assignedHub) assert.equal(states[i].assignedHub, made.hubs[2].host);
    });
    await until('each identity to stand once', async () => {
      const registries = await Promise.all(made.hubs.map((hub) => idscope.registry(hub)));
      return registries.reduce((sum, registry) => sum + registry.size, 0) === devices.length;
    });
  });

  test('an identity that somebody else made on the hub is taken over', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.enroll();
    expect('foreign', await idscope.hub(made.hubs[0], 'PUT', `/devices/${device.id}`, { body: { deviceId: device.id } }), 200);
    assert.equal((await made.register(device)).status, 'assigned');
    assert.equal((await made.identity(made.hubs[0], device.id)).authentication.symmetricKey.primaryKey, device.key);
  });
});

describe('again: a hub that has no room for a check', { concurrency: 2 }, () => {
  const stranger = new Beside('127.0.0.105');

  async function foreign(made) {
    const hub = stranger.hub();
    await made.relink([Idscope.link(hub)]);
    await made.linkState(hub.host, 'valid');
    return hub.host;
  }

  // The hub's refusal is seen at the hub: the device's own identity was asked for, in vain.
  const askedFor = (host, device, since) => stranger.calls.get(host).slice(since).some(({ method, path: where }) => method === 'GET' && where.startsWith(`/devices/${device.id}?`));

  for (const manner of ['throttled', 'spent']) {
    test(`${manner}: the device is answered its hub, no registration fails, and the check is made up by its next one, which puts a lost identity back`, async (t) => {
      const made = await scene(t, { hubs: 0 });
      const host = await foreign(made);
      const device = await made.registered();
      const { identities } = stranger.registryOf(host);
      await aDayPasses(made);
      identities.delete(device.id);
      const since = stranger.calls.get(host).length;
      stranger.manners.set(host, manner);
      const state = await made.register(device);
      assert.deepEqual([state.status, state.assignedHub, state.substatus, state.errorCode], ['assigned', host, 'reprovisionedToInitialAssignment', undefined]);
      assert.ok(askedFor(host, device, since), 'its hub was asked');
      assert.ok(!identities.has(device.id));
      const { status, errorCode } = await idscope.registration(made.instance, device.id);
      assert.deepEqual([status, errorCode], ['assigned', undefined]);
      stranger.manners.delete(host);
      await later(state); // so that not its quick return has its hub asked
      await made.linkState(host, 'valid');
      await until('the hub to be held no longer', async () => (await stack.sql(`select count(*) from idscope.linked_hub where id_scope = '${made.idScope.toLowerCase()}' and slow_until > now()`)) === '0');
      const next = await made.register(device);
      assert.deepEqual([next.status, next.assignedHub], ['assigned', host]);
      assert.equal(identities.get(device.id)?.authentication.symmetricKey.primaryKey, device.key, 'the identity is put back');
    });
  }
});
