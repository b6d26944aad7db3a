// terraform.js: what Terraform's provider azurerm asks of the management plane, request by request, since Terraform itself cannot run in the tests.
//
// Taken from the sources of the provider, versions 3 and 4, and of its clients: go-azure-sdk (instances and certificates 2022-02-05, groups of version 4
// 2023-07-01), the generated Go clients (groups of version 3 2020-06-01, hubs 2022-04-30-preview). A PUT of a change is what GET gave through their
// models, which drop what they do not know or count as read-only: those are `models` below.
// Must never hold what a person would send; only what those programs do.
'use strict';

// --- the models: members that are sent back ------------------------------------------------------------------------------------------------

const pick = (from, names) => Object.fromEntries(names.filter((name) => from[name] !== undefined && from[name] !== null).map((name) => [name, from[name]]));
const models = {
  instance: (got) => ({
    ...pick(got, ['etag', 'id', 'location', 'name', 'resourcegroup', 'subscriptionid', 'systemData', 'tags', 'type']),
    properties: {
      ...pick(got.properties, ['allocationPolicy', 'authorizationPolicies', 'deviceProvisioningHostName', 'enableDataResidency', 'idScope', 'ipFilterRules', 'privateEndpointConnections', 'provisioningState', 'publicNetworkAccess', 'serviceOperationsHostName', 'state']),
      iotHubs: got.properties.iotHubs.map((link) => pick(link, ['allocationWeight', 'applyAllocationPolicy', 'connectionString', 'location', 'name'])),
    },
    sku: pick(got.sku, ['capacity', 'name', 'tier']),
  }),
  hub: (got) => ({
    ...pick(got, ['etag', 'location', 'tags', 'identity']),
    sku: pick(got.sku, ['name', 'capacity']),
    properties: {
      ...pick(got.properties, ['authorizationPolicies', 'disableLocalAuth', 'ipFilterRules', 'networkRuleSets', 'minTlsVersion', 'privateEndpointConnections', 'publicNetworkAccess', 'routing', 'storageEndpoints', 'messagingEndpoints', 'enableFileUploadNotifications', 'cloudToDevice', 'comments', 'features']),
      eventHubEndpoints: Object.fromEntries(Object.entries(got.properties.eventHubEndpoints).map(([name, one]) => [name, pick(one, ['retentionTimeInDays', 'partitionCount'])])),
    },
  }),
};

// --- the requests -------------------------------------------------------------------------------------------------------------------------

// `is`: the names of what is managed (subscription, group, hub, instance, certificate, policy), the deployment's domain, the linked hub's connection string, and
// certificates in base64. A row: method, path, api-version, { headers, body (or what makes it of what was read last), status, reads: members and their values }.
// Each resource has the phases of its life; `refresh` is asked twice.
module.exports = (is) => {
  const group = `/subscriptions/${is.subscription}/resourceGroups/${is.group}`;
  const at = {
    group,
    hub: `${group}/providers/Microsoft.Devices/IotHubs/${is.hub}`,
    instance: `${group}/providers/Microsoft.Devices/provisioningServices/${is.instance}`,
    certificate: `${group}/providers/Microsoft.Devices/provisioningServices/${is.instance}/certificates/${is.certificate}`,
  };
  const tags = { env: 'test', team: 'plant' };
  const moved = { env: 'prod' };
  const masked = is.connectionString.replace(/(SharedAccessKey)=[^;]+/, '$1=****'); // by which the provider knows its own string again

  // Groups. Version 3 changes them by PUT, version 4 by PATCH and asks for the end of the deletion.
  const groups = (version, change) => ({
    create: [
      ['GET', at.group, version, { status: 404 }],
      ['PUT', at.group, version, { body: { location: 'westeurope', tags }, status: 201 }],
      ...Array(3).fill(['GET', at.group, version, { status: 200 }]),
    ],
    refresh: [['GET', at.group, version, { status: 200, reads: { location: 'westeurope', 'properties.provisioningState': 'Succeeded', tags: is.changed ? moved : tags } }]],
    change: [change, ['GET', at.group, version, { status: 200, reads: { tags: moved } }]],
    destroy: [
      ['GET', `${at.group}/resources?%24expand=provisioningState&%24top=10`, version, { status: 200, reads: { value: [] } }],
      ['DELETE', at.group, version, { status: 200 }],
      ['GET', at.group, version, { status: 404 }],
    ],
  });

  const devices = '2022-04-30-preview';
  const fallbackRoute = { source: 'DeviceMessages', condition: 'true', endpointNames: ['events'], isEnabled: true };
  const ownHub = `${is.hub}.hub.${is.domain}`;
  const hubReads = (more) => ({
    name: is.hub, location: 'westeurope', type: 'Microsoft.Devices/IotHubs', sku: { name: 'S1', tier: 'Standard', capacity: 1 }, 'properties.hostName': ownHub,
    'properties.eventHubEndpoints.events.path': is.hub, 'properties.eventHubEndpoints.events.endpoint': /^sb:\/\/[a-z.]+\/$/, 'properties.eventHubEndpoints.events.partitionIds': ['0', '1'],
    'properties.routing.fallbackRoute': fallbackRoute, 'properties.storageEndpoints': {}, 'properties.messagingEndpoints': {}, 'properties.enableFileUploadNotifications': false,
    'properties.minTlsVersion': '1.2', 'properties.publicNetworkAccess': 'Enabled', ...more,
  });
  const keysOf = (names) => ({ value: (keys) => names.every((name, i) => keys[i].keyName === name && keys[i].primaryKey && keys[i].secondaryKey && keys[i].rights) });
  const defaults = ['iothubowner', 'service', 'device', 'registryRead', 'registryReadWrite'];

  const hub = {
    create: [
      ['GET', at.hub, devices, { status: 404 }],
      ['POST', `/subscriptions/${is.subscription}/providers/Microsoft.Devices/checkNameAvailability`, devices, { body: { name: is.hub }, status: 200, reads: { nameAvailable: true } }],
      ['PUT', at.hub, devices, { status: 201, body: {
        location: 'westeurope', tags, sku: { name: 'S1', capacity: 1 }, identity: { type: 'None' },
        properties: { routing: { fallbackRoute }, storageEndpoints: {}, messagingEndpoints: {}, enableFileUploadNotifications: false, cloudToDevice: {}, minTlsVersion: '1.2',
          eventHubEndpoints: { events: { retentionTimeInDays: 1, partitionCount: 2 } }, disableLocalAuth: false },
      }, reads: { 'properties.provisioningState': 'Succeeded' } }],
    ],
    refresh: [
      ['GET', at.hub, devices, { status: 200, reads: hubReads(is.changed ? { tags: moved, 'properties.eventHubEndpoints.events.retentionTimeInDays': 3, 'properties.cloudToDevice.maxDeliveryCount': 30 }
        : { tags, 'properties.eventHubEndpoints.events.retentionTimeInDays': 1, 'properties.cloudToDevice': {} }) }],
      ['POST', `${at.hub}/listkeys`, devices, { status: 200, reads: keysOf(defaults) }],
    ],
    change: [
      ['GET', at.hub, devices, { status: 200 }],
      ['PUT', at.hub, devices, { status: 200, body: (last) => {
        const body = models.hub(last[at.hub]);
        body.tags = moved;
        body.properties.eventHubEndpoints.events.retentionTimeInDays = 3;
        body.properties.cloudToDevice = { maxDeliveryCount: 30, defaultTtlAsIso8601: 'PT1H', feedback: {} };
        return body;
      } }],
      ['GET', at.hub, devices, { status: 200, reads: { 'properties.provisioningState': 'Succeeded' } }],
    ],
    destroy: [['DELETE', at.hub, devices, { status: 204 }], ['GET', at.hub, devices, { status: 404 }]],
  };

  // Of a hub: the whole hub with the whole set of policies, those that stay with their keys.
  const hubPolicy = (rights) => ['PUT', at.hub, devices, { status: 200, body: (last) => {
    const body = models.hub(last[at.hub]);
    const kept = last[`${at.hub}/listkeys`].value;
    const old = kept.find((one) => one.keyName === is.policy);
    body.properties.authorizationPolicies = [...kept.filter((one) => one !== old), ...(rights ? [{ keyName: is.policy, rights, ...(old && pick(old, ['primaryKey', 'secondaryKey'])) }] : [])];
    return body;
  } }];
  const readHub = [['GET', at.hub, devices, { status: 200, reads: { 'properties.hostName': ownHub } }], ['POST', `${at.hub}/listkeys`, devices, { status: 200, reads: keysOf(defaults) }]];
  const hubPolicies = {
    create: [...readHub, hubPolicy('RegistryRead, RegistryWrite, ServiceConnect')],
    refresh: [
      ['POST', `${at.hub}/IotHubKeys/${is.policy}/listkeys`, devices, { status: 200, reads: { keyName: is.policy, primaryKey: /./, secondaryKey: /./, rights: is.changed ? 'RegistryRead' : 'RegistryRead, RegistryWrite, ServiceConnect' } }],
      readHub[0],
    ],
    change: [...readHub, hubPolicy('RegistryRead')],
    destroy: [...readHub, hubPolicy(undefined), ['POST', `${at.hub}/IotHubKeys/${is.policy}/listkeys`, devices, { status: 404 }]],
    stays: [['POST', `${at.hub}/IotHubKeys/iothubowner/listkeys`, devices, { status: 200 }]],
  };

  const dps = '2022-02-05';
  const link = (more) => ({ allocationWeight: is.weight, applyAllocationPolicy: true, connectionString: is.connectionString, location: 'westeurope', ...more });
  const poll = ['GET', at.instance, dps, { status: 200, reads: { 'properties.provisioningState': 'Succeeded' } }]; // go-azure-sdk's, behind a PUT
  const instanceReads = (more) => ({
    location: 'westeurope', 'sku.name': 'S1', 'sku.capacity': 1, 'properties.serviceOperationsHostName': `${is.instance}.dps.${is.domain}`, 'properties.deviceProvisioningHostName': `global.dps.${is.domain}`,
    'properties.idScope': /^0ne[0-9A-F]{8}$/, 'properties.enableDataResidency': false, 'properties.publicNetworkAccess': 'Enabled', ...more,
  });
  const rules = [{ filterName: 'plant', action: 'Accept', ipMask: '10.0.0.0/8', target: 'all' }, { filterName: 'old', action: 'Reject', ipMask: '192.0.2.1', target: 'deviceApi' }];
  const update = (edit) => [
    ['GET', at.instance, dps, { status: 200 }],
    ['PUT', at.instance, dps, { status: 200, body: (last) => { const body = models.instance(last[at.instance]); edit(body); return body; } }],
    poll,
  ];
  const instance = {
    create: [
      ['GET', at.instance, dps, { status: 404 }],
      ['PUT', at.instance, dps, { status: 201, body: { location: 'westeurope', name: is.instance, properties: { allocationPolicy: 'Hashed', enableDataResidency: false, iotHubs: [], ipFilterRules: [], publicNetworkAccess: 'Enabled' },
        sku: { capacity: 1, name: 'S1' }, tags } }],
      poll,
    ],
    refresh: [['GET', at.instance, dps, { status: 200, reads: instanceReads(is.changed ? { tags: moved, 'properties.allocationPolicy': 'GeoLatency', 'properties.ipFilterRules': rules } : { tags, 'properties.allocationPolicy': 'Hashed' }) }]],
    change: update((body) => { body.tags = moved; body.properties.allocationPolicy = 'GeoLatency'; body.properties.ipFilterRules = rules; }),
    destroy: [['DELETE', at.instance, dps, { status: 204 }], ['GET', at.instance, dps, { status: 404 }]],
  };

  // The provider has no resource for a link: it is a block of its instance.
  const shownLink = { name: is.linked, connectionString: masked, location: 'westeurope', applyAllocationPolicy: true };
  const shows = (more) => ({ 'properties.iotHubs': (links) => links.length === 1 && Object.entries({ ...shownLink, ...more }).every(([name, value]) => links[0][name] === value) });
  const links = {
    create: update((body) => { body.properties.iotHubs = [link()]; }),
    refresh: [['GET', at.instance, dps, { status: 200, reads: shows(is.changed ? { allocationWeight: 7, applyAllocationPolicy: false } : { allocationWeight: is.weight || null }) }]],
    change: update((body) => { body.properties.iotHubs = [link({ allocationWeight: 7, applyAllocationPolicy: false })]; }),
    destroy: [...update((body) => { body.properties.iotHubs = []; }), ['GET', at.instance, dps, { status: 200, reads: { 'properties.iotHubs': [] } }]],
  };

  // Always with If-Match, which is empty but where one is deleted.
  const empty = { 'If-Match': '' };
  const upload = (certificate, more) => ['PUT', at.certificate, dps, { headers: empty, body: { properties: { certificate, ...more } }, status: 200 }];
  const certificates = {
    create: [['GET', at.certificate, dps, { headers: empty, status: 404 }], upload(is.certificates[0], { isVerified: true })],
    refresh: [['GET', at.certificate, dps, { headers: empty, status: 200, reads: { 'properties.isVerified': !is.changed, 'properties.certificate': is.certificates[is.changed ? 1 : 0] } }]],
    change: [upload(is.certificates[1])],
    destroy: [
      ['GET', at.certificate, dps, { headers: empty, status: 200, reads: { etag: /./ } }],
      ['DELETE', `${at.certificate}?certificate.name=${is.certificate}`, dps, { headers: (last) => ({ 'If-Match': last[at.certificate].etag }), status: 204 }],
      ['GET', at.certificate, dps, { headers: empty, status: 404 }],
    ],
  };

  const listed = ['POST', `${at.instance}/listkeys`, dps, { status: 200, reads: keysOf(['provisioningserviceowner']) }];
  const policy = (rights) => [poll, listed, ['PUT', at.instance, dps, { status: 200, body: (last) => {
    const body = models.instance(last[at.instance]);
    const kept = last[`${at.instance}/listkeys`].value.filter((one) => one.keyName !== is.policy);
    body.properties.authorizationPolicies = [...kept, ...(rights ? [{ keyName: is.policy, rights }] : [])];
    return body;
  } }], poll];
  const policies = {
    create: policy('EnrollmentRead, RegistrationStatusRead'),
    refresh: [poll, ['POST', `${at.instance}/keys/${is.policy}/listkeys`, dps, { status: 200, reads: { keyName: is.policy, primaryKey: /./, secondaryKey: /./,
      rights: is.changed ? 'ServiceConfig, EnrollmentRead, RegistrationStatusRead' : 'EnrollmentRead, RegistrationStatusRead' } }]],
    change: policy('EnrollmentRead, RegistrationStatusRead, ServiceConfig'),
    destroy: [...policy(undefined), ['POST', `${at.instance}/keys/${is.policy}/listkeys`, dps, { status: 404 }]],
    stays: [['POST', `${at.instance}/keys/provisioningserviceowner/listkeys`, dps, { status: 200 }]],
  };

  return {
    group: is.major === 3 ? groups('2020-06-01', ['PUT', at.group, '2020-06-01', { body: { location: 'westeurope', tags: moved }, status: 200 }])
      : groups('2023-07-01', ['PATCH', at.group, '2023-07-01', { body: { tags: moved }, status: 200 }]),
    hub, 'hub policy': hubPolicies, instance, link: links, certificate: certificates, policy: policies,
  };
};
