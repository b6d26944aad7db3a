// terraform.js: the requests of Terraform's provider azurerm, versions 3 and 4, replayed from a table (requests/terraform.js) with the token of its own sign-in.
// States that each is answered so that the provider goes on, that it reads back what was configured, and that a second refresh equals the first byte for byte.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, idscope, expect, fresh, refusedArm, scene, sharedScene } = require('../kit');
const { make } = require('../../lib/certificates');
const { Replay } = require('../requests/replay');
const requests = require('../requests/terraform');

const base64 = (name) => Buffer.from(make(name, { ca: true }).cert).toString('base64');

// As the provider does it: what discovery names, the path of the tenant.
async function signIn() {
  const cloud = expect('discover', await idscope.https.request('GET', 'localhost', '/metadata/endpoints?api-version=2022-09-01'), 200);
  const body = new URLSearchParams({ client_id: idscope.env.IDSCOPE_CLIENT_ID, client_secret: idscope.env.IDSCOPE_CLIENT_SECRET, grant_type: 'client_credentials', scope: `${cloud.resourceManager}/.default` }).toString();
  const answer = await idscope.https.request('POST', 'localhost', `${new URL(cloud.authentication.loginEndpoint).pathname}/${idscope.env.IDSCOPE_TENANT_ID}/oauth2/v2.0/token`,
    { body, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  return `Bearer ${expect('sign in', answer, 200).access_token}`;
}

for (const major of [3, 4]) describe(`terraform: azurerm ${major}`, () => {
  const names = { major, subscription: idscope.subscription, domain: idscope.domain, group: fresh('tf'), hub: fresh('hub'), instance: fresh('dps'), certificate: 'Plant-CA', policy: 'fromTerraform',
    weight: major === 3 ? 0 : 1, certificates: [base64('One'), base64('Two')] };
  const replay = new Replay(idscope);
  const other = sharedScene({ before, after }, { hubs: 1 });

  before(async () => {
    Object.assign(names, { connectionString: other.hubs[0].connectionString, linked: other.hubs[0].host });
    replay.bearer = await signIn();
  });
  after(() => console.log(`azurerm ${major}: ${replay.count} requests`));

  const run = (resource, phase, more) => replay.run(requests({ ...names, ...more })[resource][phase] || []);

  async function refresh(resource, changed) {
    const texts = await run(resource, 'refresh', { changed });
    assert.deepEqual(await run(resource, 'refresh', { changed }), texts, `a second refresh of the ${resource}`);
    return texts;
  }

  // Each stands in what was made before it; they are destroyed the other way round. What others manage (`stays`) is never touched.
  const order = ['group', 'hub', 'hub policy', 'instance', 'link', 'certificate', 'policy'];
  for (const resource of order) test(`${resource}: made, read back as configured, changed`, async () => {
    const stays = await run(resource, 'stays');
    await run(resource, 'create');
    await refresh(resource, false);
    await run(resource, 'change');
    await refresh(resource, true);
    assert.deepEqual(await run(resource, 'stays'), stays);
  });

  test('all are still what they were when each was done', async () => {
    for (const resource of order) await refresh(resource, true);
  });

  for (const resource of [...order].reverse()) test(`${resource}: destroyed`, async () => {
    const stays = await run(resource, 'stays');
    await run(resource, 'destroy', { changed: true });
    assert.deepEqual(await run(resource, 'stays'), stays);
  });
});

describe('terraform: what nobody sent of a hub', () => {
  test('reads back as services make it, and read-only members that are sent back are made again', async (t) => {
    const { hubs: [hub], group } = await scene(t, { hubs: 1 });
    const put = (properties) => idscope.arm('PUT', idscope.hubPath(group, hub.name), { body: { location: 'westeurope', sku: { name: 'S1' }, properties } });
    const { properties } = hub.resource;
    assert.deepEqual(properties.eventHubEndpoints, { events: { retentionTimeInDays: 1, partitionCount: 4, partitionIds: ['0', '1', '2', '3'], path: hub.name, endpoint: 'sb://none.invalid/' } });
    assert.deepEqual([properties.routing.routes, properties.routing.fallbackRoute.endpointNames, properties.storageEndpoints.$default.connectionString, properties.messagingEndpoints.fileNotifications.maxDeliveryCount,
      properties.cloudToDevice.feedback.ttlAsIso8601, properties.enableFileUploadNotifications, properties.features], [[], ['events'], '', 10, 'PT1H', false, 'None']);
    const changed = expect('put', await put({ eventHubEndpoints: { events: { partitionCount: 2, partitionIds: ['7'], path: 'elsewhere', endpoint: 'sb://elsewhere.example/' } }, routing: { routes: [] } }), 200).properties;
    assert.deepEqual(changed.eventHubEndpoints.events, { ...properties.eventHubEndpoints.events, partitionCount: 2, partitionIds: ['0', '1'] });
    assert.deepEqual([changed.routing, changed.features], [{ routes: [] }, 'None']);
    for (const events of [{ partitionCount: 0 }, { partitionCount: 129 }, { retentionTimeInDays: 8 }, { partitionCount: '4' }]) {
      const [name] = Object.keys(events);
      refusedArm(await put({ eventHubEndpoints: { events } }), 400, 'InvalidRequestContent', new RegExp(`eventHubEndpoints\\.events\\.${name}`));
    }
  });
});
