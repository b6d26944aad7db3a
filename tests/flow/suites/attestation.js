// attestation.js: how a device's proof is kept: an update changes what it names and nothing else, whoever writes at the same time; a stored value that
// does not open is the operator's trouble, said to the operator, and lets nobody in.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, idscope, stack, expect, sas, fresh, refused, sharedScene } = require('../kit');

const at = (id) => `/enrollments/${encodeURIComponent(id)}`;

describe('attestation', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const put = (id, symmetricKey, match) => idscope.service(made.instance, 'PUT', at(id),
    { body: { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey } }, headers: match && { 'If-Match': match } });
  const mechanism = (id) => idscope.service(made.instance, 'POST', `${at(id)}/attestationmechanism`);
  const keys = async (id) => expect('keys', await mechanism(id), 200).symmetricKey;
  const row = (id) => `id_scope = '${made.idScope.toLowerCase()}' and registration_key = '${id.toLowerCase()}'`;

  test('an update with one key keeps the other', async () => {
    const { id, key, secondaryKey } = await made.enroll();
    const primaryKey = sas.newKey(48);
    expect('primary', await put(id, { primaryKey }, '*'), 200);
    assert.deepEqual(await keys(id), { primaryKey, secondaryKey });
    const { etag } = expect('secondary', await put(id, { secondaryKey: key, primaryKey: null }, '*'), 200);
    assert.deepEqual(await keys(id), { primaryKey, secondaryKey: key });
    const answer = expect('a new one', await put(id, { primaryKey: '' }, etag), 200);
    const after = await keys(id);
    assert.deepEqual(answer.attestation.symmetricKey, after, 'the answer shows what is stored');
    assert.notEqual(after.primaryKey, primaryKey);
    assert.equal(Buffer.from(after.primaryKey, 'base64').length, 64);
    assert.equal(after.secondaryKey, key);
    assert.equal((await idscope.device('PUT', made.idScope, `${id}/register`, { body: {}, authorization: sas.forDevice(made.idScope, id, key) })).status, 202, 'the kept key works');
  });

  test('an update with one key that is refused changes neither', async () => {
    const { id } = await made.enroll();
    const before = await keys(id);
    refused(await put(id, { primaryKey: sas.newKey() }, '"00000000-0000-4000-8000-000000000000"'), 412, /If-Match|etag/i, 412001);
    refused(await put(id, { secondaryKey: sas.newKey() }, '"no tag of ours"'), 412, /If-Match|etag/i, 412001);
    refused(await put(id, { primaryKey: 'c2hvcnQ=' }, '*'), 400, /attestation\.symmetricKey\.primaryKey must be base64/, 400004);
    refused(await put(id, { primaryKey: sas.newKey() }), 409, /exists/, 409001);
    assert.deepEqual(await keys(id), before);
    const none = fresh('none');
    for (const match of ['*', '"00000000-0000-4000-8000-000000000000"']) refused(await put(none, { primaryKey: sas.newKey() }, match), 404, /enrollment/i, 404201);
    refused(await idscope.service(made.instance, 'GET', at(none)), 404, /enrollment/i, 404201);
  });

  test('two updates at once that name one key each lose neither', async () => {
    const { id } = await made.enroll();
    const again = async (symmetricKey) => {
      for (let tries = 0; ; tries++) {
        const answer = await put(id, symmetricKey, '*');
        if (answer.status !== 503 || tries === 20) return expect('put', answer, 200);
      }
    };
    for (let round = 0; round < 15; round++) {
      const wanted = { primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
      await Promise.all([again({ primaryKey: wanted.primaryKey }), again({ secondaryKey: wanted.secondaryKey })]);
      assert.deepEqual(await keys(id), wanted, `round ${round}`);
    }
  });

  // What a restored dump without its key ring, or a hand in the database, leaves behind.
  const spoil = {
    'with a bit of it changed': (id) => stack.sql(`update idscope.enrollment set attestation_sealed = set_byte(attestation_sealed, 20, get_byte(attestation_sealed, 20) # 1) where ${row(id)}`),
    'sealed under a key that is gone': (id) => stack.sql(`update idscope.enrollment set attestation_sealed = set_byte(attestation_sealed, 1, 127) where ${row(id)}`),
    'copied from another device': async (id) => {
      const other = await made.enroll();
      await stack.sql(`update idscope.enrollment e set attestation_sealed = o.attestation_sealed from idscope.enrollment o
        where e.${row(id).replace(' and ', ' and e.')} and o.${row(other.id).replace(' and ', ' and o.')}`);
      return other;
    },
  };
  for (const [how, change] of Object.entries(spoil)) {
    test(`a stored value ${how}: the operator is told, no device gets in, and a whole one heals it`, async () => {
      const { id, key } = await made.enroll();
      const register = (by) => idscope.device('PUT', made.idScope, `${id}/register`, { body: {}, authorization: sas.forDevice(made.idScope, id, by) });
      const other = await change(id);
      const good = [key, ...(other && other.key ? [other.key] : [])];
      for (const by of [...good, sas.newKey(64)]) {
        const { json } = refused(await register(by), 500, /Internal error/, 500001);
        assert.ok(!/attestation|seal|key ring/i.test(json.message), 'a device is not told what is wrong with its enrollment');
      }
      refused(await idscope.service(made.instance, 'GET', `/registrations/${id}`), 404, /./, 404202);
      refused(await mechanism(id), 500, /attestation of this enrollment cannot be opened.*key ring/, 500002);
      refused(await put(id, { primaryKey: sas.newKey() }, '*'), 500, /attestation of this enrollment cannot be opened/, 500002);
      const shown = expect('get', await idscope.service(made.instance, 'GET', at(id)), 200);
      assert.equal(shown.attestation.type, 'symmetricKey', 'all that is no secret is still shown');
      const whole = { primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
      expect('heal', await put(id, whole, '*'), 200);
      assert.deepEqual(await keys(id), whole);
      assert.equal((await register(whole.primaryKey)).status, 202);
    });
  }

  test('the database holds no key in clear, and one value per enrollment', async () => {
    const { id, key } = await made.enroll();
    const text = await stack.sql(`select to_jsonb(e) from idscope.enrollment e where ${row(id)}`);
    const stored = JSON.parse(text);
    assert.equal(stored.attestation_type, 'symmetricKey');
    assert.deepEqual(Object.keys(stored).filter((name) => name.endsWith('_sealed')), ['attestation_sealed']);
    assert.ok(!text.includes(key) && !text.includes(Buffer.from(key, 'base64').toString('hex').slice(0, 16)));
  });
});
