// members.js: devices that register by an enrollment group's key: admitted, assigned, shown, refused. The unmodified device and service packages do
// what they can; negative cases are a table of {case, status, errorCode}.
// Must never enroll a device by itself but where that is what blocks it.
'use strict';

const { describe, test, before, after } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { assert, second, stack, idscope, Idscope, expect, each, fresh, names, sas, refused, scene, sharedScene, until } = require('../kit');

// The contract's recipe: HMAC-SHA256 of the group's key over the registration id.
const { derive } = sas;

class Group {
  constructor(made, id, entry) {
    Object.assign(this, { made, id, entry, keys: entry.attestation.symmetricKey });
  }

  static at(id) { return `/enrollmentGroups/${encodeURIComponent(id)}`; }

  static async make(made, more = {}, id = fresh('Group')) {
    const body = { enrollmentGroupId: id, attestation: { type: 'symmetricKey' }, ...more };
    return new Group(made, id, expect('group', await made.of.service(made.instance, 'PUT', Group.at(id), { body }), 200));
  }

  async change(more) {
    const body = { enrollmentGroupId: this.id, attestation: { type: 'symmetricKey' }, ...more };
    return expect('change', await this.made.of.service(this.made.instance, 'PUT', Group.at(this.id), { body, headers: { 'If-Match': '*' } }), 200);
  }

  async remove() {
    assert.equal((await this.made.of.service(this.made.instance, 'DELETE', Group.at(this.id))).status, 204);
  }

  device(id = fresh('member'), from = id, key = this.keys.primaryKey) { return { id, key: derive(key, from) }; }

  registrations(headers = {}, body = undefined) {
    return this.made.of.service(this.made.instance, 'POST', `/registrations/${encodeURIComponent(this.id)}/query`, { body, headers });
  }
}

const register = async (made, device) => {
  const state = await made.register(device);
  assert.equal(state.status, 'assigned', JSON.stringify(state));
  return state;
};
// The answer to a register that may be refused.
const attempt = (made, { id, key }, options = {}) => made.of.device('PUT', made.idScope, `${encodeURIComponent(id)}/register`,
  { body: { registrationId: id }, authorization: key && sas.forDevice(made.idScope, id, key), ...options });
// Until a return is no complaint any more (the deployment's quick_return_s): from then on what has not changed costs the hub no call.
const later = (state) => until('the quick return time to be over', async () => Date.now() > Date.parse(state.lastUpdatedDateTimeUtc) + 5200, { timeoutMs: 10000 });
const stateOf = (made, id) => idscope.registration(made.instance, id);

describe('members: with the client packages', () => {
  const made = sharedScene({ before, after }, { hubs: 2 });

  test('a device with a derived key registers, opens its hub with it, and is listed under its group', async () => {
    names('127.0.0.1', made.instance.host);
    const service = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
    const entry = (await service.createOrUpdateEnrollmentGroup({ enrollmentGroupId: fresh('hall'), attestation: { type: 'symmetricKey' } })).responseBody;
    const keys = entry.attestation.symmetricKey;
    const ids = Array.from({ length: 5 }, () => fresh('press'));
    for (const [n, id] of ids.entries()) {
      const key = derive(n % 2 ? keys.secondaryKey : keys.primaryKey, id);
      const client = ProvisioningDeviceClient.create('localhost', made.idScope, new Http(), new SymmetricKeySecurityClient(id, key));
      const { assignedHub, deviceId, symmetricKey } = await client.register();
      assert.deepEqual([deviceId, symmetricKey], [id, { enrollmentGroupId: entry.enrollmentGroupId }]);
      const { authentication } = await made.identity(made.hubAt(assignedHub), id);
      assert.deepEqual(authentication.symmetricKey, { primaryKey: derive(keys.primaryKey, id), secondaryKey: derive(keys.secondaryKey, id) });
      const state = (await service.getDeviceRegistrationState(id)).responseBody;
      assert.deepEqual([state.enrollmentGroupId, state.status, state.substatus], [entry.enrollmentGroupId, 'assigned', 'initialAssignment']);
    }
    const query = service.createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, entry.enrollmentGroupId, 2);
    const listed = [];
    while (query.hasMoreResults) {
      listed.push(...await new Promise((resolve, reject) => { query.next((error, page) => (error ? reject(error) : resolve(page))); }));
    }
    assert.deepEqual(listed.map((state) => state.registrationId), [...ids].sort());
    assert.ok(listed.every((state) => state.status === 'assigned' && state.etag));
  });
});

describe('members: who is admitted', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  let hall;
  let other;
  before(async () => {
    hall = await Group.make(made);
    other = await Group.make(made);
    for (let n = 0; n < 5; n++) await Group.make(made);
  });

  // The same answer for all, so that it tells nothing; none leaves a registration.
  const cases = [
    ['a key that derives from nothing known', () => ({ id: fresh('m'), key: sas.newKey() }), 401, 401002],
    ["the group's own key", () => ({ id: fresh('m'), key: hall.keys.primaryKey }), 401, 401002],
    ['a key derived from another id', () => hall.device(fresh('m'), 'another'), 401, 401002],
    ['a key derived from the id in capitals, which was not sent so', () => { const id = fresh('m'); return hall.device(id, id.toUpperCase()); }, 401, 401002],
    ['a key of another instance', () => ({ id: fresh('m'), key: derive(sas.newKey(64), 'x') }), 401, 401002],
    ['a key derived twice', () => { const id = fresh('m'); return { id, key: derive(derive(hall.keys.primaryKey, id), id) }; }, 401, 401002],
    ['no token', () => ({ id: fresh('m'), key: null }), 401, 401002],
    ['an id that is none', () => ({ id: 'a b', key: sas.newKey() }), 400, 400004],
  ];
  for (const [what, device, status, code] of cases) {
    test(`${what}: ${status} ${code}`, async () => {
      const one = device();
      const { json } = refused(await attempt(made, one), status, /./, code);
      if (status === 401) assert.equal(json.message, 'Unauthorized');
      assert.equal(await stack.sql(`SELECT count(*) FROM idscope.registration WHERE registration_key = '${one.id}'`), '0');
    });
  }

  test('an expired token with the right key is refused', async () => {
    const device = hall.device();
    const authorization = sas.forDevice(made.idScope, device.id, device.key, { expiry: sas.inSeconds(-1000) });
    refused(await attempt(made, device, { authorization }), 401, /Unauthorized/, 401002);
  });

  test('the key may derive from the id as sent or in small letters; the hub holds the one that the device has', async () => {
    const id = `Mixed-${fresh('X').toUpperCase()}`;
    const small = hall.device(id, id.toLowerCase());
    await register(made, small);
    const held = async () => (await made.identity(made.hubs[0], id)).authentication.symmetricKey.primaryKey;
    assert.equal(await held(), small.key);
    const asSent = hall.device(id);
    await later(await stateOf(made, id));
    assert.equal((await register(made, asSent)).deviceId, id);
    assert.equal(await held(), asSent.key, 'a key that derives from another spelling is another key');
    await register(made, hall.device(id.toLowerCase()));
    assert.equal(await held(), small.key);
    assert.equal((await stateOf(made, id)).registrationId, id, 'the spelling of the first success stays');
  });

  test('an individual enrollment blocks, whatever it says; without it the group admits again', async () => {
    const device = hall.device();
    await register(made, device);
    const own = await made.enroll({ provisioningStatus: 'disabled' }, device.id);
    refused(await attempt(made, device), 401, /Unauthorized/, 401002);
    assert.equal((await made.register(own)).status, 'disabled');
    assert.equal((await stateOf(made, device.id)).enrollmentGroupId, undefined);
    await idscope.service(made.instance, 'DELETE', `/enrollments/${device.id}`);
    await register(made, device);
    assert.equal((await stateOf(made, device.id)).enrollmentGroupId, hall.id);
  });

  test('a disabled group disables its devices, an enabled one admits them again', async () => {
    const group = await Group.make(made, { provisioningStatus: 'disabled' });
    const device = group.device();
    const state = await made.register(device);
    assert.deepEqual([state.status, state.errorCode], ['disabled', 401002]);
    assert.equal((await stateOf(made, device.id)).enrollmentGroupId, group.id);
    await group.change({ provisioningStatus: 'enabled' });
    await register(made, device);
    await group.change({ provisioningStatus: 'disabled' });
    assert.equal((await made.register(device)).status, 'disabled');
  });

  test('a deleted group admits nobody; what became of its devices is read by their ids and listed no more; a new one of its id knows them again', async () => {
    const id = fresh('Gone');
    const group = await Group.make(made, {}, id);
    const device = group.device();
    const { operationId } = await made.start(device);
    const first = await register(made, device);
    await group.remove();
    refused(await attempt(made, device), 401, /Unauthorized/, 401002);
    refused(await idscope.device('GET', made.idScope, `${device.id}/operations/${operationId}`, { authorization: sas.forDevice(made.idScope, device.id, device.key) }), 401, /Unauthorized/, 401002);
    const { enrollmentGroupId, status, assignedHub } = await stateOf(made, device.id);
    assert.deepEqual([enrollmentGroupId, status, assignedHub], [id, 'assigned', first.assignedHub]);
    refused(await group.registrations(), 404, /enrollment group/, 404201);
    const again = await Group.make(made, {}, id);
    const renewed = again.device(device.id);
    await later(await stateOf(made, device.id));
    await register(made, renewed);
    assert.equal((await made.identity(made.hubs[0], device.id)).authentication.symmetricKey.primaryKey, renewed.key, 'the hub has the new key');
    assert.deepEqual(expect('list', await again.registrations(), 200).map((one) => one.registrationId), [device.id]);
  });

  test('new keys of the group reach the hub; a device comes over to another group', async () => {
    const group = await Group.make(made);
    const device = group.device();
    await register(made, device);
    const symmetricKey = { primaryKey: sas.newKey(64), secondaryKey: sas.newKey(64) };
    await group.change({ attestation: { type: 'symmetricKey', symmetricKey } });
    refused(await attempt(made, device), 401, /Unauthorized/, 401002);
    const held = async () => (await made.identity(made.hubs[0], device.id)).authentication.symmetricKey;
    await register(made, { id: device.id, key: derive(symmetricKey.secondaryKey, device.id) });
    assert.deepEqual(await held(), { primaryKey: derive(symmetricKey.primaryKey, device.id), secondaryKey: derive(symmetricKey.secondaryKey, device.id) });
    const moved = other.device(device.id);
    await register(made, moved);
    assert.equal((await held()).primaryKey, moved.key);
    assert.equal((await stateOf(made, device.id)).enrollmentGroupId, other.id);
    assert.deepEqual(expect('list', await group.registrations(), 200), []);
  });

  test('polls and status look-ups are answered to a member, also one that never registered', async () => {
    const device = hall.device();
    const ask = (method, path) => idscope.device(method, made.idScope, `${device.id}${path}`, { authorization: sas.forDevice(made.idScope, device.id, device.key) });
    refused(await ask('POST', ''), 404, /registration/, 404202);
    refused(await ask('GET', '/operations/none'), 404, /./, 404202);
    await register(made, device);
    assert.equal(expect('status', await ask('POST', ''), 200).status, 'assigned');
  });

  test('an assignment that waits for a hub ends when its group is deleted, and another group takes the device', async (t) => {
    const silent = await scene(t, { hubs: 1 });
    const host = `${fresh('silent')}.example.test`;
    names('127.0.0.77', host);
    await silent.relink([Idscope.link({ ...silent.hubs[0], host, connectionString: `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=${sas.newKey()}` })]);
    await silent.linkState(host, 'unreachable');
    const group = await Group.make(silent);
    const device = group.device();
    await silent.start(device);
    await group.remove();
    const state = await until('the assignment to end', async () => { const now = await stateOf(silent, device.id); return now.status === 'failed' && now; }, { timeoutMs: 60000 });
    assert.deepEqual([state.errorCode, state.enrollmentGroupId], [404201, group.id]);
    await silent.relink([Idscope.link(silent.hubs[0])]);
    await register(silent, (await Group.make(silent)).device(device.id));
  });

  test('a registration that was forgotten is made again', async () => {
    const device = hall.device();
    await register(made, device);
    assert.equal((await idscope.service(made.instance, 'DELETE', `/registrations/${device.id}`)).status, 204);
    assert.equal((await register(made, device)).substatus, 'initialAssignment');
  });
});

describe('members: what the group says', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 3 });

  test('its policy, hubs and capabilities are those of each device', async () => {
    const group = await Group.make(made, { allocationPolicy: 'static', iotHubs: [made.hubs[1].host], capabilities: { iotEdge: true } });
    const devices = Array.from({ length: 6 }, () => group.device());
    for (const device of devices) {
      assert.equal((await register(made, device)).assignedHub, made.hubs[1].host);
      assert.deepEqual((await made.identity(made.hubs[1], device.id)).capabilities, { iotEdge: true });
    }
    await group.change({ allocationPolicy: 'static', iotHubs: [made.hubs[2].host] });
    assert.equal((await register(made, devices[0])).assignedHub, made.hubs[2].host, 'changed configuration chooses anew');
    await group.change({ allocationPolicy: 'static', iotHubs: [made.hubs[0].host], reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false } });
    assert.equal((await register(made, devices[0])).assignedHub, made.hubs[2].host, 'without updateHubAssignment it stays');
    const explained = await idscope.explain(made.instance, devices[1].id);
    assert.equal(explained.json.assignedHub, made.hubs[1].host);
  });

  test('the list of its devices goes on page by page, whatever the body says, and by its own continuations alone', async () => {
    const [group, other] = [await Group.make(made), await Group.make(made)];
    const devices = await each(Array.from({ length: 7 }, () => group.device()), 4, async (device) => { await register(made, device); return device.id; });
    await register(made, other.device());
    const pages = [];
    let token;
    for (const body of [undefined, { query: 'SELECT *' }, '{"query":', {}]) {
      const answer = await group.registrations({ 'x-ms-max-item-count': 2, 'x-ms-continuation': token }, body);
      pages.push(expect('page', answer, 200).map((one) => one.registrationId));
      assert.equal(answer.headers['x-ms-item-type'], 'DeviceRegistration');
      token = answer.headers['x-ms-continuation'];
      if (pages.length === 1) refused(await other.registrations({ 'x-ms-continuation': token }), 400, /x-ms-continuation/, 400000);
    }
    assert.equal(token, undefined);
    assert.deepEqual(pages.flat(), [...devices].sort());
    assert.deepEqual(pages.map((page) => page.length), [2, 2, 2, 1]);
    refused(await idscope.service(made.instance, 'POST', '/registrations/nobodys/query'), 404, /enrollment group/, 404201);
  });
});

describe('members: what their checks cost others', () => {
  test('a device is looked for among the groups by the second class of lanes, and known by the first ones from then on', async (t) => {
    const made = await scene(t, { hubs: 1 }, second.idscope);
    const group = await Group.make(made);
    const device = group.device();
    const dear = async () => Number((await second.stack.metrics('api1'))['idscope_lane_calls_total{lane="device-dear"}']);
    const own = await made.enroll();
    const counted = async (work) => { const was = await dear(); await work(); return await dear() - was; };
    assert.equal(await counted(() => made.start(own)), 0, 'nobody else is');
    assert.equal(await counted(() => made.start(device)), 1);
    await register(made, device);
    assert.equal(await counted(() => made.start(device)), 0);
    assert.equal(await counted(() => attempt(made, { id: fresh('stranger'), key: sas.newKey() })), 1);
    assert.equal(await counted(() => attempt(made, { id: own.id, key: sas.newKey() })), 1, 'a wrong key costs what an unknown id does');
    const expired = sas.forDevice(made.idScope, own.id, own.key, { expiry: sas.inSeconds(-1000) });
    assert.equal(await counted(() => attempt(made, own, { authorization: expired })), 0, 'what no key makes good is not looked for');
  });
});

describe('members: one identity, one owner', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  let hall;
  before(async () => { hall = await Group.make(made); });
  const keyAt = async (id, at = made) => (await at.identity(made.hubs[0], id)).authentication.symmetricKey.primaryKey;
  const taken = async (at, device, words) => {
    const state = await at.register(device);
    assert.deepEqual([state.status, state.errorCode, state.assignedHub], ['failed', 409001, undefined], JSON.stringify(state));
    assert.match(state.errorMessage, words);
    assert.equal((await stateOf(at, device.id)).errorCode, 409001);
  };

  test('a device whose id an enrollment names fails with 409001, each time, and leaves its identity alone; it is assigned when the id is free', async () => {
    const device = hall.device(fresh('Press'));
    const owner = await made.enroll({ deviceId: device.id });
    await taken(made, device, new RegExp(`^The device id ${device.id} is that of ${owner.id}\\.$`));
    assert.equal(await made.identity(made.hubs[0], device.id), undefined);
    await register(made, owner);
    for (let i = 0; i < 2; i++) await taken(made, device, /is that of/);
    assert.equal(await keyAt(device.id), owner.key);
    await made.change(owner, { deviceId: fresh('Elsewhere') });
    await register(made, owner);
    await register(made, device);
    assert.equal(await keyAt(device.id), device.key);
  });

  test('an enrollment that names what a group\'s device stands on fails until that registration is gone', async () => {
    const device = hall.device(fresh('Press'));
    await register(made, device);
    const late = await made.enroll({ deviceId: device.id });
    await taken(made, late, new RegExp(`The device id ${device.id} is that of ${device.id}`));
    assert.equal(await keyAt(device.id), device.key);
    await taken(made, device, new RegExp(`is that of ${late.id}`));
    assert.equal(await keyAt(device.id), device.key);
    assert.equal((await idscope.service(made.instance, 'DELETE', `/registrations/${device.id}`)).status, 204);
    await register(made, late);
    assert.equal(await keyAt(device.id), late.key);
  });

  test('of two instances on one hub the first keeps the identity, whichever way the second comes by its id', async (t) => {
    const two = await scene(t, { hubs: 0 });
    await two.relink([Idscope.link(made.hubs[0])]);
    await two.linkState(made.hubs[0].host, 'valid');
    const theirs = await Group.make(two);
    const device = hall.device(fresh('Press'));
    await register(made, device);
    const words = new RegExp(`${device.id} of ${made.hubs[0].host} belongs to another provisioning service`);
    await taken(two, theirs.device(device.id), words);
    await taken(two, await two.enroll({ deviceId: device.id }), words);
    assert.equal(await keyAt(device.id), device.key);
    assert.equal((await made.register(device)).status, 'assigned', 'nobody of another instance takes its id');
  });

  // The hub refuses until another has the identity.
  test('an assignment that waits while its id is taken fails, and takes nothing off the hub', async (t) => {
    const own = await scene(t, { hubs: 1 });
    const [hub] = own.hubs;
    const group = await Group.make(own);
    const device = group.device(fresh('Press'));
    await own.linkState(hub.host, 'valid');
    await own.relink([Idscope.link({ ...hub, connectionString: hub.connectionString.replace(hub.key, sas.newKey()) })]);
    await own.start(device);
    const where = `id_scope = '${own.idScope.toLowerCase()}' and registration_key = '${device.id.toLowerCase()}'`;
    await stack.sql(`update idscope.registration set target_hub = '${hub.host}', target_device_id = '${device.id}' where ${where}`);
    expect('the identity', await idscope.hub(hub, 'PUT', `/devices/${device.id}`, { body: { deviceId: device.id } }), 200);
    await own.enroll({ deviceId: device.id });
    await own.relink([Idscope.link(hub)]);
    await taken(own, device, /is that of/);
    await until('no removal to be left', async () => (await stack.sql(`select count(*) from idscope.job where kind = 'hub_remove' and id_scope = '${own.idScope.toLowerCase()}'`)) === '0', { timeoutMs: 20000 });
    assert.ok(await own.identity(hub, device.id));
  });
});
