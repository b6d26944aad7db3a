// inputs.js: what clients' own tools leave around and in what they send, on every plane: a byte order mark before a body, white space around
// pasted secrets, an empty key name in a token, numbers that no machine holds. Every body here is one that is good without it.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, VERSION, expect, sas, fresh, admin, refused, refusedArm, refusedHub, sharedScene } = require('../kit');

const MARK = '\ufeff';
const json = { 'Content-Type': 'application/json' };

describe('inputs: a byte order mark at the start of a body', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const marked = (body) => ({ body: MARK + (typeof body === 'string' ? body : JSON.stringify(body)), headers: { ...json, 'If-Match': '*' } });

  test('management plane: groups, hubs, instances; the form of sign-in', async (t) => {
    const group = fresh('group');
    t.after(() => idscope.deleteGroup(group));
    const resource = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };
    const put = (path, body, version = VERSION.arm) => idscope.arm('PUT', path, { body: MARK + JSON.stringify(body), headers: json, version });
    expect('group', await put(idscope.groupPath(group), { location: 'westeurope' }, VERSION.group), 200, 201);
    expect('hub', await put(idscope.hubPath(group, fresh('hub')), resource), 200, 201);
    expect('instance', await put(idscope.instancePath(group, fresh('dps')), resource), 200, 201);
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: idscope.env.IDSCOPE_CLIENT_ID, client_secret: idscope.env.IDSCOPE_CLIENT_SECRET,
      scope: 'https://management.azure.com/.default' });
    expect('sign in', await idscope.https.request('POST', idscope.managementHost, '/adfs/oauth2/token', { body: `${MARK}${form}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }), 200);
  });

  test('service plane: an enrollment, ten at once, a query; numbers stay as they are', async () => {
    const id = fresh('marked');
    const number = '{"n":12345678901234567890.10}';
    const body = JSON.stringify(Idscope.enrollment(id)).replace(/}$/, `,"initialTwin":{"tags":${number}}}`);
    expect('create', await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: MARK + body, headers: json }), 200);
    assert.ok((await idscope.service(made.instance, 'GET', `/enrollments/${id}`)).text.includes(`"tags":${number}`));
    const bulk = expect('bulk', await idscope.service(made.instance, 'POST', '/enrollments', marked({ mode: 'create', enrollments: [Idscope.enrollment(fresh('marked'))] })), 200);
    assert.deepEqual(bulk, { isSuccessful: true, errors: [] });
    const found = expect('query', await idscope.service(made.instance, 'POST', '/enrollments/query', marked({ query: `SELECT * WHERE registrationId = '${id}'` })), 200);
    assert.deepEqual(found.map((one) => one.registrationId), [id]);
  });

  test('device plane: register, poll, status', async () => {
    const device = await made.enroll();
    const options = { ...marked({ registrationId: device.id }), authorization: sas.forDevice(made.idScope, device.id, device.key) };
    const { operationId } = expect('register', await idscope.device('PUT', made.idScope, `${device.id}/register`, options), 202);
    expect('poll', await made.poll(device, operationId, { body: `${MARK}{}` }), 200, 202);
    expect('status', await idscope.device('POST', made.idScope, device.id, options), 200);
    expect('a mark alone is no body', await idscope.device('PUT', made.idScope, `${device.id}/register`, { ...options, body: MARK }), 202);
  });

  test('hub plane: a device, a hundred at once', async () => {
    const [hub] = made.hubs;
    const id = fresh('marked');
    expect('create', await idscope.hub(hub, 'PUT', `/devices/${id}`, { body: MARK + JSON.stringify({ deviceId: id }), headers: json }), 200);
    expect('bulk', await idscope.hub(hub, 'POST', '/devices', { body: `${MARK}[{"id":"${id}","importMode":"delete"}]`, headers: json }), 200);
  });

  test('two marks, and one that stands elsewhere, are no JSON', async () => {
    const id = fresh('marked');
    const text = JSON.stringify(Idscope.enrollment(id));
    for (const body of [MARK + MARK + text, text + MARK, `{${MARK}${text.slice(1)}`]) refused(await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body, headers: json }), 400, /JSON/);
  });
});

describe('inputs: white space around what was pasted', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const pasted = (text) => [` ${text}`, `${text}\n`, `\r\n${text}\r\n`, `\t${text} \t`];
  const broken = (text) => [' ', '\t', '\r\n', '\n'].map((space) => text.slice(0, 20) + space + text.slice(20));
  const WITHIN = /must have no white space within/;

  test('keys of an enrollment', async () => {
    for (const [i, primaryKey] of pasted(sas.newKey()).entries()) {
      const id = fresh('pasted');
      const secondaryKey = pasted(sas.newKey())[i];
      const answer = await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: Idscope.enrollment(id, { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey } } }) });
      assert.deepEqual(expect('create', answer, 200).attestation.symmetricKey, { primaryKey: primaryKey.trim(), secondaryKey: secondaryKey.trim() });
      assert.equal((await made.register({ id, key: primaryKey.trim() })).status, 'assigned');
    }
    for (const primaryKey of broken(sas.newKey())) {
      const id = fresh('broken');
      refused(await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: Idscope.enrollment(id, { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey } } }) }), 400, /attestation\.symmetricKey\.primaryKey must have no white space within/);
    }
  });

  test('keys of a device of a hub', async () => {
    const put = (id, primaryKey) => idscope.hub(made.hubs[0], 'PUT', `/devices/${id}`, { body: { deviceId: id, authentication: { type: 'sas', symmetricKey: { primaryKey, secondaryKey: primaryKey } } } });
    for (const key of pasted(sas.newKey())) assert.equal(expect('create', await put(fresh('pasted'), key), 200).authentication.symmetricKey.primaryKey, key.trim());
    for (const key of broken(sas.newKey())) refusedHub(await put(fresh('broken'), key), 400, 'ArgumentInvalid', WITHIN);
  });

  test('keys of policies of instances and hubs', async () => {
    const resource = (key) => ({ location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { authorizationPolicies: [{ keyName: 'owner', rights: 'ServiceConnect', primaryKey: key, secondaryKey: key }] } });
    const of = { hubPath: 'ServiceConnect', instancePath: 'ServiceConfig' };
    for (const [path, rights] of Object.entries(of)) {
      const put = (at, key) => idscope.arm('PUT', at, { body: JSON.parse(JSON.stringify(resource(key)).replace('"ServiceConnect"', JSON.stringify(rights))) });
      const at = idscope[path](made.group, fresh('pasted'));
      for (const key of pasted(sas.newKey(32))) {
        expect('put', await put(at, key), 200, 201);
        assert.equal(expect('list', await idscope.arm('POST', `${at}/listkeys`), 200).value[0].primaryKey, key.trim());
      }
      for (const key of broken(sas.newKey(32))) refusedArm(await put(at, key), 400, 'InvalidRequestContent', WITHIN);
    }
  });

  test('connection strings of linked hubs', async () => {
    const [hub] = made.hubs;
    const name = fresh('dps');
    const put = (connectionString) => idscope.arm('PUT', idscope.instancePath(made.group, name),
      { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { iotHubs: [{ connectionString, location: 'westeurope' }] } } });
    const string = hub.connectionString;
    for (const text of [...pasted(string), string.replaceAll(';', ' ;\r\n'), string.replaceAll('=', '= \t').replace(/= \t$/, '='), `${string};\n`]) {
      const { iotHubs } = expect('put', await put(text), 200, 201).properties;
      assert.equal(iotHubs.length, 1);
      assert.equal(iotHubs[0].connectionString, string.replace(hub.key, '****'));
    }
    for (const member of ['HostName', 'SharedAccessKeyName', 'SharedAccessKey']) {
      for (const space of [' ', '\n']) {
        const text = string.replace(new RegExp(`(${member}=...)`), `$1${space}`);
        refusedArm(await put(text), 400, 'InvalidRequestContent', new RegExp(`${member} in the connection string must have no white space within`));
      }
    }
  });

  test('id and secret of a client at sign-in', async () => {
    const { IDSCOPE_CLIENT_ID: id, IDSCOPE_CLIENT_SECRET: secret } = idscope.env;
    for (const client_id of pasted(id)) expect('sign in', await idscope.requestToken({ client_id }), 200);
    for (const client_secret of pasted(secret)) expect('sign in', await idscope.requestToken({ client_secret }), 200);
    for (const client_secret of broken(secret)) assert.equal((await idscope.requestToken({ client_secret })).status, 400);
  });

  test('arguments of idscope-admin', async () => {
    const [, tenantId] = pasted((await admin('create-tenant', ` ${fresh('pasted')}\n`)).IDSCOPE_TENANT_ID);
    assert.ok((await admin('create-subscription', tenantId, 'pasted')).IDSCOPE_SUBSCRIPTION_ID);
    assert.ok((await admin('create-service-principal', tenantId, 'pasted', '\towner\r\n')).IDSCOPE_CLIENT_SECRET);
  });
});

describe('inputs: an empty key name in a token is as none', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const resource = (device) => `${made.idScope}/registrations/${device.id}`;
  const empty = (token) => `${token.replace(/&skn=[^&]*/, '')}&skn=`;

  test('a device registers with it', async () => {
    const device = await made.enroll();
    const authorization = empty(sas.sign(encodeURIComponent(resource(device)), device.key, { name: 'registration' }));
    assert.ok(authorization.endsWith('&skn='));
    expect('register', await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization }), 202);
  });

  test('clients of the service and hub planes need the name of a policy, and are told no more than without any', async () => {
    const [hub] = made.hubs;
    const service = sas.forHost(made.instance.host, made.instance.policy, made.instance.key);
    const registry = sas.forHost(hub.host, 'iothubowner', hub.key);
    const bare = (token) => token.replace(/&skn=[^&]*/, '');
    const words = [bare(service), empty(service)].map(async (authorization) => refused(await idscope.service(made.instance, 'GET', '/enrollments/none', { authorization }), 401, /./, 401002).json.message);
    assert.equal(new Set(await Promise.all(words)).size, 1);
    for (const authorization of [bare(registry), empty(registry)]) refusedHub(await idscope.hub(hub, 'GET', '/devices/none', { authorization }), 401, 'IotHubUnauthorizedAccess');
  });
});

// What a program would make of each: another number, another text, or nothing.
const NUMBERS = '{"a":0.1,"b":21.3,"c":1e-7,"d":12345678901234567890123,"e":[1.0,-0,1E+400,9007199254740993,0.30000000000000004,100],"f":{"g":-1.50}}';

describe('inputs: numbers read back as they were written', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const text = (id) => JSON.stringify(Idscope.enrollment(id)).replace(/}$/, `,"initialTwin":{"tags":${NUMBERS},"properties":{"desired":${NUMBERS}}},"optionalDeviceInformation":${NUMBERS}}`);
  const all = (answer) => {
    assert.equal(answer.status, 200, answer.text);
    for (const member of ['tags', 'desired', 'optionalDeviceInformation']) assert.ok(answer.text.includes(`"${member}":${NUMBERS}`), `${member}: ${answer.text}`);
  };

  test('twin and device information of an enrollment: written alone and ten at once, changed, read, listed', async () => {
    const [id, other] = [fresh('numbers'), fresh('numbers')];
    const put = (headers = {}) => idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: text(id), headers: { ...json, ...headers } });
    all(await put());
    all(await put({ 'If-Match': '*' }));
    for (const mode of ['create', 'update']) {
      expect(mode, await idscope.service(made.instance, 'POST', '/enrollments', { body: `{"mode":"${mode}","enrollments":[${text(other)}]}`, headers: json }), 200);
      all(await idscope.service(made.instance, 'GET', `/enrollments/${other}`));
    }
    for (const one of [id, other]) all(await idscope.service(made.instance, 'POST', '/enrollments/query', { body: { query: `SELECT * WHERE registrationId = '${one}'` } }));
    const members = await idscope.service(made.instance, 'POST', '/enrollments/query', { body: { query: `SELECT initialTwin, optionalDeviceInformation WHERE registrationId = '${id}'` } });
    assert.equal(members.status, 200, members.text);
    assert.equal(members.text.split(NUMBERS).length - 1, 3, members.text);
  });

  test('members of instances and hubs that we do not know', async () => {
    for (const path of [idscope.hubPath(made.group, fresh('hub')), idscope.instancePath(made.group, fresh('dps'))]) {
      const body = `{"location":"westeurope","sku":{"name":"S1","capacity":1},"properties":{"unheardOf":${NUMBERS}}}`;
      const written = await idscope.arm('PUT', path, { body, headers: json });
      assert.ok([200, 201].includes(written.status), written.text);
      for (const answer of [written, await idscope.arm('GET', path), await idscope.arm('PUT', path, { body: written.text, headers: json })]) assert.ok(answer.text.includes(`"unheardOf":${NUMBERS}`), answer.text);
    }
  });

  test('the payload of a device is taken whatever its numbers', async () => {
    const device = await made.enroll();
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    expect('register', await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: `{"payload":${NUMBERS}}`, authorization, headers: json }), 202);
  });
});
