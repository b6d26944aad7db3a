// refusals.js: no effect behind a refusal: each write of each plane is refused in each way it can be, and every table stays as it was.
// The list of writes is held against openapi.yaml, so that a new one is tested or the suite fails.
// Must never leave out a column but those that probes and schedules change by themselves.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { assert, admin, fresh, idscope, Idscope, sas, sharedScene, stack, VERSION } = require('../kit');
const { make, revoke } = require('../../lib/certificates');
const { settled, unchanged } = require('../rows');

// --- ways to be refused -------------------------------------------------------------------------------------------------------------

const huge = (bytes) => ({ location: 'westeurope', tags: { big: 'x'.repeat(bytes) } });
// What is sent is taken for JSON whatever it calls itself.
const text = { headers: { 'Content-Type': 'application/xml' }, body: '<x/>' };
const hubBody = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };

describe('refusals: nothing is written behind one', () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  let other; // another tenant
  let reader;
  let device; // registered
  let stranger; // has a registration and no enrollment
  const covered = new Set();

  const principal = async (tenant, role) => ({ ...idscope.env, ...tenant, ...await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, role, role) });

  before(async () => {
    reader = new Idscope(await principal(idscope.env, 'reader'));
    const tenant = await admin('create-tenant', fresh('other'));
    const subscription = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'other');
    other = new Idscope({ ...await principal(tenant, 'owner'), ...subscription });
    device = await made.registered();
    stranger = fresh('stranger');
    assert.equal((await idscope.service(made.instance, 'PUT', '/enrollmentGroups/there', { body: { enrollmentGroupId: 'there', attestation: { type: 'symmetricKey' } } })).status, 200);
    const scope = made.idScope.toLowerCase();
    await stack.sql(`INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, substatus, assigned_hub, device_id, region, operation_at, created_at, updated_at)
                     VALUES ('${scope}', '${stranger}', '${stranger}', gen_random_uuid(), 'assigned', 'initialAssignment', '${made.hubs[0].host}', '${stranger}', 'r', now(), now(), now())`);
    await settled(scope);
  });

  // calls: of [status, function that makes the call].
  function refuses(operation, calls) {
    covered.add(operation);
    test(operation, () => unchanged(async () => {
      for (const [i, [status, call]] of calls().entries()) {
        const answer = await call();
        assert.equal(answer.status, status, `call ${i}: ${answer.text}`);
      }
    }));
  }

  // What every management write is refused for. A write with a body: `good` is one that would be taken.
  const management = (at, { method, good, version, headers }) => {
    const write = (client, options, where = at()) => () => client.arm(method, where, { body: good, version, headers, ...options });
    return [
      [401, write(idscope, { bearer: null })],
      [401, write(idscope, { bearer: 'Bearer x' })],
      [403, write(reader, {})],
      [404, write(other, {})],
      [404, write(idscope, {}, at().replace(idscope.subscription, '00000000-0000-4000-8000-000000000000'))],
      [400, write(idscope, { version: null })],
      [400, write(idscope, { version: 'yesterday' })],
    ];
  };
  const badBodies = (at, { version, bodies }) => ['{', '[]', '{"location":1}', ...bodies].map((body) => [400, () => idscope.arm('PUT', at(), { body, version })]);

  const badTags = ['{', '[]', '', { tags: 1 }, { tags: { a: 1 } }, { tags: { a: 'x'.repeat(257) } }];
  const groupAt = () => idscope.groupPath(made.group);
  refuses('group_put', () => [
    ...management(groupAt, { method: 'PUT', good: { location: 'westeurope', tags: { a: 'b' } }, version: VERSION.group }),
    ...badBodies(groupAt, { version: VERSION.group, bodies: [{}, { location: 'westeurope', tags: { a: 1 } }] }),
    [400, () => idscope.arm('PUT', idscope.groupPath('ends.'), { body: { location: 'westeurope' }, version: VERSION.group })],
    [409, () => idscope.arm('PUT', groupAt(), { body: { location: 'northeurope', tags: { a: 'b' } }, version: VERSION.group })],
    [413, () => idscope.arm('PUT', groupAt(), { body: huge(70000), version: VERSION.group })],
    [400, () => idscope.arm('PUT', groupAt(), { ...text, version: VERSION.group })],
  ]);
  refuses('group_patch', () => [
    ...management(groupAt, { method: 'PATCH', good: { tags: { a: 'b' } }, version: VERSION.group }),
    ...badTags.map((body) => [400, () => idscope.arm('PATCH', groupAt(), { body, version: VERSION.group })]),
    [404, () => idscope.arm('PATCH', idscope.groupPath(fresh('none')), { body: { tags: {} }, version: VERSION.group })],
    [413, () => idscope.arm('PATCH', groupAt(), { body: huge(70000), version: VERSION.group })],
  ]);
  refuses('group_delete', () => [
    ...management(groupAt, { method: 'DELETE', version: VERSION.group }),
    [404, () => idscope.arm('DELETE', idscope.groupPath(fresh('none')), { version: VERSION.group })],
  ]);

  const roleId = '11111111-0000-4000-8000-000000000001';
  const roleOf = (id) => ({ properties: { roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${id}`, principalId: reader.env.IDSCOPE_CLIENT_ID } });
  const reads = () => roleOf('acdd72a7-3385-48ef-bd42-f606fba81ae7');
  for (const [scope, place] of [['tenant', () => ''], ['subscription', () => `/subscriptions/${idscope.subscription}`], ['group', groupAt], ['resource', () => hubAt()]]) {
    const roleAt = (id = roleId) => `${place()}/providers/Microsoft.Authorization/roleAssignments/${id}`;
    // All of a tenant is each tenant's own.
    const refusals = (options) => management(roleAt, options).filter(([status]) => scope !== 'tenant' || status !== 404);
    refuses(`role_put_${scope}`, () => [
      ...refusals({ method: 'PUT', good: reads() }),
      [400, () => other.arm('PUT', `/providers/Microsoft.Authorization/roleAssignments/${roleId}`, { body: reads() })],
      ...['{', '[]', {}, { properties: {} }, { properties: { ...reads().properties, principalId: roleId } }, roleOf(roleId), { properties: { ...reads().properties, condition: 'x' } }].map((body) => [400, () => idscope.arm('PUT', roleAt(), { body })]),
      [400, () => idscope.arm('PUT', roleAt('x'), { body: reads() })],
      [413, () => idscope.arm('PUT', roleAt(), { body: huge(70000) })],
      [400, () => idscope.arm('PUT', roleAt(), text)],
    ]);
    refuses(`role_delete_${scope}`, () => refusals({ method: 'DELETE' }));
  }

  const hubAt = () => idscope.hubPath(made.group, made.hubs[0].name);
  const otherGroup = (at) => (at().includes(made.group) ? at().replace(made.group, fresh('none')) : at().replace(idscope.subscription, '00000000-0000-4000-8000-000000000000'));
  const tagged = (at) => [
    ...management(at, { method: 'PATCH', good: { tags: { a: 'b' } } }),
    ...badTags.map((body) => [400, () => idscope.arm('PATCH', at(), { body })]),
    [404, () => idscope.arm('PATCH', otherGroup(at), { body: { tags: {} } })],
    [404, () => idscope.arm('PATCH', `${at()}x`, { body: { tags: {} }, headers: { 'If-Match': '*' } })],
    [412, () => idscope.arm('PATCH', at(), { body: { tags: {} }, headers: { 'If-Match': '"stale"' } })],
    [413, () => idscope.arm('PATCH', at(), { body: huge(70000) })],
  ];
  refuses('hub_put', () => [
    ...management(hubAt, { method: 'PUT', good: { ...hubBody, tags: { a: 'b' } } }),
    ...badBodies(hubAt, { bodies: [{ ...hubBody, sku: { name: 'X9' } }, { ...hubBody, sku: { name: 'S1', capacity: 201 } }, { ...hubBody, tags: { a: 1 } },
      { ...hubBody, properties: { disableLocalAuth: true } }, { ...hubBody, properties: { password: 'x' } }, { ...hubBody, identity: { type: 'SystemAssigned' } },
      { ...hubBody, properties: { authorizationPolicies: [{ keyName: 'a', rights: 'RegistryRead' }, { keyName: 'b', rights: 'Fly' }] } },
      { ...hubBody, properties: { authorizationPolicies: [{ keyName: 'a', rights: 'RegistryRead', primaryKey: '!' }] } }] }),
    [400, () => idscope.arm('PUT', idscope.hubPath(made.group, 'localhost'), { body: hubBody })],
    [404, () => idscope.arm('PUT', otherGroup(() => idscope.hubPath(made.group, fresh('hub'))), { body: hubBody })],
    [409, () => idscope.arm('PUT', hubAt(), { body: { ...hubBody, location: 'northeurope' } })],
    [412, () => idscope.arm('PUT', hubAt(), { body: hubBody, headers: { 'If-None-Match': '*' } })],
    [412, () => idscope.arm('PUT', hubAt(), { body: { ...hubBody, tags: { a: 'b' } }, headers: { 'If-Match': '"stale"' } })],
    [412, () => idscope.arm('PUT', idscope.hubPath(made.group, fresh('hub')), { body: hubBody, headers: { 'If-Match': '*' } })],
    [413, () => idscope.arm('PUT', hubAt(), { body: huge(300000) })],
    [400, () => idscope.arm('PUT', hubAt(), text)],
  ]);
  refuses('hub_patch', () => tagged(hubAt));
  refuses('hub_delete', () => [
    ...management(hubAt, { method: 'DELETE' }),
    [404, () => idscope.arm('DELETE', otherGroup(hubAt))],
    [412, () => idscope.arm('DELETE', hubAt(), { headers: { 'If-Match': '"stale"' } })],
  ]);

  const instanceAt = () => idscope.instancePath(made.group, made.instance.name);
  const badTagsBodies = ['{', '[]', '', {}, { properties: 1 }, { properties: { tags: { a: 1 } } }, { properties: { tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`t${i}`, ''])) } }];
  for (const [noun, at] of [['subscription', () => `/subscriptions/${idscope.subscription}`], ['group', groupAt], ['hub', hubAt], ['instance', instanceAt]]) {
    const tagsAt = () => `${at()}/providers/Microsoft.Resources/tags/default`;
    const good = { operation: 'Merge', properties: { tags: { a: 'b' } } };
    const changes = (method, bodies) => [
      ...management(tagsAt, { method, good }),
      ...bodies.map((body) => [400, () => idscope.arm(method, tagsAt(), { body })]),
      [404, () => idscope.arm(method, otherGroup(tagsAt), { body: good })],
      [413, () => idscope.arm(method, tagsAt(), { body: huge(70000) })],
    ];
    refuses(`${noun}_tags_put`, () => changes('PUT', badTagsBodies));
    refuses(`${noun}_tags_patch`, () => changes('PATCH', [...badTagsBodies, { properties: good.properties }, { ...good, operation: 'Move' }]));
    refuses(`${noun}_tags_delete`, () => [...management(tagsAt, { method: 'DELETE' }), [404, () => idscope.arm('DELETE', otherGroup(tagsAt))]]);
  }
  const linked = (more) => ({ ...hubBody, properties: { ...made.properties, iotHubs: [Idscope.link(made.hubs[0], more)] } });
  refuses('instance_put', () => [
    ...management(instanceAt, { method: 'PUT', good: linked({ allocationWeight: 5 }) }),
    ...badBodies(instanceAt, { bodies: [{ ...hubBody, sku: { name: 'S2' } }, { ...hubBody, sku: { name: 'S1', capacity: 1001 } }, { ...hubBody, properties: { allocationPolicy: 'Custom' } },
      linked({ allocationWeight: 1001 }), linked({ location: '?' }), linked({ connectionString: 'HostName=x' }), { ...hubBody, properties: { ipFilterRules: [1] } },
      { ...hubBody, properties: { iotHubs: [Idscope.link(made.hubs[0]), Idscope.link(made.hubs[0])] } }, { ...hubBody, properties: { iotHubs: [{ hubResourceId: '/none' }] } },
      { ...hubBody, properties: { iotHubs: [], authorizationPolicies: [{ keyName: 'a', rights: 'Fly' }] } }] }),
    [400, () => idscope.arm('PUT', idscope.instancePath(made.group, 'dps'), { body: hubBody })],
    [400, () => idscope.arm('PUT', idscope.instancePath(made.group, fresh('dps')), { body: linked({ connectionString: `HostName=h.example;SharedAccessKeyName=a;SharedAccessKey=****` }) })],
    [404, () => idscope.arm('PUT', otherGroup(instanceAt), { body: hubBody })],
    [409, () => idscope.arm('PUT', instanceAt(), { body: { ...linked({ allocationWeight: 5 }), location: 'northeurope' } })],
    [412, () => idscope.arm('PUT', instanceAt(), { body: hubBody, headers: { 'If-None-Match': '*' } })],
    [412, () => idscope.arm('PUT', instanceAt(), { body: linked({ allocationWeight: 5 }), headers: { 'If-Match': '"stale"' } })],
    [413, () => idscope.arm('PUT', instanceAt(), { body: huge(300000) })],
    [400, () => idscope.arm('PUT', instanceAt(), text)],
  ]);
  refuses('instance_patch', () => tagged(instanceAt));

  const linkAt = (host = made.hubs[0].host) => `${instanceAt()}/linkedHubs/${host}`;
  const link = (properties) => ({ properties: { connectionString: made.hubs[0].connectionString, allocationWeight: 5, ...properties } });
  refuses('linked_hub_put', () => [
    ...management(linkAt, { method: 'PUT', good: link() }),
    ...badBodies(linkAt, { bodies: [{}, { properties: {} }, { properties: 1 }, link({ connectionString: 'HostName=x' }), link({ hubResourceId: hubAt() }), link({ hubResourceId: '/none' }),
      link({ allocationWeight: 1001 }), link({ applyAllocationPolicy: 'x' }), link({ location: '?' }), link({ secondaryConnectionString: 'x' }),
      link({ secondaryConnectionString: made.hubs[0].connectionString.replace('HostName=', 'HostName=x') }),
      link({ secondaryConnectionString: `HostName=${made.hubs[0].host};SharedAccessKeyName=a;SharedAccessKey=****` }),
      { properties: { hubResourceId: hubAt(), accessPolicy: 'service' } }] }),
    [400, () => idscope.arm('PUT', linkAt(`x${made.hubs[0].host}`), { body: link() })],
    [404, () => idscope.arm('PUT', otherGroup(linkAt), { body: link() })],
    [412, () => idscope.arm('PUT', linkAt(), { body: link(), headers: { 'If-None-Match': '*' } })],
    [412, () => idscope.arm('PUT', linkAt(), { body: link(), headers: { 'If-Match': '"stale"' } })],
    [413, () => idscope.arm('PUT', linkAt(), { body: huge(20000) })],
    [400, () => idscope.arm('PUT', linkAt(), text)],
  ]);
  refuses('linked_hub_delete', () => [
    ...management(linkAt, { method: 'DELETE' }),
    [404, () => idscope.arm('DELETE', otherGroup(linkAt))],
    [412, () => idscope.arm('DELETE', linkAt(), { headers: { 'If-Match': '"stale"' } })],
    [412, () => idscope.arm('DELETE', linkAt('none.example'), { headers: { 'If-Match': '*' } })],
    [204, () => idscope.arm('DELETE', linkAt('none.example'))],
  ]);
  for (const [kind, scope] of [['subscription', () => `/subscriptions/${idscope.subscription}`], ['group', groupAt], ['hub', hubAt], ['instance', instanceAt]]) {
    const lockAt = (name = 'refused') => `${scope()}/providers/Microsoft.Authorization/locks/${name}`;
    const version = '2016-09-01';
    refuses(`${kind}_lock_put`, () => [
      ...management(lockAt, { method: 'PUT', good: { properties: { level: 'CanNotDelete' } }, version }),
      ...['{', '[]', {}, { properties: {} }, { properties: { level: 'NotSpecified' } }, { properties: { level: 1 } }, { properties: { level: 'ReadOnly', notes: 'x'.repeat(513) } }]
        .map((body) => [400, () => idscope.arm('PUT', lockAt(), { body, version })]),
      [400, () => idscope.arm('PUT', lockAt('a%3Fb'), { body: { properties: { level: 'ReadOnly' } }, version })],
      [413, () => idscope.arm('PUT', lockAt(), { body: huge(20000), version })],
    ]);
    refuses(`${kind}_lock_delete`, () => management(lockAt, { method: 'DELETE', version }));
  }
  refuses('instance_delete', () => [
    ...management(instanceAt, { method: 'DELETE' }),
    [404, () => idscope.arm('DELETE', otherGroup(instanceAt))],
    [412, () => idscope.arm('DELETE', instanceAt(), { headers: { 'If-Match': '"stale"' } })],
  ]);

  const root = make('Root', { ca: true });
  const any = { 'If-Match': '*' };
  const changes = (method, at, good) => [
    ...management(at, { method, good, headers: any }),
    [400, () => idscope.arm(method, at(), { body: good })],
    [404, () => idscope.arm(method, otherGroup(at), { body: good, headers: any })],
    [412, () => idscope.arm(method, at(), { body: good, headers: { 'If-Match': 'stale' } })],
  ];
  for (const [noun, at] of [['certificate', instanceAt], ['hub_certificate', hubAt]]) {
    const certificateAt = (name = 'there') => `${at()}/certificates/${name}`;
    before(async () => {
      assert.equal((await idscope.arm('PUT', certificateAt(), { body: { certificate: root.cert } })).status, 200);
      assert.equal((await idscope.arm('POST', `${certificateAt()}/generateVerificationCode`, { headers: any })).status, 200);
    });
    refuses(`${noun}_put`, () => [
      ...management(() => certificateAt('new'), { method: 'PUT', good: { certificate: root.cert } }),
      ...management(certificateAt, { method: 'PUT', good: { properties: { certificate: root.cert, isVerified: true } } }),
      ...['{', '[]', {}, { certificate: 'x' }, { certificate: 1 }, { certificate: make('leaf').cert }, { properties: {} }, { certificate: 'x'.repeat(40000) }].map((body) => [400, () => idscope.arm('PUT', certificateAt(), { body })]),
      [400, () => idscope.arm('PUT', certificateAt('a%20b'), { body: { certificate: root.cert } })],
      [400, () => idscope.arm('PUT', certificateAt('x'.repeat(257)), { body: { certificate: root.cert } })],
      [404, () => idscope.arm('PUT', otherGroup(certificateAt), { body: { certificate: root.cert } })],
      [412, () => idscope.arm('PUT', certificateAt(), { body: { certificate: root.cert }, headers: { 'If-None-Match': '*' } })],
      [412, () => idscope.arm('PUT', certificateAt(), { body: { certificate: root.cert, isVerified: true }, headers: { 'If-Match': 'stale' } })],
      [413, () => idscope.arm('PUT', certificateAt(), { body: huge(70000) })],
    ]);
    refuses(`${noun}_delete`, () => changes('DELETE', certificateAt));
    refuses(`${noun}_code`, () => changes('POST', () => `${certificateAt()}/generateVerificationCode`));
    refuses(`${noun}_verify`, () => {
      const verifyAt = () => `${certificateAt()}/verify`;
      const leaf = { certificate: make('other', { by: root }).cert };
      return [
        ...changes('POST', verifyAt, leaf),
        ...['{', '[]', {}, { certificate: 'x' }, leaf].map((body) => [400, () => idscope.arm('POST', verifyAt(), { body, headers: any })]),
        [404, () => idscope.arm('POST', `${certificateAt('none')}/verify`, { body: leaf, headers: any })],
      ];
    });
  }
  const ownCertificateAt = (name = 'there') => `${instanceAt()}/certificates/${name}`;
  refuses('certificate_crl_put', () => {
    const at = () => `${ownCertificateAt()}/crl`;
    const good = revoke(root, [], 1).pem;
    return [
      ...management(at, { method: 'PUT', good }),
      ...['{', '[]', 'x', '', revoke(make('Root', { ca: true }), [], 1).pem].map((body) => [400, () => idscope.arm('PUT', at(), { body })]),
      [404, () => idscope.arm('PUT', otherGroup(at), { body: good })],
      [404, () => idscope.arm('PUT', `${ownCertificateAt('none')}/crl`, { body: good })],
      [412, () => idscope.arm('PUT', at(), { body: good, headers: { 'If-Match': 'stale' } })],
      [413, () => idscope.arm('PUT', at(), { body: 'x'.repeat(140000) })],
    ];
  });

  // --- service plane ----------------------------------------------------------------------------------------------------------------

  const weak = () => sas.forHost(made.instance.host, made.instance.policy, sas.newKey());
  const service = (method, at, { body, headers } = {}) => {
    const call = (options) => () => idscope.service(made.instance, method, at, { body, headers, ...options });
    return [
      [401, call({ authorization: null })],
      [401, call({ authorization: weak() })],
      [404, () => idscope.service({ ...made.instance, host: `nobody.dps.${idscope.domain}` }, method, at, { body, headers })],
      [400, call({ version: null })],
    ];
  };
  const enrollmentAt = (id) => `/enrollments/${encodeURIComponent(id)}`;
  const change = (more) => idscope.service(made.instance, 'PUT', enrollmentAt(device.id), { body: Idscope.enrollment(device.id, more), headers: { 'If-Match': '*' } });
  refuses('enrollment_put', () => [
    ...service('PUT', enrollmentAt(device.id), { body: Idscope.enrollment(device.id, { deviceId: 'd' }), headers: { 'If-Match': '*' } }),
    ...service('PUT', enrollmentAt(stranger), { body: Idscope.enrollment(stranger) }),
    ...[{ deviceId: 'a b' }, { iotHubs: ['not-linked.example'] }, { allocationPolicy: 'static' }, { allocationPolicy: 'custom' }, { registrationId: 'another' }, { initialTwin: 1 },
      { attestation: { type: 'none' } }, { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '!' } } }, { provisioningStatus: 'maybe' }].map((more) => [400, () => change(more)]),
    [400, () => idscope.service(made.instance, 'PUT', enrollmentAt('a b'), { body: Idscope.enrollment('a b') })],
    [400, () => idscope.service(made.instance, 'PUT', enrollmentAt(stranger), { body: '{' })],
    [404, () => idscope.service(made.instance, 'PUT', enrollmentAt(stranger), { body: Idscope.enrollment(stranger), headers: { 'If-Match': '*' } })],
    [404, () => idscope.service(made.instance, 'PUT', enrollmentAt(stranger), { body: Idscope.enrollment(stranger), headers: { 'If-Match': '"stale"' } })],
    [409, () => idscope.service(made.instance, 'PUT', enrollmentAt(device.id), { body: Idscope.enrollment(device.id, { deviceId: 'd' }) })],
    [412, () => idscope.service(made.instance, 'PUT', enrollmentAt(device.id), { body: Idscope.enrollment(device.id, { deviceId: 'd' }), headers: { 'If-Match': '"stale"' } })],
    [413, () => change({ optionalDeviceInformation: { big: 'x'.repeat(100000) } })],
    [400, () => idscope.service(made.instance, 'PUT', enrollmentAt(device.id), { ...text, headers: { 'If-Match': '*', ...text.headers } })],
  ]);
  refuses('enrollment_delete', () => [
    ...service('DELETE', enrollmentAt(device.id)),
    ...service('DELETE', enrollmentAt(stranger)),
    [400, () => idscope.service(made.instance, 'DELETE', enrollmentAt('a b'))],
    [412, () => idscope.service(made.instance, 'DELETE', enrollmentAt(device.id), { headers: { 'If-Match': '"stale"' } })],
    ...[{}, { 'If-Match': '*' }, { 'If-Match': '"stale"' }].map((headers) => [404, () => idscope.service(made.instance, 'DELETE', enrollmentAt(stranger), { headers })]),
    [404, () => idscope.service(made.instance, 'DELETE', enrollmentAt(fresh('none')))],
  ]);
  for (const [name, list] of [['enrollment', 'enrollments'], ['enrollment_group', 'enrollmentGroups'], ['registration', 'registrations']]) {
    const none = `/${list}/imports/00000000-0000-4000-8000-000000000000`;
    const line = JSON.stringify({ ...Idscope.enrollment(fresh('none')), enrollmentGroupId: fresh('none') });
    refuses(`${name}_import`, () => [...service('POST', `/${list}/import`, { body: line }),
      ...['mode=some', 'dryRun=maybe'].map((query) => [400, () => idscope.service(made.instance, 'POST', `/${list}/import?${query}`, { body: line })])]);
    refuses(`${name}_import_cancel`, () => [...service('DELETE', none), ...[none, `/${list}/imports/none`].map((at) => [404, () => idscope.service(made.instance, 'DELETE', at)])]);
  }
  refuses('enrollment_bulk', () => {
    const bulk = (mode, enrollments) => () => idscope.service(made.instance, 'POST', '/enrollments', { body: { mode, enrollments } });
    const changed = { ...Idscope.enrollment(device.id), provisioningStatus: 'disabled' };
    return [
      ...service('POST', '/enrollments', { body: { mode: 'create', enrollments: [Idscope.enrollment(fresh('none'))] } }),
      ...['{', '[]', {}, { mode: 'create' }, { mode: 'invent', enrollments: [] }, { mode: 'create', enrollments: {} }].map((body) =>
        [400, () => idscope.service(made.instance, 'POST', '/enrollments', { body })]),
      [400, bulk('create', Array.from({ length: 11 }, () => Idscope.enrollment(fresh('none'))))],
      [413, bulk('create', [Idscope.enrollment(fresh('none'), { optionalDeviceInformation: { big: 'x'.repeat(100000) } })])],
      // One that is refused is refused alone; here all are.
      [200, bulk('create', [changed, Idscope.enrollment('a b'), Idscope.enrollment(fresh('none'), { iotHubs: ['not-linked.example'] }), { registrationId: fresh('none') }, 7])],
      [200, bulk('update', [{ ...changed, deviceId: 'a b' }, Idscope.enrollment(fresh('none'))])],
      [200, bulk('updateIfMatchETag', [{ ...changed, etag: '"stale"' }, Idscope.enrollment(fresh('none'))])],
      [200, bulk('delete', [Idscope.enrollment(stranger), { registrationId: 'a b' }, {}])],
    ];
  });
  const groupAtService = (id) => `/enrollmentGroups/${encodeURIComponent(id)}`;
  const entry = (id, more) => ({ enrollmentGroupId: id, attestation: { type: 'symmetricKey' }, ...more });
  refuses('enrollment_group_put', () => {
    const put = (id, body, headers = {}) => () => idscope.service(made.instance, 'PUT', groupAtService(id), { body, headers });
    return [
      ...service('PUT', groupAtService('new'), { body: entry('new') }),
      ...service('PUT', groupAtService('there'), { body: entry('there', { provisioningStatus: 'disabled' }), headers: { 'If-Match': '*' } }),
      ...[{ iotHubs: ['not-linked.example'] }, { allocationPolicy: 'static' }, { enrollmentGroupId: 'another' }, { initialTwin: 1 }, { attestation: { type: 'none' } },
        { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '!' } } }].map((more) => [400, put('there', entry('there', more), { 'If-Match': '*' })]),
      [400, put('a b', entry('a b'))],
      [404, put('new', entry('new'), { 'If-Match': '*' })],
      [409, put('there', entry('there', { provisioningStatus: 'disabled' }))],
      [412, put('there', entry('there'), { 'If-Match': '"stale"' })],
      [413, put('there', entry('there', { initialTwin: { tags: { big: 'x'.repeat(100000) } } }), { 'If-Match': '*' })],
    ];
  });
  refuses('enrollment_group_delete', () => [
    ...service('DELETE', groupAtService('there')),
    [400, () => idscope.service(made.instance, 'DELETE', groupAtService('a b'))],
    [404, () => idscope.service(made.instance, 'DELETE', groupAtService('none'))],
    [404, () => idscope.service(made.instance, 'DELETE', groupAtService(device.id))],
    [412, () => idscope.service(made.instance, 'DELETE', groupAtService('there'), { headers: { 'If-Match': '"stale"' } })],
  ]);
  refuses('enrollment_group_bulk', () => {
    const bulk = (mode, enrollmentGroups) => () => idscope.service(made.instance, 'POST', '/enrollmentGroups', { body: { mode, enrollmentGroups } });
    return [
      ...service('POST', '/enrollmentGroups', { body: { mode: 'create', enrollmentGroups: [entry('new')] } }),
      [400, bulk('create', {})],
      [400, bulk('create', Array.from({ length: 11 }, () => entry(fresh('none'))))],
      // One that is refused is refused alone; here all are.
      [200, bulk('create', [entry('there', { provisioningStatus: 'disabled' }), entry('a b'), 7])],
      [200, bulk('update', [entry('none'), entry(device.id)])],
      [200, bulk('updateIfMatchETag', [entry('there', { etag: '"stale"' })])],
      [200, bulk('delete', [entry('none'), { registrationId: device.id }])],
    ];
  });
  const registrationAt = (id) => `/registrations/${encodeURIComponent(id)}`;
  refuses('registration_delete', () => [
    ...service('DELETE', registrationAt(device.id)),
    [400, () => idscope.service(made.instance, 'DELETE', registrationAt('a b'))],
    [404, () => idscope.service(made.instance, 'DELETE', registrationAt(fresh('none')))],
    [404, () => idscope.service(made.instance, 'DELETE', registrationAt(fresh('none')), { headers: { 'If-Match': '"stale"' } })],
    [412, () => idscope.service(made.instance, 'DELETE', registrationAt(device.id), { headers: { 'If-Match': '"stale"' } })],
  ]);

  for (const what of ['block', 'unblock']) {
    refuses(`registration_${what}`, () => [
      ...service('POST', `${registrationAt(device.id)}/${what}`),
      ...service('POST', `${registrationAt(stranger)}/${what}`),
      [400, () => idscope.service(made.instance, 'POST', `${registrationAt('a b')}/${what}`)],
      [404, () => idscope.service(made.instance, 'POST', `${registrationAt(fresh('none'))}/${what}`)],
      ...(what === 'unblock' ? [[404, () => idscope.service(made.instance, 'POST', `${registrationAt(stranger)}/${what}`)]] : []), // blocking it enrolls it
    ]);
  }

  // --- device plane -----------------------------------------------------------------------------------------------------------------

  refuses('register', () => {
    const register = (id, key, body = { registrationId: id }, options = {}, scope = made.idScope) => () =>
      idscope.device('PUT', scope, `${id}/register`, { body, authorization: key && sas.forDevice(scope, id, key), ...options });
    return [
      [401, register(device.id, null)],
      [401, register(device.id, sas.newKey())],
      [401, register(stranger, device.key)],
      [401, register(fresh('nobody'), device.key)],
      [401, register(device.id, device.key, undefined, {}, '0ne00000000')],
      [400, register(device.id, device.key, { registrationId: 'another' })],
      [400, register(device.id, device.key, '{')],
      [400, register(device.id, device.key, undefined, { version: null })],
      [413, register(device.id, device.key, { registrationId: device.id, payload: 'x'.repeat(100000) })],
    ];
  });

  // --- built-in hub -----------------------------------------------------------------------------------------------------------------

  const deviceAt = (id) => `/devices/${encodeURIComponent(id)}`;
  const hubCall = (method, at, options) => () => idscope.hub(made.hubs[0], method, at, options);
  const hub = (method, at, { body, headers } = {}) => [
    [401, hubCall(method, at, { body, headers, authorization: null })],
    [401, hubCall(method, at, { body, headers, authorization: sas.forHost(made.hubs[0].host, 'iothubowner', sas.newKey()) })],
    [401, hubCall(method, at, { body, headers, authorization: sas.forHost(made.hubs[0].host, 'registryRead', made.hubs[0].keys.find((key) => key.keyName === 'registryRead').primaryKey) })],
    [404, () => idscope.hub({ ...made.hubs[0], host: `nobody.hub.${idscope.domain}` }, method, at, { body, headers })],
    [400, hubCall(method, at, { body, headers, version: null })],
  ];
  refuses('hub_device_put', () => [
    ...hub('PUT', deviceAt(device.id), { body: { deviceId: device.id, status: 'disabled' }, headers: { 'If-Match': '*' } }),
    ...[{ deviceId: 'another' }, { deviceId: device.id, status: 'odd' }, { deviceId: device.id, authentication: { type: 'sas', symmetricKey: { primaryKey: '!' } } }, '{'].map((body) =>
      [400, hubCall('PUT', deviceAt(device.id), { body, headers: { 'If-Match': '*' } })]),
    [404, hubCall('PUT', deviceAt(fresh('none')), { body: {}, headers: { 'If-Match': '*' } })],
    [409, hubCall('PUT', deviceAt(device.id), { body: { deviceId: device.id, status: 'disabled' } })],
    [412, hubCall('PUT', deviceAt(device.id), { body: { deviceId: device.id, status: 'disabled' }, headers: { 'If-Match': '"stale"' } })],
    [413, hubCall('PUT', deviceAt(device.id), { body: { statusReason: 'x'.repeat(20000) }, headers: { 'If-Match': '*' } })],
    [400, hubCall('PUT', deviceAt(device.id), { ...text, headers: { 'If-Match': '*', ...text.headers } })],
  ]);
  refuses('hub_device_delete', () => [
    ...hub('DELETE', deviceAt(device.id), { headers: { 'If-Match': '*' } }),
    [400, hubCall('DELETE', deviceAt(device.id))],
    [404, hubCall('DELETE', deviceAt(fresh('none')), { headers: { 'If-Match': '*' } })],
    [412, hubCall('DELETE', deviceAt(device.id), { headers: { 'If-Match': '"stale"' } })],
  ]);
  refuses('hub_device_bulk', () => {
    const bulk = (items) => hubCall('POST', '/devices', { body: items });
    return [
      ...hub('POST', '/devices', { body: [{ id: 'fresh-one', importMode: 'create' }] }),
      [400, bulk({ id: 'x' })],
      [400, bulk('[')],
      [400, bulk(Array.from({ length: 101 }, (_, i) => ({ id: `n${i}`, importMode: 'create' })))],
      [413, bulk([{ id: 'x', importMode: 'create', statusReason: 'x'.repeat(600000) }])],
      // A device that is refused is refused alone; here all are.
      [200, bulk([{ id: device.id, importMode: 'create', status: 'disabled' }, { id: fresh('none'), importMode: 'update' }, { id: fresh('none'), importMode: 'delete' }, { id: 'x', importMode: 'invent' }])],
      [200, bulk([{ id: device.id, importMode: 'updateIfMatchETag', eTag: 'stale', status: 'disabled' }])],
      [200, bulk([{ id: device.id, importMode: 'deleteIfMatchETag', eTag: 'stale' }])],
    ];
  });

  const twinAt = (id) => `/twins/${encodeURIComponent(id)}`;
  for (const [name, method] of [['hub_twin_patch', 'PATCH'], ['hub_twin_put', 'PUT']]) {
    refuses(name, () => [
      ...hub(method, twinAt(device.id), { body: { tags: { a: 1 } } }),
      ...[{ tags: 1 }, { tags: { 'a.b': 1 } }, { properties: { desired: [] } }, '{'].map((body) => [400, hubCall(method, twinAt(device.id), { body })]),
      [404, hubCall(method, twinAt(fresh('none')), { body: { tags: { a: 1 } } })],
      [412, hubCall(method, twinAt(device.id), { body: { tags: { a: 1 } }, headers: { 'If-Match': '"stale"' } })],
      [413, hubCall(method, twinAt(device.id), { body: { tags: { a: 'x'.repeat(200000) } } })],
    ]);
  }

  const wrongFields = ['client_secret', 'client_id', 'grant_type', 'scope'];
  refuses('token', () => wrongFields.map((name) => [name === 'grant_type' ? 400 : 401, () => idscope.requestToken({ [name]: 'x' })]));
  refuses('token_of_tenant', () => {
    const { IDSCOPE_TENANT_ID: own, IDSCOPE_CLIENT_ID: client_id, IDSCOPE_CLIENT_SECRET: client_secret } = idscope.env;
    const ask = (tenant, more = {}) => idscope.https.request('POST', idscope.managementHost, `/adfs/${tenant}/oauth2/v2.0/token`,
      { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret, scope: 'https://management.azure.com/.default', ...more }).toString() });
    return [[401, () => ask(other.env.IDSCOPE_TENANT_ID)], [401, () => ask('none')], ...wrongFields.map((name) => [name === 'grant_type' ? 400 : 401, () => ask(own, { [name]: 'x' })])];
  });

  test('the list of writes is whole', () => {
    const readers = ['provider_register', 'hub_name_check', 'instance_name_check', 'hub_list_keys', 'hub_list_keys_of', 'instance_list_keys', 'instance_list_keys_of', 'enrollment_attestation', 'enrollment_query', 'enrollment_group_attestation', 'enrollment_group_query', 'hub_twin_query', 'registration_status', 'registration_query', 'registration_query_all'];
    const lines = fs.readFileSync(path.join(__dirname, '../../../api/openapi.yaml'), 'utf8').split('\n');
    const writes = lines.flatMap((line, i) => {
      const id = /^ {6}operationId: (\S+)/.exec(line);
      return id && /^ {4}(put|post|delete|patch):/.test(lines[i - 1]) ? [id[1]] : [];
    });
    assert.deepEqual(writes.filter((name) => !readers.includes(name)).sort(), [...covered].sort());
  });
});
