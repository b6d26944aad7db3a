// reprovision.js: what becomes of an identity when its device registers again: what belongs to the hub's operator stays theirs, on built-in hubs and
// on a foreign hub that takes a PUT whole; what moves along, and what is told while the old hub is away.
'use strict';

const { describe, test } = require('node:test');
const { DEVICES } = require('../../lib/attested');
const { assert, idscope, stack, Idscope, expect, fresh, sas, scene, until } = require('../kit');
const { Beside } = require('../strangers');

const MOVES = { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true } };
const goneFrom = (made, hub, id) => until(`${id} to be removed from ${hub.host}`, async () => (await made.identity(hub, id)) === undefined);
const newKeys = () => ({ primaryKey: sas.newKey(), secondaryKey: sas.newKey() });

// What the hub's operator does to an identity, whole, as their tools do it.
async function operate(made, hub, id, change) {
  const identity = await made.identity(hub, id);
  return expect('operate', await idscope.hub(hub, 'PUT', `/devices/${id}`, { body: { ...identity, ...change }, headers: { 'If-Match': '*' } }), 200);
}

const STOLEN = { status: 'disabled', statusReason: 'stolen' };
const statusOf = ({ status, statusReason }) => ({ status, statusReason });

describe('reprovision: what belongs to the hub\'s operator', { concurrency: 4 }, () => {
  test('a disabled identity stays disabled with its reason when its device is back at once, gets other keys, or moves; the registration stays assigned', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [a, b] = made.hubs;
    const device = await made.registered({ iotHubs: [a.host], ...MOVES });
    await operate(made, a, device.id, STOLEN);
    const check = async (what, hub, key) => {
      const state = await made.register({ ...device, key });
      assert.deepEqual([state.status, state.assignedHub], ['assigned', hub.host], what);
      const identity = await made.identity(hub, device.id);
      assert.deepEqual(statusOf(identity), STOLEN, what);
      assert.equal(identity.authentication.symmetricKey.primaryKey, key, what);
    };
    await check('back at once', a, device.key);
    const symmetricKey = newKeys();
    const attestation = { type: 'symmetricKey', symmetricKey };
    await made.change(device, { attestation, iotHubs: [a.host], ...MOVES });
    await check('other keys', a, symmetricKey.primaryKey);
    await made.change(device, { attestation, iotHubs: [b.host], ...MOVES });
    await check('moved', b, symmetricKey.primaryKey);
    await goneFrom(made, a, device.id);
  });

  test('an enabled identity keeps its reason, and a device that is reset by a move does as well', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [a, b] = made.hubs;
    const reset = { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false } };
    const device = await made.registered({ iotHubs: [a.host], ...reset });
    await operate(made, a, device.id, { statusReason: 'repaired' });
    await made.change(device, { iotHubs: [b.host], ...reset });
    assert.equal((await made.register(device)).assignedHub, b.host);
    assert.deepEqual(statusOf(await made.identity(b, device.id)), { status: 'enabled', statusReason: 'repaired' });
  });

  test('a change of a built-in hub that says no status, reason or capabilities changes none', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    const at = (body, headers = { 'If-Match': '*' }) => idscope.hub(hub, 'PUT', '/devices/one', { body: { deviceId: 'one', ...body }, headers });
    const read = ({ status, statusReason, capabilities }) => [status, statusReason, capabilities.iotEdge];
    expect('create', await at({ ...STOLEN, capabilities: { iotEdge: true } }, {}), 200);
    assert.deepEqual(read(expect('nothing', await at({}), 200)), ['disabled', 'stolen', true]);
    assert.deepEqual(read(expect('a reason', await at({ statusReason: 'lost' }), 200)), ['disabled', 'lost', true]);
    const bulk = expect('bulk', await idscope.hub(hub, 'POST', '/devices', { body: [{ id: 'one', importMode: 'update', authentication: { type: 'sas', symmetricKey: newKeys() } }] }), 200);
    assert.equal(bulk.isSuccessful, true);
    assert.deepEqual(read(await made.identity(hub, 'one')), ['disabled', 'lost', true]);
    assert.deepEqual(read(expect('a status', await at({ status: 'enabled', capabilities: { iotEdge: false } }), 200)), ['enabled', null, false]);
  });
});

describe('reprovision: one identity, one owner', { concurrency: 4 }, () => {
  test('an identity that another instance made is refused: failed 409001 naming the hub, whatever it registers; when that instance is gone it is made', async (t) => {
    const first = await scene(t, { hubs: 1 });
    const [hub] = first.hubs;
    const second = await scene(t, { hubs: 0 });
    await second.relink([Idscope.link(hub)]);
    await second.linkState(hub.host, 'valid');
    const device = await first.registered();
    const other = await second.enroll({}, device.id);
    for (let i = 0; i < 2; i++) {
      const state = await second.register(other);
      assert.deepEqual([state.status, state.errorCode], ['failed', 409001], JSON.stringify(state));
      assert.match(state.errorMessage, new RegExp(`${device.id} of ${hub.host} belongs to another`));
    }
    assert.equal((await first.identity(hub, device.id)).authentication.symmetricKey.primaryKey, device.key, 'its keys stay');
    expect('the hub\'s operator may', await idscope.hub(hub, 'PUT', `/devices/${device.id}`, { body: { deviceId: device.id, ...STOLEN }, headers: { 'If-Match': '*' } }), 200);
    assert.equal((await idscope.arm('DELETE', idscope.instancePath(first.group, first.instance.name))).status, 204);
    const state = await until('the second one to get it', async () => {
      const now = await second.register(other);
      return now.status === 'assigned' && now;
    });
    assert.equal(state.assignedHub, hub.host);
    const identity = await first.identity(hub, device.id);
    assert.deepEqual([identity.authentication.symmetricKey.primaryKey, identity.status], [other.key, 'disabled']);
  });

  test('a removal leaves what another instance made meanwhile', async (t) => {
    const first = await scene(t, { hubs: 2 });
    const [a, b] = first.hubs;
    const device = await first.registered({ iotHubs: [a.host] });
    const second = await scene(t, { hubs: 0 });
    await second.relink([Idscope.link(a)]);
    await second.linkState(a.host, 'valid');
    expect('lost', { status: (await idscope.hub(a, 'DELETE', `/devices/${device.id}`, { headers: { 'If-Match': '*' } })).status }, 204);
    const other = await second.enroll({}, device.id);
    assert.equal((await second.register(other)).status, 'assigned');
    await first.change(device, { iotHubs: [b.host] });
    assert.equal((await first.register(device)).assignedHub, b.host);
    await until('the removal to be over', async () => (await stack.sql(`select count(*) from idscope.job where kind = 'hub_remove' and id_scope = lower('${first.idScope}')`)) === '0');
    assert.equal((await second.identity(a, other.id)).authentication.symmetricKey.primaryKey, other.key);
  });
});

describe('reprovision: a foreign hub', { concurrency: 4 }, () => {
  const stranger = new Beside('127.0.0.102');

  const OPERATORS = { ...STOLEN, deviceScope: 'ms-azure-iot-edge://floor-638000000000000000', tags: { hall: 'B' }, capabilities: { iotEdge: false }, parentScopes: ['x'], oddity: { a: 0.1, b: 12345678901234567890123 } };

  async function onForeign(t, more = {}) {
    const made = await scene(t, { hubs: 1 });
    const hub = stranger.hub();
    await made.relink([Idscope.link(hub), Idscope.link(made.hubs[0])]);
    await made.linkState(hub.host, 'valid');
    const device = await made.registered({ iotHubs: [hub.host], ...MOVES, ...more });
    const { identities } = stranger.registryOf(hub.host);
    identities.set(device.id, { ...identities.get(device.id), ...OPERATORS });
    return { made, hub, device, identities };
  }

  test('other keys change the credentials and nothing else: status, reason, scope, tags and members that nobody knows are written back', async (t) => {
    const { made, device, hub, identities } = await onForeign(t);
    const symmetricKey = newKeys();
    const before = identities.get(device.id);
    await made.change(device, { attestation: { type: 'symmetricKey', symmetricKey }, iotHubs: [hub.host], ...MOVES });
    assert.equal((await made.register({ ...device, key: symmetricKey.primaryKey })).status, 'assigned');
    const { authentication, etag, ...rest } = identities.get(device.id);
    const { authentication: old, etag: oldEtag, ...kept } = before;
    assert.deepEqual(rest, kept);
    assert.notEqual(etag, oldEtag);
    assert.deepEqual(authentication.symmetricKey, symmetricKey);
    const put = stranger.calls.get(hub.host).filter((call) => call.method === 'PUT').at(-1);
    assert.equal(put.ifMatch, `"${oldEtag}"`, 'what was changed since it was read is not overwritten');
  });

  test('a move takes status and reason along, from it and to it', async (t) => {
    const { made, device, hub, identities } = await onForeign(t);
    await made.change(device, { iotHubs: [made.hubs[0].host], ...MOVES });
    assert.equal((await made.register(device)).assignedHub, made.hubs[0].host);
    assert.deepEqual(statusOf(await made.identity(made.hubs[0], device.id)), STOLEN);
    await until('the identity to be gone', () => !identities.has(device.id));
    await made.change(device, { iotHubs: [hub.host], ...MOVES });
    assert.equal((await made.register(device)).assignedHub, hub.host);
    assert.deepEqual(statusOf(identities.get(device.id)), STOLEN);
  });

  test('while the hub that it leaves is away a device is told that hub, and moves when it registers after that', async (t) => {
    const { made, device, hub } = await onForeign(t);
    const [other] = made.hubs;
    await made.change(device, { iotHubs: [other.host], ...MOVES });
    stranger.manners.set(hub.host, 'page');
    for (let i = 0; i < 2; i++) {
      const state = await made.register(device);
      assert.deepEqual([state.status, state.assignedHub], ['assigned', hub.host]);
    }
    assert.equal(await made.identity(other, device.id), undefined, 'an identity whose operator was not asked is made nowhere');
    stranger.manners.delete(hub.host);
    await made.linkState(hub.host, 'valid');
    const moved = await until('the move', async () => {
      const state = await made.register(device);
      return state.assignedHub === other.host && state;
    });
    assert.equal(moved.substatus, 'deviceDataMigrated');
    assert.deepEqual(statusOf(await made.identity(other, device.id)), STOLEN);
  });

  test('a hub that is unlinked has no word any more: its devices move', async (t) => {
    const { made, device, hub } = await onForeign(t);
    stranger.manners.set(hub.host, 'page');
    await made.relink([Idscope.link(made.hubs[0])]);
    await made.change(device, MOVES);
    assert.equal((await made.register(device)).assignedHub, made.hubs[0].host);
    assert.equal((await made.identity(made.hubs[0], device.id)).status, 'enabled');
  });
});

// updateHubAssignment × migrateDeviceData × what becomes of the hub, as wire.md 7.3 says it.
describe('reprovision: the table', { concurrency: 6 }, () => {
  const stranger = new Beside('127.0.0.103');

  const INITIAL = { tags: { from: 'enrollment', n: 0.1 }, desired: { rate: 1 } };
  const OPERATORS = { tags: { from: 'operator', n: 21.3 }, desired: { rate: 2, place: { row: 1 } } };
  const initialTwin = { tags: INITIAL.tags, properties: { desired: INITIAL.desired } };
  const [INITIALLY, BY_OPERATOR, TWIN_BY_OPERATOR] = [{ ...INITIAL, iotEdge: true }, { ...OPERATORS, iotEdge: false }, { ...OPERATORS, iotEdge: true }];
  const SAME = 'reprovisionedToInitialAssignment';
  const rows = [
    // update, migrate, case, hub (0: old, 1: new), substatus, data
    [true, true, 'same hub', 0, SAME, TWIN_BY_OPERATOR],
    [true, false, 'same hub', 0, SAME, INITIALLY],
    [false, true, 'same hub', 0, SAME, TWIN_BY_OPERATOR],
    [false, false, 'same hub', 0, SAME, TWIN_BY_OPERATOR],
    [true, true, 'moved', 1, 'deviceDataMigrated', BY_OPERATOR],
    [true, false, 'moved', 1, 'deviceDataReset', INITIALLY],
    [false, true, 'moved', 0, SAME, BY_OPERATOR],
    [false, false, 'moved', 0, SAME, BY_OPERATOR],
    [true, true, 'old hub down', 1, 'deviceDataMigrated', BY_OPERATOR],
    [true, false, 'old hub down', 1, 'deviceDataReset', INITIALLY],
    [false, true, 'old hub down', 0, SAME, BY_OPERATOR],
    [false, false, 'old hub down', 0, SAME, BY_OPERATOR],
  ];

  // What a hub knows of how a device proves itself.
  const proofOf = ({ authentication: { type, symmetricKey, x509Thumbprint } }) => ({ type, key: symmetricKey?.primaryKey ?? null, thumbprint: x509Thumbprint?.primaryThumbprint ?? null });

  // A hub of ours, or one that a test can take away; each with what a test reads off it.
  const builtIn = (made, hub) => ({
    hub,
    read: async (id) => {
      const answer = await idscope.hub(hub, 'GET', `/twins/${id}`);
      if (answer.status === 404) return undefined;
      const { tags, properties: { desired: { $metadata, $version, ...desired } }, capabilities } = expect('twin', answer, 200);
      return { tags, desired, iotEdge: capabilities.iotEdge };
    },
    proof: async (id) => proofOf(await made.identity(hub, id)),
    operate: async (id) => {
      await operate(made, hub, id, { capabilities: { iotEdge: false } });
      expect('twin', await idscope.hub(hub, 'PUT', `/twins/${id}`, { body: { tags: OPERATORS.tags, properties: { desired: OPERATORS.desired } }, headers: { 'If-Match': '*' } }), 200);
    },
  });
  const foreign = () => {
    const hub = stranger.hub();
    const { host } = hub;
    const { identities, twins } = stranger.registryOf(host);
    return {
      hub,
      down: () => stranger.manners.set(host, 'page'),
      up: () => stranger.manners.delete(host),
      manner: (name) => stranger.manners.set(host, name),
      read: async (id) => identities.has(id) ? { tags: twins.get(id).tags, desired: twins.get(id).properties.desired, iotEdge: identities.get(id).capabilities.iotEdge } : undefined,
      proof: async (id) => proofOf(identities.get(id)),
      operate: async (id) => {
        identities.get(id).capabilities = { iotEdge: false };
        twins.set(id, { tags: OPERATORS.tags, properties: { desired: OPERATORS.desired, reported: {} } });
      },
    };
  };
  const drained = (hub) => Idscope.link(hub, { applyAllocationPolicy: false });

  // Keys on both kinds of hubs; other attestations on the one that the case can be made with.
  const hubsOf = (what, attested) => (what === 'old hub down' ? ['foreign'] : attested === 'SAS' ? ['built-in', 'foreign'] : ['built-in']);
  const cases = Object.keys(DEVICES).flatMap((attested) => rows.flatMap(([update, migrate, what, ...rest]) => hubsOf(what, attested).map((kind) => [attested, update, migrate, what, kind, ...rest])));

  for (const [attested, update, migrate, what, kind, at, substatus, data] of cases) {
    test(`${attested}, updateHubAssignment ${update}, migrateDeviceData ${migrate}, ${what} (${kind}): the ${at ? 'new' : 'old'} hub, ${substatus}, ${data === INITIALLY ? "the enrollment's" : "its operator's"} data`, async (t) => {
      const made = await scene(t, { hubs: 2 });
      const places = [kind === 'foreign' ? foreign() : builtIn(made, made.hubs[0]), builtIn(made, made.hubs[1])];
      const [old, other] = places;
      await made.relink([Idscope.link(old.hub), drained(other.hub)]);
      for (const { hub } of places) await made.linkState(hub.host, 'valid');
      const policy = { reprovisionPolicy: { updateHubAssignment: update, migrateDeviceData: migrate }, initialTwin, capabilities: { iotEdge: true } };
      const device = new DEVICES[attested](made, fresh('device'));
      await device.enroll(policy);
      assert.deepEqual([(await device.register()).substatus, await old.read(device.id)], ['initialAssignment', INITIALLY]);
      const proof = await old.proof(device.id);
      await old.operate(device.id);
      assert.equal((await device.register()).assignedHub, old.hub.host);
      assert.deepEqual(await old.read(device.id), BY_OPERATOR, 'a device that is back at once has its hub asked, and nothing reset');
      if (what === 'same hub') await device.change(policy);
      else await made.relink([drained(old.hub), Idscope.link(other.hub)]);
      if (what === 'old hub down') {
        old.down();
        const state = await device.register();
        assert.deepEqual([state.status, state.assignedHub, state.substatus], ['assigned', old.hub.host, SAME], 'while it is down the device is told it');
        assert.equal(await other.read(device.id), undefined);
        old.up();
        await made.linkState(old.hub.host, 'valid');
      }
      const state = await until('the hub', async () => {
        const now = await device.register();
        return now.assignedHub === places[at].hub.host && now;
      });
      assert.deepEqual([state.status, state.substatus], ['assigned', substatus]);
      assert.equal((await idscope.registration(made.instance, device.id)).substatus, substatus);
      assert.deepEqual(await places[at].read(device.id), data);
      await until('the other hub to hold nothing of it', async () => (await places[1 - at].read(device.id)) === undefined);
      assert.deepEqual([await places[at].read(device.id), await places[at].proof(device.id)], [data, proof], 'its hub knows it by what it showed before');
    });
  }

  test('a hub that breaks off between identity and twin: the next attempt finishes both, without a bulk call', async (t) => {
    const made = await scene(t, { hubs: 0 });
    const there = foreign();
    there.manner('twinless');
    await made.relink([Idscope.link(there.hub)]);
    await made.linkState(there.hub.host, 'valid');
    const device = await made.enroll({ initialTwin, capabilities: { iotEdge: true } });
    const { operationId } = await made.start(device);
    await until('the identity', async () => (stranger.calls.get(there.hub.host) || []).some(({ method, path: where }) => method === 'PUT' && where.startsWith('/twins/')));
    assert.equal((await made.poll(device, operationId)).status, 202);
    there.manner('single');
    const state = await until('the assignment', async () => {
      const answer = await made.poll(device, operationId);
      return answer.status === 200 && answer.json.registrationState;
    }, { timeoutMs: 60000 });
    assert.deepEqual([state.status, await there.read(device.id)], ['assigned', INITIALLY]);
  });

  test('an identity that was there keeps its twin and capabilities; when nobody wrote to the twin it gets the initial one', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const place = builtIn(made, made.hubs[0]);
    const [kept, blank] = [fresh('kept'), fresh('blank')];
    for (const id of [kept, blank]) expect('foreign', await idscope.hub(made.hubs[0], 'PUT', `/devices/${id}`, { body: { deviceId: id } }), 200);
    await place.operate(kept);
    for (const id of [kept, blank]) assert.equal((await made.register(await made.enroll({ initialTwin, capabilities: { iotEdge: true } }, id))).status, 'assigned');
    assert.deepEqual(await place.read(kept), BY_OPERATOR);
    assert.deepEqual(await place.read(blank), { ...INITIAL, iotEdge: false });
  });

  test('numbers of the initial twin reach the hub as they were written', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const id = fresh('numbers');
    const tags = '{"a":0.1,"b":21.3,"c":1e-7,"d":12345678901234567890123}';
    expect('enroll', await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: `{"registrationId":"${id}","attestation":{"type":"symmetricKey"},"initialTwin":{"tags":${tags}}}` }), 200);
    const { symmetricKey } = expect('keys', await idscope.service(made.instance, 'POST', `/enrollments/${id}/attestationmechanism`, { body: '{}' }), 200);
    assert.equal((await made.register({ id, key: symmetricKey.primaryKey })).status, 'assigned');
    const { text } = await idscope.hub(made.hubs[0], 'GET', `/twins/${id}`);
    assert.ok(text.includes(`"tags":${tags}`), text);
  });
});
