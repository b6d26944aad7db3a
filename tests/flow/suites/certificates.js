// certificates.js: CA certificates of an instance, and of a hub, on the management plane: as clients send and read them, and who proves to have a CA's key. All
// certificates are real ones, made by the openssl program.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, admin, each, expect, fresh, idscope, Idscope, refused, refusedArm, scene, sharedScene, stack, until } = require('../kit');
const { make, revoke } = require('../../lib/certificates');
const { register, registered } = require('../certified');

const ANY = { 'If-Match': '*' };
const RFC1123 = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;
const bare = (ca, more) => ({ certificate: ca.cert, ...more });

// The certificates of what stands there.
const ofOwner = (owner) => {
  const at = (name, rest = '') => `${owner()}/certificates${name === undefined ? '' : `/${encodeURIComponent(name)}`}${rest}`;
  const post = (name, what, body, headers = ANY) => idscope.arm('POST', at(name, `/${what}`), { body, headers });
  return {
    at,
    put: (name, body, headers) => idscope.arm('PUT', at(name), { body, headers }),
    get: async (name) => expect(`get ${name}`, await idscope.arm('GET', at(name)), 200),
    list: async () => expect('list', await idscope.arm('GET', at()), 200).value,
    erase: (name, headers = ANY) => idscope.arm('DELETE', at(name), { headers }),
    code: async (name, headers) => expect(`code of ${name}`, await post(name, 'generateVerificationCode', undefined, headers), 200),
    askCode: (name, headers) => post(name, 'generateVerificationCode', undefined, headers),
    revoke: (name, crl, headers) => idscope.arm('PUT', at(name, '/crl'), { body: crl, headers }),
    crl: (name) => idscope.arm('GET', at(name, '/crl')),
    verify: (name, leaf, headers) => post(name, 'verify', bare(leaf), headers),
  };
};

// Of a scene's instance.
const of = (made) => ofOwner(() => idscope.instancePath(made.group, made.instance.name));

describe('certificates: as resources', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 0 });
  const elsewhere = sharedScene({ before, after }, { hubs: 0 });
  const ca = make('Plant Root A', { ca: true });
  const der = ca.der.toString('base64');
  const { at, put, get, list, erase } = of({ get group() { return made.group; }, get instance() { return made.instance; } });

  test('an instance without any has an empty list', async () => {
    const theirs = await of(elsewhere).list();
    assert.deepEqual(theirs, []);
  });

  // What az, newer SDKs, portals and people send.
  const BODIES = {
    'bare, base64 of PEM': [{ certificate: Buffer.from(ca.cert).toString('base64') }],
    'under properties, PEM': [{ properties: { certificate: ca.cert, isVerified: false } }],
    'bare, base64 of DER': [{ certificate: der }],
    'bare, PEM, in capitals': [{ Certificate: ca.cert, IsVerified: false }],
    'under properties, with what a read gave': [{ name: 'x', etag: 'x', properties: { subject: 'x', expiry: 'x', certificate: ca.cert, isVerified: null } }],
  };
  for (const [what, [body]] of Object.entries(BODIES)) {
    test(`${what}: it is stored, and its text comes back as it was sent`, async () => {
      const name = fresh('Ca');
      const written = expect('put', await put(name, body), 200);
      const { id, properties, ...rest } = written;
      assert.equal(id.toLowerCase(), at(name).toLowerCase());
      assert.deepEqual(rest, { name, type: 'Microsoft.Devices/ProvisioningServices/Certificates', etag: rest.etag });
      const { expiry, created, updated, certificate, ...plain } = properties;
      assert.equal(certificate, body.properties?.certificate ?? body.certificate ?? body.Certificate);
      assert.deepEqual(plain, { subject: 'CN=Plant Root A', thumbprint: crypto.createHash('sha1').update(ca.der).digest('hex').toUpperCase(), isVerified: false });
      for (const time of [expiry, created, updated]) assert.match(time, RFC1123);
      assert.equal(Date.parse(expiry), Date.parse(new crypto.X509Certificate(ca.cert).validTo));
      assert.deepEqual(await get(name.toUpperCase()), written);
      assert.deepEqual((await list()).find((one) => one.name === name), written);
    });
  }

  test('who sends isVerified vouches for it; another certificate in its place is vouched for by nobody', async () => {
    const name = fresh('ca');
    const state = async (body) => expect('put', await put(name, body), 200).properties.isVerified;
    assert.equal(await state(bare(ca, { isVerified: true })), true);
    assert.equal(await state(bare(ca)), true);
    assert.equal(await state({ certificate: der }), true);
    assert.equal(await state(bare(make('Another', { ca: true }))), false);
    assert.equal(await state(bare(ca)), false);
    assert.equal(await state({ properties: bare(ca, { isVerified: true }) }), true);
    assert.equal(await state(bare(ca, { isVerified: false })), false);
  });

  test('If-Match: an etag of the present passes in quotes or without, an old one is 412; a new certificate asks for none', async () => {
    const name = fresh('ca');
    const first = expect('put', await put(name, bare(ca), { 'If-Match': 'whatever' }), 200).etag;
    const second = expect('put', await put(name, { properties: { certificate: ca.cert, isVerified: true } }, { 'If-Match': first }), 200).etag;
    assert.notEqual(second, first);
    refusedArm(await put(name, bare(ca), { 'If-Match': first }), 412, 'PreconditionFailed');
    refusedArm(await idscope.arm('GET', at(name), { headers: { 'If-Match': first } }), 412, 'PreconditionFailed');
    expect('get', await idscope.arm('GET', at(name), { headers: { 'If-Match': second } }), 200);
    expect('last writer', await put(name, bare(ca, { isVerified: false })), 200);
    refusedArm(await erase(name, {}), 400, 'InvalidRequestContent', /If-Match is required/);
    refusedArm(await erase(name, { 'If-Match': second }), 412, 'PreconditionFailed');
    const { etag } = await get(name);
    assert.equal((await erase(name, { 'If-Match': `"${etag}"` })).status, 204);
    refusedArm(await idscope.arm('GET', at(name)), 404, 'ResourceNotFound', /no certificate of this name/);
    assert.equal((await erase(name)).status, 204);
    refusedArm(await erase(name, { 'If-Match': etag }), 412, 'PreconditionFailed');
  });

  test('query parameters that clients send for nothing are ignored', async () => {
    const name = fresh('ca');
    expect('put', await put(name, bare(ca)), 200);
    assert.equal((await idscope.arm('DELETE', `${at(name)}?certificate.name=x&certificate.isVerified=true&certificate.nonce=y`, { headers: ANY })).status, 204);
  });

  const REFUSED = {
    'no certificate': [{}, /^certificate is required/],
    'none under properties': [{ properties: {} }, /^properties\.certificate is required/],
    'a text that is none': [{ certificate: 'none' }, /^certificate is no X\.509 certificate/],
    'two certificates': [{ certificate: ca.cert + ca.cert }, /must hold one certificate/],
    'a key': [{ properties: { certificate: ca.key } }, /^properties\.certificate is PEM of something else/],
    "a device's certificate": [bare(make('unit')), /^certificate is not a CA's/],
    'a word for isVerified': [bare(ca, { isVerified: 'yes' }), /isVerified/],
    'a text that is too long': [{ certificate: 'A'.repeat(32769) }, /certificate.*32768/],
  };
  for (const [what, [body, words]] of Object.entries(REFUSED)) {
    test(`${what}: refused by name`, async () => {
      const name = fresh('bad');
      refusedArm(await put(name, body), 400, 'InvalidRequestContent', words);
      refusedArm(await idscope.arm('GET', at(name)), 404, 'ResourceNotFound');
    });
  }

  test('names: letters, digits and -._, up to 256, whatever the case', async () => {
    for (const name of ['a b', 'a/b', 'ä', 'x'.repeat(257)]) refusedArm(await put(name, bare(ca)), 400, 'InvalidResourceName', /name/);
    const long = `Long-._${fresh('')}`.padEnd(256, 'x');
    expect('put', await put(long, bare(ca)), 200);
    expect('put', await put(long.toUpperCase(), bare(ca)), 200);
    assert.equal((await list()).filter(({ name }) => name.toLowerCase() === long.toLowerCase()).length, 1);
    assert.equal((await erase(long.toLowerCase())).status, 204);
  });

  test('a reader reads and writes nothing; another tenant sees no certificate', async () => {
    const name = fresh('ca');
    const { etag } = expect('put', await put(name, bare(ca)), 200);
    const tenant = await admin('create-tenant', fresh('other'));
    const as = async (ids, role) => new Idscope({ ...idscope.env, ...ids, ...await admin('create-service-principal', ids.IDSCOPE_TENANT_ID, role, role) });
    const reader = await as(idscope.env, 'reader');
    const stranger = await as({ ...tenant, ...await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'other') }, 'owner');
    const writes = [['PUT', at(name), bare(ca)], ['DELETE', at(name)], ['POST', at(name, '/generateVerificationCode')], ['POST', at(name, '/verify'), bare(ca)]];
    for (const [method, path, body] of writes) {
      refusedArm(await reader.arm(method, path, { body, headers: ANY }), 403, 'AuthorizationFailed');
      refusedArm(await stranger.arm(method, path, { body, headers: ANY }), 404, 'SubscriptionNotFound');
    }
    for (const path of [at(), at(name)]) {
      expect('reader', await reader.arm('GET', path), 200);
      refusedArm(await stranger.arm('GET', path), 404, 'SubscriptionNotFound');
    }
    assert.equal((await get(name)).etag, etag);
  });

  test('each change leaves one event, which says what was done', async () => {
    const name = fresh('ca');
    expect('put', await put(name, bare(ca)), 200);
    const { properties } = await of(made).code(name);
    expect('verify', await of(made).verify(name, make(properties.verificationCode, { by: ca })), 200);
    expect('put', await put(name, bare(ca)), 200);
    expect('doubt', await put(name, { ...bare(ca), isVerified: false }), 200);
    assert.equal((await erase(name)).status, 204);
    const key = `${made.idScope.toLowerCase()}/${name}`;
    assert.deepEqual((await stack.sql(`SELECT detail ->> 'change' FROM idscope.audit_event WHERE kind = 'certificate' AND key = '${key}' ORDER BY id`)).split('\n'),
      ['created', 'code', 'verified', 'unchanged', 'updated', 'deleted']);
  });
});

describe('certificates: how many', () => {
  const made = sharedScene({ before, after }, { hubs: 0 });

  test('at most twenty-five to an instance, also at once; they go with it', async () => {
    const ca = make('Plant Root A', { ca: true });
    const { put, erase, list } = of(made);
    const answers = await each(Array.from({ length: 30 }, (_, i) => `ca${i}`), 10, (name) => put(name, bare(ca)));
    const full = answers.filter(({ status }) => status !== 200);
    assert.equal(full.length, 5);
    for (const answer of full) refusedArm(answer, 409, 'QuotaExceeded', /has 25 certificates/);
    const [{ name }] = await list();
    expect('changed', await put(name, bare(ca, { isVerified: true })), 200);
    assert.equal((await erase(name)).status, 204);
    expect('another', await put('another', bare(ca)), 200);
    assert.equal((await list()).length, 25);
    expect('gone', await idscope.arm('DELETE', idscope.instancePath(made.group, made.instance.name)), 204);
    await until('them to be purged with it', async () => (await stack.sql(`SELECT count(*) FROM idscope.certificate WHERE id_scope = '${made.idScope.toLowerCase()}'`)) === '0', { timeoutMs: 60000 });
  });
});

describe('certificates: proof of possession', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 0 });
  const root = make('Plant Root', { ca: true });
  const twin = make('Plant Root', { ca: true }); // of the same name, with another key
  const started = async () => {
    const name = fresh('ca');
    const { put, code } = of(made);
    const { etag } = expect('put', await put(name, bare(root)), 200);
    const given = await code(name, { 'If-Match': etag });
    assert.notEqual(given.etag, etag);
    return { name, etag: given.etag, code: given.properties.verificationCode };
  };
  const isVerified = async (name) => (await of(made).get(name)).properties.isVerified;

  test('the code in a certificate that the CA signed proves it, once; the code is told to who asked for it alone', async () => {
    const { name, etag, code } = await started();
    assert.match(code, /^[0-9A-F]{48}$/);
    const { get, verify } = of(made);
    assert.equal((await get(name)).properties.verificationCode, undefined);
    const proof = make(code, { by: root });
    const proved = expect('verify', await verify(name, proof, { 'If-Match': etag }), 200);
    assert.equal(proved.properties.isVerified, true);
    assert.equal(proved.properties.verificationCode, undefined);
    assert.notEqual(proved.etag, etag);
    assert.deepEqual(await get(name), proved);
    refusedArm(await verify(name, proof), 400, 'InvalidRequestContent', /no verification code to prove/);
  });

  test('base64 of DER under properties proves as well; a CA that is verified stays so while it is proved again', async () => {
    const { name, code } = await started();
    const { at, code: ask } = of(made);
    const body = (cn) => ({ properties: { certificate: make(cn, { by: root }).der.toString('base64') } });
    const post = (cn) => idscope.arm('POST', at(name, '/verify'), { body: body(cn), headers: ANY });
    assert.equal(expect('verify', await post(code), 200).properties.isVerified, true);
    const again = await ask(name);
    assert.equal(again.properties.isVerified, true);
    expect('verify', await post(again.properties.verificationCode), 200);
  });

  const WRONG = {
    'a certificate of another CA': [(code) => make(code, { by: make('Other Root', { ca: true }) }), /^certificate is not signed with the key/],
    'a certificate of a CA of the same name': [(code) => make(code, { by: twin }), /^certificate is not signed with the key/],
    'a self-signed certificate': [(code) => make(code), /^certificate is not signed with the key/],
    'another CN': [(code) => make(`${code.slice(0, -1)}G`, { by: root }), /^certificate must have the verification code as its CN/],
    'the CA itself': [() => root, /^certificate must have the verification code as its CN/],
    'what is no certificate': [() => ({ cert: 'x' }), /^certificate /],
  };
  for (const [what, [proof, words]] of Object.entries(WRONG)) {
    test(`${what} proves nothing; the right one then does`, async () => {
      const { name, code } = await started();
      refusedArm(await of(made).verify(name, proof(code)), 400, 'InvalidRequestContent', words);
      assert.equal(await isVerified(name), false);
      assert.equal(expect('verify', await of(made).verify(name, make(code, { by: root })), 200).properties.isVerified, true);
    });
  }

  test('without a code, by one that was replaced, of another certificate, or too late nothing is proved', async () => {
    const { name, code } = await started();
    const { put, verify, code: ask, askCode } = of(made);
    const first = make(code, { by: root });
    const { properties: { verificationCode } } = await ask(name);
    refusedArm(await verify(name, first), 400, 'InvalidRequestContent', /code as its CN/);
    await stack.sql(`UPDATE idscope.certificate SET code_until = now() WHERE id_scope = '${made.idScope.toLowerCase()}' AND name_key = '${name}'`);
    refusedArm(await verify(name, make(verificationCode, { by: root })), 400, 'InvalidRequestContent', /has expired/);
    const last = (await ask(name)).properties.verificationCode;
    expect('another CA', await put(name, bare(twin)), 200);
    refusedArm(await verify(name, make(last, { by: twin })), 400, 'InvalidRequestContent', /no verification code/);
    assert.equal(await isVerified(name), false);
    refusedArm(await askCode('none'), 404, 'ResourceNotFound');
    refusedArm(await verify('none', first), 404, 'ResourceNotFound');
  });

  test('If-Match is required, and holds', async () => {
    const { name, code } = await started();
    const { verify, askCode } = of(made);
    const proof = make(code, { by: root });
    for (const answer of [await verify(name, proof, {}), await askCode(name, {})]) refusedArm(answer, 400, 'InvalidRequestContent', /If-Match is required/);
    for (const answer of [await verify(name, proof, { 'If-Match': 'stale' }), await askCode(name, { 'If-Match': 'stale' })]) refusedArm(answer, 412, 'PreconditionFailed');
    assert.equal(await isVerified(name), false);
  });
});

describe('certificates: named by enrollments', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const elsewhere = sharedScene({ before, after }, { hubs: 0 });
  // CAs of one test alone, since groups of others would admit what is below them: two roots, and one below the first.
  const plant = () => {
    const [root, other] = [make(fresh('Root'), { ca: true }), make(fresh('Other'), { ca: true })];
    return { root, other, hall: make(fresh('Hall'), { ca: true, by: root }) };
  };
  const device = (id, by, above = [by]) => {
    const one = make(id, { by });
    return { ...one, cert: [one, ...above].map(({ cert }) => cert).join('') };
  };
  const naming = (primary, secondary) => ({ type: 'x509', x509: { caReferences: { primary, ...(secondary && { secondary }) } } });
  const groupAt = (id) => `/enrollmentGroups/${id}`;
  const enroll = (path, member, id, attestation, match, more) => idscope.service(made.instance, 'PUT', path, { body: { [member]: id, attestation, ...more }, headers: match && { 'If-Match': match } });
  const group = (id, attestation, match, more) => enroll(groupAt(id), 'enrollmentGroupId', id, attestation, match, more);
  const own = (id, attestation, match, more) => enroll(`/enrollments/${id}`, 'registrationId', id, attestation, match, more);
  const verified = async (ca, to = made, name = fresh('Ca')) => {
    expect('put', await of(to).put(name, bare(ca, { isVerified: true })), 200);
    return name;
  };
  const why = (trackingId) => until('the refusal to be logged', () => stack.events('api').find((event) => event.trackingId === trackingId)).then((event) => event.detail);
  const isRefused = async (id, certificate, words) => assert.match(await why(refused(await register(made.idScope, id, certificate), 401, /^Unauthorized$/, 401002).json.trackingId), words);

  test('a group admits below either of the CAs that it names, which are read as they were sent', async () => {
    const { root, other, hall } = plant();
    const [first, second] = [await verified(root), await verified(other)];
    const id = fresh('Named');
    const attestation = naming(first.toUpperCase(), second);
    assert.deepEqual(expect('put', await group(id, attestation), 200).attestation, attestation);
    assert.deepEqual(expect('get', await idscope.service(made.instance, 'GET', groupAt(id)), 200).attestation, attestation);
    assert.deepEqual(expect('mechanism', await idscope.service(made.instance, 'POST', `${groupAt(id)}/attestationmechanism`), 200), attestation);
    for (const by of [hall, other]) {
      const who = fresh('member');
      assert.equal((await registered(made.idScope, who, device(who, by))).status, 'assigned');
      assert.equal((await idscope.registration(made.instance, who)).enrollmentGroupId, id);
    }
    expect('one alone', await group(id, naming(second), '*'), 200);
    const late = fresh('late');
    await isRefused(late, device(late, hall), /another CA's than those|not presented and is not stored/);
    expect('delete', await idscope.service(made.instance, 'DELETE', groupAt(id)), 204);
  });

  test('an enrollment of a device of its own admits below the CA that it names, by whichever certificate; an update keeps that', async () => {
    const { root, other, hall } = plant();
    const name = await verified(root);
    const id = fresh('own');
    expect('put', await own(id, naming(name)), 200);
    assert.equal((await registered(made.idScope, id, device(id, hall))).status, 'assigned');
    assert.equal((await registered(made.idScope, id, device(id, hall))).status, 'assigned');
    await isRefused(id, make(id, { by: other }), /not presented and is not stored/);
    await isRefused(id, device(fresh('another'), hall), /its CN must be the registration id/);
    expect('kept', await own(id, { type: 'x509' }, '*', { capabilities: { iotEdge: true } }), 200);
    assert.deepEqual(expect('get', await idscope.service(made.instance, 'GET', `/enrollments/${id}`), 200).attestation, naming(name));
    refusedArm(await of(made).erase(name), 409, 'Conflict', /named by the enrollment "own/);
    const leaf = make(id, { by: other });
    expect('a certificate in its place', await own(id, { type: 'x509', x509: { clientCertificates: { primary: { certificate: leaf.cert } } } }, '*'), 200);
    await isRefused(id, device(id, hall), /neither of those that are stored/);
    assert.equal((await registered(made.idScope, id, leaf)).status, 'assigned');
    assert.equal((await of(made).erase(name)).status, 204);
  });

  test('what is named must be there, verified, and of this instance', async () => {
    const { root } = plant();
    const unproved = fresh('ca');
    expect('put', await of(made).put(unproved, bare(root)), 200);
    const theirs = await verified(root, elsewhere);
    const there = await verified(root);
    for (const put of [group, own]) {
      for (const names of [[unproved], [theirs], ['none'], [there, unproved], [undefined, theirs]]) {
        const id = fresh('bad');
        refused(await put(id, naming(...names)), 400, /caReferences: "\S+" is no verified certificate of this instance/, 400004);
        refused(await idscope.service(made.instance, 'GET', put === group ? groupAt(id) : `/enrollments/${id}`), 404);
      }
      refused(await put(fresh('bad'), naming('a b')), 400, /caReferences\.primary must be the name of a CA certificate/, 400004);
    }
    const id = fresh('good');
    expect('put', await group(id, naming(there)), 200);
    refused(await group(id, naming(there, unproved), '*'), 400, /is no verified certificate/, 400004);
    refused(await group(id, { type: 'x509', x509: { ...naming(there).x509, signingCertificates: { primary: { certificate: root.cert } } } }, '*'), 400, /signingCertificates or caReferences, not both/, 400004);
    expect('delete', await idscope.service(made.instance, 'DELETE', groupAt(id)), 204);
  });

  test('an import is held to the same: what names a verified certificate is written and keeps it, what does not is refused by its line', async () => {
    const { root, hall } = plant();
    const name = await verified(root);
    const [good, bad] = [fresh('imported'), fresh('imported')];
    const rows = [[good, name], [bad, 'none']].map(([registrationId, ca]) => JSON.stringify({ registrationId, attestation: naming(ca) })).join('\n');
    const answer = await idscope.service(made.instance, 'POST', '/enrollments/import', { body: rows, headers: { 'Content-Type': 'application/x-ndjson' } });
    expect('import', answer, 202);
    const { pathname } = new URL(answer.headers['operation-location']);
    const done = await until('the import to end', async () => {
      const now = expect('how it fares', await idscope.service(made.instance, 'GET', pathname), 200);
      return !['receiving', 'running'].includes(now.status) && now;
    });
    assert.deepEqual([done.written, done.refused], [1, 1]);
    assert.match(JSON.stringify(done.errors), /\\"none\\" is no verified certificate of this instance/);
    assert.equal((await registered(made.idScope, good, device(good, hall))).status, 'assigned');
    refusedArm(await of(made).erase(name), 409, 'Conflict', new RegExp(`named by the enrollment "${good}"`));
  });

  test('a certificate that a group names cannot be deleted; another one in its place admits nobody before it is verified', async () => {
    const { root, other, hall } = plant();
    const name = await verified(root);
    const id = fresh('group');
    const { put, erase } = of(made);
    expect('group', await group(id, naming(name)), 200);
    refusedArm(await erase(name), 409, 'Conflict', new RegExp(`named by the enrollment group "${id}"`));
    const mine = fresh('member');
    assert.equal((await registered(made.idScope, mine, device(mine, hall))).status, 'assigned');
    expect('another', await put(name, bare(other)), 200);
    const [below, late] = [fresh('below'), fresh('late')];
    const members = [[below, device(below, other)], [late, device(late, hall)]];
    for (const [who, certificate] of members) await isRefused(who, certificate, /./);
    expect('vouched for', await put(name, bare(other, { isVerified: true })), 200);
    assert.equal((await registered(made.idScope, ...members[0])).status, 'assigned');
    await isRefused(...members[1], /not presented and is not stored|another CA's/);
    expect('delete', await idscope.service(made.instance, 'DELETE', groupAt(id)), 204);
    assert.equal((await erase(name)).status, 204);
  });
});

describe('certificates: what a CA has revoked', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const elsewhere = sharedScene({ before, after }, { hubs: 1 });
  const why = (trackingId) => until('the refusal to be logged', () => stack.events('api').find((event) => event.trackingId === trackingId)).then((event) => event.detail);
  const isRefused = async (id, certificate, words) => assert.match(await why(refused(await register(made.idScope, id, certificate), 401, /^Unauthorized$/, 401002).json.trackingId), words);
  const group = (scene, id, x509) => idscope.service(scene.instance, 'PUT', `/enrollmentGroups/${id}`, { body: { enrollmentGroupId: id, attestation: { type: 'x509', x509 } } });
  const below = (id, by, ...above) => {
    const one = make(id, { by });
    return { ...one, cert: [one, by, ...above].map(({ cert }) => cert).join('') };
  };
  const put = async (scene, ca, more = {}) => {
    const name = fresh('ca');
    expect('put', await of(scene).put(name, bare(ca, more)), 200);
    return name;
  };

  test('a revoked device is refused beside one that is not, with a reason of its own; a newer list without it admits it again', async () => {
    const root = make(fresh('Root'), { ca: true });
    const name = await put(made, root, { isVerified: true });
    expect('group', await group(made, fresh('group'), { caReferences: { primary: name } }), 200);
    const [stolen, twin] = [fresh('stolen'), fresh('twin')];
    const [one, other] = [below(stolen, root), below(twin, root)];
    assert.equal((await registered(made.idScope, stolen, one)).status, 'assigned');
    const shown = expect('crl', await of(made).revoke(name, revoke(root, [one], 17).pem), 200);
    assert.deepEqual([shown.name, shown.properties.issuer, shown.properties.number, shown.properties.revoked], ['crl', `CN=${root.cert && new crypto.X509Certificate(root.cert).subject.slice(3)}`, '11', 1]);
    for (const time of [shown.properties.thisUpdate, shown.properties.nextUpdate]) assert.match(time, RFC1123);
    assert.deepEqual(expect('get', await of(made).crl(name), 200), shown);
    await isRefused(stolen, one, new RegExp(`the certificate of CN=${stolen} is revoked`));
    assert.equal((await registered(made.idScope, twin, other)).status, 'assigned');
    const attempts = expect('attempts', await idscope.service(made.instance, 'GET', `/attempts?registrationId=${stolen}`), 200);
    await until('the log of refused attempts', async () => JSON.stringify(expect('attempts', await idscope.service(made.instance, 'GET', `/attempts?registrationId=${stolen}`), 200)).includes('is revoked')).catch(() => assert.fail(JSON.stringify(attempts)));
    expect('newer', await of(made).revoke(name, revoke(root, [], 18).der), 200);
    assert.equal((await registered(made.idScope, stolen, one)).status, 'assigned');
  });

  test('the list of a CA below what a group trusts counts, and that of a CA whose certificate the group holds itself', async () => {
    const root = make(fresh('Root'), { ca: true });
    const hall = make(fresh('Hall'), { ca: true, by: root });
    expect('group', await group(made, fresh('group'), { signingCertificates: { primary: { certificate: root.cert } } }), 200);
    const [rootName, hallName] = [await put(made, root), await put(made, hall)];
    const [id, twin] = [fresh('device'), fresh('twin')];
    const [one, other] = [below(id, hall), below(twin, hall)];
    expect('crl', await of(made).revoke(hallName, revoke(hall, [one], 1).pem), 200);
    await isRefused(id, one, /is revoked/);
    assert.equal((await registered(made.idScope, twin, other)).status, 'assigned');
    expect('crl', await of(made).revoke(rootName, revoke(root, [hall], 1).pem), 200);
    await isRefused(twin, other, new RegExp(`${new crypto.X509Certificate(hall.cert).subject} is revoked`));
  });

  test("another tenant's list revokes nothing here, though it is the same CA's", async () => {
    const root = make(fresh('Root'), { ca: true });
    for (const scene of [made, elsewhere]) expect('group', await group(scene, fresh('group'), { signingCertificates: { primary: { certificate: root.cert } } }), 200);
    const theirs = await put(elsewhere, root);
    const id = fresh('device');
    const one = below(id, root);
    expect('crl', await of(elsewhere).revoke(theirs, revoke(root, [one], 1).pem), 200);
    refused(await register(elsewhere.idScope, id, one), 401, /^Unauthorized$/, 401002);
    assert.equal((await registered(made.idScope, id, one)).status, 'assigned');
  });

  test('a list is held against the CA and the list before it; another certificate in the place takes it away, the same key keeps it', async () => {
    const root = make('Plant Root', { ca: true });
    const twin = make('Plant Root', { ca: true });
    const name = await put(made, root);
    const { revoke: send, crl, get } = of(made);
    refusedArm(await crl(name), 404, 'ResourceNotFound', /has no CRL/);
    refusedArm(await crl('none'), 404, 'ResourceNotFound', /no certificate of this name/);
    const { etag } = await get(name);
    for (const [body, words] of [['x', /must be a CRL, in DER or PEM/], [root.cert, /must be a CRL/], ['', /must be a CRL/], [revoke(twin, [], 9).pem, /not signed with the key/], [revoke(twin, [], 9).der, /not signed with the key/]]) {
      refusedArm(await send(name, body), 400, 'InvalidRequestContent', words);
    }
    assert.equal((await get(name)).etag, etag);
    refusedArm(await send(name, revoke(root, [], 5).pem, { 'If-Match': 'stale' }), 412, 'PreconditionFailed');
    const first = expect('five', await send(name, revoke(root, [], 5).pem, { 'If-Match': etag }), 200);
    assert.notEqual(first.etag, etag);
    refusedArm(await send(name, revoke(root, [], 4).pem), 409, 'Conflict', /older than the one that is stored/);
    expect('again', await send(name, revoke(root, [], 5).pem), 200);
    expect('put', await of(made).put(name, { certificate: root.der.toString('base64') }), 200);
    expect('kept', await crl(name), 200);
    expect('another CA', await of(made).put(name, bare(twin)), 200);
    refusedArm(await crl(name), 404, 'ResourceNotFound', /has no CRL/);
    expect('its own', await send(name, revoke(twin, [], 1).pem), 200);
  });
});

describe('certificates: of a hub', () => {
  test('they are kept and proved by the same rules as those of an instance, and go with their hub', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [{ name }] = made.hubs;
    const { at, put, get, list, erase, askCode, verify } = ofOwner(() => idscope.hubPath(made.group, name));
    const ca = make('Hub Root', { ca: true });
    assert.deepEqual(await list(), []);
    const first = expect('put', await put('Root', bare(ca)), 200);
    assert.deepEqual([first.name, first.type, first.properties.isVerified, first.properties.certificate], ['Root', 'Microsoft.Devices/IotHubs/Certificates', false, ca.cert]);
    assert.equal(first.id, `${idscope.hubPath(made.group, name).replace('resourcegroups', 'resourceGroups')}/certificates/Root`);
    assert.deepEqual(await get('ROOT'), first);
    for (const answer of [await idscope.arm('GET', at('root'), { headers: { 'If-Match': 'stale' } }), await erase('root', { 'If-Match': 'stale' }), await askCode('root', { 'If-Match': 'stale' })]) refusedArm(answer, 412, 'PreconditionFailed');
    refusedArm(await erase('root', {}), 400, 'InvalidRequestContent', /If-Match is required/);
    const asked = expect('code', await askCode('root', { 'If-Match': first.etag }), 200);
    refusedArm(await verify('root', make('another', { by: ca })), 400, 'InvalidRequestContent', /CN/);
    assert.equal(expect('verify', await verify('root', make(asked.properties.verificationCode, { by: ca })), 200).properties.isVerified, true);
    refusedArm(await idscope.arm('PUT', at('root', '/crl'), { body: revoke(ca, [], 1).pem }), 404, 'ResourceNotFound');
    await each(Array.from({ length: 24 }, (_, i) => `more-${i}`), 4, async (one) => expect(one, await put(one, bare(ca)), 200));
    refusedArm(await put('one-more', bare(ca)), 409, 'QuotaExceeded', /hub has 25 certificates/);
    assert.deepEqual(await of(made).list(), [], 'none of them is the instance\'s');
    assert.equal((await idscope.arm('DELETE', idscope.hubPath(made.group, name))).status, 204);
    await idscope.createHub(made.group, name);
    assert.deepEqual(await list(), []);
  });
});
