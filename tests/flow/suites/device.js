// device.js: the device plane over raw HTTPS: how a device proves who it is in every spelling that clients send, what it is told, and that a refusal gives nothing away.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { assert, second, stack, idscope, Idscope, expect, each, sas, fresh, refused, scene, sharedScene, until } = require('../kit');

// An operation id as the api issues it at a time in ms, by the first key of the deployment's ring (core/operation.c).
function operationIssued(idScope, id, created, atMs) {
  const [ring] = fs.readFileSync(path.join(stack.folder, 'keys/ring'), 'utf8').trim().split('\n');
  const derived = (purpose) => crypto.createHmac('sha256', Buffer.from(ring.split(':')[1], 'base64')).update(`operation id: ${purpose}`).digest();
  const part = (text) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
  const time = (ms, us = 0) => { const bytes = Buffer.alloc(8); bytes.writeBigInt64BE(BigInt(ms) * 1000n + BigInt(us)); return bytes; };
  const issued = time(atMs);
  const names = Buffer.concat(['operation', idScope.toLowerCase(), id.toLowerCase(), ''].map(part));
  const mac = crypto.createHmac('sha256', derived('mac')).update(names).update(time(Date.parse(created), created.slice(23, 26))).update(issued).digest().subarray(0, 8);
  const guid = crypto.createCipheriv('aes-256-ecb', derived('cipher'), null).setAutoPadding(false).update(Buffer.concat([issued, mac])).toString('hex');
  const scope = crypto.createHash('sha256').update(idScope.toLowerCase()).digest('hex').slice(0, 16);
  return `5.${scope}.${guid.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
}

describe('device: tokens', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const ask = (device, authorization, options = {}) => idscope.device('PUT', options.scope || made.idScope, `${options.id || device.id}/register`, { body: {}, authorization, ...options });
  const resource = (device) => `${made.idScope}/registrations/${device.id}`;

  test('every spelling of a good token is let in', async () => {
    const device = await made.enroll();
    const raw = resource(device);
    const encoded = encodeURIComponent(raw);
    const name = { name: 'registration' };
    const good = {
      'raw, as the Node package signs': sas.sign(raw, device.key, name),
      'encoded in upper hex': sas.sign(encoded, device.key, name),
      'encoded in lower hex': sas.sign(encoded.replace(/%2F/g, '%2f'), device.key, name),
      'in lower case': sas.sign(encoded.toLowerCase(), device.key, name),
      'members in another order': sas.sign(raw, device.key, { ...name, order: ['se', 'skn', 'sr', 'sig'] }),
      'as the TPM client orders them': sas.sign(encoded, device.key, { ...name, order: ['sr', 'sig', 'se', 'skn'] }),
      'by the secondary key': sas.sign(raw, device.secondaryKey, name),
      'for the scope as a whole': sas.sign(encodeURIComponent(`${made.idScope}/registrations`), device.key, name),
      'with a trailing slash': sas.sign(`${encoded}%2F`, device.key, name),
      'expired less than the clock skew ago': sas.sign(raw, device.key, { ...name, expiry: sas.inSeconds(-200) }),
      'with lower hex in the signature': sas.sign(raw, device.key, name).replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
    };
    for (const [how, token] of Object.entries(good)) assert.equal((await ask(device, token)).status, 202, how);
  });

  test('no, garbled, expired, wrongly scoped and wrongly signed tokens are refused, all alike', async () => {
    const device = await made.enroll();
    const other = await made.enroll();
    const raw = resource(device);
    const good = sas.sign(raw, device.key, { name: 'registration' });
    const bad = [undefined, 'SharedAccessSignature', 'SharedAccessSignature sr=&sig=&se=', 'Bearer x', good.replace(/^SharedAccessSignature /, ''), good.replace(/sig=[^&]+/, 'sig=AAAA'), good.replace(/se=\d+/, 'se=9999999999'),
      good.replace(/&se=\d+/, ''), `${good}&se=9999999999`, sas.sign(raw, device.key, { expiry: sas.inSeconds(-400), name: 'registration' }), sas.sign(raw, sas.newKey(), { name: 'registration' }),
      sas.sign(resource(other), other.key, { name: 'registration' }), sas.sign(resource(other), device.key, { name: 'registration' }), sas.sign(raw.slice(0, -1), device.key, { name: 'registration' }),
      sas.sign(`0ne00000000/registrations/${device.id}`, device.key, { name: 'registration' }), sas.sign(raw, device.key, { expiry: '1e400', name: 'registration' }), `SharedAccessSignature ${'sr='.repeat(2000)}`];
    const seen = new Set();
    for (const token of bad) {
      const { json } = refused(await ask(device, token), 401, /./, 401002);
      seen.add(`${json.message} ${Object.keys(json).sort()}`);
    }
    assert.equal(seen.size, 1, [...seen].join(' | '));
    refused(await idscope.service(made.instance, 'GET', `/registrations/${device.id}`), 404, /./, 404202);
  });

  test('an unknown id, an unknown ID scope and a wrong key look the same', async () => {
    const device = await made.enroll();
    const key = sas.newKey(64);
    const wrong = await ask(device, sas.forDevice(made.idScope, device.id, key));
    const id = fresh('nobody');
    const unknown = await ask({ id }, sas.forDevice(made.idScope, id, key));
    const scope = await idscope.device('PUT', '0neDEADBEEF', `${device.id}/register`, { body: {}, authorization: sas.forDevice('0neDEADBEEF', device.id, device.key) });
    const shape = ({ status, json, headers }) => [status, json.errorCode, json.message, Object.keys(json).sort().join(), headers['x-ms-error-code']];
    for (const answer of [wrong, unknown, scope]) assert.deepEqual(shape(refused(answer, 401, /./, 401002)), shape(wrong));
    for (const path of [`${id}/operations/5.0.${fresh('x')}`, id]) refused(await idscope.device(path.includes('/') ? 'GET' : 'POST', made.idScope, path, { authorization: sas.forDevice(made.idScope, id, key), body: path.includes('/') ? undefined : {} }), 401);
  });

  test('scope, words and registration id ignore case; the spelling of the first success is kept', async () => {
    const device = await made.enroll({}, fresh('MixedCase'));
    const spelled = { ...device, id: device.id.toUpperCase() };
    const token = sas.forDevice(made.idScope.toLowerCase(), spelled.id, device.key);
    const answer = await idscope.https.request('PUT', idscope.deviceHost, `/${made.idScope.toLowerCase()}/Registrations/${spelled.id}/REGISTER?api-version=2019-03-31`, { body: {}, headers: { Authorization: token } });
    expect('register', answer, 202);
    const state = await made.register(device);
    assert.equal(state.registrationId, spelled.id);
    assert.equal(state.deviceId, spelled.id);
  });

  test('any host that is not a hub\'s serves devices: localhost, the instance\'s own, an address', async () => {
    const device = await made.enroll();
    for (const host of ['localhost', made.instance.host, idscope.deviceHost, `management.${idscope.domain}`, `anything.${idscope.domain}`]) {
      assert.equal((await ask(device, sas.forDevice(made.idScope, device.id, device.key), { host })).status, 202, host);
    }
    assert.equal((await ask(device, sas.forDevice(made.idScope, device.id, device.key), { host: made.hubs[0].host })).status, 404);
  });
});

describe('device: answers', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });

  test('register answers 202 with an operation, Location and Retry-After; the poll ends with the whole state', async () => {
    const device = await made.enroll();
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    const started = await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: { registrationId: device.id, payload: { model: 'P9' } }, authorization });
    assert.equal(started.status, 202);
    assert.match(started.json.operationId, /^[45]\.[0-9a-f]{16}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(started.json.status, 'assigning');
    assert.match(started.headers['retry-after'], /^[1-9]\d*$/);
    assert.ok(started.headers.location.includes(`/${made.idScope}/registrations/${device.id}/`), started.headers.location);
    assert.ok(started.headers['strict-transport-security']);
    const done = await until('the end', async () => {
      const answer = await made.poll(device, started.json.operationId);
      assert.ok([200, 202].includes(answer.status), answer.text);
      if (answer.status === 202) assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
      return answer.status === 200 && answer;
    });
    assert.equal(done.headers['retry-after'], undefined);
    assert.equal(done.json.operationId, started.json.operationId);
    assert.equal(done.json.status, 'assigned');
    const state = done.json.registrationState;
    for (const member of ['registrationId', 'createdDateTimeUtc', 'lastUpdatedDateTimeUtc', 'assignedHub', 'deviceId', 'status', 'substatus', 'etag']) assert.ok(state[member], member);
    for (const member of ['payload', 'errorCode', 'errorMessage', 'tpm', 'x509', 'symmetricKey']) assert.equal(state[member], undefined, member);
    assert.deepEqual([state.assignedHub, state.deviceId, state.status, state.substatus], [made.hubs[0].host, device.id, 'assigned', 'initialAssignment']);
    assert.match(Buffer.from(state.etag, 'base64').toString(), /^".*"$/);
  });

  test('a GET with a body, as the Node package polls, is a poll', async () => {
    const device = await made.registered();
    const { operationId } = await made.start(device);
    const answer = await made.poll(device, operationId, { body: {} });
    assert.ok([200, 202].includes(answer.status));
  });

  test('bodies: none, payloads of any kind, an id in another case; not another id, not broken JSON', async () => {
    const device = await made.enroll();
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    const ask = (body, headers) => idscope.device('PUT', made.idScope, `${device.id}/register`, { body, authorization, headers });
    for (const body of [undefined, {}, { registrationId: device.id.toUpperCase() }, { payload: 'text' }, { payload: null }, { payload: [1] }, { registrationId: device.id, somethingNew: true }]) assert.equal((await ask(body)).status, 202, JSON.stringify(body));
    assert.equal((await ask('{}', { 'Content-Encoding': 'utf-8' })).status, 202);
    refused(await ask({ registrationId: 'other' }), 400, /registrationId/);
    refused(await ask('{"registrationId":'), 400, /JSON/i);
    refused(await ask('{"payload":1,"payload":2}'), 400, /payload|duplicate/i);
    refused(await ask({ registrationId: 5 }), 400, /registrationId/);
    refused(await ask({ payload: 'x'.repeat(100 * 1024) }), 413);
  });

  test('an operation that is not this device\'s is 404', async () => {
    const [device, other] = [await made.registered(), await made.enroll()];
    const { operationId } = await made.start(other);
    for (const operation of [operationId, 'nonsense', '5.0000000000000000.00000000-0000-0000-0000-000000000000']) refused(await made.poll(device, operation), 404, /./, 404202);
  });

  test('an operation id stays pollable for an hour, whatever was begun since', async () => {
    const device = await made.registered();
    const issued = await each(Array.from({ length: 3 }), 1, () => made.start(device));
    await made.register(device);
    const state = await made.register(device);
    for (const { operationId } of issued) {
      const told = expect('poll', await made.poll(device, operationId), 200);
      assert.deepEqual([told.operationId, told.status, told.registrationState.etag], [operationId, 'assigned', state.etag]);
    }
    const id = (age) => operationIssued(made.idScope, device.id, state.createdDateTimeUtc, Date.now() - age);
    for (const age of [0, 59 * 60000]) assert.equal(expect('poll', await made.poll(device, id(age)), 200).registrationState.etag, state.etag);
    for (const age of [61 * 60000, 2 * 24 * 60 * 60000]) refused(await made.poll(device, id(age)), 404, /./, 404202);
  });

  test('ten registers of one id at once, new or known: every caller polls its own operation id', async () => {
    for (const device of [await made.enroll(), await made.registered()]) {
      const started = await Promise.all(Array.from({ length: 10 }, () => made.start(device)));
      for (const { operationId } of started) {
        const told = await until('the end', async () => {
          const answer = await made.poll(device, operationId);
          assert.ok([200, 202].includes(answer.status), answer.text);
          assert.equal(answer.json.operationId, operationId);
          return answer.status === 200 && answer.json;
        });
        assert.equal(told.status, 'assigned');
      }
    }
  });

  // The second deployment lets a device poll 300 times in ten seconds (run.sh).
  test('a device that polls too often is 429 for a while, and no other one is', async (t) => {
    const own = await scene(t, { hubs: 1 }, second.idscope);
    const [device, other] = [await own.enroll(), await own.enroll()];
    const [mine, theirs] = [await own.start(device), await own.start(other)];
    const answers = await each(Array.from({ length: 600 }), 20, () => own.poll(device, mine.operationId));
    const late = answers.filter(({ status }) => status === 429);
    assert.ok(late.length >= 100 && answers.every(({ status }) => [200, 202, 429].includes(status)), `${late.length} of 600`);
    for (const answer of late) assert.deepEqual([answer.json.errorCode, answer.headers['retry-after'], answer.json.message], [429001, '1', 'The limit pollsPerTenSeconds is reached: 300 polls of one device in ten seconds.']);
    expect('another device', await own.poll(other, theirs.operationId), 200, 202);
  });

  test('an operation id of a registration that was deleted is 404, also when the device is there again', async () => {
    const device = await made.enroll();
    const { operationId } = await made.start(device);
    await made.register(device);
    expect('delete', await idscope.service(made.instance, 'DELETE', `/registrations/${device.id}`), 204);
    refused(await made.poll(device, operationId), 404, /./, 404202);
    await made.register(device);
    refused(await made.poll(device, operationId), 404, /./, 404202);
  });

  test('the status POST tells the stored state and starts nothing', async () => {
    const device = await made.enroll();
    const ask = (body = { registrationId: device.id }) => idscope.device('POST', made.idScope, device.id, { body, authorization: sas.forDevice(made.idScope, device.id, device.key) });
    refused(await ask(), 404, /./, 404202);
    const state = await made.register(device);
    const told = expect('status', await ask(), 200);
    assert.deepEqual([told.status, told.assignedHub, told.deviceId, told.etag], [state.status, state.assignedHub, state.deviceId, state.etag]);
    assert.equal(expect('again', await ask(), 200).etag, told.etag);
    refused(await ask({ registrationId: 'other' }), 400, /registrationId/);
  });

  // What a device sends, since which version it means something (none: in all), and which answer that gets.
  const members = [['csr', 'MIIB', '2025-07-01'], ['csr', { no: ['text'] }, '2025-07-01'], ['csr', 'x'.repeat(90000), '2025-07-01'], ['csr', null], ['tpm', { endorsementKey: 'AA==' }, '2018-04-01'],
    ['tpm', {}, '2018-04-01'], ['tpm', null], ['csrs', 'MIIB']];
  for (const [member, value, since] of members) {
    test(`${member} ${JSON.stringify(value).slice(0, 20)} of a device that proved itself is ${since ? `named from ${since} on` : 'ignored'}; strangers are strangers`, async () => {
      const device = await made.registered();
      const stranger = { id: fresh('stranger') };
      const key = sas.newKey(64);
      const asks = { register: (one) => ['PUT', `${one.id}/register`], 'look up': (one) => ['POST', one.id] };
      for (const [what, of] of Object.entries(asks)) {
        const ask = (one, signedBy, version) => idscope.device(of(one)[0], made.idScope, of(one)[1],
          { body: { registrationId: one.id, [member]: value }, authorization: sas.forDevice(made.idScope, one.id, signedBy), version });
        for (const version of ['2019-03-31', '2021-06-01', '2025-06-30', '2025-07-01-preview', '2025-07-01', '2026-08-31']) {
          if (since && version.slice(0, 10) >= since) refused(await ask(device, device.key, version), 400, new RegExp(`^${member}: `));
          else expect(`${what} by ${version}`, await ask(device, device.key, version), what === 'register' ? 202 : 200);
          for (const one of [device, stranger]) refused(await ask(one, key, version), 401, /./, 401002);
        }
      }
    });
  }

  test('a disabled enrollment: 202, then 200 disabled with the whole state; enabled again it is assigned', async () => {
    const device = await made.registered();
    await made.change(device, { provisioningStatus: 'disabled' });
    const state = await made.register(device);
    assert.equal(state.status, 'disabled');
    for (const member of ['registrationId', 'createdDateTimeUtc', 'lastUpdatedDateTimeUtc', 'etag']) assert.ok(state[member], member);
    assert.equal((await idscope.registration(made.instance, device.id)).status, 'disabled');
    assert.ok(await made.identity(made.hubs[0], device.id), 'the identity on the hub stays');
    await made.change(device, { provisioningStatus: 'enabled' });
    assert.equal((await made.register(device)).status, 'assigned');
  });

  test('a disabled enrollment and a wrong key is a wrong key', async () => {
    const device = await made.enroll({ provisioningStatus: 'disabled' });
    refused(await made.of.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization: sas.forDevice(made.idScope, device.id, sas.newKey()) }), 401, /./, 401002);
  });

  test('registering while an assignment runs gives the running operation', async (t) => {
    const own = await scene(t, { hubs: 1 });
    const [hub] = own.hubs;
    await own.relink([Idscope.link({ ...hub, connectionString: hub.connectionString.replace(hub.key, sas.newKey()) })]);
    const device = await own.enroll();
    const first = await own.start(device);
    assert.equal((await own.poll(device, first.operationId)).status, 202);
    // The state's etag is made of the operation as it stands in the row: all ids lead to the first one.
    const behind = async (started) => {
      const { registrationState } = expect('poll', await own.poll(device, started.operationId), 202);
      return /^"[0-9a-f-]{36}/.exec(Buffer.from(registrationState.etag, 'base64').toString())[0];
    };
    const begun = await behind(first);
    for (const again of await Promise.all(Array.from({ length: 6 }, () => own.start(device)))) assert.equal(await behind(again), begun);
    await own.relink([Idscope.link(hub)]);
    assert.equal((await own.register(device)).status, 'assigned');
  });

  test('api-version and method', async () => {
    const device = await made.enroll();
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    refused(await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization, version: null }), 400, /api-version/);
    refused(await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization, version: '1.0' }), 400, /api-version/);
    const wrong = refused(await idscope.device('DELETE', made.idScope, `${device.id}/register`, { authorization }), 405);
    assert.equal(wrong.headers.allow, 'PUT');
    refused(await idscope.device('GET', made.idScope, `${device.id}/nothing`, { authorization }), 404);
  });

  test('the hub holds the enrollment\'s keys and capabilities under the wanted device id', async () => {
    const deviceId = `Press ${fresh('42')}`.replace(' ', '-');
    const device = await made.registered({ deviceId, capabilities: { iotEdge: true } });
    assert.equal(device.state.deviceId, deviceId);
    const identity = await made.identity(made.hubs[0], deviceId);
    assert.deepEqual(identity.authentication.symmetricKey, { primaryKey: device.key, secondaryKey: device.secondaryKey });
    assert.equal(identity.authentication.type, 'sas');
    assert.deepEqual(identity.capabilities, { iotEdge: true });
    assert.equal(await made.identity(made.hubs[0], device.id), undefined);
  });
});
