// etags.js: conditional writes over all kinds of what has a PUT: whose change is taken, whose is refused, and what is no change at all.
// States that a refused write leaves no trace, that two writers who read, edit and write with etags lose nothing, and that what GET gave can be sent
// back without changing a byte, an etag, a key or a validation.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, stack, idscope, Idscope, expect, fresh, sas, scene, sharedScene, VERSION } = require('../kit');
const { make } = require('../../lib/certificates');

const sku = { name: 'S1', capacity: 1 };
const located = { location: 'westeurope', tags: {} };
const tagged = (more) => (body) => ({ ...body, tags: { ...body.tags, ...more } });
const quoted = (tag) => `"${tag}"`;

// One kind: where one of a name is, what makes it, two edits that do not touch each other, and what says that both are there.
// create: what a write without conditions answers that finds none; absent: what it answers that must find one; again: one that must not and does.
const management = { create: 201, absent: 412, again: 200, odd: 200, call: (made, method, path, options) => idscope.arm(method, path, options) };
const service = { create: 200, absent: 404, again: 409, odd: 412, call: (made, method, path, options) => idscope.service(made.instance, method, path, { ...options, version: undefined }) };
const entry = (more) => (body) => ({ ...body, ...more });
const KINDS = {
  group: { ...management, untagged: true, version: VERSION.group, path: (made, name) => idscope.groupPath(name), body: () => located, edits: [tagged({ a: '1' }), tagged({ b: '2' })],
    shows: ({ tags }) => assert.deepEqual(tags, { a: '1', b: '2' }), left: (name) => idscope.arm('DELETE', idscope.groupPath(name), { version: VERSION.group }) },
  hub: { ...management, path: (made, name) => idscope.hubPath(made.group, name), body: () => ({ ...located, sku, properties: {} }), edits: [tagged({ a: '1' }), (body) => ({ ...body, sku: { ...body.sku, capacity: 2 } })],
    shows: (got) => assert.deepEqual([got.tags, got.sku.capacity], [{ a: '1' }, 2]) },
  instance: { ...management, path: (made, name) => idscope.instancePath(made.group, name), body: () => ({ ...located, sku, properties: {} }),
    edits: [tagged({ a: '1' }), (body) => ({ ...body, properties: { ...body.properties, allocationPolicy: 'Static' } })],
    shows: (got) => assert.deepEqual([got.tags, got.properties.allocationPolicy], [{ a: '1' }, 'Static']) },
  certificate: { ...management, create: 200, absent: 200, path: (made, name) => `${idscope.instancePath(made.group, made.instance.name)}/certificates/${name}`, body: (name) => ({ properties: { certificate: make(name, { ca: true }).cert } }),
    edits: [(body) => ({ properties: { ...body.properties, isVerified: true } }), (body) => ({ properties: { ...body.properties, certificate: Buffer.from(body.properties.certificate).toString('base64') } })],
    shows: ({ properties }) => assert.deepEqual([properties.isVerified, properties.certificate.startsWith('---')], [true, false]) },
  // What workers find out of a link changes by itself, and is no change of it.
  link: { ...management, path: (made, name) => `${idscope.instancePath(made.group, made.instance.name)}/linkedHubs/${name}.example.test`,
    body: (name) => ({ properties: { connectionString: `HostName=${name}.example.test;SharedAccessKeyName=a;SharedAccessKey=${sas.newKey()}`, location: 'westeurope' } }),
    edits: [(body) => ({ properties: { ...body.properties, allocationWeight: 7 } }), (body) => ({ properties: { ...body.properties, applyAllocationPolicy: false } })],
    steady: ({ etag, properties }) => [etag, properties.connectionString, properties.allocationWeight, properties.applyAllocationPolicy, properties.location],
    shows: ({ properties }) => assert.deepEqual([properties.allocationWeight, properties.applyAllocationPolicy], [7, false]) },
  enrollment: { ...service, path: (made, name) => `/enrollments/${name}`, body: (name) => Idscope.enrollment(name), edits: [entry({ provisioningStatus: 'disabled' }), (body) => ({ ...body, deviceId: `${body.registrationId}-x` })],
    shows: (got) => assert.deepEqual([got.provisioningStatus, got.deviceId], ['disabled', `${got.registrationId}-x`]) },
  'enrollment group': { ...service, path: (made, name) => `/enrollmentGroups/${name}`,
    body: (name) => ({ enrollmentGroupId: name, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '', secondaryKey: '' } } }),
    edits: [entry({ provisioningStatus: 'disabled' }), entry({ capabilities: { iotEdge: true } })],
    shows: (got) => assert.deepEqual([got.provisioningStatus, got.capabilities], ['disabled', { iotEdge: true }]) },
};

for (const [noun, kind] of Object.entries(KINDS)) describe(`etags: ${noun}`, { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 0 });
  const left = [];
  after(() => Promise.all(left.map((name) => kind.left(name))));
  const at = () => { const name = fresh('one'); if (kind.left) left.push(name); return name; };
  const call = (method, name, headers = {}, body = undefined) => kind.call(made, method, kind.path(made, name), { body, headers, version: kind.version });
  const put = (name, headers, body = kind.body(name)) => call('PUT', name, headers, body);
  const get = async (name) => expect('get', await call('GET', name), 200);
  const seen = async (name) => { const { text, json } = await call('GET', name); return kind.steady ? JSON.stringify(kind.steady(json)) : text; };
  const tagOf = (got) => got.etag && got.etag.replaceAll('"', '');
  const fresher = async (name) => { const was = at(); expect('made', await put(was), kind.create); return was; };

  test('a write that finds another etag than it names is refused and leaves no trace; no form of one that fits is', async () => {
    const name = await fresher();
    const [edit] = kind.edits;
    for (const stale of ['stale', '"stale"', '"AAAAAAAAAAAA"', '"2a00c1d7-0000-0300-0000-65f1b2a30000"']) {
      const was = await seen(name);
      assert.equal((await put(name, { 'If-Match': stale }, edit(await get(name)))).status, 412, stale);
      assert.equal(await seen(name), was);
    }
    const forms = ['*', ...(kind.untagged ? [] : [(tag) => tag, quoted])];
    for (const form of forms) {
      const got = await get(name);
      expect(`${form}`, await put(name, { 'If-Match': form === '*' ? form : form(tagOf(got)) }, got), 200);
    }
    for (const none of [{}, { 'If-Match': '' }, { 'If-Match': '  ' }]) assert.equal((await put(name, none, await get(name))).status, kind.again, JSON.stringify(none));
    for (const odd of ["{'IF-MATCH': None}", "{'IF-MATCH': 'stale'}", `{'IF-MATCH': '${tagOf(await get(name))}'}`]) assert.equal((await put(name, { 'If-Match': odd }, await get(name))).status, kind.odd, odd);
  });

  // A certificate's first PUT ignores it (wire.md 1.6).
  test('of what is not there, a write that names an etag makes none; but of certificates', async () => {
    for (const match of ['*', '"stale"']) {
      const name = at();
      assert.equal((await put(name, { 'If-Match': match })).status, kind.absent, match);
      assert.equal((await call('GET', name)).status, kind.absent === 200 ? 200 : 404);
    }
  });

  test('If-None-Match: * makes what is not there and touches nothing that is; of ten at once one makes it', async () => {
    const name = at();
    const answers = await Promise.all(Array.from({ length: 10 }, () => put(name, { 'If-None-Match': '*' })));
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [kind.create, ...Array(9).fill(412)].sort());
    const was = await seen(name);
    for (const more of [{}, { 'If-Match': '*' }]) assert.equal((await put(name, { 'If-None-Match': '*', ...more }, kind.edits[0](await get(name)))).status, 412);
    assert.equal(await seen(name), was);
  });

  test('a deletion that names another etag deletes nothing', async () => {
    const name = await fresher();
    assert.equal((await call('DELETE', name, { 'If-Match': '"stale"' })).status, 412);
    await get(name);
    expect('delete', await call('DELETE', name, { 'If-Match': kind.untagged ? '*' : quoted(tagOf(await get(name))) }), 200, 204);
  });

  if (!kind.untagged) test('two writers who read, edit and write with etags lose nothing: one is refused, and both edits stand', async () => {
    for (let round = 0; round < 5; round++) {
      const name = await fresher();
      let refused = 0;
      const read = await Promise.all(kind.edits.map(() => get(name)));
      await Promise.all(kind.edits.map(async (edit, i) => {
        for (let got = read[i]; ; got = await get(name)) {
          const answer = await put(name, { 'If-Match': quoted(tagOf(got)) }, edit(got));
          if (answer.status === 200) return;
          assert.equal(answer.status, 412, answer.text);
          refused++;
        }
      }));
      assert.equal(refused, 1);
      kind.shows(await get(name));
    }
  });
});

describe('etags: what GET gave, sent back', { concurrency: 4 }, () => {
  const events = (key) => stack.sql(`select string_agg(detail ->> 'change', ' ' order by id) from idscope.audit_event where key = '${key}'`);
  // Twice, since a first time may put in order what the second one finds so.
  const same = async (path, { version, key, left = async () => '' }) => {
    const call = (method, body) => idscope.arm(method, path, { body, version, headers: { 'Content-Type': 'application/json' } });
    const [was, kept, noted] = [await call('GET'), await left(), await events(key)];
    for (let i = 1; i <= 2; i++) {
      const answer = await call('PUT', was.text);
      expect('put', answer, 200);
      assert.equal(answer.text, was.text, 'the answer');
      assert.equal((await call('GET')).text, was.text, 'what is read behind it');
      assert.equal(await left(), kept, 'what is not shown');
      assert.equal(await events(key), `${noted}${' unchanged'.repeat(i)}`, 'who sent it is known');
    }
  };

  test('of a group', async (t) => {
    const group = fresh('plain');
    t.after(() => idscope.deleteGroup(group));
    expect('group', await idscope.arm('PUT', idscope.groupPath(group), { body: { location: 'West Europe', tags: { b: 'x', a: 'ü' } }, version: VERSION.group }), 201);
    await same(idscope.groupPath(group), { version: VERSION.group, key: `${idscope.subscription}/${group}` });
  });

  test('of a hub, with its keys, its versions and its links\' validations as they were', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    const path = idscope.hubPath(made.group, hub.name);
    await made.relink([{ hubResourceId: path }]);
    await made.linkState(hub.host, 'valid');
    expect('hub', await idscope.arm('PUT', path, { body: { location: 'westeurope', tags: { b: '1', a: '2' }, sku: { name: 'S1', capacity: 3 }, properties: { comments: 'x', routing: { routes: [] }, more: [1.0, { z: null }] } } }), 200);
    const left = () => stack.sql(`select r.version, string_agg(p.key_name || p.primary_sealed::text || p.secondary_sealed::text, ',' order by p.position), h.updated_at
      from idscope.hub h join idscope.hub_registry r on r.hub_id = h.hub_id join idscope.hub_policy p on p.hub_key = h.hub_key where h.hub_key = '${hub.name}' group by 1, 3`);
    await same(path, { key: hub.name, left });
  });

  test('of an instance: masked keys stay what they are, no link is validated anew, no assignment is reopened', async (t) => {
    const made = await scene(t, { hubs: 3, links: [{ allocationWeight: 3 }, { applyAllocationPolicy: false }] });
    const path = idscope.instancePath(made.group, made.instance.name);
    const byName = { hubResourceId: idscope.hubPath(made.group, made.hubs[2].name) };
    await made.relink([Idscope.link(made.hubs[0], { allocationWeight: 3 }), Idscope.link(made.hubs[1], { applyAllocationPolicy: false }), byName], { enableDataResidency: false });
    for (const { host } of made.hubs) await made.linkState(host, 'valid');
    const scope = made.idScope.toLowerCase();
    const left = () => stack.sql(`select s.version, s.inputs_version, i.updated_at, (select string_agg(p.key_name || p.primary_sealed::text, ',' order by p.position) from idscope.instance_policy p where p.id_scope = s.id_scope),
      (select string_agg(l.host || l.credential_version || l.state_since || coalesce(l.primary_sealed::text, ''), ',' order by l.position) from idscope.linked_hub l where l.id_scope = s.id_scope)
      from idscope.scope s join idscope.instance i using (id_scope) where s.id_scope = '${scope}'`);
    await same(path, { key: scope, left });
    for (const [more, moved] of [[{ tags: { a: '1' } }, false], [{ properties: { iotHubs: [byName, Idscope.link(made.hubs[0], { allocationWeight: 3 }), Idscope.link(made.hubs[1], { applyAllocationPolicy: false })] } }, true]]) {
      const got = await idscope.getInstance(made.group, made.instance.name);
      const changed = expect('another', await idscope.arm('PUT', path, { body: { ...got, ...more, properties: { ...got.properties, ...more.properties } } }), 200);
      assert.notEqual(changed.etag, got.etag, JSON.stringify(more));
      assert.equal(changed.properties.iotHubs[0].name === made.hubs[2].host, moved, 'links stand in the order that was sent');
    }
  });

  test('of a certificate: what was proved of it, and a code that waits, stay', async (t) => {
    const made = await scene(t, { hubs: 0 });
    const at = (name) => `${idscope.instancePath(made.group, made.instance.name)}/certificates/${name}`;
    const { cert } = make('Root', { ca: true });
    for (const [name, body] of Object.entries({ verified: { properties: { certificate: cert, isVerified: true } }, waiting: { certificate: Buffer.from(cert).toString('base64') } })) {
      expect(name, await idscope.arm('PUT', at(name), { body }), 200);
      if (name === 'waiting') expect('code', await idscope.arm('POST', `${at(name)}/generateVerificationCode`, { headers: { 'If-Match': '*' } }), 200);
      const key = `${made.idScope.toLowerCase()}/${name}`;
      await same(at(name), { key, left: () => stack.sql(`select code, code_until, is_verified, updated_at from idscope.certificate where id_scope || '/' || name_key = '${key}'`) });
    }
  });

  test('a weight of 0 is one that was never set', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const put = (allocationWeight) => made.relink([Idscope.link(made.hubs[0], { allocationWeight })]);
    await put(7);
    const unset = await put(0);
    assert.equal(unset.properties.iotHubs[0].allocationWeight, null);
    assert.equal((await put(0)).etag, unset.etag);
  });
});
