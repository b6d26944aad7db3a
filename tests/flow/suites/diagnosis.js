// diagnosis.js: which mistake a refused device made, as the log of its tenant names it: one mistake each, in a table beside what the log says. The device
// is told the same whatever it did, and where a mistake is not made it is not named.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const { describe, test, before, after } = require('node:test');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { make } = require('../../lib/certificates');
const { SoftTpm } = require('../../lib/tpm');
const { assert, idscope, expect, each, fresh, sas, refused, sharedScene, stack, until } = require('../kit');

const HOST = `global.dps.${idscope.domain}`;
const hmac = (key, text) => crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
const wordOf = (key) => crypto.createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 8);
const raw = (text) => Buffer.from(text).toString('base64'); // a key whose bytes are that text

// A connection of its own, on which the device shows that certificate (and what is sent with it).
async function register(idScope, { id, shown, authorization, tpm }) {
  const agent = new https.Agent({ ca: fs.readFileSync(idscope.env.IDSCOPE_CA), ...(shown && { cert: shown.cert, key: shown.key }) });
  try {
    return await idscope.https.request('PUT', HOST, `/${idScope}/registrations/${id}/register?api-version=2021-06-01`,
      { agent, body: { registrationId: id, tpm }, headers: { Authorization: authorization } });
  } finally {
    agent.destroy();
  }
}

// All that a device is told, but for ids and times.
const answered = ({ status, headers, text, json }) => ({
  status, headers: { ...headers, date: 0, 'x-ms-request-id': 0 }, body: text.replace(json.trackingId, '').replace(json.timestampUtc, '') });

describe('diagnosis: the log names the mistake that a device made', () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const elsewhere = sharedScene({ before, after }, { hubs: 0 });
  const put = async (at, body, match) => expect(at, await idscope.service(made.instance, 'PUT', at, { body, headers: match && { 'If-Match': match } }), 200);
  const reasonOf = (trackingId) => until('the attempt to be written', async () => {
    const [entry] = expect('attempts', await idscope.service(made.instance, 'GET', `/attempts?trackingId=${trackingId}`), 200);
    return entry && entry.reason;
  });
  const signed = (id, key, options) => ({ id, authorization: sas.forDevice(made.idScope, id, key, options) });
  const by = (certificate, ...above) => ({ ...certificate, cert: [certificate, ...above].map(({ cert }) => cert).join('') });

  // What all cases share: devices `device` and `neighbour` with keys, groups with keys and with CAs. A device of a case is of its own id.
  const root = make('Root CA', { ca: true });
  const region = make('Region CA', { ca: true, by: root });
  const twin = make('Region CA', { ca: true, by: root });
  const plant = make('Plant CA', { ca: true, by: region });
  const coast = make('Coast CA', { ca: true });
  const all = {};
  before(async () => {
    const mark = fresh('');
    all.neighbour = await made.enroll({}, `pump-2${mark}`);
    all.device = await made.enroll({}, `pump-1${mark}`);
    for (const hall of ['hall', 'yard']) {
      const symmetricKey = { primaryKey: sas.newKey(64), secondaryKey: sas.newKey(64) };
      await put(`/enrollmentGroups/${hall}`, { enrollmentGroupId: hall, attestation: { type: 'symmetricKey', symmetricKey } });
      all[hall] = symmetricKey;
    }
    for (const [id, ca] of Object.entries({ region, coast }))
      await put(`/enrollmentGroups/${id}`, { enrollmentGroupId: id, attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: ca.cert } } } } });
    all.member = fresh('member');
    expect('a member', await register(made.idScope, signed(all.member, hmac(all.hall.secondaryKey, all.member))), 202);
  });

  const ofDevice = (key, options) => signed(all.device.id, key, options);
  const ofStranger = (keyOf, options) => { const id = fresh('member'); return signed(id, keyOf(id), options); };
  // An enrollment with a certificate, and what the device shows in its stead.
  const certified = async (enrolled, shown = enrolled, id = fresh('unit')) => {
    const one = enrolled(id);
    await put(`/enrollments/${id}`, { registrationId: id, attestation: { type: 'x509', x509: { clientCertificates: { primary: { certificate: one.cert } } } } });
    return { id, shown: shown === enrolled ? one : shown(id), expected: one };
  };
  const shows = (shown, id = fresh('unit')) => ({ id, shown: shown(id) });
  // A device with a TPM, and the nonce of its challenge.
  const tpmEnrolled = async (more = () => ({})) => {
    const [id, tpm] = [fresh('tpm'), new SoftTpm()];
    await put(`/enrollments/${id}`, { registrationId: id, attestation: { type: 'tpm', tpm: { endorsementKey: tpm.endorsementKey, ...more(tpm) } } });
    return { id, tpm };
  };
  const challenged = async ({ id, tpm }) => tpm.open(refused(await register(made.idScope, { id, tpm: tpm.shown }), 401, /^Authorization required$/).json.authenticationKey);
  const onRow = (id) => `id_scope = '${made.idScope.toLowerCase()}' and registration_key = '${id}'`;

  const CASES = [
    // tokens
    ['a policy\'s key', () => ofDevice(made.instance.key), /with the primary key of policy "provisioningserviceowner" of the instance/],
    ['another entry\'s key', () => ofDevice(all.neighbour.secondaryKey), /with the secondary key of the enrollment "pump-2-/],
    ['a key cut', () => ofDevice(all.device.key.slice(0, 84)), /with the primary key cut to 63 of its 64 bytes/],
    ['a key padded', () => ofDevice(Buffer.concat([Buffer.from(all.device.key, 'base64'), Buffer.alloc(2)]).toString('base64')), /with the primary key padded/],
    ['a key not decoded', () => ofDevice(raw(all.device.secondaryKey)), /^signed with the text of the secondary key/],
    ['a key derived as in a group', () => ofDevice(hmac(all.device.key, all.device.id)), /derived from the primary key; this device must sign with that key itself/],
    ['an unknown key', () => ofDevice(sas.newKey()), /not the enrollment's, whose check words are ([0-9a-f]{8}) and ([0-9a-f]{8})$/],
    ['a clock that is behind', () => ofDevice(all.device.key, { expiry: sas.inSeconds(-42 * 60 - 5) }), /with the primary key, but the token expired 42 minutes before/],
    ['another scope', () => ({ id: all.device.id, authorization: sas.forDevice(elsewhere.idScope, all.device.id, all.device.key) }), /names the ID scope "0ne/],
    ['another id', () => ({ id: all.device.id, authorization: sas.forDevice(made.idScope, all.neighbour.id, all.device.key) }), /names the registration id "pump-2-/],
    ['a hub\'s resource', () => ({ id: all.device.id, authorization: sas.forHost('hub.example/devices/pump', 'registration', all.device.key) }), /names no registration/],
    ['no token where keys are enrolled', () => ({ id: all.device.id, shown: make(all.device.id) }), /sent no token; the enrollment has symmetric keys/],
    ['a group\'s device that is enrolled itself', () => ofDevice(hmac(all.hall.primaryKey, all.device.id)), /key of the enrollment group "hall", but the id has an enrollment of its own/],
    // … of a device that is in no list
    ['the group\'s key itself', () => ofStranger(() => all.hall.secondaryKey), /signed with the secondary key of the enrollment group "hall" itself/],
    ['a group\'s device with a clock that is behind', () => ofStranger((id) => hmac(all.hall.secondaryKey, id), { expiry: sas.inSeconds(-33 * 60 - 5) }), /derives from the secondary key of the enrollment group "hall", but the token expired 33 minutes before/],
    ['the key of another device of the group', () => ofStranger(() => hmac(all.hall.secondaryKey, all.member)), /of the enrollment group "hall", but for "member-[^"?]+" in place of its registration id/],
    ['derived from the id in capitals', () => ofStranger((id) => hmac(all.hall.secondaryKey, id.toUpperCase())), /but for "MEMBER-[^"]+" in place of/],
    ['derived with a line\'s end', () => ofStranger((id) => hmac(all.hall.secondaryKey, `${id}\n`)), /but for "member-[^"]+\?" in place of/],
    ['derived from a group\'s key that was cut', () => ofStranger((id) => hmac(all.hall.secondaryKey.slice(0, 84), id)), /derives from the secondary key of the enrollment group "hall" cut to 63 of its 64 bytes/],
    ['derived from the text of the group\'s key', () => ofStranger((id) => hmac(raw(all.hall.secondaryKey), id)), /derives from the text of the secondary key/],
    ['the derived key not decoded', () => ofStranger((id) => raw(hmac(all.hall.secondaryKey, id))), /signed with the text of the key that derives from the secondary key/],
    ['the derived key derived once more', () => ofStranger((id) => hmac(hmac(all.hall.secondaryKey, id), id)), /with a key derived from the key that derives from the secondary key/],
    ['a mistyped id', () => signed(`${all.device.id}x`, all.device.key),
      /no enrollment of this registration id \(near it: "pump-1-[^"]+", "pump-2-[^"]+"\), and no group admits it \(signed with the primary key of the enrollment "pump-1-/],
    ['a key of no group', () => ofStranger(() => sas.newKey()), /no enrollment of this registration id.+derives from none of the enrollment groups "hall", "yard"/],
    // certificates
    ['another certificate than the enrolled one', () => certified(make, (id) => make(id)), /SHA-256 thumbprint ([0-9A-F]{64}) is neither of those that are stored: ([0-9A-F]{64}), none/],
    ['a token where a certificate is enrolled', async () => { const { id } = await certified(make); return signed(id, sas.newKey()); }, /showed no certificate; the enrollment has X\.509 certificates/],
    ['an enrolled certificate that has expired', () => certified((id) => make(id, { from: -9, to: -1 })), /^the certificate of CN=unit-\S+ has expired at/],
    ['one that is not valid yet', () => certified((id) => make(id, { from: 1, to: 9 })), /^the certificate of CN=unit-\S+ is not valid before/],
    ['one of another id', () => certified((id) => make(`other-${id}`)), /^the subject of the certificate is CN=other-unit-\S+; its CN must be the registration id/],
    ['a chain whose lower CA is missing', () => shows((id) => by(make(id, { by: plant }), region)),
      /the enrollment group "\w+": the certificate of CN=Plant CA, which issued that of CN=unit-\S+, was not presented and is not stored; "\w+": the certificate of CN=Plant CA/],
    ['a chain below a CA that has expired', () => {
      const old = make('Old CA', { ca: true, by: region, from: -9, to: -1 });
      return shows((id) => by(make(id, { by: old }), old));
    }, /the enrollment group "region": the certificate of CN=Old CA has expired at [^;]+; "coast": the certificate of CN=Region CA, which issued that of CN=Old CA, was not presented/],
    ['a CA of the same name', () => shows((id) => by(make(id, { by: twin }))), /"region": the certificate of CN=unit-\S+ names CN=Region CA as its issuer, which did not or may not sign it; "coast": /],
    ['a certificate that nobody signed', () => shows((id) => make(id)), /"coast": the certificate of CN=unit-\S+ is self-signed: no signing certificate issued it; "region": .+ is self-signed/],
    // TPMs
    ['another TPM', async () => { const { id } = await tpmEnrolled(); return { id, tpm: new SoftTpm().shown }; }, /the endorsement key is not the enrollment's: its check word is [0-9a-f]{8}, that of the enrollment's is [0-9a-f]{8}/],
    ['a TPM that was cleared', async () => { const { id, tpm } = await tpmEnrolled(({ storageRootKey }) => ({ storageRootKey })); return { id, tpm: tpm.cleared().shown }; }, /the storage root key is not the enrollment's: its check word/],
    ['a nonce that is over', async () => {
      const device = await tpmEnrolled();
      const nonce = await challenged(device);
      await stack.sql(`update idscope.challenge set open_until = now() - interval '1 second' where ${onRow(device.id)}`);
      return { ...signed(device.id, nonce), tpm: device.tpm.shown };
    }, /no challenge is open: the last one was met, is over, or was never asked for/],
    ['another key than the nonce', async () => {
      const device = await tpmEnrolled();
      await challenged(device);
      return { ...signed(device.id, sas.newKey()), tpm: device.tpm.shown };
    }, /^the device signed with another key than the one that its TPM was handed$/],
    ['its key for the hub', async () => {
      const device = await tpmEnrolled();
      expect('register', await register(made.idScope, { ...signed(device.id, await challenged(device)), tpm: device.tpm.shown }), 202);
      const { authentication } = await until('its identity', () => made.identity(made.hubs[0], device.id));
      await challenged(device);
      return { ...signed(device.id, authentication.symmetricKey.primaryKey), tpm: device.tpm.shown };
    }, /^signed with the primary key of the device at its hub$/],
  ];
  // Refused again, as long as the log keeps the lane's plain words: so much is looked into in a second, of all scopes.
  async function told(mistake, device, words) {
    const found = [];
    while (found.length < 15) {
      const answer = refused(await register(made.idScope, device), 401, /^Unauthorized$/, 401002);
      found.push(await reasonOf(answer.json.trackingId));
      if (words.test(found.at(-1))) return { answer, reason: found.at(-1) };
    }
    return assert.fail(`${mistake}: ${found.join('\n')}`);
  }

  test(`${CASES.length} refusals by one mistake each: the log names the mistake and no other, and the device is told the same in all`, async () => {
    const logged = await each(CASES, 4, async ([mistake, build, words]) => { const device = await build(); return { device, ...await told(mistake, device, words) }; });
    const secrets = [all.device.key, all.device.secondaryKey, all.neighbour.secondaryKey, made.instance.key, all.hall.primaryKey, all.hall.secondaryKey];
    for (const [i, { answer, reason }] of logged.entries()) {
      assert.deepEqual(answered(answer), answered(logged[0].answer), CASES[i][0]);
      for (const secret of secrets) assert.ok(!reason.includes(secret), 'no key stands in the log');
      CASES.forEach(([mistake, , words], j) => assert.ok(i === j || !words.test(reason), `"${mistake}" is named in: ${reason}`));
    }
    const toldOf = (name) => { const at = CASES.findIndex(([mistake]) => mistake === name); return { ...logged[at], words: CASES[at][2].exec(logged[at].reason).slice(1) }; };
    assert.deepEqual(toldOf('an unknown key').words, [wordOf(all.device.key), wordOf(all.device.secondaryKey)]);
    const { device: { shown, expected }, words } = toldOf('another certificate than the enrolled one');
    assert.deepEqual(words, [shown.thumbprint, expected.thumbprint]);
    console.log(CASES.map(([mistake], i) => `  ${mistake}: ${logged[i].reason}`).join('\n'));
  });

  test('without a mistake the same devices are admitted', async () => {
    const admitted = async (what, device) => expect(what, await register(made.idScope, device), 202);
    for (const key of [all.device.key, all.device.secondaryKey]) await admitted('keys of its own', ofDevice(key));
    for (const key of [all.hall.secondaryKey, all.yard.primaryKey]) await admitted('a group\'s', ofStranger((id) => hmac(key, id)));
    await admitted('the enrolled certificate', await certified(make));
    await admitted('a whole chain', shows((id) => by(make(id, { by: plant }), plant)));
    const device = await tpmEnrolled();
    await admitted('a TPM', { ...signed(device.id, await challenged(device)), tpm: device.tpm.shown });
  });

  test('the client package of a device signs with the wrong key, and its operator reads which', async () => {
    const client = ProvisioningDeviceClient.create(idscope.deviceHost, made.idScope, new Http(), new SymmetricKeySecurityClient(all.device.id, all.device.key.slice(0, 84)));
    await until('the log to name it', async () => {
      await assert.rejects(client.register());
      const [newest] = expect('attempts', await idscope.service(made.instance, 'GET', `/attempts?registrationId=${all.device.id}`), 200);
      return newest && /with the primary key cut to 63 of its 64 bytes/.test(newest.reason);
    }, { everyMs: 500 });
  });
});
