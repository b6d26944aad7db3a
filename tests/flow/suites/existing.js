// existing.js: devices without a record here whose identity stands on a linked hub, be it the one that they are to get or another: adopted, or refused where
// the instance says so (`properties.idscope.existingDevice`); how hubs are listed for that; and that member of the management plane.
'use strict';

const { describe, test } = require('node:test');
const { make } = require('../../lib/certificates');
const { registered } = require('../certified');
const { assert, stack, idscope, Idscope, expect, fresh, refusedArm, sas, scene, until } = require('../kit');
const { Beside } = require('../strangers');

const EXTENDED = { 'x-idscope-extensions': '1' };
const pathOf = (made) => idscope.instancePath(made.group, made.instance.name);
const put = (made, properties, headers = EXTENDED) => idscope.arm('PUT', pathOf(made), { body: { location: 'westeurope', sku: { name: 'S1' }, properties }, headers });
const shown = async (made, headers = EXTENDED) => expect('get', await idscope.arm('GET', pathOf(made), { headers }), 200).properties.idscope;
const refuses = async (made) => assert.deepEqual(expect('refuse', await put(made, { idscope: { existingDevice: 'refuse' } }), 200).properties.idscope, { existingDevice: 'refuse' });
const ofHub = (made, host) => `id_scope = '${made.idScope.toLowerCase()}' and host = '${host}'`;
const found = async (made, host) => Number(await stack.sql(`select count(*) from idscope.found_identity where ${ofHub(made, host)}`));
const isListed = async (made, host) => await stack.sql(`select count(*) from idscope.inventory i where ${ofHub(made, host)} and taken_at is not null
  and not exists (select from idscope.job j where j.kind = 'inventory' and j.id_scope = i.id_scope and j.hub = i.host)`) === '1';
const listed = (made, host) => until(`${host} to be listed`, () => isListed(made, host), { timeoutMs: 60000 });
// The hub's turn, as if its time had come; `anew`: as if its last inventory were a day old.
const turn = (made, host, anew = true) => stack.sql(`update idscope.inventory set next_at = now()${anew ? ', taken_at = null, devices = null' : ''} where ${ofHub(made, host)}`);
const listAgain = async (made, host) => {
  await listed(made, host);
  await turn(made, host);
  await listed(made, host);
};
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
  const stranger = new Beside('127.0.0.104');

  const TWIN = { tags: { hall: 'B' }, properties: { desired: { rate: 0.1 } } };
  const initialTwin = { tags: { hall: 'A' }, properties: { desired: {} } };
  // Each kind of hub: the nth of a scene, how an identity comes there without us, and what a test reads off it.
  const kinds = {
    'a built-in hub': async (made, n = 0) => {
      const hub = made.hubs[n];
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
      const hub = stranger.hub();
      const { identities, twins } = stranger.registryOf(hub.host);
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
  const linked = async (made, ...places) => {
    await made.relink(places.map(({ hub, link }) => Idscope.link(hub, link)));
    for (const { hub } of places) await made.linkState(hub.host, 'valid');
    return places[0];
  };
  // What a device gets, a device that stands elsewhere, and nothing else: a hub that takes devices, and one that takes no new ones.
  const twoHubs = async (t, build) => {
    const made = await scene(t, { hubs: 2 });
    const [chosen, other] = [await build(made, 0), await build(made, 1)];
    other.link = { applyAllocationPolicy: false };
    await linked(made, chosen, other);
    return { made, chosen, other };
  };
  const noted = (made, device) => stack.sql(`select string_agg(format('%s %s %s %s', actor_kind, operation, detail->>'hub', detail->>'deviceId'), ',') from idscope.audit_event
    where kind = 'registration' and detail->>'change' = 'adopted' and key = '${made.idScope.toLowerCase()}/${device.id}'`);
  const settled = (made) => until('no removal to be left', async () => (await stack.sql(`select count(*) from idscope.job where kind = 'hub_remove' and id_scope = '${made.idScope.toLowerCase()}'`)) === '0', { timeoutMs: 20000 });

  for (const [kind, build] of Object.entries(kinds)) {
    test(`${kind}: an identity that was there is adopted with its twin, which is audited; one that is made is not`, async (t) => {
      const made = await scene(t, { hubs: 1 });
      const place = await linked(made, await build(made));
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
      const place = await linked(made, await build(made));
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
      const place = await linked(made, await build(made));
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

  for (const [kind, build] of Object.entries(kinds)) {
    test(`${kind} that the device would not get: once that was listed the device stays there with its twin, which is audited; the one that it would get has none`, async (t) => {
      const { made, chosen, other } = await twoHubs(t, build);
      const [device, fresh_] = [await made.enroll({ initialTwin }), await made.enroll({ initialTwin })];
      await other.place(device.id);
      await listAgain(made, other.hub.host);
      const state = await made.register(device);
      assert.deepEqual([state.status, state.assignedHub, state.substatus], ['assigned', other.hub.host, 'initialAssignment']);
      assert.deepEqual(await other.read(device.id), { key: device.key, reason: 'theirs', tags: TWIN.tags });
      assert.equal(await chosen.read(device.id), undefined);
      assert.equal(await noted(made, device), `service assign ${other.hub.host} ${device.id}`);
      assert.equal((await made.register(fresh_)).assignedHub, chosen.hub.host);
      assert.equal(await other.read(fresh_.id), undefined);
      assert.equal((await made.register(device)).assignedHub, other.hub.host, 'and again');
      assert.equal(await noted(made, device), `service assign ${other.hub.host} ${device.id}`, 'once');
      await listAgain(made, other.hub.host);
      assert.equal(await found(made, other.hub.host), 0, 'what is registered is not looked for');
    });

    test(`${kind} that the device would not get: where existing devices are refused it ends failed 409001, until the identity is gone`, async (t) => {
      const { made, chosen, other } = await twoHubs(t, build);
      await refuses(made);
      const device = await made.enroll({ initialTwin });
      await other.place(device.id, { primaryKey: device.key, secondaryKey: device.secondaryKey });
      await listAgain(made, other.hub.host);
      const before = await other.read(device.id);
      for (let i = 0; i < 2; i++) {
        const state = await made.register(device);
        assert.deepEqual([state.status, state.errorCode], ['failed', 409001], JSON.stringify(state));
        assert.match(state.errorMessage, new RegExp(`The device ${device.id} stands on ${other.hub.host} already, .*existingDevice is refuse`));
      }
      await settled(made);
      assert.deepEqual([await other.read(device.id), await chosen.read(device.id), await noted(made, device)], [before, undefined, '']);
      await other.remove(device.id);
      assert.equal((await made.register(device)).assignedHub, chosen.hub.host);
    });

    test(`${kind} that the device would not get: what is not there any more is not made there, and what nobody has listed yet is not known`, async (t) => {
      const { made, chosen, other } = await twoHubs(t, build);
      const [gone, late] = [await made.enroll(), await made.enroll()];
      await other.place(gone.id);
      await listAgain(made, other.hub.host);
      await other.place(late.id);
      await other.remove(gone.id);
      for (const device of [gone, late]) assert.equal((await made.register(device)).assignedHub, chosen.hub.host);
      await settled(made);
      assert.deepEqual([await other.read(gone.id), (await other.read(late.id)).reason, await noted(made, gone)], [undefined, 'theirs', '']);
      assert.equal(await found(made, other.hub.host), 0);
    });

    test(`${kind}: a device that stands on two stays on the first by name, and the other is told of, and left alone`, async (t) => {
      const { made, chosen, other } = await twoHubs(t, build);
      const device = await made.enroll({ initialTwin });
      const places = [chosen, other].sort((a, b) => (a.hub.host < b.hub.host ? -1 : 1));
      for (const place of places) await place.place(device.id);
      for (const { hub } of places) await listAgain(made, hub.host);
      const before = await places[1].read(device.id);
      assert.equal((await made.register(device)).assignedHub, places[0].hub.host);
      assert.deepEqual(await places[1].read(device.id), before);
      assert.equal(await stack.sql(`select detail->'alsoOn' from idscope.audit_event where key = '${made.idScope.toLowerCase()}/${device.id}' and detail->>'change' = 'adopted'`),
        JSON.stringify([places[1].hub.host]));
    });
  }

  test('a device that stands on a hub which refuses this service waits for the time of grace, then fails 400209, and is made on no other; a good key again: it is adopted', async (t) => {
    const { made, chosen, other } = await twoHubs(t, kinds['a built-in hub']);
    const device = await made.enroll();
    await other.place(device.id);
    await listAgain(made, other.hub.host);
    const spoilt = { ...other.hub, connectionString: other.hub.connectionString.replace(other.hub.key, sas.newKey()) };
    await made.relink([Idscope.link(chosen.hub), Idscope.link(spoilt)]);
    await made.linkState(other.hub.host, 'invalid');
    const state = await made.register(device);
    assert.deepEqual([state.status, state.errorCode], ['failed', 400209]);
    assert.match(state.errorMessage, new RegExp(`stands on ${other.hub.host}, which refuses`));
    await settled(made);
    assert.deepEqual([await chosen.read(device.id), (await other.read(device.id)).reason], [undefined, 'theirs']);
    await linked(made, chosen, other);
    assert.equal((await made.register(device)).assignedHub, other.hub.host);
  });

  test('a device that waits for a hub and is found on another meanwhile is adopted there', async (t) => {
    const { made, chosen, other } = await twoHubs(t, kinds['a foreign hub']);
    await listAgain(made, other.hub.host);
    const device = await made.enroll();
    stranger.manners.set(chosen.hub.host, 'silent');
    await made.start(device);
    await until('it to wait', async () => await stack.sql(`select count(*) from idscope.registration where waiting_for is not null and registration_key = '${device.id}' and target_hub = '${chosen.hub.host}'`) === '1', { timeoutMs: 20000 });
    await other.place(device.id);
    await listAgain(made, other.hub.host);
    await until('it to be assigned', async () => await stack.sql(`select assigned_hub from idscope.registration where registration_key = '${device.id}' and status = 'assigned'`) === other.hub.host, { timeoutMs: 40000 });
    assert.equal(await noted(made, device), `service assign ${other.hub.host} ${device.id}`);
  });

  // What is deleted while the device waits for its hub was about to be made there, for all that others know.
  test('a device that waits for the hub on which it stands is left alone there when its enrollment is deleted; once it was adopted and moves, its old identity goes', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [target, place] = [await kinds['a built-in hub'](made, 0), await kinds['a foreign hub'](made)];
    place.link = { applyAllocationPolicy: false };
    await linked(made, target, place);
    const [forsaken, moved] = [await made.enroll(), await made.enroll()];
    for (const { id } of [forsaken, moved]) await place.place(id);
    await listAgain(made, place.hub.host);
    stranger.manners.set(place.hub.host, 'silent');
    await made.start(forsaken);
    await until('it to wait', async () => await stack.sql(`select count(*) from idscope.registration where waiting_for is not null and registration_key = '${forsaken.id}' and target_hub = '${place.hub.host}'`) === '1', { timeoutMs: 20000 });
    expect('delete', await idscope.service(made.instance, 'DELETE', `/enrollments/${forsaken.id}`), 204);
    stranger.manners.delete(place.hub.host);
    await made.linkState(place.hub.host, 'valid');
    await stack.sql(`update idscope.job set due_at = now() where kind = 'hub_remove' and id_scope = '${made.idScope.toLowerCase()}'`);
    await settled(made);
    assert.equal((await place.read(forsaken.id)).reason, 'theirs');
    assert.equal((await made.register(moved)).assignedHub, place.hub.host);
    await made.change(moved, { iotHubs: [target.hub.host] });
    assert.equal((await made.register(moved)).assignedHub, target.hub.host);
    await until('the old identity to go', async () => await place.read(moved.id) === undefined, { timeoutMs: 20000 });
  });

  test('a device with a certificate stays where it stands, and its hub is told its thumbprint; where existing devices are refused it is, and nothing is told', async (t) => {
    const { made, chosen, other } = await twoHubs(t, kinds['a built-in hub']);
    const enroll = async (id) => {
      const certificate = make(id);
      const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate: certificate.cert } } } };
      expect('enroll', await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: { registrationId: id, attestation } }), 200);
      await other.place(id);
      return certificate;
    };
    const [kept, refusedOne] = [fresh('unit'), fresh('unit')];
    const [certificate, another] = [await enroll(kept), await enroll(refusedOne)];
    await listAgain(made, other.hub.host);
    assert.deepEqual(await registered(made.idScope, kept, certificate).then(({ status, assignedHub }) => [status, assignedHub]), ['assigned', other.hub.host]);
    const identity = await made.identity(other.hub, kept);
    assert.deepEqual([identity.authentication.x509Thumbprint.primaryThumbprint, identity.statusReason], [certificate.thumbprint, 'theirs']);
    await refuses(made);
    assert.deepEqual(await registered(made.idScope, refusedOne, another).then(({ status, errorCode }) => [status, errorCode]), ['failed', 409001]);
    assert.equal((await made.identity(other.hub, refusedOne)).authentication.type, 'sas');
    for (const id of [kept, refusedOne]) assert.equal(await made.identity(chosen.hub, id), undefined);
  });

  // --- how hubs are listed ----------------------------------------------------------------------------------------------------------------

  const lists = (hub) => (stranger.calls.get(hub.host) || []).filter(({ path: called }) => called.startsWith('/devices/query?'));

  test('a hub of 2,500 devices is listed page by page; one that falls silent meanwhile is listed from there on when it is back', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const place = await kinds['a foreign hub'](made);
    const { identities } = stranger.registryOf(place.hub.host);
    for (let i = 0; i < 2500; i++) identities.set(`other-${i}`, { deviceId: `other-${i}`, etag: 'x' });
    const device = await made.enroll();
    await place.place(device.id);
    place.link = { applyAllocationPolicy: false };
    await made.relink([Idscope.link(made.hubs[0]), Idscope.link(place.hub, place.link)]);
    await until('the first page', async () => await found(made, place.hub.host) === 1000);
    stranger.manners.set(place.hub.host, 'silent');
    await made.linkState(place.hub.host, 'unreachable');
    assert.equal(await found(made, place.hub.host), 1000);
    stranger.manners.delete(place.hub.host);
    await until('the hub to be listed', () => isListed(made, place.hub.host), { timeoutMs: 90000 });
    assert.equal(await found(made, place.hub.host), 2501);
    assert.deepEqual([...new Set(lists(place.hub).map(({ continuation }) => continuation))], [undefined, '1000', '2000']);
    assert.equal(lists(place.hub).filter(({ continuation }) => !continuation).length, 1, 'what is listed is not listed again');
    assert.equal((await made.register(device)).assignedHub, place.hub.host);
  });

  test('a hub that is listed too often holds up its list alone: devices are assigned there meanwhile', async (t) => {
    const made = await scene(t, { hubs: 0 });
    const place = await kinds['a foreign hub'](made);
    stranger.manners.set(place.hub.host, 'unlisted');
    await linked(made, place);
    const refusedJobs = () => stack.sql(`select count(*) from idscope.job where kind = 'inventory' and ${ofHub(made, place.hub.host).replace('and host', 'and hub')}
      and attempt = 1 and due_at > now() and last_error = 'the hub answered 429'`);
    await until('the list to be refused', async () => await refusedJobs() === '1');
    assert.equal((await made.register(await made.enroll())).assignedHub, place.hub.host);
    assert.equal(await refusedJobs(), '1', 'it waits as long as the hub said, and nobody waited for that');
    assert.equal(lists(place.hub).length, 1);
  });

  // An instance that links a foreign hub with so many devices, of which the first page is listed.
  async function halfListed(t, count) {
    const made = await scene(t, { hubs: 0 });
    const place = await kinds['a foreign hub'](made);
    const { identities } = stranger.registryOf(place.hub.host);
    for (let i = 0; i < count; i++) identities.set(`other-${i}`, { deviceId: `other-${i}`, etag: 'x' });
    await made.relink([Idscope.link(place.hub)]);
    await until('the first page', async () => await found(made, place.hub.host) === 1000);
    return { made, place };
  }

  test('a list that does not end is taken up to a bound, and what it showed by then is all that is kept of it', async (t) => {
    const { made, place } = await halfListed(t, 2500);
    await stack.sql(`update idscope.job set payload = payload || '{"pages": 4999}', due_at = now() where kind = 'inventory' and ${ofHub(made, place.hub.host).replace('and host', 'and hub')}`);
    await listed(made, place.hub.host);
    assert.equal(await found(made, place.hub.host), 2000);
    assert.deepEqual(lists(place.hub).map(({ continuation }) => continuation), [undefined, '1000']);
  });

  test('a round that was not whole in a day is begun anew', async (t) => {
    const { made, place } = await halfListed(t, 1500);
    await stack.sql(`update idscope.job set payload = payload || jsonb_build_object('began', now() - interval '25 hours') where kind = 'inventory' and ${ofHub(made, place.hub.host).replace('and host', 'and hub')}`);
    await listed(made, place.hub.host);
    assert.equal(await found(made, place.hub.host), 1500);
    assert.deepEqual(lists(place.hub).map(({ continuation }) => continuation), [undefined, undefined, '1000']);
  });

  test('a hub that does not know a continuation any more is listed anew', async (t) => {
    const { made, place } = await halfListed(t, 1500);
    const job = `kind = 'inventory' and ${ofHub(made, place.hub.host).replace('and host', 'and hub')}`;
    await stack.sql(`update idscope.job set payload = payload || '{"next": "9999"}', due_at = now() where ${job}`);
    await until('the round to be given up', async () => await stack.sql(`select count(*) from idscope.job where ${job} and payload->'began' is null and due_at > now() + interval '1 min'`) === '1');
    await stack.sql(`update idscope.job set due_at = now() where ${job}`);
    await until('the hub to be listed', () => isListed(made, place.hub.host), { timeoutMs: 60000 });
    assert.equal(await found(made, place.hub.host), 1500);
    assert.deepEqual(lists(place.hub).map(({ continuation }) => continuation), [undefined, '9999', undefined, '1000']);
  });

  test('a hub with as many devices as before is not listed again; with more or fewer it is, and what is gone is forgotten; so is a hub that is linked no more', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const place = await linked(made, await kinds['a foreign hub'](made));
    const host = place.hub.host;
    await place.place('one');
    await listAgain(made, host);
    const before = lists(place.hub).length;
    const counted = () => stranger.calls.get(host).filter(({ path: called }) => called.startsWith('/statistics/devices')).length;
    const counts = counted();
    await turn(made, host, false);
    await until('it to be asked how many it has', () => counted() > counts);
    await listed(made, host);
    assert.equal(lists(place.hub).length, before);
    await place.remove('one');
    await turn(made, host, false);
    await until('it to be listed', () => lists(place.hub).length > before);
    await until('what is gone to be forgotten', async () => await found(made, host) === 0);
    await place.place('two');
    await listAgain(made, host);
    assert.equal(await found(made, host), 1);
    await made.relink([Idscope.link(made.hubs[0])]);
    await turn(made, host, false);
    await until('it to be forgotten', async () => await stack.sql(`select (select count(*) from idscope.found_identity where ${ofHub(made, host)}) + (select count(*) from idscope.inventory where ${ofHub(made, host)})`) === '0');
  });

  test('a hub that refuses this service is asked nothing, and what was found there stays; of one that was deleted all is forgotten', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [place, doomed] = [await kinds['a foreign hub'](made), await kinds['a built-in hub'](made)];
    for (const each of [place, doomed]) await each.place('one');
    await linked(made, place, doomed);
    for (const { hub } of [place, doomed]) await listAgain(made, hub.host);
    // No validation that is under way has a word any more: its job is gone.
    await stack.sql(`with ended as (delete from idscope.job where kind = 'link_validate' and id_scope = '${made.idScope.toLowerCase()}' and subject = '${place.hub.host}')
      update idscope.linked_hub set state = 'invalid', reason = 'refused', next_check_at = '2100-01-01' where ${ofHub(made, place.hub.host)}`);
    const asked = () => stranger.calls.get(place.hub.host).filter(({ path: called }) => /^\/(statistics\/devices|devices\/query)\?/.test(called)).length;
    const before = asked();
    await turn(made, place.hub.host);
    await until('its turn to have been', async () => await stack.sql(`select count(*) from idscope.inventory i where ${ofHub(made, place.hub.host)} and next_at > now()
      and not exists (select from idscope.job j where j.kind = 'inventory' and j.id_scope = i.id_scope and j.hub = i.host)`) === '1');
    assert.deepEqual([asked(), await found(made, place.hub.host)], [before, 1]);
    assert.equal((await idscope.arm('DELETE', idscope.hubPath(made.group, doomed.hub.name))).status, 204);
    await made.linkState(doomed.hub.host, 'invalid');
    await turn(made, doomed.hub.host);
    await until('it to be forgotten', async () => await stack.sql(`select (select count(*) from idscope.found_identity where ${ofHub(made, doomed.hub.host)}) + (select count(*) from idscope.inventory where ${ofHub(made, doomed.hub.host)})`) === '0');
  });

  test('an instance finds nothing on hubs that it does not link, nor what another instance owns on one that both link', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const theirs = await scene(t, { hubs: 0 });
    await theirs.relink([Idscope.link(made.hubs[0])]);
    await theirs.linkState(made.hubs[0].host, 'valid');
    const place = await kinds['a built-in hub'](made, 0);
    const away = await kinds['a built-in hub'](made, 1);
    const [owned, free] = [await theirs.enroll(), await made.enroll()];
    assert.equal((await theirs.register(owned)).assignedHub, made.hubs[0].host);
    await place.place(free.id);
    await away.place('elsewhere');
    for (const { host } of made.hubs) await listAgain(made, host);
    await listAgain(theirs, made.hubs[0].host);
    const all = ({ idScope }) => stack.sql(`select string_agg(device_id || ' ' || host, ',' order by host = '${made.hubs[0].host}' desc) from idscope.found_identity where id_scope = '${idScope.toLowerCase()}'`);
    assert.equal(await all(made), `${free.id} ${made.hubs[0].host},elsewhere ${made.hubs[1].host}`);
    assert.equal(await all(theirs), `${free.id} ${made.hubs[0].host}`);
    // Both may take what nobody owns: who comes first has it, and the other one's device of that name gets another hub.
    assert.equal((await made.register(free)).assignedHub, made.hubs[0].host);
    const [namesake, spare] = [await theirs.enroll({}, free.id), await theirs.of.createHub(theirs.group, fresh('hub'))];
    await theirs.relink([Idscope.link(made.hubs[0], { applyAllocationPolicy: false }), Idscope.link(spare)]);
    await theirs.linkState(spare.host, 'valid');
    assert.equal((await theirs.register(namesake)).assignedHub, spare.host);
    assert.equal((await place.read(free.id)).key, free.key);
  });
});
