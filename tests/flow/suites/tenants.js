// tenants.js: a tenant sees nothing of another: on every management operation the other's things look like things that do not exist.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, expect, fresh, refused, refusedArm, sharedScene, admin, stack, until } = require('../kit');

const DEPLOYMENT = 'ffffffff-ffff-ffff-ffff-ffffffffffff'; // whose the sweeps' jobs are
const body = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };

describe('tenants', () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  let other;

  before(async () => {
    const tenant = await admin('create-tenant', fresh('other'));
    const { IDSCOPE_SUBSCRIPTION_ID } = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'other');
    const client = await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'other', 'owner');
    other = new Idscope({ ...idscope.env, ...tenant, IDSCOPE_SUBSCRIPTION_ID, ...client });
  });

  test('another tenant signs in by its client id alone and sees its own subscription only', async () => {
    const { value } = expect('list', await other.arm('GET', '/subscriptions'), 200);
    assert.deepEqual(value.map((one) => one.subscriptionId), [other.subscription]);
    assert.notEqual(other.subscription, idscope.subscription);
  });

  test('every operation on another tenant\'s subscription answers as for one that does not exist', async () => {
    const operations = (subscription) => {
      const group = `/subscriptions/${subscription}/resourcegroups/${made.group}`;
      const hub = `${group}/providers/Microsoft.Devices/IotHubs/${made.hubs[0].name}`;
      const instance = `${group}/providers/Microsoft.Devices/provisioningServices/${made.instance.name}`;
      const sub = `/subscriptions/${subscription}`;
      return [['GET', sub], ['GET', `${sub}/resourcegroups`], ['PUT', group, { location: 'westeurope' }], ['GET', group], ['HEAD', group], ['PATCH', group, { tags: {} }], ['DELETE', group],
        ['POST', `${sub}/providers/Microsoft.Devices/checkNameAvailability`, { name: made.hubs[0].name }], ['POST', `${sub}/providers/Microsoft.Devices/checkProvisioningServiceNameAvailability`, { name: 'x' }],
        ...['locations', 'providers', 'providers/Microsoft.Devices', 'resources'].map((what) => ['GET', `${sub}/${what}`]), ['POST', `${sub}/providers/Microsoft.Devices/register`], ['GET', `${group}/resources`],
        ...['IotHubStats', 'quotaMetrics', 'eventHubEndpoints/events/ConsumerGroups'].map((what) => ['GET', `${hub}/${what}`]),
        ...['operationresults/1', 'privateLinkResources', 'privateLinkResources/iotDps', 'privateEndpointConnections'].map((what) => ['GET', `${instance}/${what}`]),
        ...[hub, instance].flatMap((one) => [['PATCH', one, { tags: {} }], ['GET', `${one}/skus`]]),
        ['GET', `${sub}/providers/Microsoft.Devices/IotHubs`], ['GET', `${group}/providers/Microsoft.Devices/IotHubs`], ['PUT', hub, body], ['GET', hub], ['POST', `${hub}/listkeys`], ['POST', `${hub}/IotHubKeys/iothubowner/listkeys`], ['DELETE', hub],
        ['GET', `${sub}/providers/Microsoft.Devices/provisioningServices`], ['GET', `${group}/providers/Microsoft.Devices/provisioningServices`], ['PUT', instance, body], ['GET', instance], ['POST', `${instance}/listkeys`], ['POST', `${instance}/keys/provisioningserviceowner/listkeys`],
        ['GET', `${instance}/linkedHubs`], ['GET', `${instance}/linkedHubs/${made.hubs[0].host}`], ['PUT', `${instance}/linkedHubs/${made.hubs[0].host}`, { properties: { allocationWeight: 5 } }], ['DELETE', `${instance}/linkedHubs/${made.hubs[0].host}`], ['DELETE', instance]];
    };
    const theirs = operations(idscope.subscription);
    const nobodys = operations(crypto.randomUUID());
    for (const [i, [method, path, sent]] of theirs.entries()) {
      const answer = await other.arm(method, path, { body: sent });
      const missing = await other.arm(nobodys[i][0], nobodys[i][1], { body: sent });
      assert.equal(answer.status, missing.status, `${method} ${path}`);
      assert.equal(answer.text, missing.text, `${method} ${path}`);
      if (method !== 'HEAD' && answer.status !== 204) refusedArm(answer, 404, 'SubscriptionNotFound');
    }
    assert.equal((await idscope.getInstance(made.group, made.instance.name)).properties.idScope, made.idScope, 'nothing was changed');
    assert.ok((await idscope.registry(made.hubs[0])).size >= 0);
  });

  test('a name that another tenant has is taken, and nobody says by whom', async () => {
    const group = fresh('group');
    await other.createGroup(group);
    for (const path of [other.instancePath(group, made.instance.name), other.hubPath(group, made.hubs[0].name)]) {
      const { text } = refusedArm(await other.arm('PUT', path, { body }), 409, 'NameNotAvailable');
      for (const word of [made.group, idscope.subscription, idscope.env.IDSCOPE_TENANT_ID]) assert.ok(!text.includes(word));
      refusedArm(await other.arm('GET', path), 404, 'ResourceNotFound');
    }
    for (const [word, name] of [['checkNameAvailability', made.hubs[0].name], ['checkProvisioningServiceNameAvailability', made.instance.name]]) {
      const { reason, message } = expect('check', await other.arm('POST', `/subscriptions/${other.subscription}/providers/Microsoft.Devices/${word}`, { body: { name } }), 200);
      assert.equal(reason, 'AlreadyExists');
      for (const secret of [made.group, idscope.subscription, idscope.env.IDSCOPE_TENANT_ID]) assert.ok(!message.includes(secret));
    }
    await other.deleteGroup(group);
  });

  test('the name of a deleted hub or instance rests for its tenant; when that is over, anybody may have it', async () => {
    const [mine, theirs] = [fresh('group'), fresh('group')];
    await idscope.createGroup(mine);
    await other.createGroup(theirs);
    const names = { hub: fresh('hub'), instance: fresh('dps') };
    const at = (of, group) => [of.hubPath(group, names.hub), of.instancePath(group, names.instance)];
    const puts = async (of, group) => { for (const path of at(of, group)) expect(`put ${path}`, await of.arm('PUT', path, { body }), 200, 201); };
    const taken = async () => {
      const answers = [];
      for (const path of at(other, theirs)) answers.push(refusedArm(await other.arm('PUT', path, { body }), 409, 'NameNotAvailable').text);
      return answers;
    };
    await puts(idscope, mine);
    const living = await taken();
    for (const path of at(idscope, mine)) assert.equal((await idscope.arm('DELETE', path)).status, 204);
    assert.deepEqual(await taken(), living, 'it looks like a name that is in use');
    await puts(idscope, mine);
    await idscope.deleteGroup(mine);
    assert.deepEqual(await taken(), living, 'deleting the group is no way round');
    await idscope.createGroup(mine);
    await puts(idscope, mine);
    await idscope.deleteGroup(mine);
    const resting = `name_key IN ('${names.hub}', '${names.instance}')`;
    const rests = () => stack.sql(`SELECT count(*) FROM idscope.name_rest WHERE ${resting}`);
    const begun = () => stack.sql(`SELECT fence FROM idscope.tenant_job WHERE tenant_id = '${DEPLOYMENT}' AND kind = 'free_names'`);
    const age = (days) => stack.sql(`UPDATE idscope.name_rest SET since = now() - interval '${days} days' WHERE ${resting}`);
    await age(29);
    for (let turn = 0; turn < 2; turn++) { // the second one begins behind the end of the first
      const last = await begun();
      await until('a turn of the sweep', async () => (await begun()) !== last);
    }
    assert.equal(await rests(), '2');
    await age(30);
    await until('rests that are over to be swept', async () => (await rests()) === '0');
    await puts(other, theirs);
    await other.deleteGroup(theirs);
  });

  test('another tenant\'s hub cannot be linked by its resource id; it looks like one that does not exist', async () => {
    const group = fresh('group');
    await other.createGroup(group);
    const put = (hubResourceId) => other.arm('PUT', other.instancePath(group, fresh('dps')), { body: { ...body, properties: { iotHubs: [{ hubResourceId, location: 'westeurope' }] } } });
    const theirs = refusedArm(await put(idscope.hubPath(made.group, made.hubs[0].name)), 400, 'InvalidRequestContent', /hubResourceId/);
    const missing = refusedArm(await put(idscope.hubPath(made.group, 'not-there-at-all')), 400, 'InvalidRequestContent', /hubResourceId/);
    const neutral = (answer) => answer.text.replaceAll(made.hubs[0].name, 'X').replaceAll('not-there-at-all', 'X');
    assert.equal(neutral(theirs), neutral(missing));
    await other.deleteGroup(group);
  });

  // The worker tells jobs of a tenant from the deployment's by their owner alone: a kind's job is run for whomever it belongs to.
  test('a job of a tenant is found, worked on and given back as the deployment\'s are; one that fails is tried again, and says why', async (t) => {
    const tenant = (await admin('create-tenant', fresh('jobs'))).IDSCOPE_TENANT_ID;
    const add = (kind, payload) => stack.sql(`INSERT INTO idscope.tenant_job (tenant_id, kind, subject, payload, due_at) VALUES ('${tenant}', '${kind}', '${kind}', ${payload}, now())`);
    const job = async (kind, owner = tenant) => JSON.parse(await stack.sql(`SELECT row_to_json(j) FROM idscope.tenant_job j WHERE tenant_id = '${owner}' AND kind = '${kind}'`));
    t.after(() => stack.sql(`DELETE FROM idscope.tenant_job WHERE tenant_id = '${tenant}'`));
    await add('free_names', 'NULL');
    await add('nobody_knows_it', 'NULL');
    await made.registered(); // so that there are rows for which what is no time is read, whatever the plan
    const payload = { scope: made.idScope.toLowerCase(), key: '', began: 'never' };
    await add('clear_inputs', `'${JSON.stringify(payload)}'`);
    for (const owner of [tenant, DEPLOYMENT]) {
      const before = await job('free_names', owner);
      const again = () => until('another turn', async () => { const now = await job('free_names', owner); return now.fence > before.fence && now; });
      assert.equal((await again()).attempt, 0);
    }
    const failed = await until('a failed attempt to be noted', async () => { const now = await job('clear_inputs'); return now.attempt > 0 && now; });
    assert.match(failed.last_error, /22007/); // what is no time
    assert.deepEqual(failed.payload, payload);
    assert.equal((await job('nobody_knows_it')).fence, 0);
  });

  test('a bearer token of another tenant opens no instance\'s service plane', async () => {
    const { access_token: token } = (await other.requestToken({ scope: 'https://azure-devices-provisioning.net/.default' })).json;
    const answer = await idscope.service(made.instance, 'GET', '/enrollments/none', { authorization: `Bearer ${token}` });
    refused(answer, 404, /./, 404001);
  });

  test('a hub in another subscription of the same tenant can be linked by its resource id', async (t) => {
    const { IDSCOPE_SUBSCRIPTION_ID } = await admin('create-subscription', idscope.env.IDSCOPE_TENANT_ID, fresh('sub'));
    const elsewhere = new Idscope({ ...idscope.env, IDSCOPE_SUBSCRIPTION_ID });
    const group = fresh('group');
    await elsewhere.createGroup(group);
    t.after(() => elsewhere.deleteGroup(group));
    const hub = await elsewhere.createHub(group, fresh('hub'));
    await made.relink([{ hubResourceId: elsewhere.hubPath(group, hub.name), location: 'westeurope' }]);
    await made.linkState(hub.host, 'valid');
    assert.equal((await made.registered()).state.assignedHub, hub.host);
    await made.relink([Idscope.link(made.hubs[0])]);
  });

  test('a reader reads and does nothing else; a contributor writes', async () => {
    const as = async (role) => new Idscope({ ...idscope.env, ...await admin('create-service-principal', idscope.env.IDSCOPE_TENANT_ID, fresh('client'), role) });
    const reader = await as('reader');
    const instance = idscope.instancePath(made.group, made.instance.name);
    assert.equal((await reader.arm('GET', instance)).status, 200);
    refusedArm(await reader.arm('PUT', instance, { body }), 403, 'AuthorizationFailed');
    refusedArm(await reader.arm('POST', `${instance}/listkeys`), 403, 'AuthorizationFailed');
    refusedArm(await reader.arm('DELETE', idscope.groupPath(made.group)), 403, 'AuthorizationFailed');
    const bearer = async (client) => `Bearer ${(await client.requestToken({ scope: 'https://azure-devices-provisioning.net/.default' })).json.access_token}`;
    const service = async (client, method) => idscope.service(made.instance, method, '/enrollments/by-token', { authorization: await bearer(client), body: method === 'PUT' ? Idscope.enrollment('by-token') : undefined });
    refused(await service(reader, 'GET'), 403); // for the service plane there are roles of its own
    const readsData = await as('dataReader');
    refused(await service(readsData, 'GET'), 404, /./, 404201);
    refused(await service(readsData, 'PUT'), 403);
    const contributor = await as('contributor');
    refused(await service(contributor, 'PUT'), 403);
    assert.equal((await service(await as('dataContributor'), 'PUT')).status, 200);
    assert.equal((await contributor.arm('POST', `${instance}/listkeys`)).status, 200);
    assert.equal((await contributor.arm('PUT', contributor.groupPath(fresh('g')), { body: { location: 'westeurope' } })).status, 201);
  });
});
