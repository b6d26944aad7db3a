// lists.js: the enrollment list as its operators use it: asked by queries and read in pages, while others write; and changed many at a time.
// The client package does what it can (its query iterator, its bulk call); what it hides is asked over plain HTTPS.
// Must never fill a list by way of the database but where a page's bounds are the question.
'use strict';

const { describe, test, before, after } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { assert, stack, idscope, Idscope, expect, each, fresh, names, sas, refused, sharedScene, until } = require('../kit');

const ask = (made, query, headers = {}, options = {}) => idscope.service(made.instance, 'POST', '/enrollments/query',
  { body: query === undefined ? undefined : { query }, headers, ...options });

// Every page of a list, by its continuations; each page is given to `look`.
async function pages(made, query, size, look = () => {}) {
  const all = [];
  for (let token; ;) {
    const answer = await ask(made, query, { 'x-ms-max-item-count': size, 'x-ms-continuation': token });
    const items = expect(query, answer, 200);
    assert.ok(items.length <= size, `${items.length} entries on a page of ${size}`);
    assert.equal(answer.headers['x-ms-item-type'], 'Enrollment');
    assert.equal(answer.headers['x-ms-max-item-count'], String(size));
    all.push(...items);
    await look(answer);
    token = answer.headers['x-ms-continuation'];
    if (token === undefined) return all;
    assert.match(token, /^[\w-]+$/, 'a continuation fits into a header');
  }
}
const idsOf = (list) => list.map((entry) => entry.registrationId);

describe('lists: queries', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const at = (n) => `press-${String(n).padStart(2, '0')}`;
  const wanted = (fits) => Array.from({ length: 24 }, (_, n) => n).filter(fits).map(at);
  let keys;
  before(async () => {
    const all = await each(Array.from({ length: 24 }, (_, n) => n), 4, (n) => made.enroll({
      ...(n % 2 === 0 ? { deviceId: `Machine-${at(n)}` } : {}), ...(n % 3 === 0 ? { provisioningStatus: 'disabled' } : {}),
      ...(n % 4 === 0 ? { allocationPolicy: 'geoLatency' } : {}), initialTwin: { tags: { hall: n < 12 ? 'A' : 'B', n }, properties: { desired: {} } },
    }, at(n)));
    keys = all.map((device) => device.key);
    await made.register(all[1]);
  });

  test('the texts that clients send give the whole list, as each entry reads by itself, without keys', async () => {
    for (const query of ['*', 'SELECT *', 'select * from enrollments']) {
      const answer = await ask(made, query);
      assert.deepEqual(idsOf(expect(query, answer, 200)).sort(), wanted(() => true));
      assert.equal(answer.headers['x-ms-continuation'], undefined, 'one page was enough');
      assert.equal(answer.headers['x-ms-max-item-count'], '100');
      for (const key of keys) assert.ok(!answer.text.includes(key), 'no list shows a key');
      for (const n of [0, 1, 4]) {
        const alone = expect('get', await idscope.service(made.instance, 'GET', `/enrollments/${at(n)}`), 200);
        assert.deepEqual(answer.json.find((entry) => entry.registrationId === at(n)), alone);
      }
      assert.equal(answer.json.find((entry) => entry.registrationId === at(1)).registrationState.status, 'assigned');
      assert.equal(answer.json.find((entry) => entry.registrationId === at(2)).registrationState, undefined);
    }
  });

  const found = [
    ["registrationId = 'PRESS-07'", (n) => n === 7], ["registrationId IN ('press-03', 'press-99', 'Press-20')", (n) => n === 3 || n === 20],
    ["STARTSWITH(registrationId, 'press-1')", (n) => n >= 10 && n < 20], ["registrationId > 'press-20'", (n) => n > 20], ["registrationId <= 'press-02'", (n) => n <= 2],
    ["deviceId = 'Machine-press-04'", (n) => n === 4], ["deviceId = 'machine-press-04'", () => false], ["deviceId STARTSWITH 'Machine-press-1'", (n) => n >= 10 && n < 20 && n % 2 === 0],
    ['deviceId IS NOT DEFINED', (n) => n % 2 === 1], ["provisioningStatus = 'disabled'", (n) => n % 3 === 0], ["provisioningStatus != 'disabled'", (n) => n % 3 !== 0],
    ["allocationPolicy = 'GeoLatency'", (n) => n % 4 === 0], ["allocationPolicy != 'geoLatency'", () => false], ["attestation.type = 'symmetricKey'", () => true], ["attestation.type = 'x509'", () => false],
    ["createdDateTimeUtc > '2020-01-01' AND lastUpdatedDateTimeUtc > '2020-01-01T00:00:00Z'", () => true], ["createdDateTimeUtc < '2020-01-01'", () => false],
    ["initialTwin.tags.hall = 'B' AND initialTwin.tags.n >= 20", (n) => n >= 20], ["registrationState.status = 'assigned'", (n) => n === 1],
    ["provisioningStatus = 'disabled' AND (deviceId STARTSWITH 'M' OR registrationId = 'press-09')", (n) => n % 3 === 0 && (n % 2 === 0 || n === 9)],
    ["NOT (provisioningStatus = 'disabled' OR initialTwin.tags.hall = 'A')", (n) => n % 3 !== 0 && n >= 12],
  ];
  for (const [where, fits] of found) {
    test(`WHERE ${where}`, async () => {
      for (const size of [3, 100]) assert.deepEqual(idsOf(await pages(made, `SELECT * FROM enrollments WHERE ${where}`, size)).sort(), wanted(fits), `pages of ${size}`);
    });
  }

  test('SELECT names members, ORDER BY an order, both ways', async () => {
    const answer = expect('members', await ask(made, "SELECT provisioningStatus, registrationId WHERE registrationId = 'press-03'"), 200);
    assert.deepEqual(answer, [{ provisioningStatus: 'disabled', registrationId: 'press-03' }]);
    for (const member of ['registrationId', 'createdDateTimeUtc', 'lastUpdatedDateTimeUtc']) {
      const up = await pages(made, `SELECT * ORDER BY ${member}`, 5);
      assert.equal(up.length, 24);
      assert.deepEqual(up.map((entry) => entry[member]), up.map((entry) => entry[member]).sort(), member);
      assert.deepEqual(idsOf(await pages(made, `SELECT * ORDER BY ${member} DESC`, 7)), idsOf(up).reverse(), member);
    }
    assert.deepEqual(idsOf(await pages(made, "SELECT * WHERE provisioningStatus = 'disabled' ORDER BY registrationId", 2)), wanted((n) => n % 3 === 0));
  });

  test('a text that is not understood is a 400 that points at the place', async () => {
    const bad = [["SELECT * FROM devices", /character 15, at devices/], ["SELECT * WHERE colour = 'x'", /character 16, at colour/], ["SELECT * WHERE deviceId LIKE 'x'", /at LIKE/],
      ["SELECT * WHERE attestation.symmetricKey.primaryKey = 'x'", /shown in no list/], ["SELECT * ORDER BY deviceId", /one of registrationId, createdDateTimeUtc/], ['SELECT COUNT() AS n', /at COUNT/]];
    for (const [query, words] of bad) refused(await ask(made, query), 400, words, 400004);
    refused(await ask(made, undefined), 400);
    refused(await ask(made, null), 400, /query/);
    refused(await ask(made, 7), 400, /query/);
  });

  test('sizes and continuations: whole numbers, a cap, and no token of another query, order, scope or hand', async () => {
    for (const size of ['0', '-1', 'all', '1.5']) refused(await ask(made, '*', { 'x-ms-max-item-count': size }), 400, /x-ms-max-item-count/);
    assert.equal((await ask(made, '*', { 'x-ms-max-item-count': '5000' })).headers['x-ms-max-item-count'], '1000');
    const token = (await ask(made, 'SELECT *', { 'x-ms-max-item-count': 2 })).headers['x-ms-continuation'];
    const other = await idscope.createInstance(made.group, fresh('dps'), {});
    const wrong = [['*', token], ['SELECT * ', token], ["SELECT * WHERE provisioningStatus = 'disabled'", token], ['SELECT *', `${token}A`], ['SELECT *', token.slice(4)], ['SELECT *', 'x'], ['SELECT *', '%']];
    for (const [query, sent] of wrong) refused(await ask(made, query, { 'x-ms-continuation': sent }), 400, /x-ms-continuation/);
    refused(await ask({ instance: other }, 'SELECT *', { 'x-ms-continuation': token }), 400, /x-ms-continuation/);
    assert.deepEqual(expect('an empty list', await ask({ instance: other }, '*'), 200), []);
    // What a token holds is a place, not a right: bytes that no id has are refused before the database sees them.
    const forged = Buffer.concat([Buffer.from(token, 'base64url').subarray(0, 16), Buffer.from([0xff, 0x0a, 0x61])]).toString('base64url');
    refused(await ask(made, 'SELECT *', { 'x-ms-continuation': forged }), 400, /x-ms-continuation/);
  });

  test('a page of the size of the list is the last one', async () => {
    for (const size of [24, 25]) assert.equal((await ask(made, '*', { 'x-ms-max-item-count': size })).headers['x-ms-continuation'], undefined);
    assert.notEqual((await ask(made, '*', { 'x-ms-max-item-count': 23 })).headers['x-ms-continuation'], undefined);
  });

  test('who may not read enrollments may not list them', async () => {
    refused(await ask(made, '*', {}, { authorization: null }), 401);
    refused(await ask(made, '*', {}, { authorization: sas.forHost(made.instance.host, made.instance.policy, sas.newKey()) }), 401);
  });
});

describe('lists: pages', { concurrency: 2 }, () => {
  const made = sharedScene({ before, after });

  test('an entry that nobody touches is listed once, whatever is made and deleted meanwhile', async () => {
    const still = Array.from({ length: 20 }, (_, n) => `still-${String(n).padStart(2, '0')}`);
    await each(still, 4, (id) => made.enroll({}, id));
    let n = 0;
    const disturb = async () => {
      await made.enroll({}, `still-${String(n).padStart(2, '0')}-more`);
      await made.enroll({}, `a-${n}`);
      if (n > 0) expect('delete', await idscope.service(made.instance, 'DELETE', `/enrollments/a-${n - 1}`), 204);
      n++;
    };
    for (const query of ['*', 'SELECT * ORDER BY createdDateTimeUtc', 'SELECT * ORDER BY registrationId DESC', "SELECT * WHERE provisioningStatus = 'enabled'"]) {
      const seen = idsOf(await pages(made, query, 3, disturb));
      assert.deepEqual(seen.filter((id) => still.includes(id)).sort(), still, query);
      assert.equal(new Set(seen).size, seen.length, 'no entry stands twice');
    }
  });

  test('a page looks at a bounded number of entries, and says by a continuation that there are more', async () => {
    const scope = made.idScope.toLowerCase();
    await made.enroll({ initialTwin: { tags: { rare: true }, properties: { desired: {} } } }, 'zz-last');
    await stack.sql(`INSERT INTO idscope.enrollment (id_scope, registration_key, registration_id, attestation_type, attestation_sealed, etag)
                     SELECT '${scope}', 'many-' || n, 'many-' || n, 'symmetricKey', '\\x00', gen_random_uuid() FROM generate_series(10001, 15000) n`);
    let asked = 0;
    const found = await pages(made, 'SELECT registrationId WHERE initialTwin.tags.rare = true', 10, () => { asked++; });
    assert.deepEqual(found, [{ registrationId: 'zz-last' }]);
    assert.ok(asked >= 3 && asked <= 4, `${asked} pages over 5,000 entries`);
    assert.equal((await pages(made, "SELECT registrationId WHERE registrationId STARTSWITH 'many-'", 1000)).length, 5000);
    await stack.sql(`DELETE FROM idscope.enrollment WHERE id_scope = '${scope}' AND registration_key LIKE 'many-%'`);
  });

  test('a page of big entries ends early', async () => {
    const pad = 'x'.repeat(60000);
    await each(Array.from({ length: 30 }, (_, n) => n), 4, (n) => made.enroll({ initialTwin: { tags: { pad }, properties: { desired: {} } } }, `big-${n}`));
    let longest = 0;
    const all = await pages(made, "SELECT * WHERE registrationId STARTSWITH 'big-'", 30, (answer) => { longest = Math.max(longest, answer.text.length); });
    assert.equal(all.length, 30);
    assert.ok(longest < 1300000, `${longest} bytes`);
  });
});

describe('lists: with the service package as it is', () => {
  const made = sharedScene({ before, after });
  let service;
  before(() => {
    names('127.0.0.1', made.instance.host);
    service = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
  });
  // Its bulk call settles by the callback alone.
  const bulk = (mode, enrollments) => new Promise((resolve, reject) => {
    service.runBulkEnrollmentOperation({ mode, enrollments }, (error, result) => (error ? reject(error) : resolve(result)));
  });
  const enrollment = (id, more) => ({ registrationId: id, attestation: { type: 'symmetricKey' }, ...more });

  test('ten are made in one call, listed by the query iterator, changed, deleted', async () => {
    const ids = Array.from({ length: 10 }, (_, n) => `unit-${n}`);
    assert.deepEqual(await bulk('create', ids.map((id) => enrollment(id, { provisioningStatus: 'disabled' }))), { isSuccessful: true, errors: [] });
    const query = service.createIndividualEnrollmentQuery({ query: "SELECT * FROM enrollments WHERE provisioningStatus = 'disabled'" }, 4);
    const seen = [];
    while (query.hasMoreResults) {
      const { result } = await new Promise((resolve, reject) => { query.next((error, result) => (error ? reject(error) : resolve({ result }))); });
      assert.ok(result.length <= 4);
      seen.push(...result);
    }
    assert.deepEqual(idsOf(seen), ids);
    assert.deepEqual(await bulk('updateIfMatchETag', seen.map((entry) => ({ ...entry, provisioningStatus: 'enabled' }))), { isSuccessful: true, errors: [] });
    assert.deepEqual(await bulk('delete', ids.map((id) => enrollment(id))), { isSuccessful: true, errors: [] });
    for (const id of ids) await assert.rejects(service.getIndividualEnrollment(id));
  });
});

describe('lists: many at a time', { concurrency: 2 }, () => {
  const made = sharedScene({ before, after });
  const bulk = (mode, enrollments, options = {}) => idscope.service(made.instance, 'POST', '/enrollments/', { body: { mode, enrollments }, ...options });
  const read = (id) => idscope.service(made.instance, 'GET', `/enrollments/${id}`);
  const errorsOf = (answer) => Object.fromEntries(expect('bulk', answer, 200).errors.map(({ registrationId, errorCode }) => [registrationId, errorCode]));

  test('one that is refused is named with code and words, and stops no other', async () => {
    const [good, taken, twice] = [fresh('m'), (await made.enroll()).id, fresh('m')];
    const answer = await bulk('Create', [Idscope.enrollment(good), Idscope.enrollment(taken), Idscope.enrollment('a b'), { registrationId: 'bare' }, 7, Idscope.enrollment(twice), Idscope.enrollment(twice.toUpperCase()),
      Idscope.enrollment('unlinked', { iotHubs: ['none.example'] }), Idscope.enrollment('custom', { allocationPolicy: 'custom' })]);
    assert.equal(answer.json.isSuccessful, false);
    for (const error of answer.json.errors) {
      assert.deepEqual(Object.keys(error).sort(), ['errorCode', 'errorStatus', 'registrationId']);
      assert.ok(error.errorStatus.length > 10, JSON.stringify(error));
    }
    const errors = errorsOf(answer);
    const said = (id) => answer.json.errors.find((error) => error.registrationId === id).errorStatus;
    assert.equal(errors[taken], 409001);
    for (const id of ['a b', 'bare', '', 'unlinked', 'custom']) assert.equal(errors[id], 400004, id);
    assert.match(said('bare'), /attestation is required/);
    assert.match(said('unlinked'), /none\.example is not a linked hub/);
    assert.equal(Object.keys(errors).length, 7, 'and one of the two');
    expect('made', await read(good), 200);
    expect('made', await read(twice), 200);
    for (const id of ['bare', 'unlinked', 'custom']) refused(await read(id), 404);
  });

  test('update keeps keys that are left out; updateIfMatchETag minds each one\'s etag', async () => {
    const [a, b] = [await made.enroll(), await made.enroll()];
    const mechanism = async (id) => expect('keys', await idscope.service(made.instance, 'POST', `/enrollments/${id}/attestationmechanism`), 200).symmetricKey;
    const primaryKey = sas.newKey();
    const bodies = [{ registrationId: a.id, attestation: { type: 'symmetricKey' }, provisioningStatus: 'disabled' }, { registrationId: b.id, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey } } },
      Idscope.enrollment('missing')];
    assert.deepEqual(errorsOf(await bulk('update', bodies)), { missing: 404201 });
    assert.deepEqual(await mechanism(a.id), { primaryKey: a.key, secondaryKey: a.secondaryKey });
    assert.deepEqual(await mechanism(b.id), { primaryKey, secondaryKey: b.secondaryKey });
    const [nowA, nowB] = [(await read(a.id)).json, (await read(b.id)).json];
    assert.equal(nowA.provisioningStatus, 'disabled');
    const errors = errorsOf(await bulk('updateIfMatchEtag', [{ ...nowA, provisioningStatus: 'enabled' }, { ...nowB, etag: a.enrollment.etag, provisioningStatus: 'disabled' }, { ...nowB, registrationId: 'other', etag: undefined }]));
    assert.deepEqual(errors, { [b.id]: 412001, other: 400004 });
    assert.equal((await read(a.id)).json.provisioningStatus, 'enabled');
    assert.equal((await read(b.id)).json.provisioningStatus, 'enabled');
  });

  test('an id that stands twice is written once, and refused once by name', async () => {
    const { id } = await made.enroll();
    const answer = await bulk('update', ['enabled', 'disabled'].map((provisioningStatus) => Idscope.enrollment(id, { provisioningStatus })));
    assert.deepEqual(errorsOf(answer), { [id]: 400004 });
    assert.match(answer.json.errors[0].errorStatus, /twice/);
  });

  test('delete needs no more than ids, and forgets what became of the devices', async () => {
    const device = await made.registered();
    const other = await made.enroll();
    assert.deepEqual(errorsOf(await bulk('delete', [{ registrationId: device.id }, { registrationId: other.id, etag: '"stale"' }, { registrationId: 'missing' }])), { missing: 404201 });
    refused(await idscope.service(made.instance, 'GET', `/registrations/${device.id}`), 404);
    refused(await read(other.id), 404);
  });

  test('behind a change of the instance each is checked once more, and made', async () => {
    for (let i = 0; i < 3; i++) {
      expect('what the checks remember', await read((await made.enroll()).id), 200);
      await stack.sql(`UPDATE idscope.scope SET version = version + 1 WHERE id_scope = '${made.idScope.toLowerCase()}'`);
      assert.deepEqual(errorsOf(await bulk('create', [Idscope.enrollment(fresh('n')), Idscope.enrollment(fresh('n'))])), {});
    }
  });

  test('each is in the log of changes by itself', async () => {
    const ids = [fresh('n'), fresh('n')];
    errorsOf(await bulk('create', ids.map((id) => Idscope.enrollment(id))));
    const noted = () => stack.sql(`SELECT count(*) FROM idscope.audit_event WHERE kind = 'enrollment' AND split_part(key, '/', 2) IN ('${ids.join("','")}')`);
    assert.equal(await until('both to be noted', async () => (await noted()) === '2'), true);
  });

  test('ten at most, and a body that is none is a 400', async () => {
    const many = (n) => Array.from({ length: n }, () => Idscope.enrollment(fresh('n')));
    assert.deepEqual(errorsOf(await bulk('create', many(10))), {});
    assert.deepEqual(expect('none', await bulk('create', []), 200), { isSuccessful: true, errors: [] });
    refused(await bulk('create', many(11)), 400, /at most 10/);
    refused(await bulk('invent', many(1)), 400, /mode must be one of create, update, updateIfMatchETag, delete/);
    refused(await bulk(undefined, many(1)), 400, /mode is required/);
    refused(await bulk('create', undefined), 400, /enrollments must be an array/);
    refused(await bulk('create', {}), 400, /enrollments must be an array/);
    refused(await idscope.service(made.instance, 'POST', '/enrollments', { body: '[' }), 400, /JSON/);
  });
});

describe('lists: registrations of an instance', () => {
  const made = sharedScene({ before, after });
  const ask = (query, headers) => idscope.service(made.instance, 'POST', '/registrations/query', { body: { query }, headers });

  test('all, those that failed, those of a group: by queries, page by page', async () => {
    const good = await each(Array.from({ length: 3 }, (_, i) => `good-${i}`), 3, async (id) => { const device = await made.enroll({}, id); await made.register(device); return id; });
    const custom = { allocationPolicy: 'custom', customAllocationDefinition: { webhookUrl: 'https://example.com/a', apiVersion: '2021-10-01' } };
    const bad = await each(Array.from({ length: 5 }, (_, i) => `Bad-${i}`), 5, async (id) => { const device = await made.enroll(custom, id); assert.equal((await made.register(device)).status, 'failed'); return id; });
    const whole = async (query, size) => {
      const all = [];
      for (let token; ;) {
        const answer = await ask(query, { 'x-ms-max-item-count': size, 'x-ms-continuation': token });
        all.push(...expect(query, answer, 200).map((one) => one.registrationId));
        assert.equal(answer.headers['x-ms-item-type'], 'DeviceRegistration');
        token = answer.headers['x-ms-continuation'];
        if (token === undefined) return all;
      }
    };
    assert.deepEqual(await whole('*', 3), [...bad, ...good]);
    assert.deepEqual(await whole('SELECT * FROM registrations ORDER BY registrationId DESC', 3), [...bad, ...good].reverse());
    assert.deepEqual(await whole("SELECT * FROM registrations WHERE status = 'failed'", 2), bad);
    assert.deepEqual(await whole("SELECT registrationId WHERE status = 'failed' AND errorCode = 400208 AND registrationId STARTSWITH 'bad-3'", 2), ['Bad-3']);
    assert.deepEqual(await whole("SELECT * WHERE status = 'assigned'", 2), good);
    assert.deepEqual(await whole("SELECT * WHERE enrollmentGroupId = 'none'", 2), []);
    const [first] = expect('one', await ask("SELECT * WHERE status = 'failed'"), 200);
    assert.deepEqual([first.status, first.errorCode, typeof first.errorMessage], ['failed', 400208, 'string']);
    refused(await ask('SELECT * FROM enrollments'), 400, /character/, 400004);
    refused(await ask("SELECT * WHERE attestation.type = 'tpm'"), 400, /member/i, 400004);
  });
});
