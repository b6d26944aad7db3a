// undelete.js: instances that are deleted, come back with all that they had (idscope-admin instance undelete), or do not any more. On the second
// deployment, which keeps them for a week; the first one purges at once.
'use strict';

const { describe, test, before } = require('node:test');
const { assert, second, Idscope, expect, each, fresh, refused, refusedArm, scene, sas, until } = require('../kit');
const { make } = require('../../lib/certificates');

const { idscope, stack } = second;
const FLAVOR = process.env.FLAVOR || 'asan'; // of the commands
const said = (...words) => stack.adminText(FLAVOR, 'instance', ...words, `--domain=${idscope.domain}`);
const undelete = async (idScope) => JSON.parse(await said('undelete', idScope, '--json'));
const deleted = async () => JSON.parse(await said('deleted', `--tenant=${idscope.env.IDSCOPE_TENANT_ID}`, '--json'));
async function refusedWith(pattern, ...words) {
  await assert.rejects(said(...words), (error) => { assert.match(String(error.stderr || error.message), pattern); return true; });
}
const erase = async (made) => expect('delete the instance', await idscope.arm('DELETE', idscope.instancePath(made.group, made.instance.name)), 204);
const counted = (scope, ...tables) => stack.sql(`select ${tables.map((table) => `(select count(*) from idscope.${table} where id_scope = '${scope}')`).join(' + ')}`);

// What a tenant and its devices see of an instance.
async function seen(made, device) {
  const path = idscope.instancePath(made.group, made.instance.name);
  const [resource, keys, certificates, links, enrollments, registration] = await each([
    () => idscope.arm('GET', path), () => idscope.arm('POST', `${path}/listkeys`), () => idscope.arm('GET', `${path}/certificates`), () => idscope.arm('GET', `${path}/linkedHubs`),
    () => idscope.service(made.instance, 'POST', '/enrollments/query', { body: { query: '*' } }), () => idscope.service(made.instance, 'GET', `/registrations/${device.id}`),
  ], 6, (ask) => ask());
  const hubs = expect('links', links, 200).value.map(({ properties }) => [properties.hostName, properties.state]);
  return [resource, keys, certificates, enrollments, registration].map((answer) => expect('what is seen', answer, 200)).concat([hubs]);
}

describe('undelete', () => { // one after the other: some stop the worker
  before(() => idscope.signIn());

  test('a deleted instance is hidden and its scope stands still at once; its hubs are left alone; undeleted it is what it was', async (t) => {
    const made = await scene(t, { hubs: 2 }, idscope);
    for (const { host } of made.hubs) await made.linkState(host, 'valid');
    const device = await made.registered();
    const path = idscope.instancePath(made.group, made.instance.name);
    expect('certificate', await idscope.arm('PUT', `${path}/certificates/root`, { body: { certificate: make('Root', { ca: true }).cert } }), 200);
    const whole = await seen(made, device);

    await erase(made);
    refusedArm(await idscope.arm('GET', path), 404, 'ResourceNotFound');
    refusedArm(await idscope.arm('GET', `${path}/certificates`), 404, 'ResourceNotFound');
    refusedArm(await idscope.arm('GET', `${path}/linkedHubs`), 404, 'ResourceNotFound');
    const listed = expect('list', await idscope.arm('GET', `${idscope.groupPath(made.group)}/providers/Microsoft.Devices/provisioningServices`), 200).value;
    const around = expect('resources', await idscope.arm('GET', `${idscope.groupPath(made.group)}/resources`, { version: '2021-04-01' }), 200).value;
    assert.deepEqual([listed.length, around.map(({ name }) => name).sort()], [0, made.hubs.map(({ name }) => name).sort()]);
    refused(await idscope.service(made.instance, 'GET', `/enrollments/${device.id}`), 404, /no provisioning service instance of this name/, 404001);
    refused(await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: { registrationId: device.id }, authorization: sas.forDevice(made.idScope, device.id, device.key) }), 401, /./, 401002);
    const hub = made.hubAt(device.state.assignedHub);
    assert.equal((await made.identity(hub, device.state.deviceId)).status, 'enabled', 'its device stands on its hub');

    const [{ deletedDateTimeUtc, undeleteUntilDateTimeUtc, ...row }] = (await deleted()).filter(({ name }) => name === made.instance.name);
    assert.deepEqual(row, { idScope: made.idScope, name: made.instance.name, subscriptionId: idscope.subscription, resourceGroup: made.group });
    assert.equal(Date.parse(undeleteUntilDateTimeUtc) - Date.parse(deletedDateTimeUtc), 7 * 86400000);
    assert.ok((await said('deleted', `--tenant=${idscope.env.IDSCOPE_TENANT_ID}`)).includes(`${made.idScope}\t${idscope.subscription}\t${made.group}\t${undeleteUntilDateTimeUtc}\t${made.instance.name}\n`));

    assert.deepEqual(await undelete(made.idScope.toLowerCase()), { ...row, serviceOperationsHostName: made.instance.host, deletedHubs: [] });
    assert.deepEqual(await until('the api to know it again', async () => {
      const answer = await idscope.service(made.instance, 'GET', `/registrations/${device.id}`);
      return answer.status === 200 && seen(made, device);
    }), whole, 'resource, keys, certificates, enrollments, registrations and links');
    assert.equal((await made.register(device)).assignedHub, device.state.assignedHub);
    await made.registered();
    assert.equal(await stack.sql(`select string_agg(concat_ws(' ', actor_kind, detail ->> 'change'), ', ' order by id) from idscope.audit_event where kind = 'instance' and key = '${made.idScope.toLowerCase()}'`),
      'client created, client deleted, operator undeleted');
    await refusedWith(/The instance is there: it was not deleted, or came back\./, 'undelete', made.idScope);
  });

  test('what was under way stands while the instance is deleted, and goes on when it is back', async (t) => {
    const made = await scene(t, { hubs: 1 }, idscope);
    const other = await scene(t, { hubs: 1 }, idscope);
    await made.linkState(made.hubs[0].host, 'valid');
    const [device, neighbour] = [await made.enroll(), await other.enroll()];
    await stack.run('stop-part', 'worker');
    const { operationId } = await made.start(device);
    await erase(made);
    await stack.run('start-part', 'worker');
    assert.equal((await other.register(neighbour)).status, 'assigned', 'the worker works');
    assert.equal(await stack.sql(`select fence || ' ' || attempt from idscope.job where id_scope = '${made.idScope.toLowerCase()}' and kind = 'assign'`), '0 0', 'and has not touched its job');
    assert.equal(await made.identity(made.hubs[0], device.id), undefined);
    await undelete(made.idScope);
    const state = await until('the device to be assigned', async () => {
      const answer = await made.poll(device, operationId);
      return answer.status === 200 && answer.json.registrationState;
    });
    assert.deepEqual([state.status, state.assignedHub], ['assigned', made.hubs[0].host]);
  });

  test('a group that is deleted takes all along; its instance comes back into one of that name, and says which of its hubs are gone', async (t) => {
    const made = await scene(t, { hubs: 2 }, idscope);
    const device = await made.registered();
    await idscope.deleteGroup(made.group);
    refusedArm(await idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), 404, 'ResourceGroupNotFound');
    for (const { name } of made.hubs) assert.equal(expect('name', await idscope.arm('GET', idscope.hubPath(made.group, name)), 404).error.code, 'ResourceGroupNotFound');
    await refusedWith(new RegExp(`Its resource group ${made.group} was deleted: make it again in the subscription ${idscope.subscription}, then undelete\\.`), 'undelete', made.idScope);
    await idscope.createGroup(made.group);
    assert.equal(await said('undelete', made.idScope), `IDSCOPE_ID_SCOPE=${made.idScope}\nIDSCOPE_SERVICE_HOST=${made.instance.host}\nIDSCOPE_DELETED_HUBS='${made.hubs.map(({ host }) => host).join(' ')}'\n`);
    assert.deepEqual([...(await made.links()).values()].map(({ state }) => state), ['invalid', 'invalid']);
    assert.equal((await until('the api to know it', async () => {
      const answer = await idscope.service(made.instance, 'GET', `/registrations/${device.id}`);
      return answer.status === 200 && answer.json;
    })).status, 'assigned');
  });

  test('its tenant may make the name anew at once, on another ID scope; that ends the time to undelete the one before, which is purged', async (t) => {
    const made = await scene(t, { hubs: 1 }, idscope);
    await made.registered();
    const scope = made.idScope.toLowerCase();
    await erase(made);
    const { name } = made.instance;
    assert.equal(expect('check', await idscope.arm('POST', `/subscriptions/${idscope.subscription}/providers/Microsoft.Devices/checkProvisioningServiceNameAvailability`, { body: { name } }), 200).nameAvailable, true);
    await stack.run('stop-part', 'worker');
    const anew = await idscope.createInstance(made.group, name.toUpperCase());
    assert.notEqual(anew.idScope, made.idScope);
    await refusedWith(new RegExp(`Its tenant made an instance named ${name} since, which ended the time to undelete this one\\.`), 'undelete', made.idScope);
    assert.notEqual(await counted(scope, 'enrollment', 'registration', 'linked_hub', 'instance_policy', 'instance'), '0');
    await stack.run('start-part', 'worker');
    await until('it to be purged', async () => (await counted(scope, 'enrollment', 'registration', 'linked_hub', 'instance_policy', 'certificate', 'instance')) === '0');
    await refusedWith(/The instance was purged: what it had is gone\./, 'undelete', made.idScope);
    assert.deepEqual((await idscope.getInstance(made.group, name)).properties.idScope, anew.idScope);
    await refusedWith(/The instance is there/, 'undelete', anew.idScope);
    // The second of the name is deleted as well, and can come back.
    await erase(made);
    assert.equal((await undelete(anew.idScope)).name, name.toUpperCase());
  });

  test('it does not come back without its name, late, twice, or when there was none', async (t) => {
    const made = await scene(t, { hubs: 0 }, idscope);
    const theirs = await scene(t, { hubs: 0 }, idscope);
    const { name } = made.instance;
    await erase(made);
    await erase(made);
    // Another tenant may have the name after a month only; so long is not waited here.
    const tenant = await stack.admin(FLAVOR, 'create-tenant', fresh('other'));
    const subscription = await stack.admin(FLAVOR, 'create-subscription', tenant.IDSCOPE_TENANT_ID, 'other');
    const them = new Idscope({ ...idscope.env, ...tenant, ...subscription, ...await stack.admin(FLAVOR, 'create-service-principal', tenant.IDSCOPE_TENANT_ID, 'other', 'owner') });
    const group = fresh('group');
    await them.createGroup(group);
    refusedArm(await them.arm('PUT', them.instancePath(group, name), { body: { location: 'westeurope', sku: { name: 'S1' }, properties: {} } }), 409, 'NameNotAvailable', /taken/);
    await stack.sql(`delete from idscope.name_rest where kind = 'instance' and name_key = '${name}'`);
    await them.putInstance(group, name);
    const taken = new RegExp(`The name ${name} is taken by now; names are unique across all tenants\\.`);
    await refusedWith(taken, 'undelete', made.idScope);
    await them.deleteGroup(group);
    await refusedWith(taken, 'undelete', made.idScope);
    them.close();

    await stack.run('stop-part', 'worker');
    await erase(theirs);
    await stack.sql(`update idscope.scope set undelete_until = now() where id_scope = '${theirs.idScope.toLowerCase()}'`);
    await refusedWith(/The time to undelete it ended at 20\d\d-/, 'undelete', theirs.idScope);
    assert.ok(!(await deleted()).some(({ idScope }) => idScope === theirs.idScope));
    await stack.run('start-part', 'worker');
    await until('it to be purged', async () => (await counted(theirs.idScope.toLowerCase(), 'instance', 'instance_policy')) === '0');
    await refusedWith(/The instance was purged/, 'undelete', theirs.idScope);

    await refusedWith(/No instance here ever had this ID scope\./, 'undelete', '0ne99999999');
    await refusedWith(/"0ne1" is not 0ne and eight hex digits\./, 'undelete', '0ne1');
    await refusedWith(/--tenant=… must be given/, 'deleted');
    await refusedWith(/usage: idscope-admin/, 'undelete');
  });
});
