// x509.js: devices that prove who they are with a client certificate: through the edge, with the client packages as they are, and each flaw by itself.
// Whoever is refused is told the same; the log names the flaw.
'use strict';

const { describe, test, before, after } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { X509Security } = require('azure-iot-security-x509');
const { assert, idscope, stack, expect, sas, fresh, names, refused, sharedScene, sleep, until } = require('../kit');
const { make } = require('../../lib/certificates');
const { HOST, register, registered } = require('../certified');

const at = (id) => `/enrollments/${encodeURIComponent(id)}`;
const attestation = (primary, secondary) => ({ type: 'x509', x509: { clientCertificates: {
  ...(primary && { primary: { certificate: primary.cert } }), ...(secondary && { secondary: { certificate: secondary.cert } }) } } });

describe('x509: with the client packages as they are', () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const id = fresh('unit');
  const first = make(id);
  const second = make(id, { by: make('Plant CA', { ca: true }) });
  const identity = async () => (await made.identity(made.hubs[0], id)).authentication;
  const withSdk = (certificate) => ProvisioningDeviceClient.create(HOST, made.idScope, new Http(), new X509Security(id, { cert: certificate.cert, key: certificate.key })).register();
  let service;

  test('a device is enrolled by two certificates, and reading shows all of their info', async () => {
    names('127.0.0.1', made.instance.host);
    service = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
    await service.createOrUpdateIndividualEnrollment({ registrationId: id, attestation: attestation(first, second) });
    const { responseBody } = await service.getIndividualEnrollment(id);
    const { primary, secondary } = responseBody.attestation.x509.clientCertificates;
    assert.equal(responseBody.attestation.type, 'x509');
    assert.deepEqual([primary.info.sha256Thumbprint, secondary.info.sha256Thumbprint], [first.thumbprint, second.thumbprint]);
    assert.deepEqual(Object.keys(secondary), ['info']);
    assert.deepEqual(Object.keys(secondary.info).sort(), ['issuerName', 'notAfterUtc', 'notBeforeUtc', 'serialNumber', 'sha1Thumbprint', 'sha256Thumbprint', 'subjectName', 'version']);
    assert.deepEqual([secondary.info.subjectName, secondary.info.issuerName, secondary.info.version], [`CN=${id}`, 'CN=Plant CA', 3]);
  });

  test('it registers with the self-signed one; its hub knows the thumbprint', async () => {
    const result = await withSdk(first);
    assert.deepEqual([result.status, result.deviceId, result.assignedHub, result.x509], ['assigned', id, made.hubs[0].host, {}]);
    assert.deepEqual(await identity(), { symmetricKey: {}, x509Thumbprint: { primaryThumbprint: first.thumbprint, secondaryThumbprint: null }, type: 'selfSigned' });
  });

  test('it registers with the other one, signed by a CA: the hub then knows that one', async () => {
    assert.equal((await withSdk(second)).status, 'assigned');
    assert.equal((await identity()).x509Thumbprint.primaryThumbprint, second.thumbprint);
  });

  test('what was read is sent back with a change: the certificates stay; one that is left out is gone', async () => {
    const { responseBody } = await service.getIndividualEnrollment(id);
    const { clientCertificates } = responseBody.attestation.x509;
    await service.createOrUpdateIndividualEnrollment({ ...responseBody, capabilities: { iotEdge: true } });
    assert.equal((await withSdk(first)).status, 'assigned');
    assert.equal((await made.identity(made.hubs[0], id)).capabilities.iotEdge, true);
    delete clientCertificates.primary;
    const { responseBody: { etag } } = await service.getIndividualEnrollment(id);
    await service.createOrUpdateIndividualEnrollment({ ...responseBody, etag });
    await assert.rejects(withSdk(first), /401|Unauthorized/i);
    assert.equal((await withSdk(second)).status, 'assigned');
  });

  test('the wrong certificate, and none, are refused', async () => {
    await assert.rejects(withSdk(make(id)), /401|Unauthorized/i);
    refused(await register(made.idScope, id), 401, /^Unauthorized$/, 401002);
  });
});

describe('x509: what is stored', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const put = (id, more, match) => idscope.service(made.instance, 'PUT', at(id), { body: { registrationId: id, ...more }, headers: match && { 'If-Match': match } });
  const mechanism = async (id) => expect('mechanism', await idscope.service(made.instance, 'POST', `${at(id)}/attestationmechanism`), 200);
  const leaf = make('forms');

  const FORMS = {
    PEM: leaf.cert,
    'PEM with CR LF and blanks around it': ` ${leaf.cert.replace(/\n/g, '\r\n')}\r\n `,
    'PEM in one line': leaf.cert.replace(/\n/g, ' '),
    'base64 of DER': leaf.der.toString('base64'),
    'base64 of PEM': Buffer.from(leaf.cert).toString('base64'),
  };
  for (const [form, text] of Object.entries(FORMS)) {
    test(`a certificate comes as ${form}`, async () => {
      const id = fresh('form');
      const answer = expect('put', await put(id, { attestation: attestation({ cert: text }) }), 200);
      assert.deepEqual(answer.attestation, await mechanism(id));
      assert.equal(answer.attestation.x509.clientCertificates.primary.certificate, leaf.cert);
      assert.equal(answer.attestation.x509.clientCertificates.primary.info.sha256Thumbprint, leaf.thumbprint);
    });
  }

  const REFUSED = {
    'no certificate at all': [{ type: 'x509' }, /attestation\.x509 is required/],
    'an empty pair': [{ type: 'x509', x509: { clientCertificates: {} } }, /attestation\.x509\.clientCertificates must have/],
    'its private key': [attestation({ cert: leaf.key }), /clientCertificates\.primary\.certificate is PEM of something else/],
    'its private key beside it': [attestation(leaf, { cert: leaf.cert + leaf.key }), /clientCertificates\.secondary\.certificate must hold one certificate and nothing beside it/],
    'half a certificate': [attestation({ cert: leaf.cert.slice(0, 300) }), /its END line is missing/],
    'another text': [attestation({ cert: 'certificate' }), /must be PEM, or base64/],
    'an info that nothing is stored for': [{ type: 'x509', x509: { clientCertificates: { primary: { info: { sha256Thumbprint: leaf.thumbprint } } } } }, /primary\.certificate is required/],
    'a signing certificate': [{ type: 'x509', x509: { signingCertificates: { primary: { certificate: leaf.cert } } } }, /signingCertificates belong to enrollment groups/],
    'the name of a CA': [{ type: 'x509', x509: { caReferences: { primary: 'ca' } } }, /caReferences: "ca" is no verified certificate of this instance/],
    'keys beside it': [{ ...attestation(leaf), symmetricKey: {} }, /attestation\.symmetricKey does not belong/],
  };
  for (const [what, [bad, words]] of Object.entries(REFUSED)) {
    test(`${what}: refused by name`, async () => {
      const id = fresh('bad');
      refused(await put(id, { attestation: bad }), 400, words, 400004);
      refused(await idscope.service(made.instance, 'GET', at(id)), 404, /./, 404201);
    });
  }

  test('an enrollment changes its type, and nothing of the old one is kept', async () => {
    const id = fresh('changing');
    const certificate = make(id);
    const { key } = await made.enroll({}, id);
    refused(await put(id, { attestation: { type: 'x509' } }, '*'), 400, /attestation\.x509 is required/, 400004);
    expect('to x509', await put(id, { attestation: attestation(certificate) }, '*'), 200);
    assert.equal((await registered(made.idScope, id, certificate)).status, 'assigned');
    refused(await idscope.device('PUT', made.idScope, `${id}/register`, { body: {}, authorization: sas.forDevice(made.idScope, id, key) }), 401, /^Unauthorized$/, 401002);
    const back = expect('back to keys', await put(id, { attestation: { type: 'symmetricKey' } }, '*'), 200);
    const { primaryKey } = back.attestation.symmetricKey;
    assert.ok(primaryKey && primaryKey !== key, 'keys are made new');
    refused(await register(made.idScope, id, certificate), 401, /^Unauthorized$/, 401002);
    assert.equal((await made.register({ id, key: primaryKey })).status, 'assigned');
    assert.equal((await made.identity(made.hubs[0], id)).authentication.symmetricKey.primaryKey, primaryKey);
  });

  test('queries find enrollments by their type and by what is in their certificates', async () => {
    const id = fresh('found');
    const certificate = make(id);
    expect('put', await put(id, { attestation: attestation(certificate) }), 200);
    for (const where of [`attestation.type = 'x509' AND registrationId = '${id}'`, `attestation.x509.clientCertificates.primary.info.subjectName = 'CN=${id}'`]) {
      const answer = await idscope.service(made.instance, 'POST', '/enrollments/query', { body: { query: `SELECT * FROM enrollments WHERE ${where}` } });
      const [found, ...more] = expect('query', answer, 200);
      assert.deepEqual([found.registrationId, more.length], [id, 0]);
      assert.deepEqual(Object.keys(found.attestation.x509.clientCertificates.primary), ['info']);
    }
  });
});

describe('x509: who is refused, and why', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const enroll = (id, how) => idscope.service(made.instance, 'PUT', at(id), { body: { registrationId: id, attestation: how } }).then((answer) => expect('enroll', answer, 200));
  const log = (trackingId) => until('the refusal to be logged', () => stack.events('api').find((event) => event.trackingId === trackingId), { timeoutMs: 5000 });

  // Each gives what is enrolled, and what the device shows; and what the log says of it. Beside each stands a device without the flaw.
  const CASES = {
    'another certificate of the same name': [(id) => [attestation(make(id)), make(id)], /neither of those that are stored/],
    'a certificate of the CA that signed the stored one': [(id) => {
      const by = make('Plant CA', { ca: true });
      return [attestation(make(id, { by })), make(id, { by })];
    }, /neither of those that are stored/],
    'no certificate': [(id) => [attestation(make(id)), undefined], /sent no credential/],
    'a token instead of a certificate': [(id) => [attestation(make(id)), undefined, sas.forDevice(made.idScope, id, sas.newKey())], /showed no certificate/],
    'an expired one': [(id) => own(id, { from: -9, to: -1 }), /has expired at/],
    'one that is not valid yet': [(id) => own(id, { from: 1, to: 9 }), /is not valid before/],
    'one of another id': [(id) => own(`${id}x`), /its CN must be the registration id/],
    'one signed by a CA, of another id': [(id) => own('other', { by: make('Plant CA', { ca: true }) }), /its CN must be the registration id/],
    'a certificate where keys are enrolled': [(id) => [{ type: 'symmetricKey' }, make(id)], /SharedAccessSignature|SAS|token/i],
  };
  const own = (cn, options) => {
    const one = make(cn, options);
    return [attestation(one), one];
  };
  for (const [what, [build, words]] of Object.entries(CASES)) {
    test(`${what}: 401 401002, and the log says why`, async () => {
      const [id, twin] = [fresh('flawed'), fresh('twin')];
      const [how, shown, authorization] = build(id);
      await enroll(id, how);
      const { json } = refused(await register(made.idScope, id, shown, { headers: { Authorization: authorization } }), 401, /^Unauthorized$/, 401002);
      assert.match((await log(json.trackingId)).detail, words);
      refused(await idscope.service(made.instance, 'GET', `/registrations/${id}`), 404, /./, 404202);
      const [good, certificate] = own(twin);
      await enroll(twin, good);
      assert.equal((await registered(made.idScope, twin, certificate)).status, 'assigned');
    });
  }

  test('an id that is not enrolled is told the same', async () => {
    const id = fresh('stranger');
    refused(await register(made.idScope, id, make(id)), 401, /^Unauthorized$/, 401002);
  });

  test('a disabled one registers and is told so', async () => {
    const id = fresh('disabled');
    const certificate = make(id);
    await idscope.service(made.instance, 'PUT', at(id), { body: { registrationId: id, provisioningStatus: 'disabled', attestation: attestation(certificate) } });
    assert.equal((await registered(made.idScope, id, certificate)).status, 'disabled');
  });

  test('a device that shows its other certificate later on is told to its hub, though nothing else changed', async () => {
    const id = fresh('rolled');
    const pair = [make(id), make(id)];
    await enroll(id, attestation(...pair));
    await registered(made.idScope, id, pair[0]);
    await sleep(5500); // longer than --quick-return-s of this deployment
    await registered(made.idScope, id, pair[1]);
    assert.equal((await made.identity(made.hubs[0], id)).authentication.x509Thumbprint.primaryThumbprint, pair[1].thumbprint);
  });

  test('a device that shows its other certificate while it is assigned ends with that one on the hub', async () => {
    const id = fresh('turning');
    const pair = [make(id), make(id)];
    await enroll(id, attestation(...pair));
    for (let round = 0; round < 5; round++) {
      await register(made.idScope, id, pair[round % 2]);
      if (round % 3 === 0) await sleep(20 * round);
      const last = pair[(round + 1) % 2];
      assert.equal((await registered(made.idScope, id, last)).status, 'assigned');
      assert.equal((await made.identity(made.hubs[0], id)).authentication.x509Thumbprint.primaryThumbprint, last.thumbprint, `round ${round}`);
    }
  });
});

describe('x509: enrollment groups', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const elsewhere = sharedScene({ before, after }, { hubs: 1 });
  const root = make('Root CA', { ca: true });
  const region = make('Region CA', { ca: true, by: root });
  const plant = make('Plant CA', { ca: true, by: region });
  // A device as it shows itself: its own certificate, and what it sends above it.
  const device = (id, { by = plant, above = [plant, region], ...flaw } = {}) => {
    const one = make(id, { by, ...flaw });
    return { ...one, cert: [one, ...above].map(({ cert }) => cert).join('') };
  };
  const signing = (primary, secondary) => ({ type: 'x509', x509: { signingCertificates: { primary: { certificate: primary.cert }, ...(secondary && { secondary: { certificate: secondary.cert } }) } } });
  const groupAt = (id) => `/enrollmentGroups/${encodeURIComponent(id)}`;
  const put = (scene, id, attested, more = {}, match = undefined) => idscope.service(scene.instance, 'PUT', groupAt(id), { body: { enrollmentGroupId: id, attestation: attested, ...more }, headers: match && { 'If-Match': match } });
  const stateOf = (id) => idscope.registration(made.instance, id);
  const log = (trackingId) => until('the refusal to be logged', () => stack.events('api').find((event) => event.trackingId === trackingId), { timeoutMs: 5000 });
  const regions = fresh('Region');
  before(async () => { expect('group', await put(made, regions, signing(region)), 200); });

  test('with the client packages: a chain of three is admitted; the hub knows the thumbprint of its leaf, the registration its group', async () => {
    names('127.0.0.1', made.instance.host);
    const service = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
    const { responseBody } = await service.getEnrollmentGroup(regions);
    assert.deepEqual(Object.keys(responseBody.attestation.x509), ['signingCertificates']);
    assert.deepEqual(Object.keys(responseBody.attestation.x509.signingCertificates.primary), ['info']);
    assert.equal(responseBody.attestation.x509.signingCertificates.primary.info.sha256Thumbprint, region.thumbprint);
    const id = fresh('member');
    const one = device(id);
    const result = await ProvisioningDeviceClient.create(HOST, made.idScope, new Http(), new X509Security(id, { cert: one.cert, key: one.key })).register();
    assert.deepEqual([result.status, result.deviceId, result.substatus, result.x509], ['assigned', id, 'initialAssignment', { enrollmentGroupId: regions }]);
    const { authentication } = await made.identity(made.hubs[0], id);
    assert.deepEqual([authentication.type, authentication.x509Thumbprint.primaryThumbprint], ['selfSigned', one.thumbprint]);
    assert.equal((await service.getDeviceRegistrationState(id)).responseBody.enrollmentGroupId, regions);
  });

  const stranger = make('Region CA', { ca: true, by: root });
  const foreign = make('Other CA', { ca: true });
  const CASES = {
    'a chain whose lower CA is missing': [(id) => device(id, { above: [region] }), /CN=Plant CA, which issued that of CN=\S+, was not presented and is not stored/],
    'a chain of another CA': [(id) => device(id, { by: foreign, above: [foreign] }), /another CA's than those that are stored/],
    'a chain of a CA of the same name': [(id) => device(id, { by: stranger, above: [] }), /names CN=Region CA as its issuer, which did not or may not sign it/],
    'a self-signed certificate': [(id) => make(id), /is self-signed: no signing certificate issued it/],
    'an expired leaf': [(id) => device(id, { from: -9, to: -1 }), /has expired at/],
    'a leaf that is not valid yet': [(id) => device(id, { from: 1, to: 9 }), /is not valid before/],
    'a leaf of another id': [(id) => device(`${id}x`), /its CN must be the registration id/],
    'a chain below an expired CA': [(id) => {
      const old = make('Old CA', { ca: true, by: region, from: -9, to: -1 });
      return device(id, { by: old, above: [old, region] });
    }, /CN=Old CA has expired at/],
    'the CA itself': [() => region, /is itself a signing certificate/],
  };
  for (const [what, [build, words]] of Object.entries(CASES)) {
    test(`${what}: 401 401002, and the log says why; a twin without the flaw is admitted`, async () => {
      const [id, twin] = [fresh('flawed'), fresh('twin')];
      const { json } = refused(await register(made.idScope, id, build(id)), 401, /^Unauthorized$/, 401002);
      assert.match((await log(json.trackingId)).detail, words);
      assert.equal((await registered(made.idScope, twin, device(twin))).status, 'assigned');
    });
  }

  test("another tenant's CA vouches for nobody here, nor ours there", async () => {
    expect('group', await put(elsewhere, fresh('theirs'), signing(foreign)), 200);
    const id = fresh('member');
    const [theirs, ours] = [device(id, { by: foreign, above: [foreign] }), device(id)];
    refused(await register(made.idScope, id, theirs), 401, /^Unauthorized$/, 401002);
    refused(await register(elsewhere.idScope, id, ours), 401, /^Unauthorized$/, 401002);
    assert.equal((await registered(elsewhere.idScope, id, theirs)).status, 'assigned');
    assert.equal((await registered(made.idScope, id, ours)).status, 'assigned');
  });

  test('the nearest group decides: a nearer one takes the device over, blocks it while it is disabled, and gives it back', async () => {
    const upper = make('Upper CA', { ca: true, by: region });
    const lower = make('Lower CA', { ca: true, by: upper });
    const id = fresh('member');
    const near = fresh('Near');
    const one = device(id, { by: lower, above: [lower, upper, region] });
    await registered(made.idScope, id, one);
    assert.equal((await stateOf(id)).enrollmentGroupId, regions);
    expect('nearer', await put(made, near, signing(foreign, upper)), 200);
    assert.equal((await registered(made.idScope, id, one)).status, 'assigned');
    assert.equal((await stateOf(id)).enrollmentGroupId, near);
    expect('disabled', await put(made, near, { type: 'x509' }, { provisioningStatus: 'disabled' }, '*'), 200);
    assert.equal((await registered(made.idScope, id, one)).status, 'disabled');
    assert.equal((await idscope.service(made.instance, 'DELETE', groupAt(near))).status, 204);
    assert.equal((await registered(made.idScope, id, one)).status, 'assigned');
    assert.equal((await stateOf(id)).enrollmentGroupId, regions);
  });

  test('an individual enrollment blocks the device, of whatever type; without it the group admits again', async () => {
    const id = fresh('member');
    const one = device(id);
    await registered(made.idScope, id, one);
    await made.enroll({ provisioningStatus: 'disabled' }, id);
    refused(await register(made.idScope, id, one), 401, /^Unauthorized$/, 401002);
    assert.equal((await idscope.service(made.instance, 'DELETE', at(id))).status, 204);
    assert.equal((await registered(made.idScope, id, one)).status, 'assigned');
  });

  test('registering again with the same certificate costs the hub no call; another leaf of the same CA reaches it', async () => {
    const id = fresh('member');
    const [one, other] = [device(id), device(id)];
    await registered(made.idScope, id, one);
    expect('gone', await idscope.hub(made.hubs[0], 'DELETE', `/devices/${id}`, { headers: { 'If-Match': '*' } }), 204);
    await sleep(5500); // longer than --quick-return-s of this deployment
    assert.equal((await registered(made.idScope, id, one)).status, 'assigned');
    assert.equal(await made.identity(made.hubs[0], id), undefined);
    await sleep(5500);
    assert.equal((await registered(made.idScope, id, other)).status, 'assigned');
    assert.equal((await made.identity(made.hubs[0], id)).authentication.x509Thumbprint.primaryThumbprint, other.thumbprint);
  });

  const BODIES = {
    'client certificates': [attestation(plant), /clientCertificates belong to individual enrollments/],
    'a certificate that is no CA\'s': [signing(make('leaf')), /signingCertificates\.primary\.certificate is not a CA's/],
    'no certificate': [{ type: 'x509', x509: {} }, /signingCertificates must have/],
    'the name of a CA': [{ type: 'x509', x509: { caReferences: { primary: 'ca' } } }, /caReferences: "ca" is no verified certificate of this instance/],
  };
  for (const [what, [body, words]] of Object.entries(BODIES)) {
    test(`a group with ${what} is refused by name`, async () => {
      const id = fresh('bad');
      refused(await put(made, id, body), 400, words, 400004);
      refused(await idscope.service(made.instance, 'GET', groupAt(id)), 404, /./, 404201);
    });
  }

  test('one that is blocked is refused whatever it shows, its identity disabled, until it is unblocked', async () => {
    const id = fresh('blocked');
    const one = device(id);
    assert.equal((await registered(made.idScope, id, one)).status, 'assigned');
    const what = async (word) => assert.equal((await idscope.service(made.instance, 'POST', `/registrations/${id}/${word}`)).status, 204);
    const becomes = (status) => until(`the identity to be ${status}`, async () => (await made.identity(made.hubs[0], id)).status === status, { timeoutMs: 30000 });
    await what('block');
    await becomes('disabled');
    refused(await register(made.idScope, id, one), 401, /^Unauthorized$/, 401002);
    refused(await register(made.idScope, id, device(id)), 401, /^Unauthorized$/, 401002);
    assert.equal((await made.identity(made.hubs[0], id)).status, 'disabled');
    await what('unblock');
    await becomes('enabled');
    assert.equal((await registered(made.idScope, id, one)).status, 'assigned');
    assert.equal((await stateOf(id)).enrollmentGroupId, regions);
  });
});
