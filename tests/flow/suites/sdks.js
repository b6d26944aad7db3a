// sdks.js: the management SDKs, unmodified: those of Debian's python3-azure (tests/flow/sdk.py) and the npm packages, the one for instances in two
// major versions. Each creates, reads, changes, lists, asks for keys, proves that it has a certificate's key, and deletes.
// Must never reach below a package's public surface, nor wait for an answer that is there.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { describe, test, before, after } = require('node:test');
const { IotDpsClient } = require('@azure/arm-deviceprovisioningservices');
const { IotDpsClient: IotDpsClient6 } = require('@azure/arm-deviceprovisioningservices-6');
const { IotHubClient } = require('@azure/arm-iothub');
const { MonitorClient } = require('@azure/arm-monitor');
const { assert, idscope, expect, fresh, work } = require('../kit');
const { make } = require('../../lib/certificates');

const BASE = 'https://localhost';
const SKU = { name: 'S1', capacity: 1 };

// What @azure/identity would do, against our own sign-in.
const credential = {
  async getToken(scopes) {
    const { access_token: token, expires_in: seconds } = expect('sign in', await idscope.requestToken({ scope: [].concat(scopes).join(' ') }), 200);
    return { token, expiresOnTimestamp: Date.now() + seconds * 1000 };
  },
};

const all = async (pages) => {
  const list = [];
  for await (const item of pages) list.push(item);
  return list;
};

// The client for instances in version 5 and in version 6, which gives arguments another order and has one word for begin and wait.
const services = (group, name) => {
  const old = new IotDpsClient(credential, idscope.subscription, { endpoint: BASE });
  const now = new IotDpsClient6(credential, idscope.subscription, { endpoint: BASE });
  const shared = (client) => ({
    check: (body) => client.iotDpsResource.checkProvisioningServiceNameAvailability(body),
    inGroup: () => all(client.iotDpsResource.listByResourceGroup(group)),
    inAll: () => all(client.iotDpsResource.listBySubscription()),
    keys: () => all(client.iotDpsResource.listKeys(name, group)),
    key: (policy) => client.iotDpsResource.listKeysForKeyName(name, policy, group),
    skus: () => all(client.iotDpsResource.listValidSkus(name, group)),
    putCertificate: (cert, properties) => client.dpsCertificate.createOrUpdate(group, name, cert, { properties }),
    getCertificate: (cert) => client.dpsCertificate.get(cert, group, name),
    certificates: async () => (await client.dpsCertificate.list(group, name)).value,
    code: (cert, etag) => client.dpsCertificate.generateVerificationCode(cert, etag, group, name),
    verify: (cert, etag, certificate) => client.dpsCertificate.verifyCertificate(cert, etag, group, name, { certificate }),
  });
  return {
    5: {
      ...shared(old),
      put: (body) => old.iotDpsResource.beginCreateOrUpdateAndWait(group, name, body),
      get: () => old.iotDpsResource.get(name, group),
      tag: (tags) => old.iotDpsResource.beginUpdateAndWait(group, name, { tags }),
      remove: () => old.iotDpsResource.beginDeleteAndWait(name, group),
      removeCertificate: (cert, etag) => old.dpsCertificate.delete(group, etag, name, cert),
    },
    6: {
      ...shared(now),
      put: (body) => now.iotDpsResource.createOrUpdate(group, name, body),
      get: () => now.iotDpsResource.get(group, name),
      tag: (tags) => now.iotDpsResource.update(group, name, { tags }),
      remove: () => now.iotDpsResource.delete(group, name),
      removeCertificate: (cert, etag) => now.dpsCertificate.delete(group, name, cert, etag),
    },
  };
};

describe('sdks: npm', { concurrency: 3 }, () => {
  const group = fresh('sdks');
  let hub;
  before(async () => {
    await idscope.createGroup(group);
    hub = await idscope.createHub(group, fresh('hub'));
  });
  after(() => idscope.deleteGroup(group));

  for (const version of [5, 6]) {
    test(`@azure/arm-deviceprovisioningservices ${version}`, async () => {
      const name = fresh('dps');
      const client = services(group, name)[version];
      assert.equal((await client.check({ name })).nameAvailable, true);
      const made = await client.put({ location: 'West Europe', sku: SKU, properties: { allocationPolicy: 'Static', iotHubs: [{ connectionString: hub.connectionString, location: 'westeurope' }] } });
      assert.deepEqual([made.name, made.location, made.properties.allocationPolicy, made.properties.iotHubs[0].name], [name, 'westeurope', 'Static', hub.host]);
      assert.equal((await client.check({ name })).reason, 'AlreadyExists');
      const read = await client.get();
      read.properties.iotHubs[0].allocationWeight = 3;
      const changed = await client.put(read);
      assert.deepEqual([changed.properties.iotHubs[0].allocationWeight, changed.properties.idScope], [3, made.properties.idScope]);
      assert.match(changed.properties.iotHubs[0].connectionString, /;SharedAccessKey=\*+$/);
      assert.deepEqual((await client.tag({ a: '1' })).tags, { a: '1' });
      for (const list of [await client.inGroup(), await client.inAll()]) assert.ok(list.some((one) => one.name === name));
      const [owner] = await client.keys();
      assert.deepEqual((await client.key('provisioningserviceowner')).primaryKey, owner.primaryKey);
      assert.deepEqual((await client.skus()).map((one) => one.name), ['S1']);
      await client.remove();
      await assert.rejects(client.get(), { statusCode: 404 });
    });

    test(`certificates with @azure/arm-deviceprovisioningservices ${version}: proof of possession`, async () => {
      const name = fresh('dps');
      const client = services(group, name)[version];
      await client.put({ location: 'westeurope', sku: SKU, properties: {} });
      const root = make('Plant Root', { ca: true });
      const made = await client.putCertificate('c1', { certificate: Buffer.from(root.cert) });
      assert.equal(Buffer.from(made.properties.certificate).toString(), root.cert);
      assert.deepEqual([made.properties.subject, made.properties.isVerified], ['CN=Plant Root', false]);
      assert.ok(made.properties.expiry instanceof Date && made.properties.expiry > new Date());
      assert.deepEqual((await client.certificates()).map((one) => one.name), ['c1']);
      const asked = await client.code('c1', made.etag);
      const proof = make(asked.properties.verificationCode, { by: root }).cert;
      await assert.rejects(client.verify('c1', made.etag, proof), { statusCode: 412 });
      await assert.rejects(client.verify('c1', asked.etag, make('another', { by: root }).cert), { statusCode: 400 });
      assert.equal((await client.verify('c1', asked.etag, proof)).properties.isVerified, true);
      const { etag, properties } = await client.getCertificate('c1');
      assert.equal(properties.isVerified, true);
      await client.removeCertificate('c1', etag);
      await assert.rejects(client.getCertificate('c1'), { statusCode: 404 });
    });
  }

  test('certificates with @azure/arm-iothub: proof of possession', async () => {
    const at = new IotHubClient(credential, idscope.subscription, { endpoint: BASE }).certificates;
    const { name } = await idscope.createHub(group, fresh('hub'));
    const root = make('Plant Root', { ca: true });
    const made = await at.createOrUpdate(group, name, 'c1', { properties: { certificate: root.cert } });
    assert.deepEqual([made.name, made.properties.subject, made.properties.isVerified, made.properties.certificate], ['c1', 'CN=Plant Root', false, root.cert]);
    assert.ok(made.properties.expiry instanceof Date && made.properties.expiry > new Date());
    await assert.rejects(at.createOrUpdate(group, name, 'c1', { properties: { certificate: root.cert } }, { ifMatch: 'stale' }), { statusCode: 412 });
    assert.deepEqual((await at.listByIotHub(group, name)).value.map((one) => one.name), ['c1']);
    const asked = await at.generateVerificationCode(group, name, 'c1', made.etag);
    const proof = make(asked.properties.verificationCode, { by: root }).cert;
    await assert.rejects(at.verify(group, name, 'c1', made.etag, { certificate: proof }), { statusCode: 412 });
    await assert.rejects(at.verify(group, name, 'c1', asked.etag, { certificate: make('another', { by: root }).cert }), { statusCode: 400 });
    assert.equal((await at.verify(group, name, 'c1', asked.etag, { certificate: proof })).properties.isVerified, true);
    const { etag } = await at.get(group, name, 'c1');
    await at.delete(group, name, 'c1', etag);
    await assert.rejects(at.get(group, name, 'c1'), { statusCode: 404 });
  });

  test('@azure/arm-iothub', async () => {
    const client = new IotHubClient(credential, idscope.subscription, { endpoint: BASE }).iotHubResource;
    const name = fresh('hub');
    assert.equal((await client.checkNameAvailability({ name })).nameAvailable, true);
    const made = await client.beginCreateOrUpdateAndWait(group, name, { location: 'westeurope', sku: SKU, properties: { comments: 'first' } });
    assert.equal(made.properties.hostName, `${name}.hub.${idscope.domain}`);
    const changed = await client.beginCreateOrUpdateAndWait(group, name, { ...await client.get(group, name), tags: { a: '1' } }, { ifMatch: made.etag });
    assert.deepEqual([changed.tags, changed.properties.comments], [{ a: '1' }, 'first']);
    await assert.rejects(client.beginCreateOrUpdateAndWait(group, name, made, { ifMatch: made.etag }), { statusCode: 412 });
    assert.deepEqual((await client.beginUpdateAndWait(group, name, { tags: { b: '2' } })).tags, { b: '2' });
    for (const list of [await all(client.listByResourceGroup(group)), await all(client.listBySubscription())]) assert.ok(list.some((one) => one.name === name));
    const owner = (await all(client.listKeys(group, name))).find((one) => one.keyName === 'iothubowner');
    assert.equal((await client.getKeysForKeyName(group, name, 'iothubowner')).primaryKey, owner.primaryKey);
    assert.ok((await all(client.listValidSkus(group, name))).some((one) => one.sku.name === 'S1'));
    await client.beginDeleteAndWait(group, name);
    await assert.rejects(client.get(group, name), { statusCode: 404 });
  });
});

describe('sdks: activity log', () => {
  test('@azure/arm-monitor lists all events of a group, page by page, and of each what is selected', async () => {
    const client = new MonitorClient(credential, idscope.subscription, { endpoint: BASE });
    const group = fresh('monitored');
    const since = `eventTimestamp ge '${new Date(Date.now() - 1000).toISOString()}' and resourceGroupName eq '${group}'`;
    await idscope.createGroup(group);
    for (let i = 0; i < 210; i++) expect('tags', await idscope.arm('PATCH', idscope.groupPath(group), { body: { tags: { i: String(i) } } }), 200);
    let pages = 0;
    const found = [];
    for await (const page of client.activityLogs.list(since).byPage()) {
      pages += 1;
      found.push(...page);
    }
    assert.ok(pages > 1);
    assert.deepEqual([found.length, new Set(found.map(({ eventDataId }) => eventDataId)).size], [211, 211]);
    assert.ok(found.every(({ caller, eventTimestamp, operationName }) => caller === idscope.env.IDSCOPE_CLIENT_ID && eventTimestamp instanceof Date && operationName.value === 'Microsoft.Resources/subscriptions/resourceGroups/write'));
    assert.deepEqual(JSON.parse(found[0].properties.detail), { change: 'updated', before: { tags: { i: '208' } }, after: { tags: { i: '209' } } });
    assert.deepEqual((await all(client.activityLogs.list(since, { select: 'caller' }))).map((one) => one.operationName), found.map(() => undefined));
    await assert.rejects(all(client.activityLogs.list("caller eq 'x'")), { statusCode: 400 });
  });
});

describe('sdks: Python', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'idscope-sdk.'));
  after(() => fs.rmSync(folder, { recursive: true }));

  test('azure-mgmt-resource, azure-mgmt-iothub, azure-mgmt-iothubprovisioningservices and azure-mgmt-monitor of Debian', async () => {
    const { IDSCOPE_CLIENT_ID: CLIENT_ID, IDSCOPE_CLIENT_SECRET: CLIENT_SECRET } = idscope.env;
    const env = { PATH: process.env.PATH, HOME: folder, FOLDER: folder, BASE, SUBSCRIPTION: idscope.subscription, CLIENT_ID, CLIENT_SECRET, GROUP: fresh('python'), HUB: fresh('hub'), DPS: fresh('dps'), REQUESTS_CA_BUNDLE: path.join(work, 'ca.pem') };
    const said = await new Promise((resolve) => { execFile('/usr/bin/python3', [path.join(__dirname, '../sdk.py')], { env }, (error, out, err) => resolve({ code: error ? error.code : 0, out, err })); });
    assert.equal(said.code, 0, `${said.out}${said.err}`);
    assert.deepEqual(said.out.trim().split('\n'), ['groups', 'hub', 'instance', 'around', 'keys', 'locks', 'certificates', 'hub_certificates', 'events', 'deleted']);
  });
});
