// az.js: what the newest az asks of the management plane, request by request; the one that is installed is older, and runs itself (suites/az.js).
//
// As read in its source: PUTs are the whole body that GET gave, read-only members and what Resource Manager adds included; an entry of a linked hub is sent with its host
// name and its type of authentication beside the connection string; certificates come nested, with a quoted etag; a hub's name is asked about first.
// Must never hold what a person would send; only what that program does.
'use strict';

// `is`: the names of what is made (subscription, group, hub, instance), the connection string of a hub of this deployment and of another one, a CA, and what makes a leaf
// with a code. Rows as in terraform.js, by the command that sends them, in the order in which they are run.
module.exports = (is) => {
  const S = `/subscriptions/${is.subscription}`;
  const group = `${S}/resourceGroups/${is.group}`;
  const hub = `${group}/providers/Microsoft.Devices/IotHubs/${is.hub}`;
  const dps = `${group}/providers/Microsoft.Devices/provisioningServices/${is.instance}`;
  const [H, D] = ['2023-06-30-preview', '2025-02-01-preview'];
  const systemData = { createdAt: '2026-01-01T00:00:00Z', createdBy: 'someone', createdByType: 'Application' };
  const whole = (path, edit) => (last) => { const body = { systemData, ...structuredClone(last[path]) }; edit(body); return body; };
  const entry = (connectionString, more) => ({ connectionString, hostName: /HostName=([^;]+)/.exec(connectionString)[1], location: 'westus', authenticationType: 'KeyBased', ...more });
  const get = (more) => ['GET', dps, D, { status: 200, reads: { 'properties.iotHubs': (links) => links.every((link) => link.authenticationType === 'KeyBased' && link.hostName === link.name), ...more } }];
  const put = (edit, reads) => ['PUT', dps, D, { status: 200, body: whole(dps, edit), reads: { 'properties.provisioningState': 'Succeeded', ...reads } }];
  const certificate = `${dps}/certificates/c1`;
  const quoted = (last) => ({ 'If-Match': `"${last[certificate].etag}"` });
  const nested = (text, isVerified) => ({ properties: { certificate: text, isVerified } });

  return {
    'iot hub create': [
      ['POST', `${S}/providers/Microsoft.Devices/checkNameAvailability`, H, { body: { name: is.hub }, status: 200, reads: { nameAvailable: true } }],
      ['GET', group, '2024-11-01', { status: 200, reads: { location: 'westus' } }],
      ['PUT', hub, H, { status: 201, body: {
        location: 'westus', tags: null, identity: { type: 'None' }, sku: { name: 'S1', capacity: 1 },
        properties: { minTlsVersion: null, eventHubEndpoints: { events: { retentionTimeInDays: 1, partitionCount: 4 } },
          storageEndpoints: { $default: { sasTtlAsIso8601: 'PT1H', connectionString: '', containerName: '' } }, messagingEndpoints: { fileNotifications: { ttlAsIso8601: 'PT1H', maxDeliveryCount: 10, lockDurationAsIso8601: 'PT5S' } },
          enableFileUploadNotifications: false, cloudToDevice: { maxDeliveryCount: 10, defaultTtlAsIso8601: 'PT1H', feedback: { lockDurationAsIso8601: 'PT5S', ttlAsIso8601: 'PT1H', maxDeliveryCount: 10 } },
          enableDataResidency: null, disableLocalAuth: null, disableDeviceSAS: null, disableModuleSAS: null },
      }, reads: { 'properties.provisioningState': 'Succeeded', 'properties.cloudToDevice.feedback.lockDurationAsIso8601': 'PT5S' } }],
    ],
    'iot hub create, again': [
      ['POST', `${S}/providers/Microsoft.Devices/checkNameAvailability`, H, { body: { name: is.hub }, status: 200, reads: { nameAvailable: false, reason: 'AlreadyExists' } }],
      ['GET', hub, H, { status: 200, reads: { 'sku.name': 'S1' } }],
    ],
    'iot hub update': [
      ['GET', hub, H, { status: 200 }],
      ['PUT', hub, H, { status: 200, headers: (last) => ({ 'If-Match': `{'IF-MATCH': '${last[hub].etag}'}` }), body: whole(hub, (body) => { body.properties.cloudToDevice.maxDeliveryCount = 20; }),
        reads: { 'properties.cloudToDevice.maxDeliveryCount': 20, 'properties.eventHubEndpoints.events.partitionCount': 4 } }],
    ],
    'iot dps create': [
      ['POST', `${S}/providers/Microsoft.Devices/checkProvisioningServiceNameAvailability`, D, { body: { name: is.instance }, status: 200, reads: { nameAvailable: true } }],
      ['PUT', dps, D, { status: 201, body: { location: 'westus', tags: null, sku: { name: 'S1', capacity: 1 }, identity: null, properties: { enableDataResidency: false } }, reads: { 'properties.provisioningState': 'Succeeded', 'properties.iotHubs': [] } }],
    ],
    'iot dps linked-hub create': [
      get(),
      put((body) => body.properties.iotHubs.push(entry(is.own, { applyAllocationPolicy: null, allocationWeight: null }))),
      get({ 'properties.iotHubs.length': 1 }),
    ],
    'iot dps linked-hub create --location, of a hub elsewhere': [get(), put((body) => body.properties.iotHubs.push(entry(is.foreign, { allocationWeight: 3, applyAllocationPolicy: false }))), get({ 'properties.iotHubs.length': 2 })],
    'iot dps linked-hub update': [
      get(), get(),
      put((body) => { body.properties.iotHubs[0].allocationWeight = 7; }),
      get({ 'properties.iotHubs.0.allocationWeight': 7, 'properties.iotHubs.1.allocationWeight': 3, 'properties.iotHubs.1.applyAllocationPolicy': false }),
    ],
    'iot dps update': [get(), put((body) => { body.properties.allocationPolicy = 'GeoLatency'; body.tags = { a: 'b' }; }, { 'properties.allocationPolicy': 'GeoLatency', tags: { a: 'b' } })],
    'iot dps policy create': [
      ['POST', `${dps}/listkeys`, D, { body: undefined, status: 200 }],
      get(),
      ['PUT', dps, D, { status: 200, body: (last) => whole(dps, (body) => { body.properties.authorizationPolicies = [...last[`${dps}/listkeys`].value, { keyName: 'p1', primaryKey: null, secondaryKey: null, rights: 'EnrollmentRead' }]; })(last) }],
      ['POST', `${dps}/keys/p1/listkeys`, D, { status: 200, reads: { primaryKey: /./, rights: 'EnrollmentRead' } }],
    ],
    'iot dps certificate create': [
      ['GET', `${dps}/certificates`, D, { status: 200, reads: { value: [] } }],
      ['PUT', certificate, D, { body: nested(is.ca, false), status: 200, reads: { 'properties.isVerified': false } }],
    ],
    'iot dps certificate generate-verification-code': [
      ['GET', certificate, D, { status: 200 }],
      ['POST', `${certificate}/generateVerificationCode`, D, { headers: quoted, status: 200, reads: { 'properties.verificationCode': /^[0-9A-F]{48}$/ } }],
    ],
    'iot dps certificate verify': [
      ['GET', certificate, D, { status: 200 }],
      ['POST', `${certificate}/verify`, D, { headers: quoted, body: (last) => ({ certificate: is.leaf(last[`${certificate}/generateVerificationCode`].properties.verificationCode) }), status: 200, reads: { 'properties.isVerified': true } }],
    ],
    'iot dps certificate update': [['GET', certificate, D, { status: 200 }], ['PUT', certificate, D, { headers: quoted, body: nested(is.ca, true), status: 200, reads: { 'properties.isVerified': true } }]],
    'iot dps certificate delete': [['GET', certificate, D, { status: 200 }], ['DELETE', certificate, D, { headers: quoted, status: 204 }]],
    'iot dps linked-hub delete': [get(), get(), put((body) => { body.properties.iotHubs.shift(); }), get({ 'properties.iotHubs.length': 1 })],
    'iot dps delete': [['DELETE', dps, D, { status: 204 }]],
    'iot hub delete': [['DELETE', hub, H, { status: 204 }]],
  };
};
