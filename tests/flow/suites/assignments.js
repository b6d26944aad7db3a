// assignments.js: role assignments: who gives roles to whom, where they are good, what is seen with them, and how they end.
// Must never use the deployment's first client for what is refused: that one owns everything.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, expect, fresh, refused, refusedArm, admin, stack, until } = require('../kit');

const AUTHORIZATION = '/providers/Microsoft.Authorization';
const ROLES = {
  Owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635', Contributor: 'b24988ac-6180-42a0-ab88-20f7382dd24c', Reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
  'Device Provisioning Service Data Contributor': 'dfce44e4-17b7-4bd1-a6d1-04996ec95633', 'Device Provisioning Service Data Reader': '10745317-c249-44a1-a5ce-3a4353c0bbd8',
};
const { Owner, Contributor, Reader } = ROLES;
const DATA = 'https://azure-devices-provisioning.net/.default';
const body = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };
const words = (...all) => stack.adminText(process.env.FLAVOR || 'asan', ...all);
const json = async (...all) => JSON.parse(await words(...all, '--json'));

describe('assignments', () => {
  const used = [];
  let tenant;
  let subscription;
  let owner; // of all of the tenant
  const scope = {}; // of the subscription, of two groups, of what stands in the first
  const group = 'plant';
  const [hub, instance] = [fresh('hub'), fresh('dps')];

  const as = (client) => {
    const them = new Idscope({ ...idscope.env, IDSCOPE_TENANT_ID: tenant, IDSCOPE_SUBSCRIPTION_ID: subscription, ...client });
    used.push(them);
    return them;
  };
  // A client of no role, at first: that which it was made with is taken from it.
  const nobody = async () => {
    const client = await admin('create-service-principal', tenant, fresh('client'), 'reader', '--scope=/');
    const [{ id }] = await json('role-assignment', 'list', `--client=${client.IDSCOPE_CLIENT_ID}`);
    await words('role-assignment', 'delete', id);
    return as(client);
  };
  const oid = (them) => them.env.IDSCOPE_CLIENT_ID;
  const at = (where, id) => `${where}${AUTHORIZATION}/roleAssignments/${id}`;
  const wanted = (them, role, more = {}) => ({ properties: { roleDefinitionId: `${scope.subscription}${AUTHORIZATION}/roleDefinitions/${role}`, principalId: oid(them), ...more } });
  const put = (by, where, them, role, { id = crypto.randomUUID(), more } = {}) => by.arm('PUT', at(where, id), { body: wanted(them, role, more) });
  const give = async (where, them, role) => expect('assign', await put(owner, where, them, role), 201).name;
  const take = async (where, id) => expect('take', await owner.arm('DELETE', at(where, id)), 200);
  const status = async (them, method, path, options) => (await them.arm(method, path, options)).status;
  const soon = (them, wantedStatus, method, path, options) => until(`${method} ${path} to be ${wantedStatus}`, async () => (await status(them, method, path, options)) === wantedStatus);
  const list = async (them, path) => expect('list', await them.arm('GET', path), 200).value;

  before(async () => {
    tenant = (await admin('create-tenant', fresh('roles'))).IDSCOPE_TENANT_ID;
    subscription = (await admin('create-subscription', tenant, 'theirs')).IDSCOPE_SUBSCRIPTION_ID;
    owner = as(await admin('create-service-principal', tenant, 'owner', 'owner'));
    for (const name of [group, 'other']) await owner.createGroup(name);
    await owner.createHub(group, hub);
    Object.assign(scope, { made: await owner.createInstance(group, instance), subscription: `/subscriptions/${subscription}`, group: `/subscriptions/${subscription}/resourceGroups/${group}`,
      other: `/subscriptions/${subscription}/resourceGroups/other`, hub: owner.hubPath(group, hub), instance: owner.instancePath(group, instance) });
  });
  after(() => used.forEach((them) => them.close()));

  test('the built-in roles are listed at every scope, found by name, and got by id', async () => {
    for (const where of ['', scope.subscription, scope.group, scope.instance]) {
      const all = await list(owner, `${where}${AUTHORIZATION}/roleDefinitions`);
      assert.deepEqual(Object.fromEntries(all.map((one) => [one.properties.roleName, one.name])), ROLES);
      const [one, ...more] = await list(owner, `${where}${AUTHORIZATION}/roleDefinitions?$filter=${encodeURIComponent("roleName eq 'Reader'")}`);
      assert.deepEqual([one.name, one.properties.type, one.properties.permissions[0].actions, more], [Reader, 'BuiltInRole', ['*/read'], []]);
      assert.equal(one.id, `${where ? scope.subscription : ''}${AUTHORIZATION}/roleDefinitions/${Reader}`);
      assert.deepEqual(expect('get', await owner.arm('GET', `${where}${AUTHORIZATION}/roleDefinitions/${Reader.toUpperCase()}`), 200), one);
      refusedArm(await owner.arm('GET', `${where}${AUTHORIZATION}/roleDefinitions/${crypto.randomUUID()}`), 404, 'RoleDefinitionDoesNotExist');
    }
    for (const filter of ["roleName eq Reader", "type eq 'BuiltInRole'", "roleName eq 'Reader' x"]) refusedArm(await owner.arm('GET', `${AUTHORIZATION}/roleDefinitions?$filter=${encodeURIComponent(filter)}`), 400, 'InvalidRequestContent');
  });

  test('an assignment is made once, read, listed with what is above and below its scope, and deleted', async () => {
    const them = await nobody();
    const id = crypto.randomUUID();
    const answer = await put(owner, scope.group, them, Reader, { id, more: { principalType: 'ServicePrincipal', description: 'for reports' } });
    const made = expect('put', answer, 201);
    assert.deepEqual([made.name, made.type, made.id], [id, 'Microsoft.Authorization/roleAssignments', at(scope.group, id)]);
    const { roleDefinitionId, principalId, principalType, scope: where, description, createdBy } = made.properties;
    assert.deepEqual([roleDefinitionId, principalId, principalType, where, description, createdBy],
      [`${scope.subscription}${AUTHORIZATION}/roleDefinitions/${Reader}`, oid(them), 'ServicePrincipal', scope.group, 'for reports', oid(owner)]);
    assert.deepEqual(expect('again', await put(owner, scope.group, them, Reader, { id }), 200), made, 'what is there stays as it is');
    assert.deepEqual(expect('get', await owner.arm('GET', made.id.toUpperCase().replace('/SUBSCRIPTIONS', '/subscriptions')), 200), made);
    refusedArm(await put(owner, scope.group, them, Owner, { id }), 409, 'RoleAssignmentUpdateNotPermitted');
    refusedArm(await put(owner, scope.other, them, Reader, { id }), 409, 'RoleAssignmentUpdateNotPermitted');
    refusedArm(await put(owner, scope.group, them, Reader), 409, 'RoleAssignmentExists');
    refusedArm(await owner.arm('GET', at(scope.subscription, id)), 404, 'RoleAssignmentNotFound');
    const ids = async (place, filter) => (await list(owner, `${place}${AUTHORIZATION}/roleAssignments${filter ? `?$filter=${encodeURIComponent(filter)}` : ''}`)).map((one) => one.name);
    for (const [place, filter, has] of [['', '', true], ['', 'atScope()', false], [scope.subscription, '', true], [scope.subscription, 'atScope()', false], [scope.group, 'atScope()', true], [scope.instance, 'atScope()', true],
      [scope.other, '', false], [scope.subscription, `principalId eq '${oid(them)}'`, true], [scope.subscription, `assignedTo('${oid(owner)}')`, false], [scope.instance, `atScope() and assignedTo('${oid(them)}')`, true]]) {
      assert.equal((await ids(place, filter)).includes(id), has, `${place} ${filter}`);
    }
    for (const filter of ['x', 'principalId eq 1', `principalId ne '${id}'`, 'atScope() and', 'atScope() x', `assignedTo('${id}'`]) refusedArm(await owner.arm('GET', `${AUTHORIZATION}/roleAssignments?$filter=${encodeURIComponent(filter)}`), 400, 'InvalidRequestContent');
    const first = expect('page', await owner.arm('GET', `${AUTHORIZATION}/roleAssignments?$top=1`), 200);
    assert.equal(first.value.length, 1);
    assert.match(first.nextLink, /skiptoken=/);
    assert.equal(await status(owner, 'DELETE', at(scope.other, id)), 204, 'not there');
    assert.deepEqual(await take(scope.group, id), made);
    assert.equal(await status(owner, 'DELETE', made.id), 204);
    refusedArm(await owner.arm('GET', made.id), 404, 'RoleAssignmentNotFound');
  });

  test('what cannot be assigned is refused by name: principals of no tenant or another one, unknown roles, conditions, places that are not there', async () => {
    const them = await nobody();
    for (const [status_, code, send] of [
      [400, 'PrincipalNotFound', { ...wanted(them, Reader), properties: { ...wanted(them, Reader).properties, principalId: crypto.randomUUID() } }],
      [400, 'PrincipalNotFound', { properties: { ...wanted(them, Reader).properties, principalId: idscope.env.IDSCOPE_CLIENT_ID } }],
      [400, 'PrincipalNotFound', { properties: { ...wanted(them, Reader).properties, principalId: 'x' } }],
      [400, 'RoleDefinitionDoesNotExist', wanted(them, crypto.randomUUID())],
      [400, 'InvalidRequestContent', wanted(them, Reader, { condition: 'true' })], [400, 'InvalidRequestContent', wanted(them, Reader, { principalType: 'User' })],
      [400, 'InvalidRequestContent', {}], [400, 'InvalidRequestContent', { properties: {} }], [400, 'InvalidRequestContent', { properties: { principalId: oid(them) } }],
    ]) refusedArm(await owner.arm('PUT', at(scope.group, crypto.randomUUID()), { body: send }), status_, code);
    refusedArm(await owner.arm('PUT', at(scope.group, 'x'), { body: wanted(them, Reader) }), 400, 'InvalidResourceName');
    for (const [where, code] of [[`/subscriptions/${crypto.randomUUID()}`, 'SubscriptionNotFound'], [`/subscriptions/${idscope.subscription}`, 'SubscriptionNotFound'], [`${scope.subscription}/resourceGroups/none`, 'ResourceGroupNotFound'],
      [owner.hubPath(group, fresh('none')), 'ResourceNotFound'], [owner.hubPath('other', hub), 'ResourceNotFound'], [owner.hubPath(group, hub).replace('IotHubs', 'Things'), 'ResourceNotFound']]) {
      refusedArm(await put(owner, where, them, Reader), 404, code);
    }
    assert.deepEqual(await json('role-assignment', 'list', `--client=${oid(them)}`), []);
  });

  test('a role is good for its scope and all below, from the next second on, and not beside; who lacks it is told what and where', async () => {
    const them = await nobody();
    refusedArm(await them.arm('GET', scope.instance), 403, 'AuthorizationFailed', new RegExp(`^The client '${oid(them)}' with object id '${oid(them)}' does not have authorization to perform action 'Microsoft.Devices/provisioningServices/read' over scope '${scope.instance}' or the scope is invalid.$`));
    refusedArm(await them.arm('PUT', scope.hub, { body }), 403, 'AuthorizationFailed', /'Microsoft.Devices\/IotHubs\/write'/);
    refusedArm(await them.arm('POST', `${scope.hub}/listkeys`), 403, 'AuthorizationFailed', /'Microsoft.Devices\/IotHubs\/listkeys\/action'/);
    refusedArm(await them.arm('DELETE', scope.group), 403, 'AuthorizationFailed', /'Microsoft.Resources\/subscriptions\/resourcegroups\/delete'/);
    refusedArm(await them.arm('GET', owner.instancePath('none', 'none')), 403, 'AuthorizationFailed', /./);
    refusedArm(await put(them, scope.group, them, Owner), 403, 'AuthorizationFailed', /'Microsoft.Authorization\/roleAssignments\/write'/);
    for (const nowhere of [crypto.randomUUID(), idscope.subscription, 'x']) refusedArm(await them.arm('GET', `/subscriptions/${nowhere}/resourcegroups/g`), 404, 'SubscriptionNotFound', /^There is no such subscription.$/);
    const seen = { [scope.instance]: ['instance', 'group', 'subscription'], [scope.hub]: ['group', 'subscription'], [scope.group]: ['group', 'subscription'], [scope.other]: ['subscription'] };
    for (const where of ['instance', 'group', 'subscription']) {
      const id = await give(scope[where], them, Reader);
      await soon(them, 200, 'GET', scope.instance);
      for (const [path, by] of Object.entries(seen)) assert.equal(await status(them, 'GET', path), by.includes(where) ? 200 : 403, `${path} by a role for the ${where}`);
      assert.equal(await status(them, 'PUT', scope.instance, { body }), 403);
      await take(scope[where], id);
      await soon(them, 403, 'GET', scope.instance);
    }
  });

  test('lists show what the client may read, page by page; subscriptions are those in which it has any role', async () => {
    const them = await nobody();
    assert.deepEqual(await list(them, '/subscriptions'), []);
    const lists = { groups: `${scope.subscription}/resourcegroups`, resources: `${scope.subscription}/resources`, hubs: `${scope.subscription}/providers/Microsoft.Devices/IotHubs`,
      instances: `${scope.subscription}/providers/Microsoft.Devices/provisioningServices`, inGroup: `${scope.group}/resources`, hubsInGroup: `${scope.group}/providers/Microsoft.Devices/IotHubs`, inOther: `${scope.other}/resources` };
    for (const path of Object.values(lists)) refusedArm(await them.arm('GET', path), 403, 'AuthorizationFailed');
    const shows = async (name) => (await list(them, lists[name])).map((one) => one.name).sort();
    const both = [hub, instance].sort();
    let id = await give(scope.hub, them, Reader);
    await soon(them, 200, 'GET', lists.groups);
    assert.deepEqual((await list(them, '/subscriptions')).map((one) => one.subscriptionId), [subscription]);
    for (const [name, names] of Object.entries({ groups: [], resources: [hub], hubs: [hub], instances: [], inGroup: [hub], hubsInGroup: [hub] })) assert.deepEqual(await shows(name), names, name);
    await take(scope.hub, id);
    id = await give(scope.group, them, Contributor);
    await soon(them, 403, 'GET', lists.inOther);
    await soon(them, 200, 'GET', scope.instance);
    for (const [name, names] of Object.entries({ groups: [group], resources: both, hubs: [hub], instances: [instance], inGroup: both, hubsInGroup: [hub] })) assert.deepEqual(await shows(name), names, name);
    const page = expect('page', await them.arm('GET', `${lists.resources}?$top=1`), 200);
    assert.deepEqual(page.value.map((one) => one.name), both.slice(0, 1));
    assert.deepEqual((await list(them, `${scope.group}${AUTHORIZATION}/permissions`)).map((one) => one.actions), [['*']]);
    await take(scope.group, id);
    id = await give(scope.instance, them, ROLES['Device Provisioning Service Data Reader']);
    await soon(them, 403, 'GET', scope.instance);
    assert.deepEqual((await list(them, '/subscriptions')).map((one) => one.subscriptionId), [subscription], 'with a data role, too');
    assert.deepEqual(await shows('resources'), []);
    assert.deepEqual((await list(them, `${scope.instance}${AUTHORIZATION}/permissions`)).map((one) => [one.actions, one.dataActions]), [[[], ['Microsoft.Devices/provisioningServices/*/read']]]);
    await take(scope.instance, id);
  });

  test('only an owner assigns roles, within the scope that it owns; nobody takes a subscription\'s last owner away but the operator', async () => {
    const [them, another] = [await nobody(), await nobody()];
    const id = await give(scope.group, them, Contributor);
    await soon(them, 200, 'GET', scope.group);
    refusedArm(await put(them, scope.group, them, Owner), 403, 'AuthorizationFailed');
    refusedArm(await them.arm('DELETE', at(scope.group, id)), 403, 'AuthorizationFailed');
    await give(scope.group, them, Owner);
    await until('an owner of the group to assign there', async () => (await put(them, scope.instance, another, Reader)).status !== 403);
    refusedArm(await put(them, scope.subscription, them, Reader), 403, 'AuthorizationFailed');
    refusedArm(await put(them, '', them, Owner), 403, 'AuthorizationFailed');
    const last = (await list(owner, `${AUTHORIZATION}/roleAssignments?$filter=${encodeURIComponent(`principalId eq '${oid(owner)}'`)}`)).find((one) => one.properties.scope === '/');
    assert.equal(last.id, `${AUTHORIZATION}/roleAssignments/${last.name}`);
    refusedArm(await owner.arm('DELETE', last.id), 409, 'RoleAssignmentDeleteNotPermitted', /last/);
    assert.equal(await status(owner, 'GET', last.id), 200, 'it is still there');
    const second = await give(scope.subscription, another, Owner);
    expect('not the last one any more', await owner.arm('DELETE', last.id), 200);
    await soon(another, 409, 'DELETE', at(scope.subscription, second));
    await words('role-assignment', 'delete', second);
    await soon(another, 403, 'GET', scope.subscription.concat('/resourcegroups/plant'));
    await words('role-assignment', 'create', `--client=${oid(owner)}`, '--role=owner', '--scope=/');
    await soon(owner, 200, 'GET', scope.group);
  });

  test('data roles open the service plane of the instances in their scope, and owners no longer; the management plane stays closed to them', async () => {
    const them = await nobody();
    const bearer = async () => `Bearer ${(await them.requestToken({ scope: DATA })).json.access_token}`;
    const ask = async (method, path, options) => them.service(scope.made, method, path, { authorization: await bearer(), ...options });
    const enroll = (id) => ask('PUT', `/enrollments/${id}`, { body: Idscope.enrollment(id) });
    const opened = (wantedStatus) => until(`the service plane to be ${wantedStatus}`, async () => (await ask('GET', '/enrollments/none')).status === wantedStatus);
    refused(await ask('GET', '/enrollments/none'), 403, /./, 403000);
    for (const role of [Owner, Contributor, Reader]) await give(scope.subscription, them, role);
    await soon(them, 200, 'GET', scope.instance);
    refused(await ask('GET', '/enrollments/none'), 403);
    for (const one of await json('role-assignment', 'list', `--client=${oid(them)}`)) await words('role-assignment', 'delete', one.id);
    const reads = await give(scope.group, them, ROLES['Device Provisioning Service Data Reader']);
    await opened(404);
    refused(await enroll('one'), 403);
    refused(await ask('POST', '/enrollments/none/attestationmechanism'), 403);
    assert.equal((await ask('POST', '/enrollments/query', { body: { query: '*' } })).status, 200);
    refused(await ask('POST', '/registrations/none/query', { body: { query: '*' } }), 404);
    await soon(them, 403, 'GET', scope.instance);
    await take(scope.group, reads);
    await opened(403);
    await give(scope.instance, them, ROLES['Device Provisioning Service Data Contributor']);
    await opened(404);
    expect('enroll', await enroll('one'), 200);
    expect('its keys', await ask('POST', '/enrollments/one/attestationmechanism'), 200);
    refusedArm(await them.arm('POST', `${scope.instance}/listkeys`), 403, 'AuthorizationFailed');
  });

  test('what is deleted takes its assignments along: a namesake gives nobody anything', async () => {
    const them = await nobody();
    const make = async () => { await owner.createGroup('passing'); await owner.createHub('passing', hubName); };
    const hubName = fresh('hub');
    const path = owner.hubPath('passing', hubName);
    await make();
    const held = async () => (await json('role-assignment', 'list', `--client=${oid(them)}`)).length;
    await give(path, them, Reader);
    await soon(them, 200, 'GET', path);
    expect('delete', await owner.arm('DELETE', path), 204);
    assert.equal(await held(), 0);
    await owner.createHub('passing', hubName);
    await give(path, them, Reader);
    await give(`${scope.subscription}/resourceGroups/passing`, them, Reader);
    await owner.deleteGroup('passing');
    assert.equal(await held(), 0);
    await make();
    await soon(them, 403, 'GET', path);
    await owner.deleteGroup('passing');
  });

  test('a hub is linked by its resource id by who may list its keys', async () => {
    const them = await nobody();
    await give(scope.other, them, Contributor);
    const reads = await give(scope.hub, them, Reader);
    const path = owner.instancePath('other', fresh('dps'));
    const linked = { ...body, properties: { iotHubs: [{ hubResourceId: scope.hub, location: 'westeurope' }] } };
    await soon(them, 200, 'GET', scope.hub);
    refusedArm(await them.arm('PUT', path, { body: linked }), 403, 'AuthorizationFailed', /hubResourceId/);
    await take(scope.hub, reads);
    await give(scope.hub, them, Contributor);
    await soon(them, 201, 'PUT', path, { body: linked });
    expect('delete', await owner.arm('DELETE', path), 204);
  });

  test('operators give roles, list and take them, and are told what is wrong', async () => {
    const refusedWith = (pattern, ...all) => assert.rejects(words(...all), (error) => { assert.match(String(error.message), pattern); return true; });
    const them = await nobody();
    const made = await json('role-assignment', 'create', `--client=${oid(them)}`, '--role=dataReader', `--scope=${scope.group.toUpperCase().replace('/SUBSCRIPTIONS/', '/Subscriptions/')}`);
    assert.deepEqual([made.tenantId, made.clientId, made.role, made.scope], [tenant, oid(them), 'dataReader', scope.group]);
    assert.match(made.createdBy, /^uid \d+$/);
    assert.deepEqual(await json('role-assignment', 'list', `--client=${oid(them)}`), [made]);
    assert.ok((await json('role-assignment', 'list', `--tenant=${tenant}`)).length > 1);
    assert.equal(await words('role-assignment', 'list', `--client=${oid(them)}`), `${[made.id, tenant, oid(them), 'dataReader', scope.group].join('\t')}\n`);
    const create = (role, where, client = oid(them)) => ['role-assignment', 'create', `--client=${client}`, `--role=${role}`, `--scope=${where}`];
    await refusedWith(/has this role for this scope/, ...create('dataReader', scope.group));
    await refusedWith(/A role is one of reader, contributor, owner, dataReader, dataContributor/, ...create('Owner', '/'));
    for (const where of ['x', '/x', `${scope.group}/x`, '/subscriptions/x', scope.instance]) await refusedWith(/A scope is/, ...create('reader', where));
    for (const where of [`/subscriptions/${crypto.randomUUID()}`, `/subscriptions/${idscope.subscription}`]) await refusedWith(/no such subscription/, ...create('reader', where));
    await refusedWith(/no such resource group/, ...create('reader', `${scope.subscription}/resourceGroups/none`));
    await refusedWith(/no service principal of this id/, ...create('reader', '/', crypto.randomUUID()));
    await refusedWith(/no role assignment of this id/, 'role-assignment', 'delete', crypto.randomUUID());
    await refusedWith(/no such subscription/, 'create-service-principal', tenant, 'x', 'reader', `--scope=/subscriptions/${crypto.randomUUID()}`);
    assert.deepEqual(await json('role-assignment', 'delete', made.id), made);
    assert.deepEqual(await json('role-assignment', 'list', `--client=${oid(them)}`), []);
  });
});
