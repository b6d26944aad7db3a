// story.js: the two tutorials, lived through with the unmodified client packages, the way their users call them.
// Must never reach below a package's public surface, nor set anything on it that a user would not.
'use strict';

const { describe, test } = require('node:test');
const { IotDpsClient } = require('@azure/arm-deviceprovisioningservices');
const { IotDpsClient: IotDpsClient6 } = require('@azure/arm-deviceprovisioningservices-6');
const { IotHubClient } = require('@azure/arm-iothub');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { Registry } = require('azure-iothub');
const { assert, idscope, fresh, names, until } = require('../kit');

const endpoint = 'https://localhost';

// What @azure/identity would do, against our own sign-in.
const credential = {
  async getToken(scopes) {
    const answer = await idscope.requestToken({ scope: [].concat(scopes).join(' ') });
    assert.equal(answer.status, 200, answer.text);
    return { token: answer.json.access_token, expiresOnTimestamp: Date.now() + answer.json.expires_in * 1000 };
  },
};

async function all(pages) {
  const list = [];
  for await (const item of pages) list.push(item);
  return list;
}

// One hub made with the management package: its resource and its connection string.
async function makeHub(client, group) {
  const name = fresh('hub');
  const resource = await client.iotHubResource.beginCreateOrUpdateAndWait(group, name, { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} });
  assert.equal(resource.properties.provisioningState, 'Succeeded');
  const keys = await all(client.iotHubResource.listKeys(group, name));
  const owner = keys.find((key) => key.keyName === 'iothubowner');
  names('127.0.0.1', resource.properties.hostName);
  return { name, host: resource.properties.hostName, location: resource.location,
    connectionString: `HostName=${resource.properties.hostName};SharedAccessKeyName=${owner.keyName};SharedAccessKey=${owner.primaryKey}` };
}

function registerWithSdk(provisioningHost, idScope, id, key) {
  const client = ProvisioningDeviceClient.create(provisioningHost, idScope, new Http(), new SymmetricKeySecurityClient(id, key));
  return client.register();
}

describe('story: with the client packages as they are', () => {
  const group = fresh('story');
  const hubClient = new IotHubClient(credential, idscope.subscription, { endpoint });
  const dpsClient = new IotDpsClient(credential, idscope.subscription, { endpoint });
  const name = fresh('dps');
  let hubs;
  let instance;
  let service;
  const devices = new Map();

  test('a resource group, two hubs and an instance are created; the instance has an ID scope', async () => {
    await idscope.createGroup(group);
    hubs = [await makeHub(hubClient, group), await makeHub(hubClient, group)];
    instance = await dpsClient.iotDpsResource.beginCreateOrUpdateAndWait(group, name, { location: 'West Europe', sku: { name: 'S1', capacity: 1 }, properties: {} });
    assert.match(instance.properties.idScope, /^0ne[0-9A-F]{8}$/);
    assert.equal(instance.location, 'westeurope');
    assert.equal(instance.properties.allocationPolicy, 'Hashed');
    assert.deepEqual(instance.properties.iotHubs, []);
    names('127.0.0.1', instance.properties.serviceOperationsHostName);
  });

  test('both hubs are linked and the policy is set; their keys are not shown again', async () => {
    const current = await dpsClient.iotDpsResource.get(name, group);
    current.properties.iotHubs.push(...hubs.map((hub) => ({ connectionString: hub.connectionString, location: hub.location })));
    current.properties.allocationPolicy = 'Hashed';
    const linked = await dpsClient.iotDpsResource.beginCreateOrUpdateAndWait(group, name, current);
    assert.deepEqual(linked.properties.iotHubs.map((hub) => hub.name), hubs.map((hub) => hub.host));
    for (const hub of linked.properties.iotHubs) assert.match(hub.connectionString, /SharedAccessKey=\*+$/);
    assert.equal(linked.properties.idScope, instance.properties.idScope, 'a PUT keeps the ID scope');
  });

  test('twelve devices are enrolled with the service package; keys are made for them', async () => {
    const keys = await all(dpsClient.iotDpsResource.listKeys(name, group));
    const owner = keys.find((key) => key.keyName === 'provisioningserviceowner');
    const text = `HostName=${instance.properties.serviceOperationsHostName};SharedAccessKeyName=${owner.keyName};SharedAccessKey=${owner.primaryKey}`;
    service = ProvisioningServiceClient.fromConnectionString(text);
    for (let i = 0; i < 12; i++) {
      const id = fresh('unit');
      const { responseBody } = await service.createOrUpdateIndividualEnrollment({ registrationId: id, attestation: { type: 'symmetricKey' } });
      assert.equal(Buffer.from(responseBody.attestation.symmetricKey.primaryKey, 'base64').length, 64);
      devices.set(id, { key: responseBody.attestation.symmetricKey.primaryKey });
    }
  });

  test('each device registers with the device package and finds its hub and device id', async () => {
    await Promise.all([...devices].map(async ([id, device]) => {
      device.result = await registerWithSdk('global.dps.idscope.localhost', instance.properties.idScope, id, device.key);
      assert.equal(device.result.status, 'assigned');
      assert.equal(device.result.substatus, 'initialAssignment');
      assert.equal(device.result.deviceId, id);
      assert.ok(hubs.some((hub) => hub.host === device.result.assignedHub), device.result.assignedHub);
    }));
  });

  test('each device stands in its hub with its own keys, seen with the hub package, and in no other hub', async () => {
    const registries = new Map(hubs.map((hub) => [hub.host, Registry.fromConnectionString(hub.connectionString)]));
    for (const [id, device] of devices) {
      const { responseBody } = await registries.get(device.result.assignedHub).get(id);
      assert.equal(responseBody.authentication.symmetricKey.primaryKey, device.key);
      assert.equal(responseBody.status, 'enabled');
      const other = hubs.find((hub) => hub.host !== device.result.assignedHub);
      await assert.rejects(registries.get(other.host).get(id), { name: 'DeviceNotFoundError' });
    }
    const counts = await Promise.all([...registries.values()].map(async (registry) => (await registry.list()).responseBody.length));
    assert.equal(counts[0] + counts[1], devices.size);
  });

  test('the service package reads a registration, an enrollment and its keys', async () => {
    const [id, device] = [...devices][0];
    const { responseBody: state } = await service.getDeviceRegistrationState(id);
    assert.equal(state.assignedHub, device.result.assignedHub);
    assert.equal(state.etag, device.result.etag, 'device and service side agree on the etag');
    const { responseBody: enrollment } = await service.getIndividualEnrollment(id);
    assert.equal(enrollment.registrationState.status, 'assigned');
    assert.equal(enrollment.attestation.symmetricKey?.primaryKey, undefined, 'a GET does not give keys away');
    const { responseBody: attestation } = await service.getIndividualEnrollmentAttestationMechanism(id);
    assert.equal(attestation.symmetricKey.primaryKey, device.key);
  });

  test('an enrollment read with the service package can be written back, and a stale one cannot', async () => {
    const [id] = [...devices][0];
    const { responseBody: enrollment } = await service.getIndividualEnrollment(id);
    const { responseBody: written } = await service.createOrUpdateIndividualEnrollment({ ...enrollment, initialTwin: { tags: { hall: 'B' } } });
    assert.notEqual(written.etag, enrollment.etag);
    assert.equal(written.initialTwin.tags.hall, 'B');
    await assert.rejects(service.createOrUpdateIndividualEnrollment(enrollment), { name: 'InvalidEtagError' });
    await assert.rejects(service.createOrUpdateIndividualEnrollment({ registrationId: id, attestation: { type: 'symmetricKey' } }), { name: 'DeviceAlreadyExistsError' });
  });

  test('the hub package makes, changes, lists and removes devices of its own', async () => {
    const registry = Registry.fromConnectionString(hubs[0].connectionString);
    const deviceId = fresh('own');
    const { responseBody: made } = await registry.create({ deviceId });
    assert.ok(made.authentication.symmetricKey.primaryKey);
    await assert.rejects(registry.create({ deviceId }), { name: 'DeviceAlreadyExistsError' });
    const { responseBody: changed } = await registry.update({ ...made, status: 'disabled', statusReason: 'lost' });
    assert.equal(changed.status, 'disabled');
    const many = [fresh('bulk'), fresh('bulk')];
    const { responseBody: added } = await registry.addDevices(many.map((id) => ({ deviceId: id })));
    assert.equal(added.isSuccessful, true);
    assert.ok((await registry.list()).responseBody.some((device) => device.deviceId === many[1]));
    for (const id of [deviceId, ...many]) await registry.delete(id);
    await assert.rejects(registry.get(deviceId), { name: 'DeviceNotFoundError' });
  });

  test('a device with a wrong key, and one that nobody enrolled, fail in the device package alike', async () => {
    const [id] = [...devices][0];
    const wrong = Buffer.alloc(32, 7).toString('base64');
    const attempt = (of) => registerWithSdk('global.dps.idscope.localhost', instance.properties.idScope, of, wrong).then(
      () => assert.fail('a wrong key was let in'), (error) => error);
    const [known, unknown] = [await attempt(id), await attempt(fresh('nobody'))];
    assert.equal(known.name, unknown.name);
    assert.equal(known.name, 'UnauthorizedError');
  });

  test('a deleted enrollment lets its device in no more; the identity on the hub stays', async () => {
    const [id, device] = [...devices].at(-1);
    await service.deleteIndividualEnrollment(id);
    await assert.rejects(registerWithSdk('localhost', instance.properties.idScope, id, device.key), { name: 'UnauthorizedError' });
    const registry = Registry.fromConnectionString(hubs.find((hub) => hub.host === device.result.assignedHub).connectionString);
    assert.equal((await registry.get(id)).responseBody.deviceId, id);
  });

  test('the newest management package reads and updates the same instance', async () => {
    const client = new IotDpsClient6(credential, idscope.subscription, { endpoint });
    const read = await client.iotDpsResource.get(group, name);
    assert.equal(read.properties.idScope, instance.properties.idScope);
    const updated = await client.iotDpsResource.createOrUpdate(group, name, { ...read, properties: { ...read.properties, allocationPolicy: 'GeoLatency' } });
    assert.equal(updated.properties.allocationPolicy, 'GeoLatency');
    assert.equal(updated.properties.iotHubs.length, 2);
  });

  test('unlinking, then deleting instance, hubs and group leaves nothing', async () => {
    const current = await dpsClient.iotDpsResource.get(name, group);
    current.properties.iotHubs = current.properties.iotHubs.filter((hub) => hub.name !== hubs[1].host);
    const fewer = await dpsClient.iotDpsResource.beginCreateOrUpdateAndWait(group, name, current);
    assert.deepEqual(fewer.properties.iotHubs.map((hub) => hub.name), [hubs[0].host]);
    await dpsClient.iotDpsResource.beginDeleteAndWait(name, group);
    await assert.rejects(dpsClient.iotDpsResource.get(name, group), { statusCode: 404 });
    for (const hub of hubs) await hubClient.iotHubResource.beginDeleteAndWait(group, hub.name);
    assert.deepEqual(await all(hubClient.iotHubResource.listByResourceGroup(group)), []);
    await idscope.deleteGroup(group);
    const [id, device] = [...devices][0];
    await until('the deleted scope to be unknown to devices', async () => registerWithSdk('localhost', instance.properties.idScope, id, device.key).then(
      () => false, (error) => error.name === 'UnauthorizedError'), { timeoutMs: 15000 });
  });
});
