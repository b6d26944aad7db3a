// enrollments.js: the service plane: individual enrollments with their ETags and keys, registrations and their explanation, and who may call.
// Every refusal names the member and the rule; none of them may change anything.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, expect, sas, fresh, refused, sharedScene, scene, until } = require('../kit');

const base = (id, more) => Idscope.enrollment(id, more);
const at = (id) => `/enrollments/${encodeURIComponent(id)}`;

describe('enrollments: ETags', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const put = (id, headers, body = base(id)) => idscope.service(made.instance, 'PUT', at(id), { body, headers });
  const remove = (id, headers) => idscope.service(made.instance, 'DELETE', at(id), { headers });

  test('create, conflict, overwrite, change with the tag, stale tag, missing one', async () => {
    const id = fresh('etag');
    refused(await put(id, { 'If-Match': '*' }), 404, /enrollment/i, 404201);
    refused(await put(id, { 'If-Match': '"x"' }), 404, /enrollment/i, 404201);
    const first = expect('create', await put(id), 200);
    assert.match(first.etag, /^".+"$/, 'the etag holds its quotes');
    refused(await put(id), 409, /exists/, 409001);
    const second = expect('any', await put(id, { 'If-Match': '*' }), 200);
    assert.notEqual(second.etag, first.etag);
    refused(await put(id, { 'If-Match': first.etag }), 412, /If-Match|etag/i, 412001);
    const third = expect('with quotes', await put(id, { 'If-Match': second.etag }), 200);
    const fourth = expect('without quotes', await put(id, { 'If-Match': third.etag.replaceAll('"', '') }), 200);
    expect('weak', await put(id, { 'If-Match': `W/${fourth.etag}` }), 200);
    assert.equal(fourth.createdDateTimeUtc, first.createdDateTimeUtc);
    assert.ok(fourth.lastUpdatedDateTimeUtc >= first.lastUpdatedDateTimeUtc);
  });

  test('delete with tag, any, none; then it is gone', async () => {
    const id = fresh('etag');
    const { etag } = expect('create', await put(id), 200);
    refused(await remove(id, { 'If-Match': '"other"' }), 412, /./, 412001);
    const gone = await remove(id, { 'If-Match': etag });
    assert.equal(gone.status, 204);
    assert.equal(gone.text, '');
    refused(await remove(id), 404, /./, 404201);
    refused(await idscope.service(made.instance, 'GET', at(id)), 404, /./, 404201);
    for (const headers of [{}, { 'If-Match': '*' }]) {
      expect('create', await put(id), 200);
      assert.equal((await remove(id, headers)).status, 204);
    }
  });

  test('the id ignores case and keeps its spelling', async () => {
    const id = `Case-${fresh('X')}`;
    expect('create', await put(id), 200);
    refused(await put(id.toUpperCase()), 409, /./, 409001);
    assert.equal(expect('get', await idscope.service(made.instance, 'GET', at(id.toLowerCase())), 200).registrationId, id);
    const odd = `a:b.c_d-${fresh('e')}`;
    assert.equal(expect('odd', await put(odd), 200).registrationId, odd);
  });
});

describe('enrollments: keys and members', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const put = (id, body, headers) => idscope.service(made.instance, 'PUT', at(id), { body, headers });
  const mechanism = async (id) => expect('keys', await idscope.service(made.instance, 'POST', `${at(id)}/attestationmechanism`), 200);

  test('keys are made where none are given: two, different, 64 bytes', async () => {
    for (const symmetricKey of [undefined, {}, { primaryKey: '', secondaryKey: '' }, { primaryKey: null, secondaryKey: null }]) {
      const id = fresh('key');
      const { attestation } = expect('put', await put(id, { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey } }), 200);
      const { primaryKey, secondaryKey } = attestation.symmetricKey;
      assert.notEqual(primaryKey, secondaryKey);
      for (const key of [primaryKey, secondaryKey]) assert.equal(Buffer.from(key, 'base64').length, 64);
    }
  });

  test('given keys are kept, of 16 to 64 bytes; a missing one beside a given one is made', async () => {
    for (const bytes of [16, 64]) {
      const id = fresh('key');
      const symmetricKey = { primaryKey: sas.newKey(bytes), secondaryKey: sas.newKey(bytes) };
      assert.deepEqual(expect('put', await put(id, { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey } }), 200).attestation.symmetricKey, symmetricKey);
    }
    const id = fresh('key');
    const primaryKey = sas.newKey(32);
    const { attestation } = expect('put', await put(id, { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey } } }), 200);
    assert.equal(attestation.symmetricKey.primaryKey, primaryKey);
    assert.equal(Buffer.from(attestation.symmetricKey.secondaryKey, 'base64').length, 64);
  });

  test('keys are shown by the PUT and by attestationmechanism, by nothing else', async () => {
    const device = await made.enroll();
    const attestation = await mechanism(device.id);
    assert.deepEqual(attestation, { type: 'symmetricKey', symmetricKey: { primaryKey: device.key, secondaryKey: device.secondaryKey } });
    const read = await idscope.service(made.instance, 'GET', at(device.id));
    assert.equal(read.json.attestation.type, 'symmetricKey');
    for (const key of [device.key, device.secondaryKey]) assert.ok(!read.text.includes(key));
  });

  test('an update without keys keeps the stored ones, one with keys replaces them', async () => {
    const device = await made.enroll();
    const stored = await mechanism(device.id);
    for (const attestation of [{ type: 'symmetricKey' }, { type: 'symmetricKey', symmetricKey: null }]) {
      expect('put', await put(device.id, { registrationId: device.id, attestation }, { 'If-Match': '*' }), 200);
      assert.deepEqual(await mechanism(device.id), stored);
    }
    const symmetricKey = { primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
    expect('put', await put(device.id, { registrationId: device.id, attestation: { type: 'symmetricKey', symmetricKey } }, { 'If-Match': '*' }), 200);
    assert.deepEqual((await mechanism(device.id)).symmetricKey, symmetricKey);
  });

  test('defaults are filled in, and everything that was set comes back', async () => {
    const plain = (await made.enroll()).enrollment;
    assert.deepEqual(plain.capabilities, { iotEdge: false });
    assert.deepEqual(plain.reprovisionPolicy, { updateHubAssignment: true, migrateDeviceData: true });
    assert.equal(plain.provisioningStatus, 'enabled');
    assert.ok(!plain.registrationState || Object.keys(plain.registrationState).length === 0);
    const more = { deviceId: 'Press-42', capabilities: { iotEdge: true }, provisioningStatus: 'disabled', reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false },
      allocationPolicy: 'geoLatency', iotHubs: [made.hubs[0].host], initialTwin: { tags: { hall: 'B' }, properties: { desired: { rate: 5, deep: { a: [1, null, 'x'] } } } }, optionalDeviceInformation: { line: 7 } };
    const device = await made.enroll(more);
    const read = expect('get', await idscope.service(made.instance, 'GET', at(device.id)), 200);
    for (const [member, value] of Object.entries(more)) assert.deepEqual(read[member], value, member);
  });

  test('numbers come back to the letter, whatever a machine would make of them; a device may send such a payload', async () => {
    const id = fresh('numbers');
    const numbers = '{"a":[1.0,-0,1e400,9007199254740993,99999999999999999999,1E-7],"b":{"count":12345678901234567890,"kept":9007199254740993}}';
    const enrollment = `{"registrationId":"${id}","attestation":{"type":"symmetricKey"},"initialTwin":{"tags":${numbers},"properties":{"desired":${numbers}}},"optionalDeviceInformation":${numbers}}`;
    const written = await put(id, enrollment);
    for (const answer of [written, await idscope.service(made.instance, 'GET', at(id))]) {
      assert.equal(answer.status, 200, answer.text);
      for (const member of [`"tags":${numbers}`, `"desired":${numbers}`, `"optionalDeviceInformation":${numbers}`]) assert.ok(answer.text.includes(member), answer.text);
    }
    const { primaryKey: key } = written.json.attestation.symmetricKey;
    const answer = await idscope.device('PUT', made.idScope, `${id}/register`,
      { body: `{"registrationId":"${id}","payload":${numbers}}`, authorization: sas.forDevice(made.idScope, id, key) });
    assert.equal(answer.status, 202, answer.text);
  });

  test('policy names are taken in any case and shown in one spelling', async () => {
    for (const [sent, shown] of [['HASHED', 'hashed'], ['geolatency', 'geoLatency'], ['Static', 'static']]) {
      const more = sent === 'Static' ? { iotHubs: [made.hubs[0].host] } : {};
      assert.equal((await made.enroll({ allocationPolicy: sent, ...more })).enrollment.allocationPolicy, shown);
    }
  });

  test('empty members that a generated client writes are dropped silently', async () => {
    const empty = { version: null, count: null, metadata: null };
    const device = await made.enroll({ initialTwin: { tags: { ...empty, hall: 'B' }, properties: { desired: { ...empty } } }, allocationPolicy: null, iotHubs: null, deviceId: null,
      customAllocationDefinition: null, iotHubHostName: null, registrationState: { status: 'assigned' }, unheardOf: 1 });
    assert.deepEqual(device.enrollment.initialTwin.tags, { hall: 'B' });
    assert.ok(!device.enrollment.registrationState || device.enrollment.registrationState.status === undefined, 'a state that a client invents is not taken');
  });
});

describe('enrollments: one device id, one enrollment', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const put = (id, more = {}, headers = {}) => idscope.service(made.instance, 'PUT', at(id), { body: base(id, more), headers });
  const bulk = async (mode, enrollments) => expect(mode, await idscope.service(made.instance, 'POST', '/enrollments', { body: { mode, enrollments } }), 200);
  const ANY = { 'If-Match': '*' };

  test('a device id that another enrollment names is refused and the other one named; given up, it is free', async () => {
    const [first, second, deviceId] = ['first', 'second', 'Shared'].map(fresh);
    expect('first', await put(first, { deviceId }), 200);
    refused(await put(second, { deviceId }), 400, new RegExp(`deviceId: ${deviceId} is the device id of the enrollment ${first}`), 400004);
    expect('another case is another device', await put(second, { deviceId: deviceId.toUpperCase() }), 200);
    refused(await put(second, { deviceId }, ANY), 400, new RegExp(first), 400004);
    expect('its own again', await put(first, { deviceId }, ANY), 200);
    expect('given up', await put(first, { deviceId: fresh('other') }, ANY), 200);
    expect('free', await put(second, { deviceId }, ANY), 200);
  });

  test('the registration id of an enrollment without a device id is its device id, in any spelling', async () => {
    const [plain, second] = [fresh('Plain'), fresh('second')];
    expect('plain', await put(plain), 200);
    for (const deviceId of [plain, plain.toUpperCase()]) refused(await put(second, { deviceId }), 400, new RegExp(`enrollment ${plain}`), 400004);
    expect('with a device id of its own', await put(plain, { deviceId: fresh('own') }, ANY), 200);
    expect('now it is free', await put(second, { deviceId: plain }), 200);
    refused(await put(plain, {}, ANY), 400, new RegExp(`enrollment ${second}`), 400004);
  });

  test('in bulk the rule holds too, against what is there and within the call', async () => {
    const [there, deviceId] = [fresh('there'), fresh('Bulk')];
    const ids = ['a', 'b', 'c'].map((one) => fresh(`bulk-${one}`));
    expect('there', await put(there, { deviceId }), 200);
    const other = fresh('Within');
    const result = await bulk('create', [base(ids[0], { deviceId }), base(ids[1], { deviceId: other }), base(ids[2], { deviceId: other })]);
    assert.deepEqual(result.errors.map(({ registrationId, errorCode }) => [registrationId, errorCode]), [[ids[0], 400004], [ids[2], 400004]]);
    assert.match(result.errors[0].errorStatus, new RegExp(there));
    assert.match(result.errors[1].errorStatus, new RegExp(ids[1]));
    const again = await bulk('update', [base(ids[1], { deviceId })]);
    assert.deepEqual([again.isSuccessful, again.errors[0].errorCode], [false, 400004]);
  });

  test('of two that want one device id at the same time one gets it', async () => {
    for (let round = 0; round < 10; round++) {
      const deviceId = fresh('Race');
      const writers = [() => put(fresh('left'), { deviceId }), () => put(round % 2 ? deviceId : fresh('right'), round % 2 ? {} : { deviceId })];
      const answers = await Promise.all(writers.map((write) => write()));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400], answers.map(({ text }) => text).join());
    }
  });
});

describe('enrollments: what is refused', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const put = (id, body) => idscope.service(made.instance, 'PUT', at(id), { body });

  const bodies = [
    ['no JSON', () => '{"registrationId":', /JSON/i], ['nothing', () => '', /./], ['an array', () => [], /./], ['a duplicate member', (id) => `{"registrationId":"${id}","attestation":{"type":"symmetricKey"},"attestation":{"type":"symmetricKey"}}`, /attestation|duplicate/i],
    ['text behind the JSON', (id) => `${JSON.stringify(base(id))} x`, /JSON/i], ['another id than the path', () => base('other'), /registrationId/],
    ['an id of the wrong type', () => ({ ...base('x'), registrationId: 7 }), /registrationId/], ['no attestation', (id) => ({ registrationId: id }), /attestation/],
    ['no type', (id) => ({ registrationId: id, attestation: {} }), /type/], ['type none', (id) => ({ registrationId: id, attestation: { type: 'none' } }), /attestation\.type/],
    ['type x509 without a certificate', (id) => ({ registrationId: id, attestation: { type: 'x509', x509: {} } }), /attestation\.x509\.clientCertificates/], ['type tpm', (id) => ({ registrationId: id, attestation: { type: 'tpm', tpm: { endorsementKey: 'AA==' } } }), /attestation\.tpm\.endorsementKey must be a TPM2B_PUBLIC/],
    ['members of another type', (id) => ({ registrationId: id, attestation: { type: 'symmetricKey', tpm: { endorsementKey: 'AA==' } } }), /tpm|attestation/],
    ['a short key', (id) => ({ registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: sas.newKey(15) } } }), /primaryKey/],
    ['a long key', (id) => ({ registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: { secondaryKey: sas.newKey(65) } } }), /secondaryKey/],
    ['a key that is not base64', (id) => ({ registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '!'.repeat(40) } } }), /primaryKey/],
    ['a device id outside the alphabet', (id) => base(id, { deviceId: 'a b' }), /deviceId/], ['an over-long device id', (id) => base(id, { deviceId: 'd'.repeat(129) }), /deviceId/],
    ['an unknown status', (id) => base(id, { provisioningStatus: 'perhaps' }), /provisioningStatus/], ['an unknown policy', (id) => base(id, { allocationPolicy: 'random' }), /allocationPolicy/],
    ['the custom policy', (id) => base(id, { allocationPolicy: 'custom' }), /customAllocationDefinition is required/], ['static without a hub', (id) => base(id, { allocationPolicy: 'static' }), /iotHubs/],
    ['an unlinked hub', (id) => base(id, { iotHubs: ['none.example.test'] }), /none\.example\.test/], ['an unlinked hub alone', (id) => base(id, { iotHubHostName: 'none.example.test' }), /iotHubHostName: none\.example\.test/], ['iotHubs of the wrong type', (id) => base(id, { iotHubs: 'x' }), /iotHubs/],
    ['a capability of the wrong type', (id) => base(id, { capabilities: { iotEdge: 'no' } }), /iotEdge/], ['half a reprovision policy', (id) => base(id, { reprovisionPolicy: { updateHubAssignment: true } }), /migrateDeviceData/],
    ['a twin that is no object', (id) => base(id, { initialTwin: { tags: 5 } }), /tags/],
  ];
  for (const [what, body, words] of bodies) {
    test(`a body with ${what} is 400 and makes nothing`, async () => {
      const id = fresh('bad');
      refused(await put(id, body(id)), 400, words);
      refused(await idscope.service(made.instance, 'GET', at(id)), 404);
    });
  }

  test('iotHubHostName beside other iotHubs, and static with two hubs, are 400 naming the member', async (t) => {
    const two = await scene(t, { hubs: 2 });
    const [a, b] = two.hubs.map((hub) => hub.host);
    const attempt = (more) => idscope.service(two.instance, 'PUT', at('pair'), { body: base('pair', more) });
    refused(await attempt({ iotHubHostName: a, iotHubs: [b] }), 400, /iotHubHostName|iotHubs/);
    refused(await attempt({ allocationPolicy: 'static', iotHubs: [a, b] }), 400, /iotHubs/);
    expect('agreeing', await attempt({ iotHubHostName: a, iotHubs: [a] }), 200);
  });

  test('ids outside the rules are 400', async () => {
    for (const id of ['x'.repeat(129), 'a b', 'ä', 'ends.', '%2e%2e', 'a/b']) refused(await put(id, base(id)), 400, /^registrationId must have/);
    refused(await put('a\u0000b', base('a')), 400, /^The path is no percent-encoded UTF-8 text/);
  });

  test('a body over 96 KiB is 413, also when it only says so', async () => {
    refused(await put('big', base('big', { initialTwin: { tags: { pad: 'x'.repeat(97 * 1024) } } })), 413);
    refused(await idscope.service(made.instance, 'PUT', at('big'), { body: 'x'.repeat(200 * 1024), headers: { Expect: '100-continue' } }), 413);
  });

  test('api-version, methods and addresses that are not there', async () => {
    refused(await idscope.service(made.instance, 'GET', at('x'), { version: null }), 400, /api-version/);
    refused(await idscope.service(made.instance, 'GET', at('x'), { version: 'soon' }), 400, /api-version/);
    const wrong = refused(await idscope.service(made.instance, 'PATCH', at('x'), { body: {} }), 405);
    assert.deepEqual(wrong.headers.allow.split(/, */).sort(), ['DELETE', 'GET', 'PUT']);
    refused(await idscope.service(made.instance, 'GET', '/enrollmentgroups/x'), 404);
    refused(await idscope.service({ ...made.instance, host: `nobody-at-all.dps.${idscope.domain}` }, 'GET', at('x')), 404);
  });
});

describe('enrollments: who may ask', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { properties: { authorizationPolicies: [{ keyName: 'provisioningserviceowner', rights: 'ServiceConfig,DeviceConnect,EnrollmentWrite' },
    { keyName: 'reader', rights: 'EnrollmentRead' }, { keyName: 'states', rights: 'RegistrationStatusWrite' }, { keyName: 'nothing', rights: 'DeviceConnect' }] } });
  const call = (authorization, method = 'GET', path = '/enrollments/none') => idscope.service(made.instance, method, path, { authorization, body: method === 'PUT' ? base('none') : undefined });
  const token = (options = {}) => sas.forHost(made.instance.host, made.instance.policy, made.instance.key, options);

  test('good spellings of a token are let in', async () => {
    const { host, policy, key } = made.instance;
    const secondary = made.instance.keys[0].secondaryKey;
    const spellings = [token(), token({ order: ['se', 'skn', 'sig', 'sr'] }), sas.sign(host, key, { name: policy }), sas.sign(host.toUpperCase(), key, { name: policy }), sas.sign(encodeURIComponent(`${host}/`), key, { name: policy }),
      sas.sign(encodeURIComponent(`${host}/enrollments`), key, { name: policy }), sas.sign(`${host}:443`, key, { name: policy }), sas.forHost(host, policy, secondary), sas.forHost(host, policy.toUpperCase(), key), token({ expiry: sas.inSeconds(-60) })];
    for (const one of spellings) refused(await call(one), 404, /./, 404201);
  });

  test('none, garbled, expired, wrongly scoped and wrongly signed tokens are 401, all alike', async () => {
    const { host, policy, key } = made.instance;
    const bad = [undefined, null, '', 'SharedAccessSignature', 'SharedAccessSignature sr=x', `SharedAccessSignature ${'a'.repeat(5000)}`, 'Basic eA==', token().replace(/sig=[^&]+/, 'sig='), token().replace(/sig=[^&]+/, 'sig=%%%'), token().replace(/&se=\d+/, ''),
      token({ expiry: sas.inSeconds(-400) }), token({ expiry: 'soon' }), sas.sign(encodeURIComponent(`x${host}`), key, { name: policy }), sas.sign(encodeURIComponent(`${host}/registrations`), key, { name: policy }),
      sas.sign(encodeURIComponent(`${host}/enroll`), key, { name: policy }), sas.forHost(host, policy, sas.newKey()), sas.forHost(host, 'nobody', key), `${token()}&sr=${encodeURIComponent(host)}`, 'Bearer abc'];
    const seen = new Set();
    for (const one of bad) {
      const { json } = refused(await call(one === undefined ? null : one), 401);
      if (one !== 'Bearer abc') seen.add(`${json.errorCode} ${json.message}`);
    }
    assert.deepEqual([...seen], ['401002 Unauthorized']);
  });

  test('rights: each policy may do what it says and nothing else', async () => {
    const of = (name) => sas.forHost(made.instance.host, name, made.instance.keys.find((key) => key.keyName === name).primaryKey);
    refused(await call(of('reader')), 404);
    refused(await call(of('reader'), 'PUT'), 401, /./, 401002);
    refused(await call(of('reader'), 'POST', '/enrollments/none/attestationmechanism'), 401, /./, 401002);
    refused(await call(of('reader'), 'GET', '/registrations/none'), 401, /./, 401002);
    refused(await call(of('states'), 'GET', '/registrations/none'), 404, /./, 404202);
    refused(await call(of('states'), 'DELETE', '/registrations/none'), 404, /./, 404202);
    refused(await call(of('states')), 401, /./, 401002);
    refused(await call(of('nothing')), 401, /./, 401002);
  });

  test('a bearer token of the tenant for this audience is let in, one for another audience is not', async () => {
    const ask = async (scope) => `Bearer ${(await idscope.requestToken({ scope })).json.access_token}`;
    refused(await call(await ask('https://azure-devices-provisioning.net/.default')), 404, /./, 404201);
    refused(await call(await ask('https://management.azure.com/.default')), 401);
  });

  test('the token of one instance opens no other', async (t) => {
    const other = await scene(t, { hubs: 0 });
    refused(await idscope.service(other.instance, 'GET', '/enrollments/none', { authorization: token() }), 401, /./, 401002);
    const { host } = other.instance;
    refused(await idscope.service(other.instance, 'GET', '/enrollments/none', { authorization: sas.forHost(host, made.instance.policy, made.instance.key) }), 401, /./, 401002);
  });
});

describe('enrollments: registrations on the service side', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const get = (id, path = '') => idscope.service(made.instance, 'GET', `/registrations/${id}${path}`);

  test('a registration is read, shown in its enrollment, and deleted without touching the hub', async () => {
    const device = await made.registered({ deviceId: fresh('Named') });
    const state = expect('get', await get(device.id), 200);
    assert.equal(state.registrationId, device.id);
    assert.deepEqual([state.status, state.substatus, state.assignedHub, state.deviceId], ['assigned', 'initialAssignment', made.hubs[0].host, device.enrollment.deviceId]);
    assert.deepEqual(expect('enrollment', await idscope.service(made.instance, 'GET', at(device.id)), 200).registrationState.etag, state.etag);
    const remove = (headers) => idscope.service(made.instance, 'DELETE', `/registrations/${device.id}`, { headers });
    refused(await remove({ 'If-Match': 'other' }), 412, /./, 412001);
    assert.equal((await remove({ 'If-Match': state.etag })).status, 204);
    refused(await get(device.id), 404, /./, 404202);
    refused(await remove(), 404, /./, 404202);
    assert.ok(await made.identity(made.hubs[0], device.enrollment.deviceId), 'the identity stays on its hub');
    const again = await made.register(device);
    assert.deepEqual([again.status, again.substatus], ['assigned', 'initialAssignment'], 'the next registration is a first one');
  });

  test('an explanation says which hub, by which rule and why; before a choice it is of the enrollment alone', async () => {
    const device = await made.enroll();
    assert.deepEqual(Object.keys(expect('explain', await get(device.id, '/explain'), 200)), ['registrationId', 'idScope', 'enrollment', 'attempts']);
    device.state = await made.register(device);
    const why = expect('explain', await get(device.id, '/explain'), 200);
    assert.equal(why.assignedHub, made.hubs[0].host);
    assert.ok(why.rule && why.sentence.includes(made.hubs[0].host) && why.candidates.length === 1 && why.inputHash && why.algorithmVersion);
    assert.equal((await get(device.id, '/explain')).text, (await get(device.id.toUpperCase(), '/explain')).text);
  });

  test('deleting an enrollment deletes its registration', async () => {
    const device = await made.registered();
    assert.equal((await idscope.service(made.instance, 'DELETE', at(device.id))).status, 204);
    await until('the registration to be gone', async () => (await get(device.id)).status === 404, { timeoutMs: 15000 });
  });
});
