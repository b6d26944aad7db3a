// groups.js: enrollment groups with symmetric keys, on the service plane: the unmodified client package, and over plain HTTPS what it hides. What both
// kinds of entries share is asked of individual ones (enrollments.js, lists.js); here it is asked that it is the same for groups.
// Must never look at a key in the database.
'use strict';

const { describe, test, before, after } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { assert, stack, idscope, expect, each, fresh, names, sas, refused, scene, sharedScene } = require('../kit');

const at = (id, rest = '') => `/enrollmentGroups/${encodeURIComponent(id)}${rest}`;
const group = (id, more = {}) => ({ enrollmentGroupId: id, attestation: { type: 'symmetricKey' }, ...more });
const serviceOf = (made) => (method, path, options) => idscope.service(made.instance, method, path, options);

describe('groups: with the client package', () => {
  const made = sharedScene({ before, after });
  let client;
  before(() => {
    names('127.0.0.1', made.instance.host);
    client = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
  });
  const called = async (method, ...args) => (await client[method](...args)).responseBody;

  test('one is made with keys, read without, changed by its etag, listed, deleted', async () => {
    const id = fresh('Hall');
    const first = await called('createOrUpdateEnrollmentGroup', group(id, { allocationPolicy: 'hashed', initialTwin: { tags: { hall: 'B' }, properties: { desired: { rate: 5 } } } }));
    const { primaryKey, secondaryKey } = first.attestation.symmetricKey;
    for (const key of [primaryKey, secondaryKey]) assert.equal(Buffer.from(key, 'base64').length, 64);
    assert.deepEqual([first.enrollmentGroupId, first.capabilities, first.provisioningStatus, first.reprovisionPolicy],
      [id, { iotEdge: false }, 'enabled', { updateHubAssignment: true, migrateDeviceData: true }]);
    for (const absent of ['registrationId', 'deviceId', 'registrationState', 'optionalDeviceInformation']) assert.equal(first[absent], undefined, absent);

    const read = await called('getEnrollmentGroup', id);
    assert.deepEqual(read, { ...first, attestation: { type: 'symmetricKey', symmetricKey: {} } });
    assert.deepEqual(await called('getEnrollmentGroupAttestationMechanism', id), first.attestation);
    const second = await called('createOrUpdateEnrollmentGroup', { ...read, provisioningStatus: 'disabled' });
    assert.deepEqual([second.provisioningStatus, second.attestation], ['disabled', first.attestation], 'an update without keys keeps the stored ones');
    assert.notEqual(second.etag, first.etag);

    const query = client.createEnrollmentGroupQuery({ query: 'SELECT *' }, 5);
    const result = await new Promise((resolve, reject) => { query.next((error, page) => (error ? reject(error) : resolve(page))); });
    assert.deepEqual(result.find((one) => one.enrollmentGroupId === id), { ...second, attestation: read.attestation });
    await assert.rejects(client.deleteEnrollmentGroup(id, '"stale"'), { name: 'InvalidEtagError' });
    await client.deleteEnrollmentGroup(id);
    await assert.rejects(client.getEnrollmentGroup(id));
  });
});

describe('groups: the rules of a single write', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const service = serviceOf(made);
  const put = (id, headers, body = group(id)) => service('PUT', at(id), { body, headers });

  test('ETags as individual enrollments have them; the id ignores case and keeps its spelling', async () => {
    const id = `Etag-${fresh('X')}`;
    refused(await put(id, { 'If-Match': '*' }), 404, /enrollment group/, 404201);
    refused(await put(id, { 'If-Match': '"x"' }), 404, /enrollment group/, 404201);
    const first = expect('create', await put(id), 200);
    assert.match(first.etag, /^".+"$/);
    refused(await put(id.toUpperCase()), 409, /group.*If-Match/, 409001);
    const second = expect('any', await put(id, { 'If-Match': '*' }), 200);
    refused(await put(id, { 'If-Match': first.etag }), 412, /If-Match/, 412001);
    const third = expect('with quotes', await put(id, { 'If-Match': second.etag }), 200);
    const fourth = expect('without quotes', await put(id, { 'If-Match': third.etag.replaceAll('"', '') }), 200);
    assert.equal(expect('get', await service('GET', at(id.toLowerCase())), 200).enrollmentGroupId, id);
    refused(await service('DELETE', at(id), { headers: { 'If-Match': first.etag } }), 412, /./, 412001);
    assert.equal((await service('DELETE', at(id), { headers: { 'If-Match': fourth.etag } })).status, 204);
    refused(await service('DELETE', at(id)), 404, /enrollment group/, 404201);
    refused(await service('GET', at(id)), 404, /enrollment group/, 404201);
  });

  test('a device and a group of one id know nothing of each other', async () => {
    const device = await made.enroll({ deviceId: fresh('D') }, fresh('same'));
    const named = expect('create', await put(device.id), 200);
    assert.notEqual(named.attestation.symmetricKey.primaryKey, device.key);
    const mechanism = async (path) => expect('keys', await service('POST', `${path}/attestationmechanism`), 200).symmetricKey.primaryKey;
    assert.equal(await mechanism(`/enrollments/${device.id}`), device.key);
    assert.equal(await mechanism(`/enrollmentgroups/${device.id}`), named.attestation.symmetricKey.primaryKey);
    await stack.sql(`UPDATE idscope.enrollment SET attestation_sealed = (SELECT attestation_sealed FROM idscope.enrollment e WHERE e.id_scope = '${made.idScope.toLowerCase()}' AND NOT e.of_group AND e.registration_key = '${device.id}')
                      WHERE id_scope = '${made.idScope.toLowerCase()}' AND of_group AND registration_key = '${device.id}'`);
    refused(await service('POST', at(device.id, '/attestationmechanism')), 500, /cannot be opened/, 500002);
    assert.equal((await service('DELETE', at(device.id))).status, 204);
    expect('the device', await service('GET', `/enrollments/${device.id}`), 200);
  });

  // Each case refuses a PUT of a new group and makes nothing.
  const cases = [
    ['no JSON', () => '{', 400, 400000], ['no attestation', (id) => ({ enrollmentGroupId: id }), 400, 400004], ['type none', (id) => group(id, { attestation: { type: 'none' } }), 400, 400004],
    ['a TPM', (id) => group(id, { attestation: { type: 'tpm', tpm: { endorsementKey: 'AA==' } } }), 400, 400004], ['another id than the path', () => group('other'), 400, 400004],
    ['a short key', (id) => group(id, { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: sas.newKey(15) } } }), 400, 400004],
    ['an unknown policy', (id) => group(id, { allocationPolicy: 'random' }), 400, 400004], ['the custom policy', (id) => group(id, { allocationPolicy: 'custom' }), 400, 400004],
    ['static without a hub', (id) => group(id, { allocationPolicy: 'static' }), 400, 400004], ['an unlinked hub', (id) => group(id, { iotHubs: ['none.example'] }), 400, 400004],
    ['a host with a port', (id) => group(id, { iotHubHostName: 'a.example:443' }), 400, 400004],
    ['a twin that is no object', (id) => group(id, { initialTwin: { tags: 5 } }), 400, 400004], ['half a reprovision policy', (id) => group(id, { reprovisionPolicy: { updateHubAssignment: true } }), 400, 400004],
    ['too much', (id) => group(id, { initialTwin: { tags: { pad: 'x'.repeat(97 * 1024) } } }), 413, 413001],
  ];
  for (const [what, body, status, code] of cases) {
    test(`a group with ${what} is ${status} ${code}`, async () => {
      const id = fresh('bad');
      refused(await put(id, {}, body(id)), status, /./, code);
      refused(await service('GET', at(id)), 404);
    });
  }

  test('ids outside the rules are 400, members of devices are not taken', async () => {
    for (const id of ['x'.repeat(129), 'a b', 'ends.', 'a/b']) refused(await put(id, {}, group(id)), 400);
    const id = fresh('plain');
    const written = expect('put', await put(id, {}, group(id, { deviceId: 'd', optionalDeviceInformation: { a: 1 }, unheardOf: 1 })), 200);
    assert.deepEqual([written.deviceId, written.optionalDeviceInformation], [undefined, undefined]);
  });
});

describe('groups: many', { concurrency: 2 }, () => {
  const made = sharedScene({ before, after });
  const service = serviceOf(made);

  test('queries know the members of groups, pages go on, no device is among them, no key is shown', async () => {
    await made.enroll({}, 'press-1');
    const keys = [];
    for (let n = 0; n < 7; n++) {
      const { attestation } = expect('put', await service('PUT', at(`hall-${n}`), { body: group(`hall-${n}`, { ...(n % 2 ? { provisioningStatus: 'disabled' } : {}), initialTwin: { tags: { n }, properties: {} } }) }), 200);
      keys.push(attestation.symmetricKey.primaryKey);
    }
    const ask = async (query, size = 3) => {
      const all = [];
      for (let token; ;) {
        const answer = await service('POST', '/enrollmentGroups/query', { body: { query }, headers: { 'x-ms-max-item-count': size, 'x-ms-continuation': token } });
        all.push(...expect(query, answer, 200).map((one) => one.enrollmentGroupId));
        assert.equal(answer.headers['x-ms-item-type'], 'EnrollmentGroup');
        for (const key of keys) assert.ok(!answer.text.includes(key));
        token = answer.headers['x-ms-continuation'];
        if (token === undefined) return all;
      }
    };
    const halls = (...ns) => ns.map((n) => `hall-${n}`);
    assert.deepEqual(await ask('*'), halls(0, 1, 2, 3, 4, 5, 6));
    assert.deepEqual(await ask('SELECT * FROM enrollmentGroups ORDER BY createdDateTimeUtc DESC'), halls(6, 5, 4, 3, 2, 1, 0));
    assert.deepEqual(await ask("SELECT * FROM enrollmentGroups WHERE provisioningStatus = 'disabled'"), halls(1, 3, 5));
    assert.deepEqual(await ask("SELECT enrollmentGroupId WHERE enrollmentGroupId STARTSWITH 'HALL-' AND initialTwin.tags.n > 4"), halls(5, 6));
    for (const query of ['SELECT * FROM enrollments', "SELECT * WHERE registrationId = 'x'", "SELECT * WHERE deviceId = 'x'"]) refused(await service('POST', '/enrollmentGroups/query', { body: { query } }), 400, /character|member/i, 400004);
    const individual = expect('list', await service('POST', '/enrollments/query', { body: { query: '*' } }), 200);
    assert.deepEqual(individual.map((one) => one.registrationId), ['press-1'], 'nor a group among the devices');
  });

  test('ten are made, changed and deleted in one call, each by the rules of a single write', async () => {
    const bulk = async (mode, enrollmentGroups) => expect(mode, await service('POST', '/enrollmentGroups', { body: { mode, enrollmentGroups } }), 200);
    const ids = Array.from({ length: 9 }, () => fresh('bulk'));
    const made9 = await bulk('create', [...ids.map((id) => group(id)), group('a b')]);
    assert.equal(made9.isSuccessful, false);
    assert.deepEqual(made9.errors.map(({ enrollmentGroupId, errorCode }) => [enrollmentGroupId, errorCode]), [['a b', 400004]]);
    assert.deepEqual((await bulk('create', [group(ids[0])])).errors.map(({ errorCode }) => errorCode), [409001]);
    assert.deepEqual(await bulk('update', [group(ids[0], { provisioningStatus: 'disabled' })]), { isSuccessful: true, errors: [] });
    assert.equal(expect('get', await service('GET', at(ids[0])), 200).provisioningStatus, 'disabled');
    assert.deepEqual((await bulk('updateIfMatchETag', [group(ids[1], { etag: '"stale"' })])).errors.map(({ errorCode }) => errorCode), [412001]);
    assert.deepEqual(await bulk('delete', ids.map((enrollmentGroupId) => ({ enrollmentGroupId }))), { isSuccessful: true, errors: [] });
    for (const id of ids) refused(await service('GET', at(id)), 404, /./, 404201);
  });

  test('an instance has a hundred groups of one type, however many are made at once', async (t) => {
    const full = await scene(t, { hubs: 0 });
    const ask = serviceOf(full);
    const answers = await each(Array.from({ length: 110 }, (_, n) => n), 8, (n) => ask('PUT', at(`many-${n}`), { body: group(`many-${n}`) }));
    assert.equal(answers.filter(({ status }) => status === 200).length, 100);
    for (const answer of answers.filter(({ status }) => status !== 200)) refused(answer, 403, /as many enrollment groups/, 403001);
    const there = answers.findIndex(({ status }) => status === 200);
    expect('a change', await ask('PUT', at(`many-${there}`), { body: group(`many-${there}`), headers: { 'If-Match': '*' } }), 200);
    await ask('DELETE', at(`many-${there}`));
    expect('room again', await ask('PUT', at('one-more'), { body: group('one-more') }), 200);
  });
});

describe('groups: who may ask', () => {
  const made = sharedScene({ before, after }, { properties: { authorizationPolicies: [{ keyName: 'provisioningserviceowner', rights: 'ServiceConfig,DeviceConnect,EnrollmentWrite' },
    { keyName: 'reader', rights: 'EnrollmentRead' }, { keyName: 'states', rights: 'RegistrationStatusWrite' }] } });

  test('rights: reading and writing as for individual enrollments', async () => {
    const as = (name) => (method, path, body) => idscope.service(made.instance, method, path,
      { body, authorization: sas.forHost(made.instance.host, name, made.instance.keys.find((key) => key.keyName === name).primaryKey) });
    const [reader, states] = [as('reader'), as('states')];
    refused(await reader('GET', at('none')), 404, /./, 404201);
    expect('query', await reader('POST', '/enrollmentGroups/query', { query: '*' }), 200);
    for (const [method, path, body] of [['PUT', at('none'), group('none')], ['DELETE', at('none')], ['POST', at('none', '/attestationmechanism')], ['POST', '/enrollmentGroups', { mode: 'create', enrollmentGroups: [] }]]) {
      refused(await reader(method, path, body), 401, /./, 401002);
    }
    refused(await states('GET', at('none')), 401, /./, 401002);
    refused(await states('POST', '/enrollmentGroups/query', { query: '*' }), 401, /./, 401002);
  });
});
