// management.js: the management plane as raw HTTPS: sign-in, every operation of the plane, and what az does that is not in any specification.
// States what is answered, in which shape, and what must not happen: keys shown, policies lost, a name given twice.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, stack, idscope, Idscope, expect, sas, fresh, refusedArm, scene, sharedScene, until, VERSION } = require('../kit');

const AUDIENCE = 'https://management.azure.com';
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const hubBody = (more = {}) => ({ location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {}, ...more });
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
const masked = (text) => text.replace(/SharedAccessKey=.*/, 'SharedAccessKey=****');

describe('management: sign-in and discovery', { concurrency: 4 }, () => {
  const get = (path) => idscope.https.request('GET', 'localhost', path);

  test('cloud discovery has the old shape for api-version 2015-01-01', async () => {
    for (const path of ['/metadata/endpoints', '//metadata/endpoints']) {
      const { status, json } = await get(`${path}?api-version=2015-01-01`);
      assert.equal(status, 200);
      assert.equal(json.authentication.loginEndpoint, 'https://localhost/adfs');
      assert.deepEqual(json.authentication.audiences, ['https://localhost/']);
      assert.ok(json.galleryEndpoint && json.graphEndpoint);
    }
  });

  test('cloud discovery is an array for later versions and one object from 2022-09-01 on, with every member that clients read', async () => {
    for (const [version, isList] of [['2015-01-02', true], ['2020-06-01', true], ['2022-08-31', true], ['2022-09-01', false], ['2023-01-01', false]]) {
      const { status, json } = await get(`/metadata/endpoints?api-version=${version}`);
      assert.deepEqual([status, Array.isArray(json)], [200, isList], version);
      const [told] = isList ? json : [json];
      for (const member of ['name', 'resourceManager', 'sqlManagement', 'batch', 'gallery', 'graphAudience', 'vmImageAliasDoc', 'media', 'microsoftGraphResourceId']) assert.equal(typeof told[member], 'string', member);
      for (const suffix of ['storage', 'keyVaultDns', 'sqlServerHostname']) assert.equal(typeof told.suffixes[suffix], 'string', suffix);
      assert.equal(told.authentication.loginEndpoint, 'https://localhost/adfs');
    }
  });

  test('Terraform signs in: what discovery names, the path of a tenant, the scope of our own address; the token says whose it is', async () => {
    const { IDSCOPE_TENANT_ID: tenant, IDSCOPE_CLIENT_ID: id, IDSCOPE_CLIENT_SECRET: secret } = idscope.env;
    const cloud = (await get('/metadata/endpoints?api-version=2022-09-01')).json;
    const sign = (of, fields = {}) => idscope.https.request('POST', 'localhost', `${new URL(cloud.authentication.loginEndpoint).pathname}/${of}/oauth2/v2.0/token`, { headers: { ...form, Accept: 'application/json' },
      body: new URLSearchParams({ client_id: id, client_secret: secret, grant_type: 'client_credentials', scope: `${cloud.resourceManager}/.default`, ...fields }).toString() });
    const { access_token: token } = expect('sign in', await sign(tenant), 200);
    assert.deepEqual([claims(token).oid, claims(token).tid, claims(token).aud], [id, tenant, 'https://localhost']);
    expect('as any client', await idscope.arm('GET', `/subscriptions/${idscope.subscription}`, { bearer: `Bearer ${token}` }), 200);
    expect('the tenant in capitals', await sign(tenant.toUpperCase()), 200);
    const unknown = expect('an unknown client', await sign(tenant, { client_id: crypto.randomUUID() }), 401);
    for (const other of [crypto.randomUUID(), 'common', `${tenant}0`]) assert.deepEqual(expect(other, await sign(other), 401), unknown, other);
    const document = expect('its document', await get(`/adfs/${tenant}/v2.0/.well-known/openid-configuration`), 200);
    assert.deepEqual([document.token_endpoint, document.issuer], [`https://localhost/adfs/${tenant}/oauth2/v2.0/token`, claims(token).iss]);
  });

  test('the OpenID document names the token endpoint, whatever the case of the path', async () => {
    for (const path of ['/adfs/.well-known/openid-configuration', '/ADFS/.well-known/OpenID-Configuration']) {
      const { json } = await get(path);
      assert.equal(json.token_endpoint, 'https://localhost/adfs/oauth2/token');
      assert.ok(json.issuer && json.authorization_endpoint && json.jwks_uri);
    }
  });

  test('an access token is signed by a published key and says what it is for', async () => {
    const { status, headers, json } = await idscope.requestToken({});
    assert.equal(status, 200);
    assert.match(headers['cache-control'], /no-store/);
    assert.equal(json.token_type, 'Bearer');
    const [head, body, signature] = json.access_token.split('.');
    const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url'));
    assert.equal(alg, 'ES256');
    const configuration = (await get('/adfs/.well-known/openid-configuration')).json;
    const { keys } = (await get(new URL(configuration.jwks_uri).pathname)).json;
    const key = keys.find((candidate) => candidate.kid === kid);
    assert.equal(key.d, undefined, 'a private key was published');
    const good = crypto.verify('sha256', Buffer.from(`${head}.${body}`), { key: crypto.createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    assert.ok(good, 'the signature does not fit the published key');
    const said = claims(json.access_token);
    assert.equal(said.aud, AUDIENCE);
    assert.equal(said.tid, idscope.env.IDSCOPE_TENANT_ID);
    assert.equal(said.appid, idscope.env.IDSCOPE_CLIENT_ID);
    assert.ok(said.exp - said.iat === json.expires_in && said.exp > Date.now() / 1000);
    assert.equal(said.iss, configuration.issuer);
  });

  test('scope and resource, our own URL with its double slash, and HTTP Basic all work', async () => {
    const { IDSCOPE_CLIENT_ID: id, IDSCOPE_CLIENT_SECRET: secret } = idscope.env;
    const ask = async (fields, headers = {}) => {
      const answer = await idscope.https.request('POST', 'localhost', '/adfs/oauth2/token', { headers: { ...form, ...headers }, body: new URLSearchParams({ grant_type: 'client_credentials', ...fields }).toString() });
      assert.equal(answer.status, 200, answer.text);
      return claims(answer.json.access_token).aud;
    };
    const own = { client_id: id, client_secret: secret };
    assert.equal(await ask({ ...own, scope: 'https://localhost//.default', client_info: '1' }), 'https://localhost');
    assert.equal(await ask({ ...own, resource: 'https://management.core.windows.net/' }), 'https://management.core.windows.net');
    assert.equal(await ask({ ...own, scope: 'https://azure-devices-provisioning.net/.default' }), 'https://azure-devices-provisioning.net');
    assert.equal(await ask({ scope: `${AUDIENCE}/.default` }, { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }), AUDIENCE);
  });

  test('a name that only the caller calls us by is no audience', async () => {
    const host = 'anything.example';
    const at = (method, path, options) => idscope.https.request(method, idscope.managementHost, path, { ...options, headers: { ...options.headers, Host: host } });
    const form = (scope) => new URLSearchParams({ grant_type: 'client_credentials', client_id: idscope.env.IDSCOPE_CLIENT_ID, client_secret: idscope.env.IDSCOPE_CLIENT_SECRET, scope }).toString();
    const ask = (scope) => at('POST', '/adfs/oauth2/token', { body: form(scope), headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    for (const scope of [`https://${host}/.default`, `https://${host}:443/.default`, `https://management.${idscope.domain}.example/.default`, `https://x${idscope.managementHost}/.default`,
      'https:///.default', `http://${idscope.managementHost}/.default`, `https://hub.hub.${idscope.domain}/.default`]) assert.equal((await ask(scope)).status, 401, scope);
    const discovered = expect('discover', await at('GET', '/metadata/endpoints?api-version=2015-01-01', {}), 200).authentication.audiences;
    assert.deepEqual(discovered, [`https://management.${idscope.domain}/`]);
    // A token for a name of ours is good under any name that reaches us.
    const { access_token: token } = expect('ask', await ask(`${discovered[0]}/.default`), 200);
    assert.equal((await at('GET', '/subscriptions?api-version=2021-04-01', { headers: { Authorization: `Bearer ${token}` } })).status, 200);
  });

  test('a wrong secret, an unknown client and a foreign scope are 401, never 400', async () => {
    const cases = [[{ client_secret: 'wrong' }, 'invalid_client'], [{ client_id: crypto.randomUUID() }, 'invalid_client'], [{ client_id: 'no guid' }, 'invalid_client'],
      [{ scope: 'https://graph.microsoft.com/.default' }, 'invalid_scope']];
    for (const [fields, error] of cases) {
      const { status, json } = await idscope.requestToken(fields);
      assert.equal(status, 401, JSON.stringify(fields));
      assert.equal(json.error, error);
      assert.ok(json.error_description.length > 10);
      assert.equal(json.access_token, undefined);
    }
    assert.equal((await idscope.requestToken({ grant_type: 'password' })).status, 400);
  });
});

describe('management: who may ask', { concurrency: 4 }, () => {
  const path = () => `/subscriptions/${idscope.subscription}`;

  test('no token, a garbled one, one without a signature and one for another audience are 401', async () => {
    const token = await idscope.signIn();
    const [head, body, signature] = token.split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const devices = (await idscope.requestToken({ scope: 'https://azure-devices-provisioning.net/.default' })).json.access_token;
    const flipped = `${signature.slice(0, -4)}${signature.slice(-4) === 'AAAA' ? 'BBBB' : 'AAAA'}`;
    const cases = [null, 'Bearer', 'Bearer x', 'Basic abc', `Bearer ${none}.${body}.`, `Bearer ${head}.${body}.`, `Bearer ${head}.${body}.${flipped}`, `Bearer ${token}.x`, `Bearer ${devices}`];
    for (const bearer of cases) {
      refusedArm(await idscope.arm('GET', path(), { bearer }), 401, 'InvalidAuthenticationToken');
    }
  });

  test('api-version is required and must be a date; any date will do', async () => {
    refusedArm(await idscope.arm('GET', path(), { version: null }), 400, 'MissingApiVersionParameter', /api-version/);
    for (const version of ['', 'latest', '2021-13-01', '2021-1-1', '2021-10-01-beta!']) refusedArm(await idscope.arm('GET', path(), { version }), 400, version === '' ? 'MissingApiVersionParameter' : 'InvalidApiVersionParameter', /api-version/);
    for (const version of ['2016-06-01', '2022-04-30-preview', '2026-08-31']) assert.equal((await idscope.arm('GET', path(), { version })).status, 200, version);
  });

  test('an unknown address is 404, a method that an address does not have is 405 with Allow', async () => {
    refusedArm(await idscope.arm('GET', `${path()}/nothing/here`), 404, 'ResourceNotFound');
    const wrong = refusedArm(await idscope.arm('POST', idscope.groupPath('any'), { body: {} }), 405, 'MethodNotAllowed');
    assert.deepEqual(wrong.headers.allow.split(/, */).sort(), ['DELETE', 'GET', 'HEAD', 'PATCH', 'PUT']);
  });

  test('every answer carries the ids of the request; the client gets its own back when it asks', async () => {
    const { headers } = await idscope.arm('GET', path(), { headers: { 'x-ms-client-request-id': 'mine-1', 'x-ms-return-client-request-id': 'true' } });
    for (const name of ['x-ms-request-id', 'x-ms-correlation-request-id']) assert.match(headers[name], /^[0-9a-f-]{36}$/);
    assert.ok(headers['x-ms-routing-request-id']);
    assert.match(headers['cache-control'], /no-cache/);
    assert.equal(headers['x-ms-client-request-id'], 'mine-1');
  });

  test('subscriptions are listed and read', async () => {
    const { value } = expect('list', await idscope.arm('GET', '/subscriptions'), 200);
    assert.deepEqual(value.map((one) => one.subscriptionId), [idscope.subscription]);
    const one = expect('get', await idscope.arm('GET', path().toUpperCase().replace('SUBSCRIPTIONS', 'Subscriptions')), 200);
    assert.equal(one.id, path());
    assert.equal(one.state, 'Enabled');
    assert.equal(one.tenantId, idscope.env.IDSCOPE_TENANT_ID);
    refusedArm(await idscope.arm('GET', `/subscriptions/${crypto.randomUUID()}`), 404, 'SubscriptionNotFound');
    refusedArm(await idscope.arm('GET', '/subscriptions/no-guid'), 404, 'SubscriptionNotFound');
  });
});

describe('management: resource groups', { concurrency: 4 }, () => {
  test('a group is made, read, changed, listed and deleted', async () => {
    const name = fresh('Group');
    const path = idscope.groupPath(name);
    assert.equal((await idscope.arm('HEAD', path)).status, 404);
    const made = await idscope.arm('PUT', path, { body: { location: 'West Europe', tags: { a: '1' } } });
    assert.equal(made.status, 201);
    assert.equal(made.json.location, 'westeurope');
    assert.equal(made.json.name, name);
    assert.equal(made.json.type.toLowerCase(), 'microsoft.resources/resourcegroups');
    assert.equal(made.json.properties.provisioningState, 'Succeeded');
    assert.equal((await idscope.arm('HEAD', path.toUpperCase().replace('SUBSCRIPTIONS', 'subscriptions'))).status, 204);
    assert.equal((await idscope.arm('PUT', path.toLowerCase(), { body: { location: 'westeurope', tags: { b: '2' } } })).status, 200);
    const read = expect('get', await idscope.arm('GET', path), 200);
    assert.deepEqual(read.tags, { b: '2' });
    assert.equal(read.name, name, 'the spelling of the creation is kept');
    assert.ok(expect('list', await idscope.arm('GET', idscope.groupPath('').slice(0, -1)), 200).value.some((group) => group.name === name));
    refusedArm(await idscope.arm('PUT', path, { body: { location: 'eastus' } }), 409, 'InvalidResourceGroupLocation');
    assert.equal((await idscope.arm('DELETE', path)).status, 200);
    refusedArm(await idscope.arm('GET', path), 404, 'ResourceGroupNotFound');
    refusedArm(await idscope.arm('DELETE', path), 404, 'ResourceGroupNotFound');
  });

  test('names and bodies outside the rules are refused, and say which member', async () => {
    const put = (name, body, headers) => idscope.arm('PUT', idscope.groupPath(name), { body, headers });
    for (const name of ['ends.', 'x'.repeat(91), 'sp%20ace', 'sl%2Fash']) assert.equal((await put(name, { location: 'x' })).status, 400, name);
    refusedArm(await put(fresh('g'), {}), 400, 'InvalidRequestContent', /location/);
    refusedArm(await put(fresh('g'), { location: 7 }), 400, 'InvalidRequestContent', /location/);
    refusedArm(await put(fresh('g'), { location: 'x', tags: { a: 1 } }), 400, 'InvalidRequestContent', /tags/);
    refusedArm(await put(fresh('g'), '{"location":"x"'), 400, 'InvalidRequestContent');
    refusedArm(await put(fresh('g'), '{"location":"x","location":"y"}'), 400, 'InvalidRequestContent', /location|duplicate/i);
    refusedArm(await put(fresh('g'), ''), 400, 'InvalidRequestContent');
    refusedArm(await put(fresh('g'), `{"location":"x","pad":"${'x'.repeat(70 * 1024)}"}`), 413, 'RequestEntityTooLarge');
  });

  test('deleting a group deletes the hubs and instances in it', async (t) => {
    const made = await scene(t, { hubs: 1 });
    await idscope.deleteGroup(made.group);
    refusedArm(await idscope.arm('GET', idscope.hubPath(made.group, made.hubs[0].name)), 404, 'ResourceGroupNotFound');
    await idscope.createGroup(made.group);
    refusedArm(await idscope.arm('GET', idscope.hubPath(made.group, made.hubs[0].name)), 404, 'ResourceNotFound');
    refusedArm(await idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), 404, 'ResourceNotFound');
    await until('the hub to be gone', async () => (await idscope.hub(made.hubs[0], 'GET', '/devices/x')).status === 404, { timeoutMs: 15000 });
  });
});

describe('management: hubs', { concurrency: 4 }, () => {
  const group = fresh('hubs');
  before(() => idscope.createGroup(group));
  after(() => idscope.deleteGroup(group));
  const put = (name, body = hubBody(), headers = {}) => idscope.arm('PUT', idscope.hubPath(group, name), { body, headers });

  test('a hub is made once and then changed; unknown members come back; keys do not', async () => {
    const name = fresh('Hub');
    const made = await put(name, hubBody({ location: 'West Europe', properties: { routing: { routes: [] }, comments: 'first' } }));
    assert.equal(made.status, 201);
    const { properties, ...top } = made.json;
    assert.equal(top.location, 'westeurope');
    assert.equal(top.resourcegroup, group);
    assert.equal(top.subscriptionid, idscope.subscription);
    assert.equal(top.sku.tier, 'Standard');
    assert.equal(properties.hostName.toLowerCase(), `${name.toLowerCase()}.hub.${idscope.domain}`);
    assert.equal(properties.state, 'Active');
    assert.equal(properties.provisioningState, 'Succeeded');
    assert.deepEqual(properties.routing, { routes: [] });
    assert.equal(properties.comments, 'first');
    assert.ok(!properties.authorizationPolicies || properties.authorizationPolicies.length === 0);
    const again = await put(name, hubBody({ tags: { a: 'b' } }));
    assert.equal(again.status, 200);
    assert.notEqual(again.json.etag, top.etag);
    const read = expect('get', await idscope.arm('GET', idscope.hubPath(group.toUpperCase(), name.toUpperCase())), 200);
    assert.deepEqual(read.tags, { a: 'b' });
    assert.doesNotMatch(JSON.stringify(read), /[Kk]ey":"/);
  });

  test('five policies with two keys each are there from the start, in the known order', async () => {
    const name = fresh('hub');
    await put(name);
    const { value } = expect('keys', await idscope.arm('POST', `${idscope.hubPath(group, name)}/listkeys`), 200);
    assert.deepEqual(value.map((key) => [key.keyName, key.rights]), [['iothubowner', 'RegistryWrite, ServiceConnect, DeviceConnect'], ['service', 'ServiceConnect'],
      ['device', 'DeviceConnect'], ['registryRead', 'RegistryRead'], ['registryReadWrite', 'RegistryWrite']]);
    const secrets = value.flatMap((key) => [key.primaryKey, key.secondaryKey]);
    assert.equal(new Set(secrets).size, 10);
    for (const secret of secrets) assert.ok(Buffer.from(secret, 'base64').length >= 32);
    const one = expect('one key', await idscope.arm('POST', `${idscope.hubPath(group, name)}/IotHubKeys/SERVICE/listkeys`), 200);
    assert.deepEqual(one, value[1]);
    assert.equal((await idscope.arm('POST', `${idscope.hubPath(group, name)}/IotHubKeys/none/listkeys`)).status, 404);
  });

  test('policies: absent keeps them, present replaces them, an entry without keys gets new ones', async () => {
    const name = fresh('hub');
    await put(name);
    const keys = async () => expect('keys', await idscope.arm('POST', `${idscope.hubPath(group, name)}/listkeys`), 200).value;
    const first = await keys();
    await put(name, hubBody({ tags: { x: 'y' } }));
    assert.deepEqual(await keys(), first, 'a PUT without policies keeps them');
    const own = { keyName: 'mine', rights: 'ServiceConnect,RegistryWrite' };
    expect('replace', await put(name, hubBody({ properties: { authorizationPolicies: [{ ...first[0] }, own] } })), 200);
    const second = await keys();
    assert.deepEqual(second[0], first[0]);
    assert.deepEqual(second.map((key) => key.keyName), ['iothubowner', 'mine']);
    assert.equal(second[1].rights, 'RegistryWrite, ServiceConnect', 'rights are normalised');
    assert.ok(Buffer.from(second[1].primaryKey, 'base64').length >= 32);
    refusedArm(await put(name, hubBody({ properties: { authorizationPolicies: [{ keyName: 'bad', rights: 'Everything' }] } })), 400, 'InvalidRequestContent', /rights/);
    refusedArm(await put(name, hubBody({ properties: { authorizationPolicies: [own, own] } })), 400, 'InvalidRequestContent', /mine|authorizationPolicies/);
    assert.deepEqual(await keys(), second, 'a refused PUT changes nothing');
  });

  test('If-Match is honoured, and az\'s broken one is taken as absent', async () => {
    const name = fresh('hub');
    const { json: { etag } } = await put(name);
    expect('right etag', await put(name, hubBody({ tags: { a: 'b' } }), { 'If-Match': etag }), 200);
    refusedArm(await put(name, hubBody(), { 'If-Match': etag }), 412, 'PreconditionFailed', /If-Match/);
    for (const broken of [`{'IF-MATCH': '${etag}'}`, "{'IF-MATCH': None}"]) expect(broken, await put(name, hubBody(), { 'If-Match': broken }), 200);
  });

  test('names: rules, reserved words, and taken ones', async () => {
    for (const name of ['ab', '-abc', 'abc-', '12345', 'a_b', 'x'.repeat(51)]) refusedArm(await put(name), 400, 'InvalidResourceName', /name/i);
    for (const name of ['global', 'Management', 'localhost', 'dps', 'hub']) assert.equal((await put(name)).status, 400, name);
    const name = fresh('hub');
    await put(name);
    const other = fresh('group');
    await idscope.createGroup(other);
    refusedArm(await idscope.arm('PUT', idscope.hubPath(other, name), { body: hubBody() }), 409, 'NameNotAvailable');
    await idscope.deleteGroup(other);
  });

  test('bodies outside the rules are refused, and say which member', async () => {
    const cases = [[{ sku: { name: 'S1', capacity: 1 }, properties: {} }, /location/], [hubBody({ sku: { name: 'S9', capacity: 1 } }), /sku/], [hubBody({ sku: undefined }), /sku/],
      [hubBody({ sku: { name: 'S1', capacity: 'one' } }), /capacity/], [hubBody({ tags: [] }), /tags/], [hubBody({ properties: 3 }), /properties/]];
    for (const [body, words] of cases) refusedArm(await put(fresh('hub'), body), 400, 'InvalidRequestContent', words);
    refusedArm(await put(fresh('hub'), hubBody({ location: 'eastus', properties: { pad: 'x'.repeat(260 * 1024) } })), 413, 'RequestEntityTooLarge');
  });

  test('hubs are listed in their group and in the subscription', async () => {
    const name = fresh('hub');
    await put(name);
    const inGroup = expect('list', await idscope.arm('GET', idscope.hubPath(group, '').slice(0, -1)), 200).value;
    const inAll = expect('list', await idscope.arm('GET', `/subscriptions/${idscope.subscription}/providers/microsoft.devices/iothubs`), 200).value;
    for (const list of [inGroup, inAll]) {
      const found = list.find((hub) => hub.name === name);
      assert.ok(found.resourcegroup === group && found.properties.hostName && found.location);
    }
    assert.ok(inGroup.every((hub) => hub.resourcegroup === group));
    refusedArm(await idscope.arm('GET', idscope.hubPath('no-such-group', '').slice(0, -1)), 404, 'ResourceGroupNotFound');
  });

  test('deleting a hub frees its name but not its devices for the next one of that name', async () => {
    const name = fresh('hub');
    const hub = await idscope.createHub(group, name);
    expect('device', await idscope.hub(hub, 'PUT', '/devices/left', { body: { deviceId: 'left' } }), 200);
    assert.equal((await idscope.arm('DELETE', idscope.hubPath(group, name))).status, 204);
    assert.equal((await idscope.arm('DELETE', idscope.hubPath(group, name))).status, 204);
    refusedArm(await idscope.arm('GET', idscope.hubPath(group, name)), 404, 'ResourceNotFound');
    const next = await idscope.createHub(group, name);
    assert.notEqual(next.key, hub.key);
    await until('the new keys to be known', async () => (await idscope.hub(next, 'GET', '/devices/left')).status === 404, { timeoutMs: 15000 });
    assert.equal((await idscope.registry(next)).size, 0);
    assert.equal((await idscope.hub(hub, 'GET', '/devices/left')).status, 401, 'the old key opens nothing');
  });
});

// What hubs and instances have alike.
describe('management: services', { concurrency: 4 }, () => {
  const group = fresh('services');
  before(() => idscope.createGroup(group));
  after(() => idscope.deleteGroup(group));
  const kinds = [['hub', (name) => idscope.hubPath(group, name), 'checkNameAvailability'], ['instance', (name) => idscope.instancePath(group, name), 'checkProvisioningServiceNameAvailability']];
  const check = async (word, name) => expect('check', await idscope.arm('POST', `/subscriptions/${idscope.subscription}/providers/microsoft.devices/${word}`, { body: { Name: name } }), 200);
  const noted = async (kind, key) => (await stack.sql(`SELECT detail ->> 'change' || ' ' || operation FROM idscope.audit_event WHERE kind = '${kind}' AND key = '${key}' ORDER BY id`)).split('\n');

  for (const [kind, at, word] of kinds) {
    test(`the name of a new ${kind}: free, taken, resting for its tenant, or against the rules, which is no refusal`, async () => {
      const name = fresh('Name');
      assert.deepEqual(await check(word, name), { nameAvailable: true });
      expect('put', await idscope.arm('PUT', at(name), { body: hubBody() }), 201);
      const taken = await check(word, name.toUpperCase());
      assert.deepEqual([taken.nameAvailable, taken.reason], [false, 'AlreadyExists']);
      assert.match(taken.message, /is taken/);
      assert.deepEqual(await check(kinds.find(([other]) => other !== kind)[2], name), { nameAvailable: true }, 'hubs and instances have names of their own');
      assert.equal((await idscope.arm('DELETE', at(name))).status, 204);
      assert.deepEqual(await check(word, name), { nameAvailable: true }, 'its tenant may take it again');
      for (const bad of ['ab', '-abc', '12345', 'dps', 'a_b', '']) {
        const { nameAvailable, reason, message } = await check(word, bad);
        assert.deepEqual([nameAvailable, reason], [false, 'Invalid'], bad);
        assert.match(message, /must have 3 to 50|is reserved/);
      }
      refusedArm(await idscope.arm('POST', `/subscriptions/${idscope.subscription}/providers/Microsoft.Devices/${word}`, { body: {} }), 400, 'InvalidRequestContent', /name/);
    });

    test(`PATCH replaces the tags of a ${kind}, and nothing else; it has a new etag and an event`, async () => {
      const name = fresh('tagged');
      const before_ = expect('put', await idscope.arm('PUT', at(name), { body: hubBody({ tags: { a: '1', b: '2' }, properties: { comments: 'kept' } }) }), 201);
      const patch = (body, headers) => idscope.arm('PATCH', at(name), { body, headers });
      const now = expect('patch', await patch({ tags: { c: '3' }, location: 'elsewhere', properties: { comments: 'ignored' } }), 200);
      assert.deepEqual(now, { ...before_, tags: { c: '3' }, etag: now.etag });
      assert.notEqual(now.etag, before_.etag);
      refusedArm(await patch({ tags: {} }, { 'If-Match': before_.etag }), 412, 'PreconditionFailed');
      assert.deepEqual(expect('none', await patch({}), 200), now, 'without tags nothing changes');
      refusedArm(await patch({}, { 'If-Match': before_.etag }), 412, 'PreconditionFailed');
      assert.deepEqual(expect('all gone', await patch({ tags: {} }, { 'If-Match': `"${now.etag}"` }), 200).tags, {});
      const key = kind === 'hub' ? name : before_.properties.idScope.toLowerCase();
      assert.deepEqual(await noted(kind, key), [`created ${kind}_put`, `updated ${kind}_patch`, `updated ${kind}_patch`]);
    });

    test(`the SKUs of a ${kind} that is there`, async () => {
      const name = fresh('sku');
      expect('put', await idscope.arm('PUT', at(name), { body: hubBody() }), 201);
      const { value } = expect('skus', await idscope.arm('GET', `${at(name)}/skus`), 200);
      assert.deepEqual(kind === 'hub' ? value.map((one) => one.sku.name) : value, kind === 'hub' ? ['F1', 'S1', 'S2', 'S3', 'B1', 'B2', 'B3'] : [{ name: 'S1' }]);
      refusedArm(await idscope.arm('GET', `${at(fresh('none'))}/skus`), 404, 'ResourceNotFound');
    });

    test(`If-None-Match: * makes a ${kind} that is not there and changes none that is; odd forms of If-Match`, async () => {
      const name = fresh('once');
      const put = (headers) => idscope.arm('PUT', at(name), { body: hubBody(), headers });
      const { etag } = expect('make', await put({ 'If-None-Match': '*' }), 201);
      refusedArm(await put({ 'If-None-Match': '*' }), 412, 'PreconditionFailed', /If-None-Match/);
      assert.equal(expect('get', await idscope.arm('GET', at(name)), 200).etag, etag);
      for (const match of ['', ' ', "{'IF-MATCH': None}", '*', '"*"']) expect(`If-Match: ${match}`, await put({ 'If-Match': match }), 200);
    });

    test(`a path with empty segments is that without them, for a ${kind}`, async () => {
      const name = fresh('empty');
      expect('put', await idscope.arm('PUT', at(name), { body: hubBody() }), 201);
      const odd = at(name).replace('/providers/', '//providers/').replace('Microsoft.Devices/', 'Microsoft.Devices//');
      assert.equal(expect('get', await idscope.arm('GET', odd), 200).name, name);
    });
  }

  test('PATCH replaces the tags of a group', async () => {
    const name = fresh('group');
    await idscope.createGroup(name);
    const patch = (body) => idscope.arm('PATCH', idscope.groupPath(name), { body });
    const now = expect('patch', await patch({ tags: { a: '1' } }), 200);
    assert.deepEqual([now.name, now.location, now.tags], [name, 'westeurope', { a: '1' }]);
    assert.deepEqual(expect('nothing', await patch({}), 200), now);
    assert.deepEqual(expect('replaced', await patch({ tags: { b: '2' } }), 200).tags, { b: '2' });
    assert.deepEqual(await noted('resourceGroup', `${idscope.subscription}/${name}`), ['created group_put', 'updated group_patch', 'updated group_patch']);
    await idscope.deleteGroup(name);
  });
});

describe('management: around the provider', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 3 });
  const sub = `/subscriptions/${idscope.subscription}`;
  const get = async (path) => expect(path, await idscope.arm('GET', path), 200);
  const names = (list) => list.map((one) => one.name);

  test('the tenant, the providers, what they can do and where things stand', async () => {
    const tenant = idscope.env.IDSCOPE_TENANT_ID;
    assert.deepEqual((await get('/tenants')).value, [{ id: `/tenants/${tenant}`, tenantId: tenant }]);
    const listed = (await get(`${sub}/providers`)).value;
    assert.deepEqual(listed.map((one) => one.namespace), ['Microsoft.Devices', 'Microsoft.Resources']);
    assert.deepEqual(listed.map((one) => one.id), listed.map((one) => `${sub}/providers/${one.namespace}`));
    assert.deepEqual((await get('/providers')).value.map((one) => one.namespace), listed.map((one) => one.namespace));
    const devices = await get(`${sub}/providers/microsoft.devices`);
    assert.deepEqual(devices, listed[0]);
    assert.equal(devices.registrationState, 'Registered');
    for (const type of devices.resourceTypes) for (const version of type.apiVersions) assert.equal((await idscope.arm('GET', sub, { version })).status, 200);
    assert.deepEqual(expect('register', await idscope.arm('POST', `${sub}/providers/Microsoft.Devices/register`), 200), devices);
    for (const [method, path] of [['GET', `${sub}/providers/Microsoft.Compute`], ['POST', `${sub}/providers/Microsoft.Compute/register`]]) refusedArm(await idscope.arm(method, path), 404, 'InvalidResourceNamespace');
    const { value: operations } = await get('/providers/Microsoft.Devices/operations');
    assert.ok(operations.some((one) => one.name === 'Microsoft.Devices/provisioningServices/Write' && one.display.description));
    const locations = (await get(`${sub}/locations`)).value;
    assert.ok(names(locations).includes('westeurope') && names(locations).includes('local'));
    assert.equal(new Set(names(locations)).size, locations.length);
    for (const path of ['locations', 'providers', 'resources']) refusedArm(await idscope.arm('GET', `/subscriptions/${crypto.randomUUID()}/${path}`), 404, 'SubscriptionNotFound');
  });

  test('what stands in a group and in the subscription, filtered as clients do', async () => {
    const [hub] = made.hubs;
    expect('tag', await idscope.arm('PATCH', idscope.hubPath(made.group, hub.name), { body: { tags: { hall: 'B' } } }), 200);
    const own = (await get(`${idscope.groupPath(made.group)}/resources`)).value;
    assert.deepEqual(names(own), [made.instance.name, ...names(made.hubs)].sort());
    assert.deepEqual(own.find((one) => one.name === hub.name), { id: `${idscope.groupPath(made.group).replace('resourcegroups', 'resourceGroups')}/providers/Microsoft.Devices/IotHubs/${hub.name}`, name: hub.name, type: 'Microsoft.Devices/IotHubs', location: 'westeurope', tags: { hall: 'B' } });
    const all = async (filter) => names((await get(`${sub}/resources?$filter=${encodeURIComponent(filter)}`)).value);
    const inGroup = `resourceGroup eq '${made.group}'`;
    assert.deepEqual(await all(inGroup), names(own));
    assert.deepEqual(await all(`${inGroup} and resourceType eq 'microsoft.devices/provisioningservices'`), [made.instance.name]);
    assert.deepEqual(await all(`name eq '${hub.name.toUpperCase()}'`), [hub.name]);
    assert.deepEqual(await all(`${inGroup} and tagName eq 'hall'`), [hub.name]);
    assert.deepEqual(await all(`${inGroup} and tagname eq 'hall' and tagvalue eq 'B'`), [hub.name]);
    for (const none of ["resourceType eq 'Microsoft.Compute/virtualMachines'", `${inGroup} and location eq 'mars'`, `${inGroup} and tagName eq 'hall' and tagValue eq 'C'`, "resourceGroup eq 'no-such-group'"]) assert.deepEqual(await all(none), [], none);
    for (const bad of ['name', "name ne 'x'", "name eq x", "name eq 'x", "size eq '1'", "name eq 'x' or name eq 'y'", "name eq 'x' and", "tagValue eq 'B'", "name eq 'x' and name eq 'y'"]) refusedArm(await idscope.arm('GET', `${sub}/resources?$filter=${encodeURIComponent(bad)}`), 400, 'InvalidRequestContent', /\$filter/);
    refusedArm(await idscope.arm('GET', `${idscope.groupPath(fresh('none'))}/resources`), 404, 'ResourceGroupNotFound');
    assert.deepEqual(await all(`${inGroup} and location eq 'West Europe'`), names(own), 'a location in any of its spellings');
    for (const unread of ['a%', '%FF', "name%20eq%20'%00'"]) refusedArm(await idscope.arm('GET', `${sub}/resources?$filter=${unread}`), 400, 'InvalidRequestContent', /\$filter/);
    const elsewhere = await get(`${idscope.groupPath(made.group)}/resources?$filter=${encodeURIComponent("resourceGroup eq 'no-such-group'")}`);
    assert.deepEqual(elsewhere.value, [], 'nothing stands in two groups');
  });

  test('groups by their tags, and by nothing else: who deletes what such a list shows deletes no other', async () => {
    const [one, two, three] = [fresh('tagged'), fresh('tagged'), fresh('bare')];
    const word = fresh("it's");
    for (const [group, tags] of [[one, { [word]: "O'Neil" }], [two, { [word]: 'other' }], [three, {}]]) expect('put', await idscope.arm('PUT', idscope.groupPath(group), { body: { location: 'westeurope', tags } }), 201);
    const quoted = word.replace("'", "''");
    const list = async (filter) => names((await get(`${sub}/resourcegroups?$filter=${encodeURIComponent(filter)}`)).value);
    assert.deepEqual(await list(`tagname eq '${quoted}' and tagvalue eq 'O''Neil'`), [one]);
    assert.deepEqual((await list(`tagName eq '${quoted}'`)).sort(), [one, two].sort());
    assert.deepEqual(await list(`tagName eq '${quoted}' and tagValue eq 'nobody'`), []);
    for (const bad of ["tagValue eq 'x'", "location eq 'westeurope'", `startswith(tagname, 'x')`, `tagName eq '${word}'`]) refusedArm(await idscope.arm('GET', `${sub}/resourcegroups?$filter=${encodeURIComponent(bad)}`), 400, 'InvalidRequestContent', /\$filter/);
    for (const group of [one, two, three]) await idscope.deleteGroup(group);
  });

  test('$top: pages of every list, in order, each linked to the next with what was asked', async (t) => {
    const follow = async (path) => {
      const pages = [];
      for (let at = path; at; at = pages.at(-1).nextLink?.replace(/^https:\/\/[^/]*/, '').replace(/api-version=[^&]*&/, '')) {
        pages.push(await get(at));
        assert.ok(pages.length < 500);
      }
      return pages;
    };
    const own = await scene(t, { hubs: 3 });
    const sorted = names(own.hubs).sort();
    const group = idscope.groupPath(own.group);
    const hubs = await follow(`${group}/providers/Microsoft.Devices/IotHubs?$top=2`);
    assert.deepEqual(hubs.map((page) => page.value.length), [2, 1]);
    assert.deepEqual(hubs.flatMap((page) => names(page.value)), sorted);
    for (const hub of sorted.slice(0, 2)) expect('tag', await idscope.arm('PATCH', idscope.hubPath(own.group, hub), { body: { tags: { page: 'x' } } }), 200);
    const tagged = await follow(`${group}/resources?$top=1&$filter=${encodeURIComponent("tagName eq 'page'")}`);
    assert.deepEqual(tagged.map((page) => names(page.value)), [[sorted[0]], [sorted[1]]]);
    assert.equal((await get(`${group}/resources?$top=4`)).nextLink, undefined, 'a page that holds all is the last one');
    assert.equal((await get('/subscriptions?$top=1')).value.length, 1);
    assert.equal((await get(`${group}?$top=0&$skiptoken=zzz`)).name, own.group, 'what is no list has no pages');
    for (const top of ['0', '-1', 'x', '1.5']) refusedArm(await idscope.arm('GET', `${group}/resources?$top=${top}`), 400, 'InvalidRequestContent', /\$top/);
  });

  test('how much of a hub is used, and its one consumer group', async () => {
    const [hub] = made.hubs;
    const at = idscope.hubPath(made.group, hub.name);
    for (const [deviceId, status] of [['a', 'enabled'], ['b', 'disabled'], ['c', 'enabled']]) expect('device', await idscope.hub(hub, 'PUT', `/devices/${deviceId}`, { body: { deviceId, status } }), 200);
    assert.deepEqual(await get(`${at}/IotHubStats`), { totalDeviceCount: 3, enabledDeviceCount: 2, disabledDeviceCount: 1 });
    assert.deepEqual((await get(`${at}/quotaMetrics`)).value, [{ name: 'TotalMessages', currentValue: 0 }, { name: 'TotalDeviceCount', currentValue: 3 }]);
    assert.deepEqual(await get(`${idscope.hubPath(made.group, made.hubs[1].name)}/IotHubStats`), { totalDeviceCount: 0, enabledDeviceCount: 0, disabledDeviceCount: 0 });
    assert.deepEqual(names((await get(`${at}/eventHubEndpoints/events/ConsumerGroups`)).value), ['$Default']);
    refusedArm(await idscope.arm('GET', `${at}/eventHubEndpoints/other/ConsumerGroups`), 404, 'ResourceNotFound');
    for (const what of ['IotHubStats', 'quotaMetrics', 'eventHubEndpoints/events/ConsumerGroups']) refusedArm(await idscope.arm('GET', `${idscope.hubPath(made.group, fresh('none'))}/${what}`), 404, 'ResourceNotFound');
  });

  test('an instance has no private endpoints, and every operation has succeeded', async () => {
    const at = idscope.instancePath(made.group, made.instance.name);
    const { value: [link, ...none] } = await get(`${at}/privateLinkResources`);
    assert.deepEqual([link.name, link.properties.groupId, none], ['iotDps', 'iotDps', []]);
    assert.deepEqual(await get(`${at}/privateLinkResources/iotdps`), link);
    refusedArm(await idscope.arm('GET', `${at}/privateLinkResources/other`), 404, 'ResourceNotFound');
    assert.deepEqual(await get(`${at}/privateEndpointConnections`), []);
    assert.deepEqual(await get(`${at}/operationResults/b3A=?asyncinfo`), { status: 'Succeeded' });
    for (const what of ['privateLinkResources', 'privateLinkResources/iotDps', 'privateEndpointConnections', 'operationresults/1']) refusedArm(await idscope.arm('GET', `${idscope.instancePath(made.group, fresh('none'))}/${what}`), 404, 'ResourceNotFound');
  });
});

describe('management: instances', { concurrency: 4 }, () => {
  const group = fresh('instances');
  before(() => idscope.createGroup(group));
  after(() => idscope.deleteGroup(group));
  const body = (properties = {}, more = {}) => ({ location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties, ...more });
  const put = (name, properties, more, headers = {}) => idscope.arm('PUT', idscope.instancePath(group, name), { body: body(properties, more), headers });
  const get = async (name) => expect('get', await idscope.arm('GET', idscope.instancePath(group, name)), 200);
  const keys = async (name) => expect('keys', await idscope.arm('POST', `${idscope.instancePath(group, name)}/listkeys`), 200).value;

  test('an instance is made with everything that clients read', async () => {
    const name = fresh('Dps');
    const made = await put(name, {}, { location: 'West Europe', tags: { env: 'lab' } });
    assert.equal(made.status, 201);
    const { properties, ...top } = made.json;
    assert.equal(top.id.toLowerCase(), `/subscriptions/${idscope.subscription}/resourcegroups/${group}/providers/microsoft.devices/provisioningservices/${name}`.toLowerCase());
    assert.equal(top.type.toLowerCase(), 'microsoft.devices/provisioningservices');
    assert.deepEqual([top.name, top.location, top.resourcegroup, top.subscriptionid], [name, 'westeurope', group, idscope.subscription]);
    assert.deepEqual(top.tags, { env: 'lab' });
    assert.equal(top.sku.name, 'S1');
    assert.ok(top.etag);
    assert.match(properties.idScope, /^0ne[0-9A-F]{8}$/);
    assert.deepEqual([properties.state, properties.provisioningState, properties.allocationPolicy], ['Active', 'Succeeded', 'Hashed']);
    assert.deepEqual(properties.iotHubs, []);
    assert.equal(properties.serviceOperationsHostName.toLowerCase(), `${name.toLowerCase()}.dps.${idscope.domain}`);
    assert.equal(properties.deviceProvisioningHostName, idscope.deviceHost);
    assert.ok(!properties.authorizationPolicies || properties.authorizationPolicies.length === 0);
    const [policy, ...others] = await keys(name);
    assert.deepEqual(others, []);
    assert.deepEqual([policy.keyName, policy.rights], ['provisioningserviceowner', 'ServiceConfig, DeviceConnect, EnrollmentWrite']);
    const one = expect('key', await idscope.arm('POST', `${idscope.instancePath(group, name)}/keys/provisioningserviceowner/listkeys`), 200);
    assert.deepEqual(one, policy);
    assert.equal((await idscope.arm('POST', `${idscope.instancePath(group, name)}/keys/none/listkeys`)).status, 404);
  });

  test('read-only members of a read resource are ignored when it is written back, unknown ones are kept', async () => {
    const name = fresh('dps');
    await put(name, { enableDataResidency: false });
    const read = await get(name);
    read.properties.state = 'Deleting';
    read.properties.idScope = '0ne00000000';
    read.properties.deviceRegistryNamespace = { resourceId: '/x' };
    read.systemData = { createdBy: 'az' };
    const written = expect('put', await idscope.arm('PUT', idscope.instancePath(group, name), { body: read }), 200);
    assert.equal(written.properties.state, 'Active');
    assert.match(written.properties.idScope, /^0ne[0-9A-F]{8}$/);
    assert.notEqual(written.properties.idScope, '0ne00000000');
    assert.deepEqual(written.properties.deviceRegistryNamespace, { resourceId: '/x' });
    assert.equal(written.properties.enableDataResidency, false);
    assert.equal((await put(name, { allocationPolicy: 'hashed' })).status, 200);
  });

  test('If-Match with the present etag passes, with an old one it is 412; without it the last writer wins', async () => {
    const name = fresh('dps');
    const { json: { etag } } = await put(name);
    expect('quoted', await put(name, { allocationPolicy: 'Static' }, {}, { 'If-Match': `"${etag}"` }), 200);
    refusedArm(await put(name, {}, {}, { 'If-Match': etag }), 412, 'PreconditionFailed');
    expect('none', await put(name, {}), 200);
  });

  test('policies: three words in any case come back in one spelling; others are refused', async () => {
    const name = fresh('dps');
    for (const [sent, shown] of [['hashed', 'Hashed'], ['GEOLATENCY', 'GeoLatency'], ['static', 'Static'], ['Hashed', 'Hashed']]) {
      expect(sent, await put(name, { allocationPolicy: sent }), 200, 201);
      assert.equal((await get(name)).properties.allocationPolicy, shown);
    }
    for (const sent of ['Custom', 'RoundRobin', '', 5]) refusedArm(await put(name, { allocationPolicy: sent }), 400, 'InvalidRequestContent', /allocationPolicy/);
    assert.equal((await get(name)).properties.allocationPolicy, 'Hashed');
  });

  test('names: rules, reserved words, taken ones; an ID scope is never the same', async () => {
    for (const name of ['ab', '-abc', 'abc-', '12345', 'a.b', 'x'.repeat(51)]) refusedArm(await put(name), 400, 'InvalidResourceName', /name/i);
    for (const name of ['global', 'MANAGEMENT', 'localhost', 'dps', 'hub']) assert.equal((await put(name)).status, 400, name);
    const name = fresh('dps');
    const scope = (await put(name)).json.properties.idScope;
    const other = fresh('group');
    await idscope.createGroup(other);
    refusedArm(await idscope.arm('PUT', idscope.instancePath(other, name.toUpperCase()), { body: body() }), 409, 'NameNotAvailable');
    await idscope.deleteGroup(other);
    assert.equal((await idscope.arm('DELETE', idscope.instancePath(group, name))).status, 204);
    assert.equal((await idscope.arm('DELETE', idscope.instancePath(group, name))).status, 204);
    assert.notEqual((await put(name)).json.properties.idScope, scope, 'a deleted instance\'s ID scope is dead for ever');
  });

  test('bodies outside the rules are refused, name the member, and what is not enforced is not accepted', async () => {
    const cases = [[{ sku: undefined }, {}, /sku/], [{ location: undefined }, {}, /location/], [{}, { iotHubs: {} }, /iotHubs/], [{}, { iotHubs: [{}] }, /iotHubs.*(connectionString|hubResourceId)|connectionString/],
      [{}, { publicNetworkAccess: 'Off' }, /publicNetworkAccess/], [{}, { privateEndpointConnections: [{}] }, /privateEndpointConnections/],
      [{}, { authorizationPolicies: [{ keyName: 'x', rights: 'Root' }] }, /rights/]];
    for (const [more, properties, words] of cases) refusedArm(await put(fresh('dps'), properties, more), 400, 'InvalidRequestContent', words);
    const sku = await put(fresh('dps'), {}, { sku: { name: 'F1', capacity: 1 } });
    assert.equal(sku.status, 400);
    assert.match(sku.text, /sku|400059/i);
    for (const properties of [{ ipFilterRules: [] }, { publicNetworkAccess: 'Enabled' }, { ipFilterRules: null, privateEndpointConnections: [] }]) expect('allowed', await put(fresh('dps'), properties), 201);
  });

  test('instance policies: keep, replace, make keys; rights come back joined by comma and blank', async () => {
    const name = fresh('dps');
    await put(name);
    const first = await keys(name);
    await put(name, { allocationPolicy: 'Hashed' });
    assert.deepEqual(await keys(name), first);
    const list = [first[0], { keyName: 'reader', rights: 'RegistrationStatusRead,EnrollmentRead' }];
    expect('replace', await put(name, { authorizationPolicies: list }), 200);
    const second = await keys(name);
    assert.deepEqual(second[0], first[0]);
    assert.equal(second[1].rights, 'EnrollmentRead, RegistrationStatusRead');
    assert.ok(second[1].primaryKey && second[1].secondaryKey && second[1].primaryKey !== second[1].secondaryKey);
  });

  test('instances are listed in their group and in the subscription', async () => {
    const name = fresh('dps');
    await put(name);
    const inGroup = expect('list', await idscope.arm('GET', idscope.instancePath(group, '').slice(0, -1)), 200).value;
    const inAll = expect('list', await idscope.arm('GET', `/subscriptions/${idscope.subscription}/providers/Microsoft.Devices/provisioningServices`), 200).value;
    for (const list of [inGroup, inAll]) assert.ok(list.find((one) => one.name === name).properties.idScope);
    assert.doesNotMatch(JSON.stringify([inGroup, inAll]), /primaryKey/);
  });
});

// Each request is one change, or as many as it deletes things: what it changes of policies and links is part of it and no event of its own.
describe('management: who changed what', { concurrency: 4 }, () => {
  const group = fresh('group');
  const hub = fresh('hub');
  const dps = fresh('dps');
  after(() => idscope.deleteGroup(group));

  async function leaves(what, wanted, answer) {
    assert.ok(answer.status < 300, `${what}: ${answer.status} ${answer.text}`);
    const events = await stack.sql(`SELECT kind || ' ' || (detail ->> 'change') || ' ' || operation FROM idscope.audit_event
                                     WHERE actor_id = '${idscope.env.IDSCOPE_CLIENT_ID}' AND tracking_id = '${answer.headers['x-ms-request-id']}' ORDER BY 1`);
    assert.deepEqual(events.split('\n'), wanted, what);
  }
  const put = (path, properties = {}) => idscope.arm('PUT', path, { body: hubBody({ properties }) });
  const putGroup = () => idscope.arm('PUT', idscope.groupPath(group), { body: { location: 'westeurope' }, version: VERSION.group });
  const policies = (keyName, rights) => ({ authorizationPolicies: [{ keyName, rights }] });

  test('one event for each change, whatever it is a change of', async () => {
    await leaves('a new group', ['resourceGroup created group_put'], await putGroup());
    await leaves('a new hub, with the policies of the start', ['hub created hub_put'], await put(idscope.hubPath(group, hub)));
    await leaves('other policies', ['hub updated hub_put'], await put(idscope.hubPath(group, hub), policies('iothubowner', 'RegistryWrite, ServiceConnect')));
    await leaves('a new instance', ['instance created instance_put'], await put(idscope.instancePath(group, dps)));
    await leaves('other policies', ['instance updated instance_put'], await put(idscope.instancePath(group, dps), policies('mine', 'ServiceConfig')));
    const link = { hubResourceId: idscope.hubPath(group, hub) };
    await leaves('a link', ['instance updated instance_put'], await put(idscope.instancePath(group, dps), { iotHubs: [link] }));
    await leaves('another weight', ['instance updated instance_put'], await put(idscope.instancePath(group, dps), { iotHubs: [{ ...link, allocationWeight: 5 }] }));
    await leaves('policies and links', ['instance updated instance_put'], await put(idscope.instancePath(group, dps), { iotHubs: [], ...policies('other', 'ServiceConfig') }));
    await leaves('a linked hub\'s new keys', ['hub updated hub_put'], await put(idscope.hubPath(group, hub), policies('iothubowner', 'RegistryWrite, ServiceConnect')));
    await leaves('the group with all that is in it', ['hub deleted group_delete', 'instance deleted group_delete', 'resourceGroup deleted group_delete'],
      await idscope.arm('DELETE', idscope.groupPath(group), { version: VERSION.group }));
    await leaves('a new group', ['resourceGroup created group_put'], await putGroup());
  });
});

describe('management: SKUs', { concurrency: 4 }, () => {
  test('a capacity that is not good is refused by one rule in one sentence, whatever is wrong with it', async (t) => {
    const made = await scene(t, { hubs: 0 });
    for (const [at, most] of [[idscope.hubPath(made.group, fresh('hub')), 200], [idscope.instancePath(made.group, fresh('dps')), 1000]]) {
      const put = (capacity) => idscope.arm('PUT', at, { body: { location: 'westeurope', sku: { name: 'S1', capacity }, properties: {} } });
      for (const capacity of ['1', 0, -1, 1.5, most + 1, 1e9, true, {}]) {
        const { json } = refusedArm(await put(capacity), 400, 'InvalidRequestContent');
        assert.equal(json.error.message, `sku.capacity must be a whole number from 1 to ${most}.`, JSON.stringify(capacity));
      }
      for (const capacity of [1, most]) assert.equal(expect('put', await put(capacity), 200, 201).sku.capacity, capacity);
      assert.equal(expect('none', await put(undefined), 200).sku.capacity, 1);
    }
  });
});

describe('management: numbers', { concurrency: 4 }, () => {
  test('numbers in members that are kept come back to the letter', async (t) => {
    const made = await scene(t, { hubs: 0 });
    const numbers = '{"a":[1.0,-0,1e400,9007199254740993,99999999999999999999],"b":{"c":-1.50E+3}}';
    const body = `{"location":"westeurope","sku":{"name":"S1","capacity":1},"properties":{"extra":${numbers},"more":1e999}}`;
    for (const at of [idscope.hubPath(made.group, fresh('hub')), idscope.instancePath(made.group, fresh('dps'))]) {
      for (const answer of [await idscope.arm('PUT', at, { body }), await idscope.arm('GET', at)]) {
        assert.ok([200, 201].includes(answer.status), answer.text);
        assert.ok(answer.text.includes(`"extra":${numbers},"more":1e999`), answer.text);
      }
      for (const capacity of ['1.0', '1e0', '99999999999999999999', '1e999', '9007199254740993']) {
        refusedArm(await idscope.arm('PUT', at, { body: body.replace('"capacity":1', `"capacity":${capacity}`) }), 400, 'InvalidRequestContent', /sku\.capacity must be a whole number/);
      }
    }
  });
});

describe('management: linked hubs', { concurrency: 4 }, () => {
  test('a link is shown masked, with what was set and null for what was not', async (t) => {
    const made = await scene(t, { hubs: 2, links: [{ allocationWeight: 3 }, { applyAllocationPolicy: false }] });
    const { iotHubs } = (await idscope.getInstance(made.group, made.instance.name)).properties;
    assert.deepEqual(iotHubs.map((hub) => [hub.name, hub.allocationWeight, hub.applyAllocationPolicy, hub.authenticationType, hub.location]),
      [[made.hubs[0].host, 3, null, 'KeyBased', 'westeurope'], [made.hubs[1].host, null, false, 'KeyBased', 'westeurope']]);
    assert.deepEqual(iotHubs.map((hub) => hub.connectionString), made.hubs.map((hub) => masked(hub.connectionString)));
  });

  test('az\'s read, change, write with masked keys keeps the keys, and devices go on registering', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const read = await idscope.getInstance(made.group, made.instance.name);
    delete read.properties.iotHubs[0].name;
    delete read.properties.idScope;
    read.properties.allocationPolicy = 'Static';
    expect('put', await idscope.arm('PUT', idscope.instancePath(made.group, made.instance.name), { body: read, version: '2021-10-15' }), 200);
    await made.linkState(made.hubs[0].host, 'valid');
    const device = await made.registered({ allocationPolicy: 'static', iotHubs: [made.hubs[0].host] });
    assert.equal(device.state.assignedHub, made.hubs[0].host);
  });

  test('iotHubs absent or null keeps the links, an empty list unlinks all', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const count = async (properties) => (await made.put(properties)).properties.iotHubs.length;
    assert.equal(await count({}), 1);
    assert.equal(await count({ iotHubs: null }), 1);
    assert.equal(await count({ iotHubs: [] }), 0);
    assert.deepEqual([...(await made.links()).keys()], []);
  });

  test('a masked key whose host or policy is not linked is refused, and so are other bad connection strings', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const { host, connectionString, key } = made.hubs[0];
    const put = (text) => idscope.arm('PUT', idscope.instancePath(made.group, made.instance.name),
      { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { iotHubs: [{ connectionString: text, location: 'westeurope' }] } } });
    const cases = [[masked(connectionString).replace(host, `other.hub.${idscope.domain}`), /connectionString.*masked.*HostName/], [masked(connectionString).replace('iothubowner', 'service'), /connectionString.*masked.*SharedAccessKeyName/],
      [`SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`, /HostName/], [`HostName=${host};SharedAccessKey=${key}`, /SharedAccessKeyName/],
      [`HostName=${host};SharedAccessKeyName=iothubowner`, /SharedAccessKey/], [`HostName=${host}:8443;SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`, /HostName.*port|port/],
      ['garbage', /HostName|connection/i], [`HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=%%%`, /SharedAccessKey/]];
    for (const [text, words] of cases) refusedArm(await put(text), 400, 'InvalidRequestContent', words);
    const odd = ` sharedaccesskey=${key} ; HOSTNAME=${host};Extra=1;sharedAccessKeyName=iothubowner;`;
    expect('odd spelling', await put(odd), 200);
    await made.linkState(host, 'valid');
  });

  test('weights outside 1…1000, a hub linked twice and more than fifty links are refused', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    const put = (iotHubs) => idscope.arm('PUT', idscope.instancePath(made.group, made.instance.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { iotHubs } } });
    for (const allocationWeight of [1001, -1, 1.5, '3']) refusedArm(await put([Idscope.link(hub, { allocationWeight })]), 400, 'InvalidRequestContent', /allocationWeight/);
    refusedArm(await put([Idscope.link(hub, { applyAllocationPolicy: 'yes' })]), 400, 'InvalidRequestContent', /applyAllocationPolicy/);
    refusedArm(await put([Idscope.link(hub), Idscope.link({ ...hub, connectionString: hub.connectionString.replace(hub.host, hub.host.toUpperCase()) })]), 400, 'InvalidRequestContent', /iotHubs|twice|duplicate/i);
    const many = Array.from({ length: 51 }, (_, i) => Idscope.link({ location: 'x', connectionString: `HostName=h${i}.example.test;SharedAccessKeyName=a;SharedAccessKey=${sas.newKey()}` }));
    refusedArm(await put(many), 400, 'InvalidRequestContent', /iotHubs|50/);
  });

  test('a hub can be linked by its resource id; key renewal follows by itself, deletion makes the link invalid', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    await made.relink([{ hubResourceId: idscope.hubPath(made.group, hub.name), location: 'westeurope' }]);
    await made.linkState(hub.host, 'valid');
    const [shown] = (await idscope.getInstance(made.group, made.instance.name)).properties.iotHubs;
    assert.match(shown.connectionString, /SharedAccessKey=\*+$/);
    assert.equal(shown.hubResourceId.toLowerCase(), idscope.hubPath(made.group, hub.name).toLowerCase());
    await made.relink([shown]);
    const renewed = { keyName: 'iothubowner', rights: 'RegistryWrite, ServiceConnect, DeviceConnect', primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
    expect('renew', await idscope.arm('PUT', idscope.hubPath(made.group, hub.name), { body: hubBody({ properties: { authorizationPolicies: [renewed] } }) }), 200);
    const device = await made.registered();
    hub.key = renewed.primaryKey;
    assert.ok(await until('the renewed key to be known', async () => made.identity(hub, device.id).catch(() => undefined)));
    assert.equal((await idscope.arm('DELETE', idscope.hubPath(made.group, hub.name))).status, 204);
    const link = await made.linkState(hub.host, 'invalid');
    assert.equal(link.reason, 'hub_deleted');
  });

  test('a link by resource id may name a policy with the rights it needs, and no other', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const id = idscope.hubPath(made.group, made.hubs[0].name);
    const put = (link) => idscope.arm('PUT', idscope.instancePath(made.group, made.instance.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { iotHubs: [{ location: 'westeurope', ...link }] } } });
    refusedArm(await put({ hubResourceId: id, accessPolicy: 'service' }), 400, 'InvalidRequestContent', /RegistryWrite/);
    refusedArm(await put({ hubResourceId: id, accessPolicy: 'registryReadWrite' }), 400, 'InvalidRequestContent', /ServiceConnect/);
    refusedArm(await put({ hubResourceId: id, accessPolicy: 'none' }), 400, 'InvalidRequestContent', /accessPolicy|none/);
    refusedArm(await put({ hubResourceId: `${id}-not` }), 400, 'InvalidRequestContent', /hubResourceId/);
    refusedArm(await put({ hubResourceId: id, connectionString: made.hubs[0].connectionString }), 400, 'InvalidRequestContent', /hubResourceId|connectionString/);
  });

  test('each link is a resource with state, reason and latency per region', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    await made.linkState(hub.host, 'valid');
    const link = await until('a latency figure', async () => {
      const { properties } = expect('get', await idscope.arm('GET', `${idscope.instancePath(made.group, made.instance.name)}/linkedHubs/${hub.host.toUpperCase()}`), 200);
      return properties.latency.length > 0 && properties;
    });
    assert.equal(link.hostName, hub.host);
    assert.match(link.connectionString, /SharedAccessKey=\*+$/);
    const [figure] = link.latency;
    assert.equal(figure.region, 'local');
    assert.ok(figure.p50Ms > 0 && figure.p95Ms >= figure.p50Ms && figure.count >= 1 && figure.ageSeconds >= 0);
    assert.ok(Date.parse(link.stateSince) && Date.parse(link.lastGood));
    refusedArm(await idscope.arm('GET', `${idscope.instancePath(made.group, made.instance.name)}/linkedHubs/none.hub.${idscope.domain}`), 404, 'ResourceNotFound');
  });

  test('a wrong key makes the link invalid, with a reason; the right one makes it valid again', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    await made.relink([Idscope.link({ ...hub, connectionString: hub.connectionString.replace(hub.key, sas.newKey()) })]);
    const bad = await made.linkState(hub.host, 'invalid');
    assert.ok(bad.reason.length > 0);
    await made.relink([Idscope.link(hub)]);
    await made.linkState(hub.host, 'valid');
    const weak = hub.keys.find((key) => key.keyName === 'service');
    await made.relink([Idscope.link({ ...hub, connectionString: `HostName=${hub.host};SharedAccessKeyName=service;SharedAccessKey=${weak.primaryKey}` })]);
    assert.match((await made.linkState(hub.host, 'invalid')).reason, /RegistryWrite/);
  });
});
