// existing.js: devices without a record here whose identity stands on the hub that they are to get: adopted, or refused where the instance says so
// (`properties.idscope.existingDevice`); and that member of the management plane.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { Stranger } = require('../../lib/stranger');
const { assert, stack, second, idscope, Idscope, expect, fresh, names, refusedArm, sas, scene, until } = require('../kit');

const ADDRESS = '127.0.0.104';
const EXTENDED = { 'x-idscope-extensions': '1' };
const pathOf = (made) => idscope.instancePath(made.group, made.instance.name);
const put = (made, properties, headers = EXTENDED) => idscope.arm('PUT', pathOf(made), { body: { location: 'westeurope', sku: { name: 'S1' }, properties }, headers });
const shown = async (made, headers = EXTENDED) => expect('get', await idscope.arm('GET', pathOf(made), { headers }), 200).properties.idscope;
const refuses = async (made) => assert.deepEqual(expect('refuse', await put(made, { idscope: { existingDevice: 'refuse' } }), 200).properties.idscope, { existingDevice: 'refuse' });
const keys = () => ({ primaryKey: sas.newKey(), secondaryKey: sas.newKey() });

describe('existing: the member of the instance', { concurrency: 4 }, () => {
  test('is shown to who asks for extensions alone; absent it stays, null is the default', async (t) => {
    const made = await scene(t, { hubs: 1 });
    assert.deepEqual(await shown(made), { existingDevice: 'adopt' });
    assert.equal(await shown(made, {}), undefined);
    await refuses(made);
    assert.equal(expect('without', await put(made, {}, {}), 200).properties.idscope, undefined);
    for (const properties of [{}, { idscope: {} }, { allocationPolicy: 'Hashed' }]) {
      expect('put', await put(made, properties, {}), 200);
      assert.deepEqual(await shown(made), { existingDevice: 'refuse' }, JSON.stringify(properties));
    }
    for (const idscopeMember of [{ existingDevice: null }, null]) {
      await refuses(made);
      expect('null', await put(made, { idscope: idscopeMember }), 200);
      assert.deepEqual(await shown(made), { existingDevice: 'adopt' }, JSON.stringify(idscopeMember));
    }
    expect('in another case', await put(made, { idScope: made.idScope, idscope: { ExistingDevice: 'Refuse' } }), 200);
    assert.deepEqual(await shown(made), { existingDevice: 'refuse' });
    refusedArm(await put(made, { idscope: { existingDevice: 'take' } }), 400, 'InvalidRequestContent', /idscope\.existingDevice must be one of adopt, refuse/);
  });
});

describe('existing: devices', { concurrency: 4 }, () => {
  let stranger;
  before(async () => {
    stranger = new Stranger(ADDRESS, fs.readFileSync(path.join(second.stack.folder, 'tls/server.pem.ecdsa')));
    await stranger.start();
  });
  after(() => stranger.stop());

  const TWIN = { tags: { hall: 'B' }, properties: { desired: { rate: 0.1 } } };
  const initialTwin = { tags: { hall: 'A' }, properties: { desired: {} } };
  // Each kind of hub: how an identity comes there without us, and what a test reads off it.
  const kinds = {
    'a built-in hub': async (made) => {
      const [hub] = made.hubs;
      const call = async (method, where, options) => expect(where, await idscope.hub(hub, method, where, options), 200);
      return {
        hub,
        place: async (id, symmetricKey = keys()) => {
          await call('PUT', `/devices/${id}`, { body: { deviceId: id, statusReason: 'theirs', authentication: { type: 'sas', symmetricKey } } });
          await call('PUT', `/twins/${id}`, { body: TWIN, headers: { 'If-Match': '*' } });
        },
        read: async (id) => {
          const identity = await made.identity(hub, id);
          return identity && { key: identity.authentication.symmetricKey.primaryKey, reason: identity.statusReason, tags: (await call('GET', `/twins/${id}`)).tags };
        },
        remove: async (id) => assert.equal((await idscope.hub(hub, 'DELETE', `/devices/${id}`, { headers: { 'If-Match': '*' } })).status, 204),
      };
    },
    'a foreign hub': async (made) => {
      const host = `${fresh('quick')}.second.test`;
      names(ADDRESS, host);
      const hub = { host, location: 'westeurope', key: sas.newKey() };
      hub.connectionString = `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=${hub.key}`;
      await made.relink([Idscope.link(hub)]);
      const { identities, twins } = stranger.registryOf(host);
      return {
        hub,
        place: async (id, symmetricKey = keys()) => {
          identities.set(id, { deviceId: id, etag: 'x', statusReason: 'theirs', authentication: { type: 'sas', symmetricKey } });
          twins.set(id, { ...TWIN, properties: { ...TWIN.properties, reported: {} } });
        },
        read: async (id) => identities.has(id) ? { key: identities.get(id).authentication.symmetricKey.primaryKey, reason: identities.get(id).statusReason, tags: twins.get(id).tags } : undefined,
        remove: async (id) => identities.delete(id),
      };
    },
  };
  const noted = (made, device) => stack.sql(`select string_agg(format('%s %s %s %s', actor_kind, operation, detail->>'hub', detail->>'deviceId'), ',') from idscope.audit_event
    where kind = 'registration' and detail->>'change' = 'adopted' and key = '${made.idScope.toLowerCase()}/${device.id}'`);
  const settled = (made) => until('no removal to be left', async () => (await stack.sql(`select count(*) from idscope.job where kind = 'hub_remove' and id_scope = '${made.idScope.toLowerCase()}'`)) === '0', { timeoutMs: 20000 });

  for (const [kind, build] of Object.entries(kinds)) {
    test(`${kind}: an identity that was there is adopted with its twin, which is audited; one that is made is not`, async (t) => {
      const made = await scene(t, { hubs: 1 });
      const place = await build(made);
      await made.linkState(place.hub.host, 'valid');
      const [device, other] = [await made.enroll({ initialTwin }), await made.enroll({ initialTwin })];
      await place.place(device.id);
      const state = await made.register(device);
      assert.deepEqual([state.status, state.assignedHub, state.substatus], ['assigned', place.hub.host, 'initialAssignment']);
      assert.deepEqual(await place.read(device.id), { key: device.key, reason: 'theirs', tags: TWIN.tags });
      assert.equal(await noted(made, device), `service assign ${place.hub.host} ${device.id}`);
      assert.equal((await made.register(other)).status, 'assigned');
      assert.equal((await made.register(device)).status, 'assigned');
      assert.deepEqual([await noted(made, other), await noted(made, device)], ['', `service assign ${place.hub.host} ${device.id}`]);
    });

    test(`${kind}: where existing devices are refused one ends failed 409001, and nothing is done to its identity; others are assigned`, async (t) => {
      const made = await scene(t, { hubs: 1 });
      const place = await build(made);
      await made.linkState(place.hub.host, 'valid');
      await refuses(made);
      const [device, other] = [await made.enroll({ initialTwin }), await made.enroll()];
      await place.place(device.id, { primaryKey: device.key, secondaryKey: device.secondaryKey });
      const before = await place.read(device.id);
      for (let i = 0; i < 2; i++) {
        const [state, beside] = await Promise.all([made.register(device), made.register(other)]);
        assert.deepEqual([state.status, state.errorCode], ['failed', 409001], JSON.stringify(state));
        assert.match(state.errorMessage, new RegExp(`The device ${device.id} stands on ${place.hub.host} already, .*existingDevice is refuse`));
        assert.equal(beside.status, 'assigned');
      }
      await settled(made);
      assert.deepEqual([await place.read(device.id), await noted(made, device)], [before, '']);
      await place.remove(device.id);
      assert.equal((await made.register(device)).status, 'assigned');
    });

    // What an attempt leaves that was cut short behind its call: the target is stored, and the identity stands.
    test(`${kind}: what an attempt of ours made before it was cut short is ours; what another made in the meantime is not`, async (t) => {
      const made = await scene(t, { hubs: 1 });
      const place = await build(made);
      await made.linkState(place.hub.host, 'valid');
      await refuses(made);
      const [own, others] = [await made.enroll(), await made.enroll()];
      const hold = (until_) => stack.sql(`update idscope.linked_hub set slow_until = ${until_} where id_scope = '${made.idScope.toLowerCase()}'`);
      await hold("now() + interval '1 hour'");
      for (const device of [own, others]) {
        await made.start(device);
        await stack.sql(`update idscope.registration set target_hub = '${place.hub.host}', target_device_id = '${device.id}' where id_scope = '${made.idScope.toLowerCase()}' and registration_key = '${device.id}'`);
      }
      await place.place(own.id, { primaryKey: own.key, secondaryKey: own.secondaryKey });
      await place.place(others.id);
      await hold('NULL');
      await stack.sql(`update idscope.job set due_at = now() where id_scope = '${made.idScope.toLowerCase()}' and kind = 'assign'`);
      const ends = await Promise.all([own, others].map((device) => made.register(device)));
      assert.deepEqual(ends.map(({ status, errorCode }) => [status, errorCode]), [['assigned', undefined], ['failed', 409001]]);
      await settled(made);
      assert.equal((await place.read(others.id)).reason, 'theirs');
    });
  }
});
