// custom.js: the allocation policy `custom`: taken and read back on enrollments and groups as clients send it, its webhook sealed at rest, and what a
// device that registers by it is told while custom allocation is not offered.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { assert, stack, idscope, Idscope, expect, fresh, names, refused, sharedScene, until } = require('../kit');

const SECRET = 'aSecretOfTheFunction';
const definition = { webhookUrl: `https://allocate.example/api/pick?code=${SECRET}`, apiVersion: '2021-10-01' };
const CUSTOM = { allocationPolicy: 'custom', customAllocationDefinition: definition };
const SAID = 'custom allocation is not offered yet';

describe('custom: on the service plane', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const service = (method, path, options = {}) => idscope.service(made.instance, method, path, options);
  const one = (id, more) => Idscope.enrollment(id, more);
  const group = (id, more) => ({ enrollmentGroupId: id, attestation: { type: 'symmetricKey' }, ...more });
  const kinds = [['an enrollment', '/enrollments', 'enrollments', one], ['a group', '/enrollmentGroups', 'enrollmentGroups', group]];
  const read = async (path, id) => expect('read', await service('GET', `${path}/${id}`), 200);
  const members = ({ allocationPolicy, customAllocationDefinition }) => ({ allocationPolicy, customAllocationDefinition });

  for (const [what, path, all, body] of kinds) {
    test(`${what} is written, read, listed, found and changed with its definition, alone and in bulk`, async () => {
      const [id, many] = [fresh('by'), fresh('by')];
      assert.deepEqual(members(expect('put', await service('PUT', `${path}/${id}`, { body: body(id, CUSTOM) }), 200)), CUSTOM);
      const stands = await read(path, id);
      assert.deepEqual(members(stands), CUSTOM);
      assert.deepEqual(expect('bulk', await service('POST', path, { body: { mode: 'create', [all]: [body(many, CUSTOM), body('bare', { allocationPolicy: 'custom' })] } }), 200).errors.length, 1);
      assert.deepEqual(members(await read(path, many)), CUSTOM);
      const found = expect('query', await service('POST', `${path}/query`, { body: { query: "SELECT * WHERE allocationPolicy = 'custom' AND customAllocationDefinition.apiVersion = '2021-10-01'" } }), 200);
      assert.deepEqual(found.filter((entry) => [id, many].includes(entry.registrationId || entry.enrollmentGroupId)).map(members), [CUSTOM, CUSTOM]);
      // As `az` and SDKs change an entry: what was read, with one member changed.
      const change = async (more) => members(expect('change', await service('PUT', `${path}/${id}`, { body: { ...stands, ...more }, headers: { 'If-Match': '*' } }), 200));
      assert.deepEqual(await change({ provisioningStatus: 'disabled' }), CUSTOM);
      const moved = { ...definition, webhookUrl: 'https://allocate.example/elsewhere' };
      assert.deepEqual(await change({ customAllocationDefinition: moved }), { ...CUSTOM, customAllocationDefinition: moved });
      assert.deepEqual(await change({ allocationPolicy: 'hashed', customAllocationDefinition: moved }), { allocationPolicy: 'hashed', customAllocationDefinition: moved }, 'kept beside another policy');
      assert.deepEqual(await change({ allocationPolicy: 'hashed', customAllocationDefinition: null }), { allocationPolicy: 'hashed', customAllocationDefinition: undefined });
    });
  }

  test('the service package writes and reads both', async () => {
    names('127.0.0.1', made.instance.host);
    const client = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
    const [id, hall] = [fresh('sdk'), fresh('sdk')];
    await client.createOrUpdateIndividualEnrollment({ ...one(id), ...CUSTOM });
    await client.createOrUpdateEnrollmentGroup({ ...group(hall), ...CUSTOM });
    for (const { responseBody } of [await client.getIndividualEnrollment(id), await client.getEnrollmentGroup(hall)]) assert.deepEqual(members(responseBody), CUSTOM);
  });

  for (const [what, more, words] of [
    ['no definition', { customAllocationDefinition: undefined }, /customAllocationDefinition is required when allocationPolicy is custom/],
    ['an empty definition', { customAllocationDefinition: { webhookUrl: '', apiVersion: '' } }, /customAllocationDefinition is required/],
    ['no address', { customAllocationDefinition: { apiVersion: '2021-10-01' } }, /customAllocationDefinition\.webhookUrl is required/],
    ['no version', { customAllocationDefinition: { webhookUrl: definition.webhookUrl } }, /customAllocationDefinition\.apiVersion is required/],
    ['an address in clear', { customAllocationDefinition: { ...definition, webhookUrl: 'http://allocate.example' } }, /webhookUrl must be an https URL/],
    ['a version that is none', { customAllocationDefinition: { ...definition, apiVersion: 'soon' } }, /apiVersion must be a date/],
    ['a version before there was any', { customAllocationDefinition: { ...definition, apiVersion: '2018-08-31' } }, /from 2018-09-01-preview on/],
    ['a definition that is no object', { customAllocationDefinition: 'x' }, /customAllocationDefinition must be an object/],
  ]) {
    test(`${what} is a 400 that names the member, and makes nothing`, async () => {
      for (const [, path, , body] of kinds) {
        const id = fresh('bad');
        const answer = refused(await service('PUT', `${path}/${id}`, { body: body(id, { ...CUSTOM, ...more }) }), 400, words, 400004);
        assert.ok(!answer.text.includes(SECRET));
        refused(await service('GET', `${path}/${id}`), 404);
      }
    });
  }

  test('the webhook is sealed where it is stored, for its entry alone', async () => {
    const [a, b] = [fresh('sealed'), fresh('sealed')];
    for (const id of [a, b]) expect('put', await service('PUT', `/enrollments/${id}`, { body: one(id, CUSTOM) }), 200);
    const where = (id) => `id_scope = '${made.idScope.toLowerCase()}' and registration_key = '${id}'`;
    const hex = Buffer.from(SECRET).toString('hex');
    assert.equal(await stack.sql(`select count(*) from idscope.enrollment_detail d join idscope.enrollment e using (id_scope, of_group, registration_key) where ${where(a)} and (d::text || e::text) ~ '${SECRET}|${hex}'`), '0');
    assert.equal(await stack.sql(`select count(*) from idscope.audit_event where detail::text ~ '${SECRET}'`), '0');
    await stack.sql(`update idscope.enrollment_detail set webhook_sealed = (select webhook_sealed from idscope.enrollment_detail where ${where(a)}) where ${where(b)}`);
    refused(await service('GET', `/enrollments/${b}`), 500, /stored webhook.*cannot be opened/, 500002);
    const list = expect('query', await service('POST', '/enrollments/query', { body: { query: `SELECT * WHERE registrationId IN ('${a}', '${b}')` } }), 200);
    assert.deepEqual(Object.fromEntries(list.map((entry) => [entry.registrationId, entry.customAllocationDefinition])), { [a]: definition, [b]: undefined });
  });
});

describe('custom: devices', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after }, { hubs: 2 });

  // Register, and what the poll says, whole.
  async function failed(device) {
    const { operationId } = await made.start(device);
    const answer = await until('the end', async () => {
      const now = await made.poll(device, operationId);
      return now.status === 200 && now;
    });
    const { registrationState: state } = answer.json;
    assert.equal(answer.json.status, 'failed');
    assert.deepEqual([state.registrationId, state.status, state.errorCode, state.errorMessage], [device.id, 'failed', 400208, SAID]);
    assert.deepEqual(Object.keys(state).sort(), ['createdDateTimeUtc', 'errorCode', 'errorMessage', 'etag', 'lastUpdatedDateTimeUtc', 'registrationId', 'status']);
    const seen = await idscope.registration(made.instance, device.id);
    assert.deepEqual([seen.status, seen.errorCode, seen.errorMessage, seen.etag], ['failed', 400208, SAID, state.etag]);
  }
  const nowhere = async (id) => { for (const hub of made.hubs) assert.equal(await made.identity(hub, id), undefined); };

  for (const more of [{}, { iotHubs: 1 }, { iotHubs: 2 }, { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: true } }]) {
    test(`a device with ${JSON.stringify(more)} ends failed, each time, and stands on no hub`, async () => {
      const named = more.iotHubs ? { iotHubs: made.hubs.slice(0, more.iotHubs).map(({ host }) => host) } : more;
      const device = await made.enroll({ ...CUSTOM, ...named });
      for (let i = 0; i < 2; i++) await failed(device);
      await nowhere(device.id);
    });
  }

  test('a group\'s device ends failed', async () => {
    const id = fresh('hall');
    const entry = expect('group', await idscope.service(made.instance, 'PUT', `/enrollmentGroups/${id}`, { body: { enrollmentGroupId: id, attestation: { type: 'symmetricKey' }, ...CUSTOM } }), 200);
    const member = fresh('member');
    const key = crypto.createHmac('sha256', Buffer.from(entry.attestation.symmetricKey.primaryKey, 'base64')).update(member).digest('base64');
    await failed({ id: member, key });
    await nowhere(member);
  });

  for (const updateHubAssignment of [true, false]) {
    test(`an assigned device whose policy becomes custom fails, and is assigned when it is another again (updateHubAssignment ${updateHubAssignment})`, async () => {
      const reprovisionPolicy = { updateHubAssignment, migrateDeviceData: true };
      const device = await made.registered({ reprovisionPolicy });
      await made.change(device, { reprovisionPolicy, ...CUSTOM });
      await failed(device);
      await made.change(device, { reprovisionPolicy });
      assert.equal((await made.register(device)).assignedHub, device.state.assignedHub);
    });
  }
});
