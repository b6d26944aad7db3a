// import.js: lists that come and go as a whole: enrollments, groups and registrations sent as lines of JSON, read back by the unmodified client package and
// by an export, registered with by devices; what is refused, line by line; what is all or nothing, only tried, cancelled, of another tenant.
// Must never look for rows in the database that a client can be asked for.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const { describe, test, before, after } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { assert, idscope, stack, expect, each, fresh, names, sas, until, refused, scene, sharedScene, atRest, Idscope, VERSION } = require('../kit');
const certificates = require('../../lib/certificates');

const lines = (rows) => rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');
const row = (id, more = {}) => ({ registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: sas.newKey(64), secondaryKey: sas.newKey(64) } }, ...more });
const byId = (a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1);

// The client's side of it, for one instance.
function lister(made) {
  const service = (method, path, options) => idscope.service(made.instance, method, path, options);
  const send = (list, rows, query = '', options = {}) => service('POST', `/${list}/import?${query}`, { body: typeof rows === 'string' ? rows : lines(rows), headers: { 'Content-Type': 'application/x-ndjson' }, ...options });
  const status = async (answer) => {
    const url = new URL(answer.headers['operation-location']);
    assert.equal(url.hostname, made.instance.host);
    return expect('how it fares', await service('GET', url.pathname), 200);
  };
  const ended = (answer, timeoutMs) => until('the import to end', async () => {
    const now = await status(answer);
    return !['receiving', 'running', 'writing'].includes(now.status) && now;
  }, { timeoutMs });
  const imported = async (list, rows, query, timeoutMs) => {
    const answer = await send(list, rows, query);
    const first = expect('import', answer, 202);
    assert.equal(first.operationId, answer.headers['x-ms-request-id']);
    assert.equal(answer.headers['retry-after'], '1');
    return ended(answer, timeoutMs);
  };
  const exported = async (list) => {
    const answer = await service('GET', `/${list}/export`);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-type'], 'application/x-ndjson');
    return answer.text;
  };
  return { service, send, status, ended, imported, exported };
}

// A body that is sent as its writer likes: `write` is given what takes a part and waits until it is on its way.
function streamed(made, list, write) {
  const path = `/${list}/import?api-version=${VERSION.service}`;
  const headers = { Host: made.instance.host, Authorization: sas.forHost(made.instance.host, made.instance.policy, made.instance.key), 'Content-Type': 'application/x-ndjson' };
  return new Promise((resolve, reject) => {
    const request = https.request({ method: 'POST', host: '127.0.0.1', port: 443, servername: made.instance.host, path, headers, ca: fs.readFileSync(idscope.env.IDSCOPE_CA) });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text, json: JSON.parse(text) }));
    });
    write((part) => new Promise((done) => { request.write(part, done); }), request).then(() => request.end(), reject);
  });
}

describe('import: enrollments', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  let of;
  before(() => { of = lister(made); });

  test('what was imported is what the client package reads, and what devices register with', async () => {
    names('127.0.0.1', made.instance.host);
    const rows = [row(fresh('Plain')), row(fresh('full'), { deviceId: fresh('Pump'), provisioningStatus: 'enabled', capabilities: { iotEdge: true }, iotHubs: [made.hubs[0].host], allocationPolicy: 'static',
      initialTwin: { tags: { a: 0.1 }, properties: { desired: { rate: 5 } } }, optionalDeviceInformation: { room: 7 }, reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false } })];
    const done = await of.imported('enrollments', rows);
    assert.deepEqual([done.status, done.kind, done.mode, done.dryRun, done.received, done.checked, done.written, done.refused, done.errors], ['succeeded', 'enrollment', 'perRow', false, 2, 2, 2, 0, []]);
    const client = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
    for (const sent of rows) {
      const read = (await client.getIndividualEnrollment(sent.registrationId)).responseBody;
      const keys = (await client.getIndividualEnrollmentAttestationMechanism(sent.registrationId)).responseBody;
      assert.deepEqual(keys, sent.attestation);
      const { attestation, ...members } = sent;
      for (const [name, value] of Object.entries(members)) assert.deepEqual(read[name], value, name);
      const state = await made.register({ id: sent.registrationId, key: attestation.symmetricKey.primaryKey });
      assert.deepEqual([state.status, state.deviceId], ['assigned', sent.deviceId ?? sent.registrationId]);
    }
  });

  test('what is wrong with a row is said by its line, field and rule; the others are written', async () => {
    const there = await made.enroll({ deviceId: fresh('There') });
    const [good, twice, other] = [fresh('good'), fresh('twice'), fresh('other')];
    const rows = [row(good), '', '{', '[]', { attestation: row('x').attestation }, row('not good!'), row(fresh('x'), { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: 'short', secondaryKey: 'short' } } }),
      row(fresh('x'), { iotHubs: ['nobody.example'] }), row(there.id.toUpperCase()), row(fresh('x'), { deviceId: there.enrollment.deviceId }), row(twice), row(twice.toUpperCase()), `\t${JSON.stringify(row(other))}\r`];
    const done = await of.imported('enrollments', rows);
    assert.deepEqual([done.status, done.received, done.written, done.refused], ['succeeded', 12, 3, 9]);
    const said = [[3, 400000, /column/], [4, 400004, /object/], [5, 400004, /^registrationId is required/], [6, 400004, /registration/i], [7, 400004, /^attestation.symmetricKey.primaryKey /], [8, 400004, /^iotHubs: nobody\.example /],
      [9, 409001, /^registrationId: there is one/], [10, 400004, new RegExp(`^deviceId: .* of the enrollment ${there.id}`)], [12, 400004, /^registrationId: line 11 has it/]];
    assert.deepEqual(done.errors.map(({ line, errorCode }) => [line, errorCode]), said.map(([line, code]) => [line, code]));
    done.errors.forEach(({ message }, i) => assert.match(message, said[i][2]));
    assert.equal(done.errors.find(({ line }) => line === 9).id, there.id.toUpperCase());
    for (const id of [good, twice, other]) expect(id, await of.service('GET', `/enrollments/${id}`), 200);
    const same = expect('the one that was there', await of.service('POST', `/enrollments/${there.id}/attestationmechanism`), 200);
    assert.equal(same.symmetricKey.primaryKey, there.key, 'an import changes nothing that is there');
  });

  test('all or nothing, and a dry run', async () => {
    const ids = [fresh('a'), fresh('b'), fresh('c')];
    const missing = async () => each(ids, 3, async (id) => (await of.service('GET', `/enrollments/${id}`)).status);
    const bad = [...ids.map((id) => row(id)), row(fresh('x'), { deviceId: ids[1] })];
    const failed = await of.imported('enrollments', bad, 'mode=allOrNothing');
    assert.deepEqual([failed.status, failed.mode, failed.written, failed.refused, failed.message, failed.errors.map((e) => e.line)], ['failed', 'allOrNothing', 0, 1, 'Rows were refused, so none was written.', [4]]);
    assert.deepEqual(await missing(), [404, 404, 404]);
    const dry = await of.imported('enrollments', bad, 'dryRun=true');
    assert.deepEqual([dry.status, dry.dryRun, dry.checked, dry.written, dry.refused, dry.errors[0].message], ['succeeded', true, 4, 0, 1, failed.errors[0].message]);
    assert.deepEqual(await missing(), [404, 404, 404]);
    const whole = await of.imported('enrollments', bad.slice(0, 3), 'mode=allOrNothing');
    assert.deepEqual([whole.status, whole.written], ['succeeded', 3]);
    assert.deepEqual(await missing(), [200, 200, 200]);
    for (const query of ['mode=some', 'dryRun=maybe']) refused(await of.send('enrollments', '', query), 400, /must be/, 400000);
    const none = await of.imported('enrollments', '\n\n', 'mode=allOrNothing');
    assert.deepEqual([none.status, none.received], ['succeeded', 0]);
  });

  test('a long body goes on piece by piece, in chunks of any size; a row that is too long is one that is refused', async () => {
    const ids = Array.from({ length: 3000 }, (_, i) => `bulk-${fresh('x')}-${i}`);
    const answer = await streamed(made, 'enrollments', async (part) => {
      const text = `${lines(ids.slice(0, 2000).map((id) => row(id)))}\n{"registrationId":"${'x'.repeat(700000)}"}\n${lines(ids.slice(2000).map((id) => row(id)))}`;
      for (let i = 0, n = 1; i < text.length; i += n, n = (n * 7) % 60000 + 1) await part(text.slice(i, i + n));
    });
    assert.equal(answer.status, 202, answer.text);
    const done = await of.ended(answer);
    assert.deepEqual([done.received, done.written, done.refused, done.errors], [3001, 3000, 1, [{ line: 2001, errorCode: 400004, message: 'A row may be no longer than 98304 bytes.' }]]);
  });

  // Of each kind, a row as it may be, and where it would be found.
  const CANCELLED = {
    enrollments: (id) => row(id),
    enrollmentGroups: (id) => ({ enrollmentGroupId: id, attestation: row(id).attestation }),
    registrations: (id) => ({ registrationId: id, assignedHub: made.hubs[0].host, deviceId: id, status: 'assigned', createdDateTimeUtc: '2025-01-01T00:00:00.0000000Z' }),
  };
  for (const [list, rowOf] of Object.entries(CANCELLED))
    test(`one of ${list} that is under way can be cancelled`, async () => {
      const piece = (name) => `${lines(Array.from({ length: 2500 }, (_, i) => rowOf(`${name}-${i}`)))}\n`;
      const other = list === 'registrations' ? 'enrollments' : 'registrations';
      const answer = streamed(made, list, async (part) => {
        await part(piece('halt'));
        const id = await until('the import to stand', () => stack.sql(`SELECT import_id FROM idscope.import WHERE id_scope = '${made.idScope.toLowerCase()}' AND kind = '${list.slice(0, -1)}' AND state = 'receiving' AND received > 0 LIMIT 1`));
        const at = `/${list}/imports/${id}`;
        assert.equal(expect('status', await of.service('GET', at), 200).status, 'receiving');
        refused(await of.service('DELETE', `/${other}/imports/${id}`), 404, /import/, 404000);
        assert.equal((await of.service('DELETE', at)).status, 204);
        refused(await of.service('DELETE', at), 409, /ended/, 409001);
        await part(piece('more'));
      });
      refused(await answer, 409, /cancelled/, 409001);
      assert.equal((await of.service('GET', `/${list}/halt-1`)).status, 404);
      for (const id of ['none', '00000000-0000-4000-8000-000000000000']) refused(await of.service('GET', `/${list}/imports/${id}`), 404, /import/, 404000);
    });

  test('a client that leaves in the middle leaves nothing behind but its import', async () => {
    await assert.rejects(streamed(made, 'enrollments', async (part, request) => {
      await part(`${lines(Array.from({ length: 1500 }, (_, i) => row(`left-${i}`)))}\n`);
      request.destroy(new Error('left'));
    }));
    refused(await of.service('GET', '/enrollments/left-1'), 404, /./, 404201);
  });
});

describe('import: as a whole', () => {
  test('all or nothing has no bound: all come at once or none, whoever dies meanwhile; who wants one of their ids is told to try again', async (t) => {
    const made = await scene(t);
    const of = lister(made);
    const COUNT = 50500;
    const LONG_MS = 600000;
    const name = fresh('whole');
    const ids = [0, COUNT / 2, COUNT - 1].map((i) => `${name}-${i}`);
    const list = Array.from({ length: COUNT }, (_, i) => `{"registrationId":"${name}-${i}","attestation":{"type":"symmetricKey"}}`);
    const there = async () => (await each(ids, 3, async (id) => (await of.service('GET', `/enrollments/${id}`)).status)).join();
    const bad = await of.imported('enrollments', [...list, row(ids[1])], 'mode=allOrNothing', LONG_MS);
    assert.deepEqual([bad.status, bad.checked, bad.written, bad.errors.map(({ line, errorCode }) => [line, errorCode])], ['failed', COUNT + 1, 0, [[COUNT + 1, 400004]]]);
    assert.equal(await there(), '404,404,404', 'one line that is refused, be it the last');

    const began = Date.now();
    const answer = await of.send('enrollments', list, 'mode=allOrNothing');
    expect('import', answer, 202);
    const at = new URL(answer.headers['operation-location']).pathname;
    const writes = (least) => until(`more than ${least} rows to be written`, async () => {
      const now = await of.status(answer);
      assert.notEqual(now.status, 'succeeded', JSON.stringify(now));
      return now.status === 'writing' && now.written > least && now;
    }, { timeoutMs: LONG_MS });
    await writes(0);
    assert.equal(await there(), '404,404,404', 'what is written as a whole is there at its end');
    refused(await of.service('DELETE', at), 409, /as a whole/, 409001);
    refused(await of.service('PUT', `/enrollments/${ids[2]}`, { body: row(ids[2]) }), 503, /./);
    assert.equal(await stack.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'idscope-import' AND state <> 'idle'"), '1');
    const half = await writes(Math.floor(COUNT / 3));
    assert.ok(half.written < COUNT);
    assert.equal(await there(), '404,404,404', 'nothing is left of what was written before the connection was lost');
    const done = await of.ended(answer, LONG_MS);
    assert.deepEqual([done.status, done.received, done.checked, done.written, done.refused], ['succeeded', COUNT, COUNT, COUNT, 0]);
    assert.equal(await there(), '200,200,200');
    refused(await of.service('PUT', `/enrollments/${ids[2]}`, { body: row(ids[2]) }), 409, /exists/);
    t.diagnostic(`${COUNT} rows, written twice: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  });
});

describe('import: what is exported is what was imported', () => {
  test('enrollments of each type and groups, into an empty instance', async (t) => {
    const [from, to] = [await scene(t), await scene(t)];
    const [source, target] = [lister(from), lister(to)];
    const leaf = fresh('leaf');
    const { cert } = certificates.make(leaf);
    const ids = [fresh('One'), fresh('two'), fresh('three')];
    await from.enroll({ deviceId: fresh('Dev') }, ids[0]);
    await from.enroll({ provisioningStatus: 'disabled', initialTwin: { tags: { big: 12345678901234567890, small: '1e-7' }, properties: { desired: { x: [1, { y: null }] } } } }, ids[1]);
    await from.enroll({ allocationPolicy: 'geoLatency', capabilities: { iotEdge: true } }, ids[2]);
    await from.enroll({ allocationPolicy: 'custom', customAllocationDefinition: { webhookUrl: 'https://example.com/a?code=secret', apiVersion: '2021-10-01' } });
    expect('x509', await source.service('PUT', `/enrollments/${leaf}`, { body: { attestation: { type: 'x509', x509: { clientCertificates: { primary: { certificate: cert } } } } } }), 200);
    for (let i = 0; i < 3; i++) expect('group', await source.service('PUT', `/enrollmentGroups/${fresh('Hall')}`, { body: { attestation: { type: 'symmetricKey' }, initialTwin: { tags: { i } } } }), 200);
    for (const list of ['enrollments', 'enrollmentGroups']) {
      const text = await source.exported(list);
      assert.ok(text.includes('primaryKey'));
      assert.ok(!text.includes('etag') && !text.includes('DateTimeUtc'));
      const done = await target.imported(list, text, 'mode=allOrNothing');
      assert.equal(done.status, 'succeeded', JSON.stringify(done));
      assert.equal(await target.exported(list), text);
      const order = text.trim().split('\n').map((line) => JSON.parse(line)).map((one) => one.registrationId ?? one.enrollmentGroupId);
      assert.deepEqual(order, [...order].sort(byId));
    }
    const key = JSON.parse((await source.exported('enrollments')).split('\n').find((line) => line.includes(ids[2]))).attestation.symmetricKey.primaryKey;
    assert.equal((await to.register({ id: ids[2], key })).status, 'assigned', 'a device registers at the instance that its enrollment came to');
  });

  test('an export of more than a piece is whole, and an empty one is empty', async (t) => {
    const made = await scene(t);
    const of = lister(made);
    assert.equal(await of.exported('enrollments'), '');
    const rows = Array.from({ length: 1234 }, (_, i) => row(`e-${i}`));
    assert.equal((await of.imported('enrollments', rows)).written, 1234);
    const out = (await of.exported('enrollments')).trim().split('\n').map((line) => JSON.parse(line).registrationId);
    assert.deepEqual(out, rows.map((one) => one.registrationId).sort(byId));
    await atRest();
  });

  test('who may not ask for keys gets no export of them', async (t) => {
    const made = await scene(t, { properties: { authorizationPolicies: [{ keyName: 'provisioningserviceowner', rights: 'ServiceConfig,DeviceConnect,EnrollmentWrite' },
      { keyName: 'reads', rights: 'EnrollmentRead,RegistrationStatusRead' }] } });
    const token = sas.forHost(made.instance.host, 'reads', made.instance.keys.find((key) => key.keyName === 'reads').primaryKey);
    const of = lister(made);
    for (const list of ['enrollments', 'enrollmentGroups']) {
      refused(await of.service('GET', `/${list}/export`, { authorization: token }), 401, /./, 401002);
      refused(await of.send(list, '', '', { authorization: token }), 401, /./, 401002);
    }
    refused(await of.send('registrations', '', '', { authorization: token }), 401, /./, 401002);
    assert.equal((await of.service('GET', '/registrations/export', { authorization: token })).status, 200);
  });
});

describe('import: registrations', () => {
  test('a device that is told of registers again on the hub where it is, as the identity that it has', async (t) => {
    const made = await scene(t, { hubs: 2, links: [{}, { applyAllocationPolicy: false }] });
    const of = lister(made);
    const [first, second] = made.hubs;
    expect('group', await of.service('PUT', '/enrollmentGroups/hall', { body: { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: sas.newKey(64), secondaryKey: sas.newKey(64) } } } }), 200);
    const hall = expect('keys', await of.service('POST', '/enrollmentGroups/hall/attestationmechanism'), 200).symmetricKey.primaryKey;
    const devices = await each(Array.from({ length: 8 }, (_, i) => i), 4, async (i) => (i < 6 ? made.registered(i === 0 ? { deviceId: fresh('Pump') } : {}) : (async () => {
      const id = fresh('of-hall');
      const device = { id, key: crypto.createHmac('sha256', Buffer.from(hall, 'base64')).update(id).digest('base64') };
      device.state = await made.register(device);
      return device;
    })()));
    for (const device of devices) assert.equal(device.state.assignedHub, first.host);
    await made.relink([Idscope.link(first, { applyAllocationPolicy: false }), Idscope.link(second)]);
    const out = await of.exported('registrations');
    const list = out.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(list.map((one) => one.registrationId), devices.map((device) => device.id).sort(byId));
    for (const one of list) assert.equal(one.etag, undefined);
    const identities = async () => new Map(await each(devices, 4, async ({ state }) => [state.deviceId, await made.identity(first, state.deviceId)]));
    const before = await identities();
    for (const { id } of devices) assert.equal((await of.service('DELETE', `/registrations/${id}`)).status, 204);

    const done = await of.imported('registrations', [...list.map((one) => ({ ...one, etag: 'x', payload: { any: 1 } })), { registrationId: fresh('none'), status: 'assigned', assignedHub: first.host }, { registrationId: devices[0].id, status: 'failed' },
      { registrationId: devices[0].id, status: 'assigned', assignedHub: 'no host!' }]);
    assert.deepEqual([done.status, done.written, done.errors.map(({ line, message }) => [line, message.split(/[ :]/)[0]])], ['succeeded', 8, [[9, 'registrationId'], [10, 'status'], [11, 'assignedHub']]]);
    assert.equal(await of.exported('registrations'), out, 'the export is equal, its times included');
    for (const device of devices) {
      const again = await made.register(device);
      assert.deepEqual([again.status, again.assignedHub, again.deviceId, again.createdDateTimeUtc], ['assigned', first.host, device.state.deviceId, device.state.createdDateTimeUtc]);
    }
    const now = await identities();
    for (const [id, identity] of before) assert.deepEqual([now.get(id).generationId, now.get(id).authentication], [identity.generationId, identity.authentication], id);
    assert.equal((await idscope.registry(second)).size, 0, 'and nothing was made where a new device would go');
    const stranger = await made.registered();
    assert.equal(stranger.state.assignedHub, second.host, 'a device that was not told of goes there');
    const counts = await until('the registrations to be counted', async () => {
      const { json } = await of.service('GET', '/statistics/registrations');
      return json.totalRegistrationCount === 9 && json.hubs.length === 2 && json;
    });
    const { countedDateTimeUtc, ...numbers } = counts;
    assert.deepEqual(numbers, { totalRegistrationCount: 9, statuses: [{ status: 'assigned', registrationCount: 9 }],
      hubs: [first, second].map(({ host }, i) => ({ assignedHub: host.toLowerCase(), registrationCount: [8, 1][i] })).sort((a, b) => byId(a.assignedHub, b.assignedHub)),
      enrollmentGroups: [{ enrollmentGroupId: 'hall', registrationCount: 2 }] });
    assert.ok(Date.now() - Date.parse(countedDateTimeUtc) < 60000, countedDateTimeUtc);
    const counted = (noun, total) => until(`${noun} to be counted`, async () => {
      const { json } = await of.service('GET', `/statistics/${noun}`);
      return json.totalEnrollmentCount === total && Date.now() - Date.parse(json.countedDateTimeUtc) < 60000 && json;
    });
    const entries = await counted('enrollments', 7);
    assert.deepEqual([entries.provisioningStatuses, entries.attestationTypes, entries.allocationPolicies, entries.iotHubs],
      [[{ provisioningStatus: 'enabled', enrollmentCount: 7 }], [{ attestationType: 'symmetricKey', enrollmentCount: 7 }], [], []]);
    assert.deepEqual((await counted('enrollmentgroups', 1)).attestationTypes, [{ attestationType: 'symmetricKey', enrollmentCount: 1 }]);
  });
});
