// tpm.js: devices that prove themselves with a TPM: what of it an enrollment stores and shows, the challenge and what meets it, the key for the
// hub. One device is the unmodified npm client on Debian's swtpm; the others are a TPM in software.
'use strict';

const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { TpmSecurityClient } = require('azure-iot-security-tpm');
const { Tpm } = require('tss.js');
const { SoftTpm, startSwtpm, SwtpmDevice } = require('../../lib/tpm');
const { assert, expect, fresh, idscope, refused, sas, sharedScene, stack, until, work } = require('../kit');

const at = (id) => `/enrollments/${encodeURIComponent(id)}`;
const HOUR_S = 3600;

describe('tpm', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });

  const enrollment = (id, tpm, more = {}) => ({ registrationId: id, attestation: { type: 'tpm', tpm }, ...more });
  const put = (id, tpm, { match, more } = {}) => idscope.service(made.instance, 'PUT', at(id), { body: enrollment(id, tpm, more), headers: match && { 'If-Match': match } });
  const get = async (id) => expect('get', await idscope.service(made.instance, 'GET', at(id)), 200);
  const enroll = async (more = {}) => {
    const device = { id: fresh('tpm'), tpm: new SoftTpm() };
    expect('enroll', await put(device.id, { endorsementKey: device.tpm.endorsementKey, ...more }), 200);
    return device;
  };
  const ask = (id, tpm, authorization) => idscope.device('PUT', made.idScope, `${id}/register`, { body: { registrationId: id, tpm }, authorization });
  const token = (id, key) => sas.forDevice(made.idScope, id, key);
  const row = (id) => `id_scope = '${made.idScope.toLowerCase()}' and registration_key = '${id.toLowerCase()}'`;
  const challenges = async (id) => (await stack.sql(`select open_sealed is not null, met_sealed is not null from idscope.challenge where ${row(id)}`)).replace(/\|/g, '');

  // The nonce of a challenge, as the device's TPM gives it.
  async function challenged({ id, tpm }) {
    const { json } = refused(await ask(id, tpm.shown), 401, /^Authorization required$/, 401002);
    assert.equal(json.keyName, 'registration');
    assert.equal(json.status, undefined);
    return tpm.open(json.authenticationKey);
  }

  async function register(device) {
    const authorization = token(device.id, await challenged(device));
    const { operationId } = expect('register', await ask(device.id, device.tpm.shown, authorization), 202);
    const poll = () => idscope.device('GET', made.idScope, `${device.id}/operations/${operationId}`, { authorization, body: {} });
    const { json } = await until('the device to be assigned', async () => { const answer = await poll(); return answer.status !== 202 && answer; });
    return { ...json, authorization, poll };
  }

  const identity = (id) => made.identity(made.hubs[0], id);

  test('the unmodified client on swtpm registers, and signs for its hub with the key that the hub has', async (t) => {
    const swtpm = await startSwtpm(path.join(work, fresh('swtpm')), 2321);
    t.after(() => swtpm.stop());
    const raw = new Tpm(false);
    raw.device = new SwtpmDevice(swtpm.port);
    const security = new TpmSecurityClient(undefined, raw);
    const of = (name, ...args) => new Promise((resolve, reject) => { security[name](...args, (error, value) => (error ? reject(error) : resolve(value))); });
    const endorsementKey = (await of('getEndorsementKey')).toString('base64');
    const id = await of('getRegistrationId');
    assert.equal(id.length, 52);
    expect('enroll', await put(id, { endorsementKey }), 200);
    for (const time of ['first', 'again']) {
      const client = ProvisioningDeviceClient.create(idscope.deviceHost, made.idScope, new Http(), security);
      const result = await new Promise((resolve, reject) => { client.register((error, value) => (error ? reject(error) : resolve(value))); });
      const { registrationState } = result;
      assert.equal(registrationState.status, 'assigned', time);
      assert.equal(registrationState.assignedHub, made.hubs[0].host);
      const { authentication } = await identity(id);
      assert.equal(authentication.type, 'sas');
      const text = `${made.hubs[0].host}%2Fdevices%2F${id}\n${sas.inSeconds(HOUR_S)}`;
      const signature = await of('signWithIdentity', Buffer.from(text));
      const wanted = require('node:crypto').createHmac('sha256', Buffer.from(authentication.symmetricKey.primaryKey, 'base64')).update(text).digest();
      assert.deepEqual(signature, wanted, 'what its TPM signs, its hub takes');
    }
  });

  test('an enrollment shows its public areas everywhere, and no key of its hub', async () => {
    const { tpm, id } = await enroll();
    const shown = { type: 'tpm', tpm: { endorsementKey: tpm.endorsementKey } };
    assert.deepEqual((await get(id)).attestation, shown);
    assert.deepEqual(expect('mechanism', await idscope.service(made.instance, 'POST', `${at(id)}/attestationmechanism`), 200), shown);
    const whole = expect('put', await put(id, { ...tpm.shown, endorsementKey: tpm.endorsementArea.toString('base64') }, { match: '*' }), 200);
    assert.deepEqual(whole.attestation, { type: 'tpm', tpm: tpm.shown }, 'a TPMT_PUBLIC is shown as a TPM2B_PUBLIC');
    const [listed] = expect('query', await idscope.service(made.instance, 'POST', '/enrollments/query', { body: { query: `SELECT * FROM enrollments WHERE registrationId = '${id}'` } }), 200);
    assert.deepEqual(listed.attestation, whole.attestation);
  });

  test('what is no endorsement key is refused by name', async () => {
    const { endorsementKey, rootArea } = new SoftTpm();
    const odd = Buffer.from(rootArea);
    odd[3] = 0x0c;
    const bad = [[{}, /endorsementKey is required/], [{ endorsementKey: '' }, /endorsementKey is required/], [{ endorsementKey: 'no base64!' }, /endorsementKey must be base64/],
      [{ endorsementKey: odd.toString('base64') }, /endorsementKey must be a TPM2B_PUBLIC with a storage key of RSA-2048: its name algorithm is not SHA-256/],
      [{ endorsementKey, storageRootKey: 'AAAA' }, /storageRootKey must be a TPM2B_PUBLIC/]];
    for (const [tpm, words] of bad) refused(await put(fresh('bad'), tpm), 400, words, 400004);
    const body = { registrationId: 'x', attestation: { type: 'tpm', symmetricKey: {}, tpm: { endorsementKey } } };
    refused(await idscope.service(made.instance, 'PUT', at('x'), { body }), 400, /attestation\.symmetricKey does not belong/, 400004);
    for (const tpm of [{ endorsementKey: 'AAAA' }, { endorsementKey, storageRootKey: 'AAAA' }]) refused(await ask('nobody', tpm), 401, /^Unauthorized$/, 401002);
  });

  test('register, poll and status look-up: the key for the hub is handed to the TPM alone, and stays the same', async () => {
    const device = await enroll();
    const first = await register(device);
    assert.equal(first.registrationState.substatus, 'initialAssignment');
    const { authentication } = await identity(device.id);
    assert.equal(authentication.type, 'sas');
    assert.equal(device.tpm.open(first.registrationState.tpm.authenticationKey), authentication.symmetricKey.primaryKey);
    const status = expect('status', await idscope.device('POST', made.idScope, device.id, { body: {}, authorization: first.authorization }), 200);
    assert.equal(device.tpm.open(status.tpm.authenticationKey), authentication.symmetricKey.primaryKey);
    assert.throws(() => new SoftTpm().open(status.tpm.authenticationKey));
    const again = await register(device);
    assert.equal(device.tpm.open(again.registrationState.tpm.authenticationKey), authentication.symmetricKey.primaryKey);
    assert.deepEqual((await identity(device.id)).authentication, authentication);
    const seen = expect('service', await idscope.service(made.instance, 'GET', `/registrations/${device.id}`), 200);
    assert.equal(seen.tpm, undefined, 'the service plane is told no key');
  });

  test('a nonce is good for one register, however many come with it at once, and then for its polls', async () => {
    const device = await enroll();
    const authorization = token(device.id, await challenged(device));
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(device.id, device.tpm.shown, authorization)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, ...Array(9).fill(401)]);
    const { operationId } = answers.find(({ status }) => status === 202).json;
    refused(await ask(device.id, device.tpm.shown, authorization), 401, /^Unauthorized$/, 401002);
    const poll = (by) => idscope.device('GET', made.idScope, `${device.id}/operations/${operationId}`, { authorization: by });
    assert.ok([200, 202].includes((await poll(authorization)).status));
    refused(await poll(token(device.id, sas.newKey())), 401, /^Unauthorized$/, 401002);
    assert.equal(await challenges(device.id), 'ft');
  });

  test('however many ask, a device has one open nonce, and nobody takes it from another', async () => {
    const device = await enroll();
    const nonces = await Promise.all(Array.from({ length: 20 }, () => challenged(device)));
    assert.equal(new Set(nonces).size, 1);
    assert.equal(await challenges(device.id), 'tf');
    const blobs = await Promise.all([1, 2].map(() => ask(device.id, device.tpm.shown)));
    assert.notEqual(blobs[0].json.authenticationKey, blobs[1].json.authenticationKey, 'each is wrapped anew');
    expect('the first that was told is good', await ask(device.id, device.tpm.shown, token(device.id, nonces[0])), 202);
    assert.notEqual(await challenged(device), nonces[0], 'and then there is another');
  });

  test('what is no key of a TPM is refused beside a good token, and takes no nonce', async () => {
    const device = { id: fresh('tpm'), tpm: new SoftTpm() };
    const { endorsementKey } = device.tpm;
    expect('enroll', await put(device.id, device.tpm.shown), 200);
    const authorization = token(device.id, await challenged(device));
    for (const tpm of [{}, { endorsementKey: 'AAAA' }, { endorsementKey, storageRootKey: 'AAAA' }]) refused(await ask(device.id, tpm, authorization), 401, /^Unauthorized$/, 401002);
    expect('register', await ask(device.id, { endorsementKey }, authorization), 202);
  });

  test('a nonce that is over is refused, and the sweep takes it', async () => {
    const device = await enroll();
    const nonce = await challenged(device);
    await stack.sql(`update idscope.challenge set open_until = now() - interval '1 second', ends_at = now() - interval '1 second' where ${row(device.id)}`);
    refused(await ask(device.id, device.tpm.shown, token(device.id, nonce)), 401, /^Unauthorized$/, 401002);
    await stack.sql("update idscope.tenant_job set due_at = now() where kind = 'clear_challenges'");
    await until('the sweep', async () => (await challenges(device.id)) === '');
    assert.notEqual(await challenged(device), nonce);
  });

  test('an enrollment that gets another TPM has no challenge of the old one, and another key for its hub', async () => {
    const device = await enroll();
    await register(device);
    const old = await identity(device.id);
    const nonce = await challenged(device);
    const other = { ...device, tpm: new SoftTpm() };
    expect('another TPM', await put(device.id, { endorsementKey: other.tpm.endorsementKey }, { match: '*' }), 200);
    refused(await ask(device.id, device.tpm.shown, token(device.id, nonce)), 401, /^Unauthorized$/, 401002);
    refused(await ask(device.id, other.tpm.shown, token(device.id, nonce)), 401, /^Unauthorized$/, 401002);
    const { registrationState } = await register(other);
    const now = await identity(device.id);
    assert.notEqual(now.authentication.symmetricKey.primaryKey, old.authentication.symmetricKey.primaryKey);
    assert.equal(other.tpm.open(registrationState.tpm.authenticationKey), now.authentication.symmetricKey.primaryKey);
  });

  test('the storage root key counts when the enrollment names it', async () => {
    const device = await enroll();
    const cleared = { ...device, tpm: device.tpm.cleared() };
    await register(device);
    await register(cleared);
    refused(await ask(device.id, { endorsementKey: device.tpm.endorsementKey }), 401, /^Unauthorized$/, 401002);
    expect('name it', await put(device.id, device.tpm.shown, { match: '*' }), 200);
    await register(device);
    refused(await ask(device.id, cleared.tpm.shown), 401, /^Unauthorized$/, 401002);
    assert.equal(device.tpm.open(refused(await ask(device.id, { endorsementKey: device.tpm.endorsementKey }), 401).json.authenticationKey).length, 44);
  });

  test('strangers are told the same: an unknown id, another endorsement key, an enrollment with keys, no credential, a hub key for a token', async () => {
    const device = await enroll();
    const keyed = await made.enroll();
    const stranger = new SoftTpm();
    const words = new Set();
    const alike = (answer) => {
      const { json } = refused(answer, 401, /^Unauthorized$/, 401002);
      words.add(JSON.stringify({ ...json, trackingId: '', timestampUtc: '' }));
    };
    alike(await ask(fresh('nobody'), stranger.shown));
    alike(await ask(device.id, stranger.shown));
    alike(await ask(device.id, stranger.shown, token(device.id, sas.newKey())));
    alike(await ask(keyed.id, stranger.shown));
    alike(await ask(device.id));
    alike(await ask(device.id, undefined, token(device.id, sas.newKey())));
    alike(await idscope.device('PUT', made.idScope, `${device.id}/register`, {}));
    await register(device);
    alike(await ask(device.id, device.tpm.shown, token(device.id, (await identity(device.id)).authentication.symmetricKey.primaryKey)));
    assert.equal(words.size, 1, [...words].join('\n'));
  });

  test('a disabled enrollment is told so, with the challenge met, and no key is handed', async () => {
    const device = await enroll();
    expect('disable', await put(device.id, { endorsementKey: device.tpm.endorsementKey }, { match: '*', more: { provisioningStatus: 'disabled' } }), 200);
    const { registrationState } = await register(device);
    assert.equal(registrationState.status, 'disabled');
    assert.equal(registrationState.tpm, undefined);
    assert.equal(await identity(device.id), undefined);
  });
});
