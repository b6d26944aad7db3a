// methods.js: every method that the unmodified service package has, asked of it at run time: each has a success and a refusal in the tables below, so
// that a method of a newer package that nobody tried fails here. What the answers hold is asked in the other suites.
'use strict';

const { describe, test, before, after } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { assert, idscope, fresh, names, sas, sharedScene } = require('../kit');

// {status, errorCode} of what a call was refused with; the package hands the answer on.
async function refusal(call) {
  try {
    await call;
  } catch (error) {
    assert.ok(error.response, `no refusal of the service: ${error.stack}`);
    return { status: error.response.statusCode, errorCode: JSON.parse(error.responseBody).errorCode };
  }
  return assert.fail('it was not refused');
}

describe('methods: of the service package', () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const group = fresh('hall');
  const tried = new Map(); // method → {successes, refusals}
  let client, device, member;

  const called = async (promise) => (await promise).responseBody;
  const page = (query) => called(query.next()).then((body) => body);
  const bulk = (body) => new Promise((resolve, reject) => { client.runBulkEnrollmentOperation(body, (error, result) => (error ? reject(error) : resolve(result))); });
  const enrollment = (id) => ({ registrationId: id, attestation: { type: 'symmetricKey' } });
  const enrollmentGroup = (id) => ({ enrollmentGroupId: id, attestation: { type: 'symmetricKey' } });
  const nowhere = fresh('nowhere');
  const token = async (scope) => (await idscope.requestToken({ scope })).json.access_token;
  const credential = (scope) => ({ getToken: async () => ({ token: await token(scope), expiresOnTimestamp: Date.now() + 3600000 }) });
  const through = (other) => called(other.getIndividualEnrollment(device.id));

  before(async () => {
    names('127.0.0.1', made.instance.host);
    client = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
    device = await made.registered();
    const { attestation } = await called(client.createOrUpdateEnrollmentGroup(enrollmentGroup(group)));
    member = { id: fresh('of-hall') };
    member.key = sas.derive(attestation.symmetricKey.primaryKey, member.id);
    await made.register(member);
  });

  // method, what it is asked, what must be true of the answer
  const GOOD = [
    ['fromConnectionString', () => through(ProvisioningServiceClient.fromConnectionString(made.instance.connectionString)), (got) => got.registrationId === device.id],
    ['fromTokenCredential', () => through(ProvisioningServiceClient.fromTokenCredential(made.instance.host, credential('https://azure-devices-provisioning.net/.default'))), (got) => got.registrationId === device.id],
    ['createOrUpdateIndividualEnrollment', () => called(client.createOrUpdateIndividualEnrollment(enrollment(fresh('one')))), (got) => got.etag.length > 2],
    ['getIndividualEnrollment', () => called(client.getIndividualEnrollment(device.id)), (got) => got.registrationState.status === 'assigned'],
    ['getIndividualEnrollmentAttestationMechanism', () => called(client.getIndividualEnrollmentAttestationMechanism(device.id)), (got) => got.symmetricKey.primaryKey === device.key],
    ['createIndividualEnrollmentQuery', () => page(client.createIndividualEnrollmentQuery({ query: 'SELECT *' }, 100)), (got) => got.some((one) => one.registrationId === device.id)],
    ['deleteIndividualEnrollment', async () => {
      const { registrationId, etag } = await called(client.createOrUpdateIndividualEnrollment(enrollment(fresh('gone'))));
      await client.deleteIndividualEnrollment(registrationId, etag);
      return refusal(client.getIndividualEnrollment(registrationId));
    }, (got) => got.status === 404],
    ['createOrUpdateEnrollmentGroup', () => called(client.createOrUpdateEnrollmentGroup(enrollmentGroup(fresh('more')))), (got) => got.etag.length > 2],
    ['getEnrollmentGroup', () => called(client.getEnrollmentGroup(group)), (got) => got.enrollmentGroupId === group],
    ['getEnrollmentGroupAttestationMechanism', () => called(client.getEnrollmentGroupAttestationMechanism(group)), (got) => sas.derive(got.symmetricKey.primaryKey, member.id) === member.key],
    ['createEnrollmentGroupQuery', () => page(client.createEnrollmentGroupQuery({ query: '*' }, 100)), (got) => got.some((one) => one.enrollmentGroupId === group)],
    ['createEnrollmentGroupDeviceRegistrationStateQuery', () => page(client.createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, group, 10)), (got) => got.length === 1 && got[0].registrationId === member.id],
    ['deleteEnrollmentGroup', async () => {
      const { enrollmentGroupId } = await called(client.createOrUpdateEnrollmentGroup(enrollmentGroup(fresh('gone'))));
      await client.deleteEnrollmentGroup(enrollmentGroupId);
      return refusal(client.getEnrollmentGroup(enrollmentGroupId));
    }, (got) => got.status === 404],
    ['getDeviceRegistrationState', () => called(client.getDeviceRegistrationState(member.id)), (got) => got.status === 'assigned' && got.assignedHub === made.hubs[0].host],
    ['deleteDeviceRegistrationState', async () => {
      const { id } = await made.registered();
      await client.deleteDeviceRegistrationState(await called(client.getDeviceRegistrationState(id)));
      return refusal(client.getDeviceRegistrationState(id));
    }, (got) => got.status === 404],
    ['runBulkEnrollmentOperation', () => bulk({ mode: 'create', enrollments: [enrollment(fresh('b')), enrollment(fresh('b'))] }), (got) => got.isSuccessful === true],
  ];

  // method, case, what it is asked, status, errorCode
  const BAD = [
    ['fromConnectionString', 'another key', () => through(ProvisioningServiceClient.fromConnectionString(made.instance.connectionString.replace(/SharedAccessKey=.*/, `SharedAccessKey=${Buffer.alloc(32).toString('base64')}`))), 401, 401002],
    ['fromTokenCredential', 'a token for another audience', () => through(ProvisioningServiceClient.fromTokenCredential(made.instance.host, credential('https://management.azure.com/.default'))), 401, 401000],
    ['createOrUpdateIndividualEnrollment', 'no attestation', () => client.createOrUpdateIndividualEnrollment({ registrationId: nowhere, attestation: { type: 'none' } }), 400, 400004],
    ['createOrUpdateIndividualEnrollment', 'a stale etag', () => client.createOrUpdateIndividualEnrollment({ ...enrollment(device.id), etag: '"stale"' }), 412, 412001],
    ['createOrUpdateIndividualEnrollment', 'one that is there', () => client.createOrUpdateIndividualEnrollment(enrollment(device.id)), 409, 409001],
    ['getIndividualEnrollment', 'an id that is none', () => client.getIndividualEnrollment(nowhere), 404, 404201],
    ['getIndividualEnrollmentAttestationMechanism', 'an id that is none', () => client.getIndividualEnrollmentAttestationMechanism(nowhere), 404, 404201],
    ['createIndividualEnrollmentQuery', 'a text that is no query', () => client.createIndividualEnrollmentQuery({ query: 'SELEKT *' }, 10).next(), 400, 400004],
    ['deleteIndividualEnrollment', 'an id that is none', () => client.deleteIndividualEnrollment(nowhere), 404, 404201],
    ['deleteIndividualEnrollment', 'a stale etag', () => client.deleteIndividualEnrollment(device.id, '"stale"'), 412, 412001],
    ['createOrUpdateEnrollmentGroup', 'a TPM, which no group has', () => client.createOrUpdateEnrollmentGroup({ enrollmentGroupId: nowhere, attestation: { type: 'tpm', tpm: { endorsementKey: 'AAAA' } } }), 400, 400004],
    ['getEnrollmentGroup', 'an id that is none', () => client.getEnrollmentGroup(nowhere), 404, 404201],
    ['getEnrollmentGroupAttestationMechanism', 'an id that is none', () => client.getEnrollmentGroupAttestationMechanism(nowhere), 404, 404201],
    ['createEnrollmentGroupQuery', 'a text that is no query', () => client.createEnrollmentGroupQuery({ query: 'SELECT * WHERE' }, 10).next(), 400, 400004],
    ['createEnrollmentGroupDeviceRegistrationStateQuery', 'a group that is none', () => client.createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, nowhere, 10).next(), 404, 404201],
    ['deleteEnrollmentGroup', 'an id that is none', () => client.deleteEnrollmentGroup(nowhere), 404, 404201],
    ['getDeviceRegistrationState', 'an id that is none', () => client.getDeviceRegistrationState(nowhere), 404, 404202],
    ['deleteDeviceRegistrationState', 'an id that is none', () => client.deleteDeviceRegistrationState(nowhere), 404, 404202],
    ['runBulkEnrollmentOperation', 'eleven', () => bulk({ mode: 'create', enrollments: Array.from({ length: 11 }, (_, i) => enrollment(fresh(`many${i}`))) }), 400, 400004],
  ];

  const count = (method, what) => tried.set(method, { ...tried.get(method), [what]: true });
  for (const [method, ask, holds] of GOOD) {
    test(`${method}: 200`, async () => {
      const got = await ask();
      assert.ok(holds(got), JSON.stringify(got));
      count(method, 'success');
    });
  }
  for (const [method, what, ask, status, errorCode] of BAD) {
    test(`${method}, ${what}: ${status} ${errorCode}`, async () => {
      assert.deepEqual(await refusal(ask()), { status, errorCode });
      count(method, 'refusal');
    });
  }

  test('every method that the package has was tried with a success and a refusal', () => {
    const own = (of) => Object.getOwnPropertyNames(of).filter((name) => typeof of[name] === 'function' && !name.startsWith('_'));
    const methods = [...own(ProvisioningServiceClient.prototype).filter((name) => name !== 'constructor'), ...own(ProvisioningServiceClient)];
    assert.ok(methods.length >= 16, methods.join(' '));
    for (const method of methods) assert.deepEqual(tried.get(method), { success: true, refusal: true }, method);
    assert.deepEqual([...tried.keys()].filter((method) => !methods.includes(method)), [], 'and the package has each that was tried');
  });
});
