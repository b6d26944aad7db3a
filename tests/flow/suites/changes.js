// changes.js: what an audit event tells of a change: the members that changed, as they were before and are after, and no secret. Each kind of
// thing that operators write is made, changed and deleted once; then every event of the tenant is looked through for every secret that was used.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, Idscope, idscope, expect, each, fresh, admin, stack } = require('../kit');
const LOCKS = '2020-05-01';

describe('changes', () => {
  const made = { secrets: new Set() };
  let them;
  const secret = () => {
    const key = crypto.randomBytes(32).toString('base64');
    made.secrets.add(key);
    return key;
  };
  // The events of a kind whose key ends so, in order: what was done, with before and after.
  const told = async (kind, key) => JSON.parse(await stack.sql(`SELECT coalesce(json_agg(detail ORDER BY id), '[]') FROM idscope.audit_event
    WHERE tenant_id = '${them.env.IDSCOPE_TENANT_ID}' AND kind = '${kind}' AND key LIKE '%${key.toLowerCase()}'`));
  const put = async (path, body, ...statuses) => expect(`PUT ${path}`, await them.arm('PUT', path, { body }), ...statuses);

  before(async () => {
    const tenant = await admin('create-tenant', fresh('changing'));
    const subscription = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'theirs');
    const client = await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'theirs', 'owner');
    made.secrets.add(client.IDSCOPE_CLIENT_SECRET);
    them = new Idscope({ ...idscope.env, ...tenant, ...subscription, ...client });
    made.group = fresh('changing');
    await them.createGroup(made.group);
    made.hubs = await each([1, 2], 2, () => them.createHub(made.group, fresh('hub')));
    made.instance = await them.createInstance(made.group, fresh('dps'), { iotHubs: [Idscope.link(made.hubs[0])] });
    made.hubs.concat(made.instance).forEach(({ key }) => made.secrets.add(key));
    made.scope = made.instance.idScope.toLowerCase();
  });
  after(() => them.close());

  test('an enrollment: what it was made as, what changed, what it was when it was deleted', async () => {
    const id = fresh('device');
    const keys = () => ({ symmetricKey: { primaryKey: secret(), secondaryKey: secret() }, type: 'symmetricKey' });
    const first = await them.enroll(made.instance, id, { attestation: keys(), deviceId: `${id}-a`, initialTwin: { tags: { hall: 'A' }, properties: { desired: { password: 'hunter2-of-the-twin', speed: 1 } } } });
    made.secrets.add('hunter2-of-the-twin');
    const { enrollment } = first;
    await them.enroll(made.instance, id, { ...enrollment, provisioningStatus: 'disabled', deviceId: `${id}-b` }, { 'If-Match': enrollment.etag });
    assert.equal((await them.service(made.instance, 'DELETE', `/enrollments/${id}`)).status, 204);
    const [created, updated, deleted] = await told('enrollment', `/${id}`);
    assert.equal(created.before, undefined);
    assert.deepEqual([created.after.deviceId, created.after.attestation, created.after.enabled, created.after.registrationId], [`${id}-a`, '***', true, id]);
    assert.deepEqual(created.after.initialTwin, { tags: { hall: 'A' }, properties: { desired: { password: '***', speed: 1 } } });
    assert.equal(updated.change, 'updated');
    assert.deepEqual([updated.before.enabled, updated.after.enabled, updated.before.deviceId, updated.after.deviceId], [true, false, `${id}-a`, `${id}-b`]);
    for (const same of ['registrationId', 'attestationType', 'initialTwin', 'iotEdge']) assert.ok(!(same in updated.before) && !(same in updated.after), same);
    assert.equal(deleted.after, undefined);
    assert.deepEqual([deleted.before.deviceId, deleted.before.enabled, deleted.before.initialTwin.tags], [`${id}-b`, false, { hall: 'A' }]);
  });

  test('a long member is told by its length and digest', async () => {
    const id = fresh('long');
    await them.enroll(made.instance, id, { initialTwin: { tags: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`tag${i}`, 'x'.repeat(20)])) } });
    const [{ after: shown }] = await told('enrollment', `/${id}`);
    assert.deepEqual(Object.keys(shown.initialTwin), ['bytes', 'sha256'].sort());
    assert.ok(shown.initialTwin.bytes > 4096);
  });

  test('of two who change one enrollment at once, the second tells what the first left', async () => {
    const id = fresh('raced');
    const { enrollment: { etag, ...body } } = await them.enroll(made.instance, id);
    await each(Array.from({ length: 12 }, (_, i) => i), 12, (i) => them.service(made.instance, 'PUT', `/enrollments/${id}`, { body: { ...body, deviceId: `${id}-${i}`, initialTwin: { tags: { i } } }, headers: { 'If-Match': '*' } }));
    const events = (await told('enrollment', `/${id}`)).slice(1);
    const chain = new Map(events.map((event) => [String(event.before.deviceId), event]));
    let at = 'null';
    for (let i = 0; i < events.length; i++) {
      const next = chain.get(at);
      assert.ok(next, `nobody tells that it was ${at}: ${JSON.stringify(events)}`);
      if (i > 0) assert.equal(`${id}-${next.before.initialTwin.tags.i}`, at, 'its twin is of the same moment');
      at = next.after.deviceId;
    }
    assert.ok(events.length > 1);
  });

  test('a hub: its size, and that keys of its policies changed', async () => {
    const [{ name }] = made.hubs;
    const path = them.hubPath(made.group, name);
    const hub = expect('hub', await them.arm('GET', path), 200);
    const { value } = expect('keys', await them.arm('POST', `${path}/listkeys`), 200);
    const policies = value.map((policy, i) => (i ? policy : { ...policy, primaryKey: secret() }));
    value.forEach(({ primaryKey, secondaryKey }) => made.secrets.add(primaryKey).add(secondaryKey));
    await put(path, { ...hub, sku: { name: 'S1', capacity: 3 }, tags: { hall: 'B' }, properties: { ...hub.properties, authorizationPolicies: policies } }, 200, 201);
    const events = await told('hub', name);
    const { before: was, after: is } = events.at(-1);
    assert.equal(events[0].after.skuCapacity, 1);
    assert.ok(events[0].after.policies.length > 1, 'its policies are told with it');
    assert.deepEqual([was.skuCapacity, is.skuCapacity, was.tags, is.tags], [1, 3, {}, { hall: 'B' }]);
    assert.ok(is.policies.some(({ keyName, primaryKey }) => keyName === policies[0].keyName && primaryKey === '***'));
  });

  test('an instance: its policy of allocation, its links', async () => {
    const path = them.instancePath(made.group, made.instance.name);
    const stands = expect('instance', await them.arm('GET', path), 200);
    await put(path, { ...stands, properties: { ...stands.properties, allocationPolicy: 'Static', iotHubs: made.hubs.map((hub) => Idscope.link(hub)) } }, 200, 201);
    const [created, updated] = await told('instance', made.scope);
    assert.deepEqual(created.after.links.map(({ hostName, primaryKey }) => [hostName, primaryKey === '***' || primaryKey === null]), [[made.hubs[0].host, true]]);
    assert.deepEqual([updated.before.allocationPolicy, updated.after.allocationPolicy], ['hashed', 'static']);
    assert.deepEqual(updated.after.links.map(({ hostName }) => hostName).includes(made.hubs[1].host), true);
    assert.ok(!(updated.before.links || []).some(({ hostName }) => hostName === made.hubs[1].host));
  });

  test('a lock, tags of a group, a role', async () => {
    const at = `${them.groupPath(made.group)}/providers/Microsoft.Authorization/locks/keep`;
    for (const notes of ['first', 'second']) expect('lock', await them.arm('PUT', at, { body: { properties: { level: 'CanNotDelete', notes } }, version: LOCKS }), 200, 201);
    expect('unlock', await them.arm('DELETE', at, { version: LOCKS }), 200, 204);
    const [locked, changed, gone] = await told('lock', '/keep');
    assert.deepEqual([locked.after.notes, locked.before, changed.before, changed.after, gone.before.notes, gone.after], ['first', undefined, { notes: 'first' }, { notes: 'second' }, 'second', undefined]);
    expect('tags', await them.arm('PATCH', them.groupPath(made.group), { body: { tags: { a: '1' } } }), 200);
    const { before: was, after: is } = (await told('resourceGroup', made.group)).at(-1);
    assert.deepEqual([was, is], [{ tags: {} }, { tags: { a: '1' } }]);
    const [role] = await told('roleAssignment', '');
    assert.equal(role.after.role, 'owner');
  });

  test('what operators do: a subscription disabled and enabled, a secret renewed, a limit set', async () => {
    const { IDSCOPE_SUBSCRIPTION_ID: other } = await admin('create-subscription', them.env.IDSCOPE_TENANT_ID, 'other');
    const said = (...words) => stack.adminText(process.env.FLAVOR || 'asan', ...words);
    await said('subscription', 'disable', other);
    await said('subscription', 'enable', other);
    const [made_, disabled, enabled] = await told('subscription', other);
    assert.deepEqual([made_.after.displayName, made_.before], ['other', undefined]);
    assert.deepEqual([disabled.before.disabledAt, enabled.after.disabledAt], [null, null]);
    assert.ok(Date.parse(disabled.after.disabledAt) && enabled.before.disabledAt === disabled.after.disabledAt);
    const { IDSCOPE_CLIENT_ID: client, IDSCOPE_CLIENT_SECRET: old } = await admin('create-service-principal', them.env.IDSCOPE_TENANT_ID, 'renewed', 'reader');
    made.secrets.add(old).add((await admin('service-principal', 'renew-secret', client)).IDSCOPE_CLIENT_SECRET);
    const renewed = (await told('servicePrincipal', client)).at(-1);
    assert.deepEqual([renewed.change, renewed.before.secret, renewed.after.secret], ['secretRenewed', '***', '***']);
    await said('limits', 'set', 'instances', '7', `--tenant=${them.env.IDSCOPE_TENANT_ID}`);
    const limited = (await told('tenant', them.env.IDSCOPE_TENANT_ID)).at(-1);
    assert.deepEqual([limited.before, limited.after], [{ limits: {} }, { limits: { instances: 7 } }]);
  });

  test('the tenant reads it in the activity log and in its export', async () => {
    const filter = encodeURIComponent(`eventTimestamp ge '${new Date(Date.now() - 3600000).toISOString()}'`);
    const { value } = expect('events', await them.arm('GET', `/subscriptions/${them.subscription}/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter=${filter}`, { version: null }), 200);
    const change = value.map(({ properties }) => JSON.parse(properties.detail)).find(({ before: was }) => was && was.skuCapacity === 1);
    assert.equal(change.after.skuCapacity, 3);
    const exported = (await them.arm('GET', '/providers/Idscope.Audit/events/export')).text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    assert.deepEqual(exported.find(({ detail }) => detail && detail.before && detail.before.skuCapacity === 1).detail, change);
  });

  test('no secret stands in an event', async () => {
    const text = await stack.sql(`SELECT string_agg(detail::text, E'\\n') FROM idscope.audit_event WHERE tenant_id = '${them.env.IDSCOPE_TENANT_ID}'`);
    assert.ok(made.secrets.size > 10 && text.includes('"before"'));
    assert.deepEqual([...made.secrets].filter((one) => text.includes(one)), []);
    assert.doesNotMatch(text, /\\\\x[0-9a-f]{16}/, 'nor anything that is sealed');
  });
});
