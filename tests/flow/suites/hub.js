// hub.js: the built-in hub: a device registry with keys, ETags, bulk calls, lists and statistics, and policies that say who may do what.
'use strict';

const { describe, test, before, after } = require('node:test');
const { Registry } = require('azure-iothub');
const { assert, idscope, expect, each, sas, fresh, names, refusedHub, sharedScene, scene, stack, until } = require('../kit');

const at = (id) => `/devices/${encodeURIComponent(id)}`;
const keys = () => ({ type: 'sas', symmetricKey: { primaryKey: sas.newKey(), secondaryKey: sas.newKey() } });

describe('hub: devices', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const call = (method, path, options) => idscope.hub(made.hubs[0], method, path, options);
  const put = (id, body = {}, headers) => call('PUT', at(id), { body: { deviceId: id, ...body }, headers });

  test('a device is created with all members that clients read; empty keys are made', async () => {
    const id = fresh('device');
    const device = expect('create', await put(id, { authentication: { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey: '' } } }), 200);
    assert.deepEqual(Object.keys(device).sort(), [...new Set([...Object.keys(device), 'authentication', 'capabilities', 'cloudToDeviceMessageCount', 'connectionState', 'connectionStateUpdatedTime', 'deviceId', 'etag', 'generationId', 'lastActivityTime', 'status', 'statusReason', 'statusUpdatedTime'])].sort());
    assert.deepEqual([device.deviceId, device.status, device.connectionState, device.cloudToDeviceMessageCount, device.lastActivityTime], [id, 'enabled', 'Disconnected', 0, '0001-01-01T00:00:00']);
    assert.deepEqual(device.authentication.x509Thumbprint, { primaryThumbprint: null, secondaryThumbprint: null });
    const { primaryKey, secondaryKey } = device.authentication.symmetricKey;
    assert.ok(primaryKey !== secondaryKey && Buffer.from(primaryKey, 'base64').length === 32);
    assert.deepEqual(expect('get', await call('GET', at(id)), 200), device);
  });

  test('given keys are kept', async () => {
    const authentication = keys();
    assert.deepEqual(expect('create', await put(fresh('device'), { authentication }), 200).authentication.symmetricKey, authentication.symmetricKey);
  });

  test('ETags: conflict, any, present, stale, missing', async () => {
    const id = fresh('device');
    refusedHub(await put(id, {}, { 'If-Match': '"*"' }), 404, 'DeviceNotFound');
    const first = expect('create', await put(id), 200);
    refusedHub(await put(id), 409, 'DeviceAlreadyExists');
    const second = expect('any', await put(id, { status: 'disabled', statusReason: 'lost' }, { 'If-Match': '"*"' }), 200);
    assert.notEqual(second.etag, first.etag);
    assert.deepEqual([second.status, second.statusReason, second.generationId], ['disabled', 'lost', first.generationId]);
    assert.notEqual(second.statusUpdatedTime, '0001-01-01T00:00:00');
    refusedHub(await put(id, {}, { 'If-Match': `"${first.etag}"` }), 412, 'PreconditionFailed');
    expect('present', await put(id, {}, { 'If-Match': `"${second.etag}"` }), 200);
    assert.equal((await call('DELETE', at(id), { headers: { 'If-Match': `"${second.etag}"` } })).status, 412);
    refusedHub(await call('DELETE', at(id)), 400, 'ArgumentInvalid', /If-Match/);
    assert.equal((await call('DELETE', at(id), { headers: { 'If-Match': '"*"' } })).status, 204);
    refusedHub(await call('DELETE', at(id), { headers: { 'If-Match': '*' } }), 404, 'DeviceNotFound');
    refusedHub(await call('GET', at(id)), 404, 'DeviceNotFound');
    assert.notEqual(expect('again', await put(id), 200).generationId, first.generationId, 'a device made again is another generation');
  });

  test('device ids keep case and odd characters', async () => {
    const id = fresh('Odd.%_*?!(),:=@$\'');
    expect('create', await put(id), 200);
    assert.equal(expect('get', await call('GET', at(id)), 200).deviceId, id);
    refusedHub(await call('GET', at(id.toLowerCase())), 404, 'DeviceNotFound');
    expect('other case', await put(id.toLowerCase()), 200);
  });

  test('what is outside the rules is refused and names the member', async () => {
    const cases = [['a b', {}, /deviceId|id/i], ['x'.repeat(129), {}, /deviceId|id/i], [fresh('d'), { deviceId: 'other' }, /deviceId/], [fresh('d'), { status: 'broken' }, /status/],
      [fresh('d'), { authentication: { type: 'sas', symmetricKey: { primaryKey: '!!' } } }, /primaryKey/], [fresh('d'), { authentication: { type: 'magic' } }, /type/], [fresh('d'), { capabilities: { iotEdge: 1 } }, /iotEdge/]];
    for (const [id, body, words] of cases) refusedHub(await put(id, body), 400, 'ArgumentInvalid', words);
    refusedHub(await call('PUT', at('x'), { body: '{"deviceId":"x","deviceId":"x"}' }), 400, 'ArgumentInvalid');
    refusedHub(await call('PUT', at('x'), { body: '{' }), 400, 'ArgumentInvalid');
    refusedHub(await call('PUT', at('x'), { body: { deviceId: 'x', statusReason: 'y'.repeat(20000) } }), 413, 'MessageTooLarge');
    refusedHub(await call('GET', at('x'), { version: null }), 400, 'ArgumentInvalid', /api-version/);
    refusedHub(await call('PATCH', at('x'), { body: {} }), 405, 'MethodNotAllowed');
    refusedHub(await call('GET', '/configurations/x'), 404, 'NotFound');
  });
});

describe('hub: bulk, lists, statistics', { concurrency: 4 }, () => {
  test('bulk creates, updates and deletes; what fails is told per device', async (t) => {
    const made = await scene(t);
    const bulk = (items) => idscope.hub(made.hubs[0], 'POST', '/devices', { body: items });
    const ids = Array.from({ length: 100 }, (_, i) => `bulk-${i}`);
    const create = ids.map((id) => ({ id, importMode: 'create', authentication: keys(), capabilities: { iotEdge: false } }));
    assert.deepEqual(expect('create', await bulk(create), 200), { isSuccessful: true, errors: [], warnings: [] });
    const registry = await idscope.registry(made.hubs[0]);
    assert.equal(registry.size, 100);
    for (const item of create) assert.deepEqual(registry.get(item.id).authentication.symmetricKey, item.authentication.symmetricKey);

    const again = expect('again', await bulk([create[0], { id: 'bulk-new', importMode: 'create', authentication: keys() }, create[1]]), 200, 400);
    assert.equal(again.isSuccessful, false);
    assert.deepEqual(again.errors.map((error) => [error.deviceId, error.errorCode]).sort(), [['bulk-0', 409001], ['bulk-1', 409001]]);
    assert.ok(await made.identity(made.hubs[0], 'bulk-new'), 'the good one among bad ones is made');

    const update = expect('update', await bulk([{ id: 'bulk-0', importMode: 'update', authentication: keys(), status: 'disabled' }, { id: 'none', importMode: 'update', authentication: keys() }]), 200, 400);
    assert.deepEqual(update.errors.map((error) => [error.deviceId, error.errorCode]), [['none', 404001]]);
    const changed = await made.identity(made.hubs[0], 'bulk-0');
    assert.equal(changed.status, 'disabled');
    assert.notEqual(changed.etag, registry.get('bulk-0').etag);
    assert.equal(await made.identity(made.hubs[0], 'none'), undefined);

    const stale = expect('stale', await bulk([{ id: 'bulk-0', eTag: registry.get('bulk-0').etag, importMode: 'updateIfMatchETag', authentication: keys() }, { id: 'bulk-1', eTag: registry.get('bulk-1').etag, importMode: 'deleteIfMatchETag' }]), 200, 400);
    assert.deepEqual(stale.errors.map((error) => [error.deviceId, error.errorCode]), [['bulk-0', 412001]]);
    const remove = expect('delete', await bulk([...ids.slice(2).map((id) => ({ id, importMode: 'delete' })), { id: 'none', importMode: 'delete' }]), 200, 400);
    assert.deepEqual(remove.errors.map((error) => [error.deviceId, error.errorCode]), [['none', 404001]]);
    assert.deepEqual([...(await idscope.registry(made.hubs[0])).keys()].sort(), ['bulk-0', 'bulk-new']);
  });

  test('bulk: a device named twice, bad items, too many, no array', async (t) => {
    const made = await scene(t);
    const bulk = (items) => idscope.hub(made.hubs[0], 'POST', '/devices', { body: items });
    const twice = expect('twice', await bulk([{ id: 'a', importMode: 'create' }, { id: 'a', importMode: 'create' }]), 200, 400);
    assert.deepEqual([twice.isSuccessful, twice.errors.length, twice.errors[0].deviceId], [false, 1, 'a']);
    refusedHub(await bulk(Array.from({ length: 101 }, (_, i) => ({ id: `n${i}`, importMode: 'create' }))), 400, 'ArgumentInvalid', /100/);
    refusedHub(await bulk({ id: 'x' }), 400, 'ArgumentInvalid');
    const odd = expect('odd', await bulk([{ id: 'x', importMode: 'invent' }]), 200, 400);
    assert.deepEqual(odd.errors.map((error) => [error.deviceId, error.errorCode]), [['x', 400004]]);
    assert.match(odd.errors[0].errorStatus, /importMode/);
    assert.equal((await idscope.registry(made.hubs[0])).size, 1);
  });

  test('lists come in pages that together are the whole, each device once', async (t) => {
    const made = await scene(t);
    const [hub] = made.hubs;
    const ids = Array.from({ length: 250 }, (_, i) => `d${String(i).padStart(3, '0')}`);
    await each([ids.slice(0, 100), ids.slice(100, 200), ids.slice(200)], 3, (part) => idscope.hub(hub, 'POST', '/devices', { body: part.map((id) => ({ id, importMode: 'create' })) }));
    assert.deepEqual([...(await idscope.registry(hub, 60)).keys()].sort(), ids);
    assert.equal(expect('top', await idscope.hub(hub, 'GET', '/devices?top=7'), 200).length, 7);
    assert.equal(expect('all', await idscope.hub(hub, 'GET', '/devices/'), 200).length, 250);
    for (const top of ['0', '-1', 'x', '1.5']) refusedHub(await idscope.hub(hub, 'GET', `/devices?top=${top}`), 400, 'ArgumentInvalid', /top/);
  });

  test('statistics count what is there', async (t) => {
    const made = await scene(t);
    const bulk = ['a', 'b', 'c'].map((id) => ({ id, importMode: 'create', status: id === 'a' ? 'disabled' : 'enabled' }));
    expect('bulk', await idscope.hub(made.hubs[0], 'POST', '/devices', { body: bulk }), 200);
    assert.deepEqual(expect('devices', await idscope.hub(made.hubs[0], 'GET', '/statistics/devices'), 200), { totalDeviceCount: 3, enabledDeviceCount: 2, disabledDeviceCount: 1 });
    // Each kind of change, also by the worker, and refused ones; then once more when the sweep has folded the changes.
    const change = (id, method, body, headers = { 'If-Match': '*' }) => idscope.hub(made.hubs[0], method, at(id), { body, headers });
    expect('enable', await change('a', 'PUT', { deviceId: 'a', status: 'enabled' }), 200);
    expect('disable', await change('b', 'PUT', { deviceId: 'b', status: 'disabled' }), 200);
    expect('again', await change('b', 'PUT', { deviceId: 'b', status: 'disabled' }), 200);
    refusedHub(await change('b', 'PUT', { deviceId: 'b', status: 'enabled' }, {}), 409, 'DeviceAlreadyExists');
    refusedHub(await change('b', 'PUT', { deviceId: 'b', status: 'enabled' }, { 'If-Match': '"stale"' }), 412, 'PreconditionFailed');
    assert.equal((await change('c', 'DELETE')).status, 204);
    refusedHub(await change('c', 'DELETE'), 404, 'DeviceNotFound');
    await made.registered();
    const counts = { totalDeviceCount: 3, enabledDeviceCount: 2, disabledDeviceCount: 1 };
    assert.deepEqual(expect('changed', await idscope.hub(made.hubs[0], 'GET', '/statistics/devices'), 200), counts);
    await until('the changes to be folded', async () => (await stack.sql('SELECT count(*) FROM idscope.hub_device_count WHERE n > 0')) === '0');
    assert.deepEqual(expect('folded', await idscope.hub(made.hubs[0], 'GET', '/statistics/devices'), 200), counts);
    assert.deepEqual(expect('service', await idscope.hub(made.hubs[0], 'GET', '/statistics/service'), 200), { connectedDeviceCount: 0 });
  });
});

describe('hub: twins', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const call = (method, path, options) => idscope.hub(made.hubs[0], method, path, options);
  const twinAt = (id) => `/twins/${encodeURIComponent(id)}`;
  const create = async (prefix = 'twin') => {
    const id = fresh(prefix);
    expect('create', await call('PUT', at(id), { body: { deviceId: id } }), 200);
    return id;
  };
  const patch = (id, body, headers = { 'If-Match': '*' }) => call('PATCH', twinAt(id), { body, headers });
  const put = (id, body, headers = { 'If-Match': '*' }) => call('PUT', twinAt(id), { body, headers });
  const bare = ({ tags, properties: { desired: { $metadata, $version, ...desired } } }) => ({ tags, desired });

  test('a device has a twin with all members that clients read; nobody wrote to it', async () => {
    const id = await create();
    const twin = expect('get', await call('GET', twinAt(id)), 200);
    assert.deepEqual(Object.keys(twin), ['deviceId', 'etag', 'deviceEtag', 'status', 'statusUpdateTime', 'connectionState', 'lastActivityTime', 'cloudToDeviceMessageCount', 'authenticationType',
      'x509Thumbprint', 'modelId', 'version', 'tags', 'properties', 'capabilities']);
    assert.deepEqual([twin.deviceId, twin.status, twin.authenticationType, twin.version, twin.tags], [id, 'enabled', 'sas', 1, {}]);
    assert.deepEqual(twin.properties, { desired: { $metadata: { $lastUpdated: '0001-01-01T00:00:00' }, $version: 1 }, reported: { $metadata: { $lastUpdated: '0001-01-01T00:00:00' }, $version: 1 } });
    assert.equal(twin.deviceEtag, (await made.identity(made.hubs[0], id)).etag);
  });

  test('PATCH merges member by member and null takes away; PUT replaces; versions and etags follow', async () => {
    const id = await create();
    const first = expect('merge', await patch(id, { tags: { hall: 'B', place: { row: 1, seat: 2 } }, properties: { desired: { rate: 5 } } }), 200);
    assert.deepEqual(bare(first), { tags: { hall: 'B', place: { row: 1, seat: 2 } }, desired: { rate: 5 } });
    assert.deepEqual([first.version, first.properties.desired.$version], [2, 2]);
    const second = expect('take away', await patch(id, { tags: { hall: null, place: { seat: null, shelf: { x: null } } } }), 200);
    assert.deepEqual(bare(second), { tags: { place: { row: 1, shelf: {} } }, desired: { rate: 5 } });
    assert.deepEqual([second.version, second.properties.desired.$version, second.properties.desired.$metadata], [3, 2, first.properties.desired.$metadata], 'tags alone changed');
    assert.notEqual(second.etag, first.etag);
    refusedHub(await patch(id, { tags: { a: 1 } }, { 'If-Match': `"${first.etag}"` }), 412, 'PreconditionFailed');
    const third = expect('read and written back', await put(id, second, { 'If-Match': `"${second.etag}"` }), 200);
    assert.deepEqual(bare(third), bare(second));
    assert.deepEqual(bare(expect('replace', await put(id, { tags: { a: 1, b: null } }), 200)), { tags: { a: 1 }, desired: {} });
    assert.equal((await made.identity(made.hubs[0], id)).etag, third.deviceEtag, 'the identity has an etag of its own');
    assert.equal((await call('DELETE', at(id), { headers: { 'If-Match': '*' } })).status, 204);
    refusedHub(await call('GET', twinAt(id)), 404, 'DeviceNotFound');
    expect('again', await call('PUT', at(id), { body: { deviceId: id } }), 200);
    assert.deepEqual(bare(expect('get', await call('GET', twinAt(id)), 200)), { tags: {}, desired: {} }, 'a device made again has a twin of its own');
  });

  test('modules are refused in words that name them', async () => {
    const id = await create();
    for (const [method, path] of [['GET', `/devices/${id}/modules`], ['PUT', `/devices/${id}/modules/one`], ['DELETE', `/devices/${id}/modules/one`], ['GET', `/twins/${id}/modules/one`], ['PATCH', `/twins/${id}/modules/one`]]) {
      refusedHub(await call(method, path, method === 'GET' ? {} : { body: {} }), 404, 'NotFound', /no modules/);
    }
    refusedHub(await call('POST', '/devices/query', { body: { query: 'SELECT * FROM devices.modules' } }), 400, 'ArgumentInvalid', /query/);
  });

  test('numbers and their order stay as they were written, whatever else is changed', async () => {
    const id = await create();
    const desired = '{"z":0.1,"a":1e-7,"big":12345678901234567890123,"list":[1.50,{"n":-0.0}]}';
    expect('put', await put(id, `{"tags":{"n":21.300},"properties":{"desired":${desired}}}`), 200);
    const { text } = await patch(id, { tags: { other: true } });
    assert.ok(text.includes('"tags":{"n":21.300,"other":true}') && text.includes(desired.slice(0, -1)), text);
  });

  test('what is outside the rules is refused and names the member; of many that write at once none is lost', async () => {
    const id = await create();
    const cases = [[{ tags: 1 }, /tags/], [{ properties: { desired: [] } }, /desired/], [{ tags: { 'a.b': 1 } }, /tags: names/], [{ tags: { $a: 1 } }, /tags: names/], [{ properties: { desired: { a: { 'b c': 1 } } } }, /desired: names/],
      [{ tags: { '': 1 } }, /tags: a member/], ['{', /JSON/], [{ tags: { pad: 'x'.repeat(66000) } }, /tags/]];
    for (const [body, words] of cases) refusedHub(await patch(id, body), 400, 'ArgumentInvalid', words);
    refusedHub(await patch(fresh('none'), { tags: {} }), 404, 'DeviceNotFound');
    refusedHub(await call('DELETE', twinAt(id)), 405, 'MethodNotAllowed');
    await each(Array.from({ length: 20 }, (_, i) => i), 10, async (i) => expect('patch', await patch(id, { tags: { [`t${i}`]: i } }), 200));
    const twin = expect('get', await call('GET', twinAt(id)), 200);
    assert.equal(Object.keys(twin.tags).length, 20);
    assert.equal(twin.version, 21);
  });

  test('the npm client reads, changes and queries twins, page by page', async (t) => {
    const own = await scene(t);
    const [hub] = own.hubs;
    const ids = Array.from({ length: 25 }, (_, i) => `n${String(i).padStart(2, '0')}`);
    expect('bulk', await idscope.hub(hub, 'POST', '/devices', { body: ids.map((id, i) => ({ id, importMode: 'create', tags: { n: i, hall: i % 2 ? 'A' : 'B' }, properties: { desired: { rate: i } }, capabilities: { iotEdge: i === 3 } })) }), 200);
    names('127.0.0.1', hub.host);
    const registry = Registry.fromConnectionString(hub.connectionString);
    const { responseBody: twin } = await registry.getTwin('n03');
    assert.deepEqual([twin.tags, twin.properties.desired.rate, twin.capabilities.iotEdge], [{ n: 3, hall: 'A' }, 3, true]);
    const { result: changed } = await twin.update({ tags: { hall: null }, properties: { desired: { rate: { now: 7 } } } });
    assert.deepEqual([changed.tags, changed.properties.desired.rate], [{ n: 3 }, { now: 7 }]);
    await assert.rejects(registry.updateTwin('n03', { tags: { a: 1 } }, 'stale'), /Precondition/i);
    const ask = async (text, size) => {
      const query = registry.createQuery(text, size);
      const found = [];
      while (query.hasMoreResults) found.push(...(await query.nextAsTwin()).result.map(({ deviceId }) => deviceId));
      return found;
    };
    assert.deepEqual(await ask('SELECT * FROM devices', 7), ids);
    assert.deepEqual(await ask('select * from devices where capabilities.iotEdge = true'), ['n03']);
    assert.deepEqual(await ask("SELECT * FROM devices WHERE tags.hall = 'B' AND properties.desired.rate > 20", 1), ['n22', 'n24']);
    assert.deepEqual(await ask("SELECT * FROM devices WHERE deviceId IN ['n01', 'n02']".replace('[', '(').replace(']', ')')), ['n01', 'n02']);
    await assert.rejects(ask('SELECT * FROM devices.modules'), /expected|query/i);
  });
});

describe('hub: who may ask', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 2 });
  const key = (name, hub = made.hubs[0]) => hub.keys.find((one) => one.keyName === name);
  const call = (authorization, method, path, body, headers = { 'If-Match': '*' }) => idscope.hub(made.hubs[0], method, path, { authorization, body, headers: method === 'DELETE' ? headers : {} });

  test('each default policy may do what its rights say and nothing else', async () => {
    const may = { iothubowner: [1, 1, 1, 1, 1], service: [0, 0, 0, 1, 0], device: [0, 0, 0, 0, 0], registryRead: [1, 0, 0, 0, 1], registryReadWrite: [1, 1, 1, 0, 1] };
    for (const [name, allowed] of Object.entries(may)) {
      const token = sas.forHost(made.hubs[0].host, name, key(name).primaryKey);
      const id = fresh('r');
      const answers = [await call(token, 'GET', '/devices'), await call(token, 'PUT', at(id), { deviceId: id }), await call(token, 'DELETE', at(id)), await call(token, 'GET', '/statistics/service'), await call(token, 'GET', '/statistics/devices')];
      answers.forEach((answer, i) => {
        if (allowed[i]) assert.ok(answer.status < 300, `${name} ${i}: ${answer.status} ${answer.text}`);
        else refusedHub(answer, 401, 'IotHubUnauthorizedAccess');
      });
    }
  });

  test('tokens: secondary key, encoded resource, a device\'s scope; not another hub\'s, expired, garbled, none', async () => {
    const [hub, other] = made.hubs;
    for (const token of [sas.forHost(hub.host, 'iothubowner', key('iothubowner').secondaryKey), sas.sign(hub.host, hub.key, { name: 'iothubowner' }), sas.sign(encodeURIComponent(`${hub.host}/devices`), hub.key, { name: 'iothubowner' })]) {
      assert.equal((await call(token, 'GET', '/devices')).status, 200);
    }
    for (const token of [null, 'SharedAccessSignature x', sas.forHost(other.host, 'iothubowner', other.key), sas.forHost(hub.host, 'iothubowner', other.key), sas.forHost(hub.host, 'iothubowner', hub.key, { expiry: sas.inSeconds(-400) }),
      sas.sign(encodeURIComponent(`${hub.host}/devices/one`), hub.key, { name: 'iothubowner' }), sas.forHost(hub.host, 'nobody', hub.key), 'Bearer x']) {
      refusedHub(await call(token, 'GET', '/devices'), 401, 'IotHubUnauthorizedAccess');
    }
  });

  test('an unknown hub is not found; a device path on a hub\'s name is none', async () => {
    assert.equal((await idscope.hub({ ...made.hubs[0], host: `nobody.hub.${idscope.domain}` }, 'GET', '/devices')).status, 404);
    assert.equal((await idscope.hub(made.hubs[0], 'GET', '/enrollments/x')).status, 404);
  });

  test('a changed policy key soon closes the old one', async (t) => {
    const own = await scene(t);
    const [hub] = own.hubs;
    const policies = [{ keyName: 'iothubowner', rights: 'RegistryWrite, ServiceConnect, DeviceConnect', primaryKey: sas.newKey(), secondaryKey: sas.newKey() }];
    expect('renew', await idscope.arm('PUT', idscope.hubPath(own.group, hub.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { authorizationPolicies: policies } } }), 200);
    await until('the old key to be refused', async () => (await idscope.hub(hub, 'GET', '/devices')).status === 401, { timeoutMs: 15000 });
    assert.equal((await idscope.hub({ ...hub, key: policies[0].primaryKey }, 'GET', '/devices')).status, 200);
  });
});
