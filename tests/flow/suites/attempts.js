// attempts.js: the log of refused attempts: a tenant reads why a device of theirs was refused, the device learns nothing, and no flood fills the log.
// Must never take the log for the truth about what a device was answered: that is asserted at the device.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { make } = require('../../lib/certificates');
const { assert, idscope, stack, expect, each, fresh, sas, refused, scene, sharedScene, sleep, until } = require('../kit');

const read = (made, query = '', options = {}) => idscope.service(made.instance, 'GET', `/attempts${query}`, options);
const listed = async (made, query) => expect('attempts', await read(made, query), 200);
// What the log has of the call with that tracking id.
const logged = (made, trackingId) => until('the attempt to be written', async () => (await listed(made, `?trackingId=${trackingId}`))[0]);
const ask = (made, id, authorization, { method = 'PUT', rest = '/register', ...options } = {}) =>
  idscope.device(method, made.idScope, `${id}${rest}`, { body: method === 'GET' ? undefined : {}, authorization, ...options });
const refusal = async (made, id, authorization, options) => refused(await ask(made, id, authorization, options), 401, /./, 401002);

const hmac = (key, text) => crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
const wordOf = (key) => crypto.createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 8);

// One test after the other: they share the five entries of a second.
describe('attempts', () => {
  const made = sharedScene({ before, after }, { hubs: 0 });
  const other = sharedScene({ before, after }, { hubs: 0 });

  test('each refused call of a device stands in the log with its time, id, tracking id, code, reason and address', async () => {
    const { id, key } = await made.enroll();
    const good = sas.forDevice(made.idScope, id, key);
    const bad = sas.forDevice(made.idScope, id, sas.newKey());
    expect('register', await ask(made, id, good), 202);
    const begun = Date.now();
    for (const [what, options] of Object.entries({ register: {}, poll: { method: 'GET', rest: `/operations/5.0.${fresh('x')}` }, status: { method: 'POST', rest: '' } })) {
      const { json } = await refusal(made, id, bad, options);
      const entry = await logged(made, json.trackingId);
      assert.deepEqual(Object.keys(entry), ['attemptedDateTimeUtc', 'registrationId', 'trackingId', 'enrolled', 'errorCode', 'reason', 'address'], what);
      assert.deepEqual([entry.registrationId, entry.trackingId, entry.enrolled, entry.errorCode], [id, json.trackingId, true, 401002], what);
      assert.match(entry.reason, /signed with a key that is not the enrollment's/, what);
      assert.match(entry.address, /^127\./, what);
      assert.ok(Math.abs(Date.parse(entry.attemptedDateTimeUtc) - begun) < 60000, entry.attemptedDateTimeUtc);
    }
    assert.equal((await listed(made, `?registrationId=${id.toUpperCase()}`)).length, 3, 'what is not refused is not in the log, and ids ignore case');
  });

  test('reasons tell refusals apart that the device cannot', async () => {
    const { id, key } = await made.enroll();
    const unknown = fresh('unknown');
    const stranger = sas.forDevice(made.idScope, unknown, key);
    const answers = {
      'signed with a key that is not the enrollment\'s': await refusal(made, id, sas.forDevice(made.idScope, id, sas.newKey())),
      'skn of the SAS token is not "registration"': await refusal(made, id, sas.forDevice(made.idScope, id, key, { name: 'owner' })),
      'se of the SAS token is no time in seconds': await refusal(made, id, sas.forDevice(made.idScope, id, key, { expiry: 'tomorrow' })),
      'there is no enrollment of this registration id': await refusal(made, unknown, stranger),
    };
    const shape = ({ status, headers, json }) => ({ status, headers: Object.keys(headers).sort(), body: { ...json, trackingId: 0, timestampUtc: 0 } });
    const [first] = Object.values(answers);
    for (const [reason, answer] of Object.entries(answers)) {
      assert.deepEqual(shape(answer), shape(first), reason);
      const entry = await logged(made, answer.json.trackingId);
      assert.ok(entry.reason.startsWith(reason), entry.reason);
      assert.equal(entry.enrolled, entry.registrationId === id);
    }
  });

  test('the client package of a device is refused, and its operator reads why', async () => {
    const { id } = await made.enroll();
    const client = ProvisioningDeviceClient.create(idscope.deviceHost, made.idScope, new Http(), new SymmetricKeySecurityClient(id, sas.newKey()));
    await assert.rejects(client.register());
    const [entry] = await until('the attempt to be written', async () => { const all = await listed(made, `?registrationId=${id}`); return all.length > 0 && all; });
    assert.match(entry.reason, /signed with a key that is not the enrollment's/);
  });

  test('an explanation tells of an id that was never registered: its enrollment, check words, attempts; of an unknown one the ids that are near', async () => {
    const mark = fresh('');
    const ids = ['valve-10', 'valve-11', 'valve-12', 'vent-1', 'other'].map((name) => `${name}${mark}`);
    const [device, disabled] = await each(ids, 4, (id, i) => made.enroll(i === 1 ? { provisioningStatus: 'disabled' } : {}, id));
    const why = async (id) => (await idscope.explain(made.instance, id)).json;
    const { json } = await refusal(made, device.id, sas.forDevice(made.idScope, device.id, sas.newKey()));
    await logged(made, json.trackingId);
    const told = await why(device.id.toUpperCase());
    assert.deepEqual(told.enrollment, { registrationId: device.id, provisioningStatus: 'enabled', attestationType: 'symmetricKey',
      checkWords: { primaryKey: wordOf(device.key), secondaryKey: wordOf(device.secondaryKey) } });
    assert.deepEqual(told.attempts, await listed(made, `?registrationId=${device.id}`));
    assert.equal(told.nearest, undefined);
    assert.equal((await why(disabled.id)).enrollment.provisioningStatus, 'disabled');
    const unknown = await why('valve-1');
    assert.equal(unknown.enrollment, null);
    assert.deepEqual(unknown.nearest.slice(0, 3).sort(), ids.slice(0, 3), 'those that begin like it stand first');
    assert.ok(unknown.nearest.length <= 5);
    assert.deepEqual(unknown.attempts, []);
    assert.equal(told.groups, undefined, 'no group admits whoever has an enrollment');
    refused(await idscope.service(made.instance, 'GET', '/registrations/a%20b/explain'), 400);
  });

  test('an explanation of an id that is in no list names the groups that may admit it, with the check words of its own keys there, and ids that registered', async (t) => {
    const here = await scene(t, { hubs: 0 });
    const put = async (id, body) => expect('group', await idscope.service(here.instance, 'PUT', `/enrollmentGroups/${id}`, { body: { enrollmentGroupId: id, ...body } }), 200);
    const { attestation: { symmetricKey: keys } } = await put('Hall', { attestation: { type: 'symmetricKey' } });
    await put('Yard', { attestation: { type: 'symmetricKey' }, provisioningStatus: 'disabled' });
    await put('Coast', { attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: make('Coast CA', { ca: true }).cert } } } } });
    const member = 'Press-1';
    expect('register', await ask(here, member, sas.forDevice(here.idScope, member, hmac(keys.primaryKey, member))), 202);
    await here.enroll({}, 'press-22');
    const why = async (id) => expect('explain', await idscope.explain(here.instance, id), 200);
    const { enrollment, groups, nearest } = await why('Press-2');
    assert.equal(enrollment, null);
    assert.deepEqual(groups.map(({ enrollmentGroupId, provisioningStatus, attestationType }) => [enrollmentGroupId, provisioningStatus, attestationType]),
      [['Hall', 'enabled', 'symmetricKey'], ['Yard', 'disabled', 'symmetricKey'], ['Coast', 'enabled', 'x509']]);
    assert.deepEqual(groups[0].checkWords, { primaryKey: wordOf(hmac(keys.primaryKey, 'Press-2')), secondaryKey: wordOf(hmac(keys.secondaryKey, 'Press-2')) });
    assert.notDeepEqual(groups[1].checkWords, groups[0].checkWords);
    assert.equal(groups[2].checkWords, undefined);
    assert.deepEqual(nearest, ['press-22', member], 'enrolled or registered, that which begins most like it first');
    assert.deepEqual((await why(member)).nearest, ['press-22'], 'itself is not near');
  });

  test('check words stand beside the keys, and in their stead, for whoever asks for members of our own', async () => {
    const device = await made.enroll();
    const words = { checkWords: { primaryKey: wordOf(device.key), secondaryKey: wordOf(device.secondaryKey) } };
    const at = `/enrollments/${device.id}`;
    for (const ours of [false, true]) {
      const call = async (method, where, body) => expect(where, await idscope.service(made.instance, method, where, { body, headers: ours ? { 'x-idscope-extensions': '1' } : {} }), 200);
      const listed = (await call('POST', '/enrollments/query', { query: `SELECT * FROM enrollments WHERE registrationId = '${device.id}'` }))[0];
      const shown = [await call('POST', `${at}/attestationmechanism`), (await call('GET', at)).attestation, listed.attestation];
      for (const attestation of shown) assert.deepEqual(attestation.idscope, ours ? words : undefined);
      assert.deepEqual(shown.map(({ symmetricKey }) => symmetricKey.primaryKey), [device.key, undefined, undefined]);
    }
  });

  test('pages go back in time, each attempt once; time and id choose', async () => {
    const { id } = await made.enroll();
    const sent = [];
    for (let n = 0; n < 4; n++) sent.unshift((await refusal(made, id, sas.forDevice(made.idScope, id, sas.newKey()))).json.trackingId);
    await logged(made, sent[0]);
    const found = [];
    for (let token, n = 0; n === 0 || token !== undefined; n++) {
      const answer = await read(made, `?registrationId=${id}`, { headers: { 'x-ms-max-item-count': 3, 'x-ms-continuation': token } });
      found.push(...expect('page', answer, 200));
      assert.equal(answer.headers['x-ms-item-type'], 'RefusedAttempt');
      assert.equal(answer.headers['x-ms-max-item-count'], '3');
      token = answer.headers['x-ms-continuation'];
    }
    assert.deepEqual(found.map((entry) => entry.trackingId), sent);
    const at = found[1].attemptedDateTimeUtc;
    assert.deepEqual((await listed(made, `?registrationId=${id}&from=${at}`)).map((entry) => entry.trackingId), sent.slice(0, 2));
    assert.deepEqual((await listed(made, `?registrationId=${id}&to=${at}`)).map((entry) => entry.trackingId), sent.slice(2));
  });

  test('what is asked wrongly is a 400 that names it; who may not read registrations is refused', async () => {
    for (const [query, words] of Object.entries({ '?registrationId=a%20b': /registrationId/, '?trackingId=x': /trackingId/, '?from=yesterday': /from/, '?to=1': /to must/ }))
      refused(await read(made, query), 400, words);
    refused(await read(made, '', { headers: { 'x-ms-continuation': 'abc' } }), 400, /x-ms-continuation/);
    refused(await read(made, '', { headers: { 'x-ms-max-item-count': '0' } }), 400, /x-ms-max-item-count/);
    refused(await read(made, '', { authorization: sas.forHost(made.instance.host, made.instance.policy, sas.newKey()) }), 401);
    refused(await read(made, '', { authorization: sas.forHost(made.instance.host, made.instance.policy, other.instance.key) }), 401);
  });

  test('a flood of ids that nobody enrolled keeps no device from the log, nor another instance', async () => {
    const { id } = await made.enroll();
    const there = await other.enroll();
    const scope = made.idScope.toLowerCase();
    await each(Array.from({ length: 200 }, () => fresh('flood')), 16, (name) => refusal(made, name, sas.forDevice(made.idScope, name, sas.newKey())));
    const mine = await refusal(made, id, sas.forDevice(made.idScope, id, sas.newKey()));
    const theirs = await refusal(other, there.id, sas.forDevice(other.idScope, there.id, sas.newKey()));
    assert.equal((await logged(made, mine.json.trackingId)).registrationId, id);
    assert.equal((await logged(other, theirs.json.trackingId)).registrationId, there.id);
    const perSecond = await stack.sql(`select max(n) from (select count(*) n from idscope.attempt where id_scope = '${scope}' and not enrolled group by date_bin('1 second', at, 'epoch')) s`);
    assert.ok(Number(perSecond) <= 10, `${perSecond} of one second: two rounds of five may meet in it`);
    assert.ok(Number((await stack.metrics('api1')).idscope_attempts_dropped_total) > 0, 'what was not written is counted');
  });

  test('an ID scope that is none leaves nothing behind', async () => {
    const count = () => stack.sql("select count(*) from idscope.attempt where id_scope not in (select id_scope from idscope.scope)");
    refused(await idscope.device('PUT', '0ne00BADBAD', 'nobody/register', { body: {}, authorization: sas.forDevice('0ne00BADBAD', 'nobody', sas.newKey()) }), 401);
    await sleep(1500); // a round of the writer
    assert.equal(await count(), '0');
  });
});
