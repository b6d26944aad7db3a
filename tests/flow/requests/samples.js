// samples.js: a good body, or more, of each operation that takes one: together they have every member that api/openapi.yaml lists.
//
// A sample is a function, as names and keys are to be new with each call; it gives {body, and where they are needed
//   at: words of the path, headers, authorization,
//   needs: members that this body cannot do without though the document does not ask for them: what the refusal says (undefined: their name),
//   alone: the part of a member's path that leads to an entry which is judged by itself,
//   accepted: the statuses of a body that is taken, where they are others,
//   prepare: what must be done before this body can be taken,
//   undo: takes away what it made; true: DELETE at the same path}.
// Must never hold a body that is refused.
'use strict';

const crypto = require('node:crypto');
const { make } = require('../../lib/certificates');
const sas = require('../../lib/sas');

const CONTRIBUTOR = '/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c';
const ANY = { 'If-Match': '*' };
const tags = { hall: 'B' };
const location = 'westeurope';
const newKeys = () => ({ primaryKey: sas.newKey(), secondaryKey: sas.newKey() });
const as = (make) => [() => make()];
const prefixed = (at, needs) => Object.fromEntries(Object.entries(needs || {}).map(([path, words]) => [`${at}${path}`, words]));

// --- sign-in, management ------------------------------------------------------------------------------------------------------------------

function tokens({ env }) {
  const signIn = { grant_type: 'client_credentials', client_id: env.IDSCOPE_CLIENT_ID, client_secret: env.IDSCOPE_CLIENT_SECRET };
  const of = (at) => [() => ({ at, body: { ...signIn, scope: 'https://management.azure.com/.default' } }), () => ({ at, body: { ...signIn, resource: 'https://management.azure.com' } })];
  return { token: of(), token_of_tenant: of({ tenant: env.IDSCOPE_TENANT_ID }) };
}

function resources({ hubs: [hub, other], otherId, fresh }) {
  const second = `HostName=${hub.host};SharedAccessKeyName=iothubowner;SharedAccessKey=${hub.keys.find(({ keyName }) => keyName === 'iothubowner').secondaryKey}`;
  const steered = { location, allocationWeight: 2, applyAllocationPolicy: true };
  const byString = { connectionString: hub.connectionString, ...steered };
  const byId = { hubResourceId: otherId, accessPolicy: 'iothubowner', ...steered };
  const EITHER = /connectionString is required, or hubResourceId/;
  const authorizationPolicies = (rights) => [{ keyName: 'walk', ...newKeys(), rights }];
  const resource = (properties) => ({ location, sku: { name: 'S1', capacity: 1 }, tags, identity: { type: 'None' }, properties: { publicNetworkAccess: 'Enabled', ipFilterRules: [{ filterName: 'plant', action: 'Accept', ipMask: '10.0.0.0/8', target: 'all' }], privateEndpointConnections: [], ...properties } });
  const instance = (link) => resource({ allocationPolicy: 'Hashed', iotHubs: [{ authenticationType: 'KeyBased', ...link }], idscope: { existingDevice: 'adopt' }, authorizationPolicies: authorizationPolicies('ServiceConfig') });
  const name = fresh('free');
  const tagged = (noun) => [[`${noun}_tags_put`, as(() => ({ body: { properties: { tags } } }))], [`${noun}_tags_patch`, as(() => ({ body: { operation: 'Merge', properties: { tags } } }))]];
  const patched = (noun) => [`${noun}_patch`, as(() => ({ body: { tags } }))];
  return {
    ...Object.fromEntries([...['subscription', 'group', 'hub', 'instance'].flatMap(tagged), ...['group', 'hub', 'instance'].map(patched)]),
    group_put: as(() => ({ body: { location, tags } })),
    hub_name_check: as(() => ({ body: { name } })),
    instance_name_check: as(() => ({ body: { name } })),
    hub_put: as(() => ({ body: resource({ networkRuleSets: {}, disableLocalAuth: false, disableDeviceSAS: false, disableModuleSAS: false, eventHubEndpoints: { events: { retentionTimeInDays: 1, partitionCount: 4 } }, authorizationPolicies: authorizationPolicies('RegistryRead') }) })),
    instance_put: [() => ({ body: instance(byString), needs: { 'properties.iotHubs[0].connectionString': EITHER } }), () => ({ body: instance(byId), needs: { 'properties.iotHubs[0].hubResourceId': EITHER } })],
    linked_hub_put: [() => ({ at: { host: hub.host }, body: { properties: { ...byString, secondaryConnectionString: second } }, needs: { 'properties.connectionString': EITHER } }),
      () => ({ at: { host: other.host }, body: { properties: byId }, needs: { 'properties.hubResourceId': EITHER } })],
  };
}

function certificates({ ca, proving, code, hubCode }) {
  const MISSING = /certificate is required/;
  const needs = { 'certificate': MISSING, 'properties': MISSING, 'properties.certificate': MISSING };
  const sent = () => ({ certificate: ca.cert, isVerified: true });
  const proof = (ask) => async ({ body }) => { (body.properties || body).certificate = make(await ask(), { by: ca }).cert; };
  const both = (more) => [() => ({ body: sent(), needs, ...more }), () => ({ body: { properties: sent() }, needs, ...more })];
  const walked = { at: { certificateName: 'walked' } };
  const proved = (ask) => both({ at: { certificateName: proving }, headers: ANY, prepare: proof(ask) });
  return { certificate_put: both(walked), certificate_verify: proved(code), hub_certificate_put: both(walked), hub_certificate_verify: proved(hubCode) };
}

function rolesAndLocks({ principal, hubName }) {
  const properties = { roleDefinitionId: CONTRIBUTOR, principalId: principal, principalType: 'ServicePrincipal', description: 'walk', condition: '' };
  const role = (more) => { const roleAssignmentName = crypto.randomUUID(); return as(() => ({ at: { roleAssignmentName, ...more }, body: { properties }, undo: true })); };
  const lock = as(() => ({ body: { properties: { level: 'CanNotDelete', notes: 'walk' } }, undo: true }));
  return {
    role_put_tenant: role(), role_put_subscription: role(), role_put_group: role(), role_put_resource: role({ resourceType: 'IotHubs', resourceName: hubName }),
    subscription_lock_put: lock, group_lock_put: lock, hub_lock_put: lock, instance_lock_put: lock,
  };
}

// --- service ------------------------------------------------------------------------------------------------------------------------------

// Kinds of entries: [body, needs].
function entries({ hubs: [{ host }], ca, tpm, trusted, fresh }) {
  const leaf = make('press');
  const common = { capabilities: { iotEdge: false }, iotHubHostName: host, initialTwin: { tags, properties: { desired: { every: 5 } } }, etag: '"x"', provisioningStatus: 'enabled',
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true }, allocationPolicy: 'static', iotHubs: [host] };
  const custom = { allocationPolicy: 'custom', customAllocationDefinition: { webhookUrl: 'https://allocate.example.com/pick', apiVersion: '2021-10-01' } };
  const X509 = /attestation\.x509/;
  const bySymmetricKey = () => ({ ...common, attestation: { type: 'symmetricKey', symmetricKey: newKeys() } });
  const byReference = [() => ({ attestation: { type: 'x509', x509: { caReferences: { primary: trusted, secondary: trusted } } } }), { 'attestation.x509': X509, 'attestation.x509.caReferences': X509 }];
  const byCertificate = (member, { cert, thumbprint }) => {
    const at = `attestation.x509.${member}`;
    const entry = { certificate: cert, info: { sha256Thumbprint: thumbprint } };
    // An entry with info alone means a certificate that is stored.
    return [() => ({ ...custom, attestation: { type: 'x509', x509: { [member]: { primary: entry, secondary: entry } } } }),
      { 'customAllocationDefinition': undefined, 'attestation.x509': X509, [at]: X509, [`${at}.primary.certificate`]: undefined, [`${at}.secondary.certificate`]: undefined }];
  };
  return {
    individual: [[() => ({ ...bySymmetricKey(), deviceId: fresh('is'), optionalDeviceInformation: { made: 'here' } })], byCertificate('clientCertificates', leaf), byReference,
      [() => ({ attestation: { type: 'tpm', tpm: tpm.shown } }), { 'attestation.tpm': /attestation\.tpm/ }]],
    ofGroup: [[bySymmetricKey], byCertificate('signingCertificates', ca), byReference],
  };
}

function lists(world) {
  const { individual, ofGroup } = entries(world);
  const { fresh, erase, hubs: [{ host }] } = world;
  const single = (kinds, word) => kinds.map(([body, needs]) => () => { const id = fresh('walk'); return { at: { [word]: id }, body: { [word]: id, ...body() }, needs, undo: true }; });
  const row = (kinds, word) => kinds.map(([body, needs]) => () => ({ body: { [word]: fresh('walk'), ...body() }, needs }));
  const bulk = (kinds, word, all) => kinds.map(([body, needs]) => () => {
    const id = fresh('walk');
    const alone = `${all}[0]`;
    return { body: { mode: 'create', [all]: [{ [word]: id, ...body() }] }, alone, needs: prefixed(`${alone}.`, { [word]: undefined, ...needs }), undo: () => erase(`/${all}/${id}`) };
  });
  const time = '2026-03-02T08:15:30.1234560Z';
  const registration = () => ({ registrationId: fresh('walk'), status: 'assigned', assignedHub: host, deviceId: fresh('is'), enrollmentGroupId: world.groupId, substatus: 'initialAssignment', createdDateTimeUtc: time, lastUpdatedDateTimeUtc: time,
    etag: '"x"', errorCode: 0, errorMessage: '' });
  const query = as(() => ({ body: { query: 'SELECT *' } }));
  return {
    enrollment_put: single(individual, 'registrationId'), enrollment_group_put: single(ofGroup, 'enrollmentGroupId'),
    enrollment_bulk: bulk(individual, 'registrationId', 'enrollments'), enrollment_group_bulk: bulk(ofGroup, 'enrollmentGroupId', 'enrollmentGroups'),
    enrollment_import: row(individual, 'registrationId'), enrollment_group_import: row(ofGroup, 'enrollmentGroupId'), registration_import: as(() => ({ body: registration(), needs: { enrollmentGroupId: /enrollmentGroupId names none/ } })),
    enrollment_query: query, enrollment_group_query: query, registration_query_all: query, hub_twin_query: query,
  };
}

// --- device, hub --------------------------------------------------------------------------------------------------------------------------

function devices({ idScope, device, proven, tpm }) {
  const of = (id, more, options) => () => ({ at: { idScope, registrationId: id }, body: { registrationId: id, ...more }, ...options });
  const byKey = of(device.id, { payload: tags }, { authorization: sas.forDevice(idScope, device.id, device.key) });
  // A TPM that signed nothing yet is challenged.
  return { register: [byKey, of(proven.id, { tpm: tpm.shown }, { accepted: [401] })], registration_status: [byKey, of(proven.id, { tpm: tpm.shown }, { authorization: proven.authorization })] };
}

function registry({ deviceId, fresh }) {
  const twin = { tags, properties: { desired: { every: 5 } } };
  const bySas = () => ({ status: 'enabled', statusReason: 'new', authentication: { type: 'sas', symmetricKey: newKeys() }, capabilities: { iotEdge: false }, deviceScope: '' });
  const bySelf = () => ({ authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: 'B'.repeat(64) } } });
  const needs = { 'authentication.x509Thumbprint': undefined };
  const single = (body, without) => () => { const id = fresh('walk'); return { at: { deviceId: id }, body: { deviceId: id, ...body() }, needs: without }; };
  const bulk = (body, without) => () => ({ body: [{ id: fresh('walk'), importMode: 'create', ...body() }], alone: '[0]', needs: prefixed('[0].', without) });
  const changes = as(() => ({ at: { deviceId }, body: twin }));
  return {
    hub_device_put: [single(() => ({ ...bySas(), etag: 'x' })), single(bySelf, needs)],
    hub_device_bulk: [bulk(() => ({ ...bySas(), eTag: 'x', ...twin })), bulk(bySelf, needs)],
    hub_twin_patch: changes, hub_twin_put: changes,
  };
}

// world: what is there: env, hubs (two, of which the second has the resource id otherId), ca, tpm, principal (a client's id), hubName, trusted and proving (names of
// verified certificates), code and hubCode (give a verification code of the latter, of the instance and of the hub), groupId (an enrollment group), idScope, device, proven (a device with that TPM, and its token),
// deviceId (of the first hub), erase (DELETE on the service plane), fresh (names).
module.exports = (world) => ({ ...tokens(world), ...resources(world), ...certificates(world), ...rolesAndLocks(world), ...lists(world), ...devices(world), ...registry(world) });
