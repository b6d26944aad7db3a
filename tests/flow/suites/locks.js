// locks.js: locks on subscriptions, groups, hubs and instances, as `az lock` makes them and as plain clients see them; and what they forbid.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, admin, idscope, Idscope, expect, each, fresh, refusedArm, scene, stack } = require('../kit');
const { BASE, User, signIn } = require('../azure');

const VERSION = '2016-09-01';
const LOCKS = '/providers/Microsoft.Authorization/locks';
const at = (scope, name) => `${scope}${LOCKS}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
const put = (scope, name, level = 'CanNotDelete', { of = idscope, ...more } = {}) => of.arm('PUT', at(scope, name), { body: { properties: { level, ...more } }, version: VERSION });
const drop = (scope, name, of = idscope) => of.arm('DELETE', at(scope, name), { version: VERSION });
const names = async (scope, filter = '', of = idscope) => expect('list', await of.arm('GET', at(scope) + filter, { version: VERSION }), 200).value.map(({ name }) => name);
const locked = (answer, what, scope) => refusedArm(answer, 409, 'ScopeLocked',
  new RegExp(`^The scope '.*' cannot perform ${what} operation because following scope\\(s\\) are locked: '${scope}'\\. Please remove the lock and try again\\.$`));
const id = (scope) => scope.replace('/resourcegroups/', '/resourceGroups/');
const hubBody = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };

describe('locks', { concurrency: 3 }, () => {
  before(() => idscope.signIn());

  test('are resources: made, changed, read, listed with those beneath, taken away', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [group, hub, instance] = [idscope.groupPath(made.group), idscope.hubPath(made.group, made.hubs[0].name), idscope.instancePath(made.group, made.instance.name)];
    const written = await put(hub, 'Keep me', 'CanNotDelete', { notes: 'the plant stands without it' });
    assert.deepEqual([written.status, written.json], [201, { id: id(at(hub, 'Keep me')).replace('%20', ' '), name: 'Keep me', type: 'Microsoft.Authorization/locks',
      properties: { level: 'CanNotDelete', notes: 'the plant stands without it' } }]);
    assert.deepEqual([expect('get', await idscope.arm('GET', at(hub.toUpperCase(), 'KEEP ME'), { version: VERSION }), 200)], [written.json]);
    const changed = await put(hub, 'keep ME', 'readonly');
    assert.deepEqual([changed.status, changed.json.properties], [200, { level: 'ReadOnly' }]);
    expect('lock', await put(group, 'a'), 201);
    expect('lock', await put(instance, 'b'), 201);
    assert.deepEqual([(await names(group)).sort(), await names(group, '?$filter=atScope()'), await names(hub), await names(instance)], [['Keep me', 'a', 'b'], ['a'], ['Keep me'], ['b']]);
    const page = expect('page', await idscope.arm('GET', `${at(group)}?$top=2`, { version: VERSION }), 200);
    const rest = expect('rest', await idscope.arm('GET', page.nextLink.replace(/^https:\/\/[^/]*/, ''), { version: null }), 200);
    assert.deepEqual([...page.value, ...rest.value].map(({ name }) => name), await names(group), 'pages hold each once');
    refusedArm(await idscope.arm('GET', at(group, 'none'), { version: VERSION }), 404, 'LockNotFound', /The lock 'none' could not be found/);
    refusedArm(await idscope.arm('GET', at(`${hub}x`), { version: VERSION }), 404, 'ResourceNotFound');
    refusedArm(await put(`${instance}x`, 'a'), 404, 'ResourceNotFound');
    refusedArm(await put(idscope.groupPath(fresh('none')), 'a'), 404, 'ResourceGroupNotFound');
    refusedArm(await put(group, 'a', 'NotSpecified'), 400, 'InvalidRequestContent', /level/);
    refusedArm(await put(group, 'a<b'), 400, 'InvalidResourceName', /lockName/);
    refusedArm(await idscope.arm('GET', `${at(group)}?$filter=name%20eq%20'a'`, { version: VERSION }), 400, 'InvalidRequestContent', /atScope/);
    for (const [scope, name] of [[group, 'a'], [instance, 'b']]) assert.equal(expect('get', await idscope.arm('GET', at(scope, name), { version: VERSION }), 200).name, name);
    for (const [scope, name] of [[hub, 'KEEP ME'], [group, 'a'], [instance, 'b']]) assert.deepEqual([(await drop(scope, name)).status, (await drop(scope, name)).status], [200, 204]);
    assert.deepEqual(await names(group), []);
    assert.equal(await stack.sql(`select string_agg(concat_ws(' ', operation, detail ->> 'change', detail ->> 'level'), ', ' order by id) from idscope.audit_event where kind = 'lock' and key like '%${made.hubs[0].name}/keep me'`),
      'hub_lock_put created CanNotDelete, hub_lock_put updated ReadOnly, hub_lock_delete deleted');
  });

  test('CanNotDelete: neither what is locked, nor what stands beneath, nor the group around it is deleted, by owners either; all else goes on', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [group, hub, instance] = [idscope.groupPath(made.group), idscope.hubPath(made.group, made.hubs[0].name), idscope.instancePath(made.group, made.instance.name)];
    const erase = (path, headers) => idscope.arm('DELETE', path, { headers, version: path === group ? '2021-04-01' : undefined });
    expect('lock', await put(hub, 'a'), 201);
    expect('lock', await put(instance, 'b'), 201);
    locked(await erase(hub), 'delete', id(hub));
    locked(await erase(hub.replace('/IotHubs/', '//IOTHUBS/')), 'delete', id(hub));
    locked(await erase(instance), 'delete', id(instance));
    locked(await erase(`${instance}/certificates/none`, { 'If-Match': '*' }), 'delete', id(instance));
    locked(await erase(group), 'delete', id(hub));
    expect('change', await idscope.arm('PATCH', hub, { body: { tags: { a: 'b' } } }), 200);
    expect('keys', await idscope.arm('POST', `${hub}/listkeys`), 200);
    assert.equal((await made.registered()).state.status, 'assigned');
    expect('another hub', await erase(idscope.hubPath(made.group, made.hubs[1].name)), 200, 204);
    for (const [scope, name] of [[hub, 'a'], [instance, 'b']]) expect('unlock', await drop(scope, name), 200);
    expect('lock', await put(group, 'c'), 201);
    for (const path of [hub, instance, group]) locked(await erase(path), 'delete', id(group));
    expect('unlock', await drop(group, 'c'), 200);
    expect('delete', await erase(hub), 200, 204);
    expect('a hub of that name', await idscope.arm('PUT', hub, { body: hubBody }), 201);
    assert.deepEqual(await names(hub), []);
  });

  test('ReadOnly: nothing there is changed, made, or shown its keys; it is read, and devices go on', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [group, hub, instance] = [idscope.groupPath(made.group), idscope.hubPath(made.group, made.hubs[0].name), idscope.instancePath(made.group, made.instance.name)];
    expect('lock', await put(group, 'frozen', 'ReadOnly'), 201);
    t.after(() => drop(group, 'frozen'));
    const writes = [['PUT', hub, hubBody], ['PUT', idscope.hubPath(made.group, fresh('hub')), hubBody], ['PATCH', instance, { tags: {} }], ['POST', `${instance}/listkeys`], ['POST', `${hub}/IotHubKeys/iothubowner/listkeys`],
      ['PUT', `${instance}/certificates/x`, { certificate: 'x' }]];
    await each(writes, 3, async ([method, path, body]) => locked(await idscope.arm(method, path, { body }), 'write', id(group)));
    locked(await idscope.arm('PUT', group, { body: { location: 'westeurope' }, version: '2021-04-01' }), 'write', id(group));
    locked(await idscope.arm('DELETE', instance), 'delete', id(group));
    await each([hub, instance, `${instance}/certificates`, `${instance}/linkedHubs`], 4, async (path) => expect('read', await idscope.arm('GET', path), 200));
    assert.equal((await made.registered()).state.status, 'assigned');
    expect('unlock', await drop(group, 'frozen'), 200);
    expect('change', await idscope.arm('PATCH', instance, { body: { tags: {} } }), 200);
  });

  test('a lock on a subscription is over all in it and no other; owners alone lock; other tenants neither see nor meet it', async () => {
    const { IDSCOPE_SUBSCRIPTION_ID } = await admin('create-subscription', idscope.env.IDSCOPE_TENANT_ID, fresh('locked'));
    const client = async (role) => new Idscope({ ...idscope.env, IDSCOPE_SUBSCRIPTION_ID, ...await admin('create-service-principal', idscope.env.IDSCOPE_TENANT_ID, role, role) });
    const [owner, contributor] = [await client('owner'), await client('contributor')];
    const other = await admin('create-tenant', fresh('other'));
    const stranger = new Idscope({ ...idscope.env, IDSCOPE_SUBSCRIPTION_ID, ...other, ...await admin('create-service-principal', other.IDSCOPE_TENANT_ID, 'other', 'owner') });
    const [scope, group] = [`/subscriptions/${IDSCOPE_SUBSCRIPTION_ID}`, fresh('group')];
    await owner.createGroup(group);
    const erase = (of) => of.arm('DELETE', of.groupPath(group), { version: '2021-04-01' });
    refusedArm(await put(scope, 'all', 'CanNotDelete', { of: contributor }), 403, 'AuthorizationFailed');
    expect('lock', await put(scope, 'all', 'CanNotDelete', { of: owner }), 201);
    refusedArm(await drop(scope, 'all', contributor), 403, 'AuthorizationFailed');
    assert.deepEqual([await names(scope, '', contributor), await names(owner.groupPath(group), '', owner)], [['all'], []]);
    for (const of of [contributor, owner]) locked(await erase(of), 'delete', scope);
    assert.equal(expect('get', await contributor.arm('GET', at(scope, 'all'), { version: VERSION }), 200).id, at(scope, 'all'));
    for (const method of ['GET', 'DELETE']) refusedArm(await stranger.arm(method, at(scope, 'all'), { version: VERSION }), 404, 'SubscriptionNotFound');
    refusedArm(await put(scope, 'all', 'ReadOnly', { of: stranger }), 404, 'SubscriptionNotFound');
    refusedArm(await erase(stranger), 404, 'SubscriptionNotFound');
    expect('unlock', await drop(scope, 'all', owner), 200);
    expect('delete', await erase(contributor), 200);
    for (const of of [owner, contributor, stranger]) of.close();
  });
});

describe('locks: az', () => {
  const user = new User();
  after(() => user.end());

  test('az lock create, list, show, update and delete, on groups and on resources; and what az says of what is locked', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const hub = made.hubs[0].name;
    await user.keep('cloud register -n local --endpoint-resource-manager', BASE);
    await user.keep('cloud set -n local');
    await user.keep(signIn(idscope.env));
    await user.keep('account set -s', idscope.subscription);
    const G = ['-g', made.group];
    const H = [...G, '--resource-name', hub, '--resource-type', 'Microsoft.Devices/IotHubs'];
    const onGroup = await user.az('lock create -n keep -t CanNotDelete --notes', ['as it is'], G);
    assert.deepEqual([onGroup.name, onGroup.level, onGroup.notes, onGroup.resourceGroup], ['keep', 'CanNotDelete', 'as it is', made.group]);
    const onHub = await user.az('lock create -n hub -t ReadOnly', H);
    assert.equal(onHub.id, id(at(idscope.hubPath(made.group, hub), 'hub')));
    assert.deepEqual((await user.az('lock list', G)).map(({ name }) => name).sort(), ['hub', 'keep']);
    assert.deepEqual((await user.az('lock list', H)).map(({ name }) => name), ['hub']);
    assert.equal((await user.az('lock show -n hub', H)).level, 'ReadOnly');
    assert.equal((await user.az('lock show --ids', onGroup.id)).notes, 'as it is');
    assert.equal((await user.az('lock update -n hub -t CanNotDelete', H)).level, 'CanNotDelete');
    assert.match(await user.fails(1, 'iot hub delete -n', hub, G), /ScopeLocked[^]*Please remove the lock and try again/);
    assert.match(await user.fails(1, 'group delete -y -n', made.group), /ScopeLocked/);
    await user.az('lock delete -n hub', H);
    await user.az('lock delete --ids', onGroup.id);
    assert.deepEqual(await user.az('lock list', G), []);
    await user.az('iot hub delete -n', hub, G);
  });
});
