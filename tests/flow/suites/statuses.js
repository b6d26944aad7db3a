// statuses.js: what every operation can be refused with, whatever it does: each status that openapi.yaml lists and that has a recipe below is provoked,
// of the second deployment, past its edge (which would answer some of them itself) and through its tap, which sees the answers for the suite "openapi".
// What only an operation itself refuses (409, 412) is provoked where that operation is tested.
// Must never have a list of operations: all come from the document, so that a new one is tried too.
'use strict';

const net = require('node:net');
const { describe, test, before, after } = require('node:test');
const { Openapi } = require('../openapi');
const { routes } = require('../../lib/routes');
const { assert, second, Idscope, each, expect, fresh, sas, sharedScene, until } = require('../kit');

const openapi = new Openapi();
const table = new Map(routes().map((route) => [route.name, route]));
const NOBODY = '00000000-0000-4000-8000-000000000000';
const { stack, idscope } = second;

// {status, text} of a request that is written as it stands. What stays open a little longer than body_timeout_ms (run.sh) was not answered.
function raw({ method, target, host, headers = {}, body = '' }) {
  const all = { Host: host, Connection: 'close', 'Content-Length': Buffer.byteLength(body), ...headers };
  const head = `${method} ${target} HTTP/1.1\r\n${Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return new Promise((resolve) => {
    const socket = net.connect(`${stack.edgeSocket('api1')}.tap`);
    let text = '';
    socket.setTimeout(20000, () => socket.destroy());
    socket.on('data', (part) => { text += part.toString('utf8'); });
    socket.on('error', () => {});
    socket.on('close', () => resolve({ status: Number((/^HTTP\/1\.1 (\d+)/.exec(text) || [])[1]), text }));
    socket.write(head + body);
  });
}

describe('statuses: every operation, each way of being refused that all have', () => {
  const made = sharedScene({ before, after }, { hubs: 1 }, idscope);
  let device;
  let reader; // a client with no role on the service plane
  let outsider; // and one with none at all
  let stopped; // one whose subscription is disabled

  before(async () => {
    const client = async (more, role, ...scope) => new Idscope({ ...idscope.env, ...more, ...await stack.admin('release', 'create-service-principal', more.IDSCOPE_TENANT_ID || idscope.env.IDSCOPE_TENANT_ID, fresh(role), role, ...scope) });
    device = await made.enroll();
    reader = await client({}, 'reader');
    const gone = fresh('gone'); // and the role in it
    await idscope.createGroup(gone);
    outsider = await client({}, 'reader', `--scope=${idscope.groupPath(gone)}`);
    await idscope.deleteGroup(gone);
    const tenant = await stack.admin('release', 'create-tenant', fresh('stopped'));
    const subscription = await stack.admin('release', 'create-subscription', tenant.IDSCOPE_TENANT_ID, 'stopped');
    stopped = await client({ ...tenant, ...subscription }, 'owner');
    await stack.admin('release', 'subscription', 'disable', subscription.IDSCOPE_SUBSCRIPTION_ID);
    await each([idscope, reader, outsider, stopped], 3, async (one) => {
      await one.signIn();
      one.serviceToken = expect('sign in', await one.requestToken({ scope: 'https://azure-devices-provisioning.net/.default' }), 200).access_token;
    });
  });

  // The words of paths, as openapi.yaml names them; any other is a name that was never given.
  const words = (of) => ({ subscriptionId: of.subscription, resourceGroupName: made.group, hubName: made.hubs[0].name, instanceName: made.instance.name, idScope: made.idScope,
    registrationId: device.id, deviceId: device.id, tenant: of.env.IDSCOPE_TENANT_ID, providerNamespace: 'Microsoft.Devices' });
  const form = (more = {}) => new URLSearchParams({ grant_type: 'client_credentials', client_id: idscope.env.IDSCOPE_CLIENT_ID, client_secret: idscope.env.IDSCOPE_CLIENT_SECRET, scope: 'https://management.azure.com/.default', ...more }).toString();

  // Host and credentials of a client of each plane. `to`: the instance and the hub that it means.
  const PLANES = {
    'sign-in': () => ({ host: idscope.managementHost, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
    management: (of) => ({ host: idscope.managementHost, headers: { Authorization: `Bearer ${of.token}` } }),
    service: (of, to) => ({ host: to.instance.host, headers: { Authorization: of === idscope ? sas.forHost(to.instance.host, to.instance.policy, to.instance.key) : `Bearer ${of.serviceToken}` } }),
    device: () => ({ host: idscope.deviceHost, headers: { Authorization: sas.forDevice(made.idScope, device.id, device.key) } }),
    hub: (of, to) => ({ host: to.hub.host, headers: { Authorization: sas.forHost(to.hub.host, 'iothubowner', to.hub.key) } }),
  };
  const bodyOf = ({ requestBody }) => (requestBody && requestBody.content['application/json'] ? JSON.stringify(openapi.least(requestBody.content['application/json'].schema)) : '{}');
  const takesBody = (operation) => table.get(operation.operationId).fields.includes('.body_max');

  function ask(operation, { of = idscope, to = { instance: made.instance, hub: made.hubs[0] }, path = words(of), version = '2021-10-01', ...more } = {}) {
    const at = operation.at.replace(/\{(\w+)\}/g, (_, word) => encodeURIComponent(path[word] || 'none'));
    const signIn = operation.plane === 'sign-in' && operation.method === 'POST';
    const { host, headers } = PLANES[operation.plane](of, to);
    const must = (operation.parameters || []).map((one) => openapi.resolve(one)).filter((one) => one.in === 'query' && one.required && one.example);
    const query = new URLSearchParams([...(version ? [['api-version', version]] : []), ...must.filter(({ name }) => name !== 'api-version').map(({ name, example }) => [name, example])]);
    return raw({ method: operation.method, host, target: query.size ? `${at}?${query}` : at, body: signIn ? form() : takesBody(operation) ? bodyOf(operation) : '', ...more, headers: { ...headers, ...more.headers } });
  }

  const nowhere = { instance: { host: `nobody.dps.${idscope.domain}`, policy: 'x', key: sas.newKey() }, hub: { host: `nobody.hub.${idscope.domain}`, key: sas.newKey() } };
  const signIn = (operation) => operation.plane === 'sign-in' && operation.method === 'POST';
  const mustMatch = ({ parameters }) => (parameters || []).map((one) => openapi.resolve(one)).some(({ name, required }) => name === 'If-Match' && required);
  const RECIPES = {
    400: (operation) => (signIn(operation) ? { body: 'grant_type=%zz' } : { version: null }),
    401: (operation) => (signIn(operation) ? { body: form({ client_secret: 'wrong' }) } : { headers: { Authorization: undefined } }),
    403: ({ plane }) => ({ of: plane === 'management' ? outsider : reader }),
    404: (operation) => ({ to: nowhere, headers: { 'If-Match': mustMatch(operation) ? '*' : undefined }, path: { ...words(idscope), subscriptionId: NOBODY } }),
    408: () => ({ body: '{', headers: { 'Content-Length': 9 } }),
    412: () => ({ headers: { 'If-Match': '"stale"' } }),
    413: () => ({ body: 'x', headers: { 'Content-Length': 5000000000 } }),
  };
  // If-Match is asked of what is there: of what the words above name.
  const isThere = ({ at }) => [...at.matchAll(/\{(\w+)\}/g)].every(([, word]) => words(idscope)[word]);
  // A 404 of a device, of what stands in no subscription, and behind a body whose schema does not tell what is good, is provoked elsewhere.
  const hasRecipe = (status) => (operation) => operation.responses[status] && !(status === '403' && operation.plane === 'device') && !(status === '412' && !(operation.plane === 'management' && isThere(operation))) && !(status === '404' && (operation.plane === 'device' || operation.plane === 'sign-in' ||
    (operation.plane === 'management' && (!operation.at.includes('{subscriptionId}') || (operation.requestBody && bodyOf(operation) === '{}')))));
  const listing = (status) => openapi.operations.filter(hasRecipe(status));

  async function provoke(t, status, how) {
    const operations = listing(status);
    const answers = await each(operations, 24, async (operation) => ({ name: operation.operationId, ...await ask(operation, how(operation)) }));
    assert.deepEqual(answers.filter((answer) => answer.status !== Number(status)), []);
    t.diagnostic(`${answers.length} of ${operations.length} operations`);
  }

  for (const [status, how] of Object.entries(RECIPES)) test(`${status}: of each operation that lists it`, (t) => provoke(t, status, how));

  test('409: every write in a subscription that is disabled', async () => {
    const writes = listing('409').filter(({ plane, at, operationId }) => plane === 'management' && at.includes('{subscriptionId}') && !/ROLE_READER/.test(table.get(operationId).fields));
    const answers = await each(writes, 24, async (operation) => [operation.operationId, (await ask(operation, { of: stopped })).status]);
    assert.deepEqual(answers.filter(([, got]) => got !== 409), []);
  });

  test('what is made a second time, or taken away and was not there', async () => {
    const places = { group: idscope.groupPath(made.group), instance: idscope.instancePath(made.group, made.instance.name) };
    const ask = (method, path, body, ...good) => idscope.arm(method, path, { body, version: '2016-09-01' }).then((answer) => expect(path, answer, ...good));
    for (const place of Object.values(places)) {
      const lock = `${place}/providers/Microsoft.Authorization/locks/twice`;
      for (const status of [201, 200]) await ask('PUT', lock, { properties: { level: 'CanNotDelete' } }, status);
      for (const status of [200, 204]) await ask('DELETE', lock, undefined, status);
    }
    await ask('DELETE', `${places.instance}/providers/Microsoft.Authorization/roleAssignments/${NOBODY}`, undefined, 204);
  });

  test('429: every operation of an instance that is asked more often than its limits allow', async (t) => {
    const limit = (name, value) => stack.adminText('release', 'limits', 'set', name, value, `--tenant=${idscope.env.IDSCOPE_TENANT_ID}`, `--instance=${made.instance.name}`);
    const limited = { operationsPerMinute: openapi.operations.filter(({ plane }) => plane === 'service'), registersPerMinute: openapi.operations.filter(({ operationId }) => operationId === 'register') };
    for (const [name, operations] of Object.entries(limited)) {
      await limit(name, '1');
      try {
        await until(`${name} to be met`, async () => (await ask(operations[0])).status === 429);
        const answers = await each(operations, 8, async (operation) => [operation.operationId, (await ask(operation)).status]);
        assert.deepEqual(answers.filter(([, got]) => got !== 429), []);
        t.diagnostic(`${answers.length} of ${operations.length} operations`);
      } finally {
        await limit(name, 'default');
        await until(`${name} to be no more`, async () => (await ask(operations[0])).status !== 429);
      }
    }
  });

  // A program that has just started remembers nobody, so that every call asks the database.
  async function broken(t, break_, mend, status) {
    await idscope.signIn();
    await stack.run('stop-part', 'worker');
    await stack.run('restart-part', 'api1');
    try {
      await break_();
      await provoke(t, status, () => ({}));
    } finally {
      await mend();
      await stack.run('start-part', 'worker');
    }
    expect('the service is whole again', await idscope.arm('GET', idscope.groupPath(made.group), { version: '2021-04-01' }), 200);
  }

  test('500: every operation of a lane, while the database does not hold what it should', (t) =>
    broken(t, () => stack.sql('ALTER SCHEMA idscope RENAME TO gone'), () => stack.sql('ALTER SCHEMA gone RENAME TO idscope'), '500'));

  test('503: every operation of a lane, while the database is away', (t) =>
    broken(t, () => stack.run('stop-part', 'postgres'), () => stack.run('start-part', 'postgres'), '503'));
});
