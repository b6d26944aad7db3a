// parameters.js: each parameter of each operation that api/openapi.yaml lists, in path, query and headers, with what it may not be and with what
// strangers like to send: what has a rule is refused by name, what names nothing is not there, nothing is an internal error, and nothing is written.
// Must never pass an operation over, nor send one that would be done.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, each, expect, fresh, idscope, sas, sharedScene, VERSION } = require('../kit');
const { isOfForm } = require('../bodies');
const { Openapi, IN_REQUESTS } = require('../openapi');
const { settled, unchanged } = require('../rows');

const WIDTH = 12;
const LONG = 'x'.repeat(3000);
// As they stand in the address: escaped, or as no client escapes.
const HOSTILE = ['!', 'a b', 'é😀', "' OR ''='", '%00', '"><x', LONG].map(encodeURIComponent).concat(['%00', '%ff', '%zz', '%2F', '%5C']);
const HOSTILE_HEADER = ['!', "' OR ''='", '"', '"*', 'W/"x"', '\u00ff', LONG];

// Who answers whatever is named there, and why.
const LAWFUL = { openid_configuration_of_tenant: 'nobody is told which tenants there are', instance_operation_result: 'what is asked for is done when it is answered' };

const isWritten = (text) => !/^%(00|ff|zz)$/.test(text); // a text of characters
const isRuled = ({ schema }) => schema.pattern || schema.enum || schema.format || schema.type === 'integer' || schema.type === 'boolean';

describe('parameters', () => {
  const openapi = new Openapi(IN_REQUESTS);
  const made = sharedScene({ before, after }, { hubs: 1 });
  const names = { group: fresh('group'), device: fresh('device'), lock: fresh('lock') };
  let device;
  let words;

  before(async () => {
    device = await made.registered();
    expect('group', await idscope.service(made.instance, 'PUT', `/enrollmentGroups/${names.group}`, { body: { attestation: { type: 'symmetricKey' } } }), 200);
    expect('device', await idscope.hub(made.hubs[0], 'PUT', `/devices/${names.device}`, { body: { deviceId: names.device } }), 200);
    words = { tenant: idscope.env.IDSCOPE_TENANT_ID, subscriptionId: idscope.subscription, providerNamespace: 'Microsoft.Devices', resourceGroupName: made.group, hubName: made.hubs[0].name, instanceName: made.instance.name, endpointName: 'events',
      operationId: crypto.randomUUID(), groupId: 'iotDps', host: made.hubs[0].host, certificateName: 'none', lockName: names.lock, roleAssignmentName: crypto.randomUUID(), roleDefinitionName: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
      resourceType: 'IotHubs', resourceName: made.hubs[0].name, registrationId: device.id, enrollmentGroupId: names.group, idScope: made.idScope, deviceId: names.device };
  });

  const parametersOf = (operation) => [...(operation.item.parameters || []), ...(operation.parameters || [])].map((one) => openapi.resolve(one)).map((one) => ({ ...one, schema: openapi.resolve(one.schema) }));
  const nameOfKey = (operation) => (operation.operationId.startsWith('hub') ? 'iothubowner' : 'provisioningserviceowner');

  // The path with one word as it is given, the others as they are.
  const pathWith = (operation, name, text) => operation.at.replace(/\{(\w+)\}/g, (_, word) => (word === name ? text : encodeURIComponent(word === 'keyName' ? nameOfKey(operation) : words[word])));
  const bodyOf = ({ requestBody }) => {
    const [[type, { schema }]] = Object.entries(requestBody?.content || { none: {} });
    if (type === 'none') return {};
    const { type: kind, properties } = openapi.resolve(schema);
    const body = properties?.query ? { query: '*' } : kind === 'object' ? openapi.least(schema) : [];
    return { body, headers: { 'Content-Type': type } };
  };

  const PLANES = {
    'management': () => ({ host: idscope.managementHost, token: `Bearer ${idscope.token}`, version: VERSION.arm }),
    'sign-in': () => ({ host: idscope.managementHost, version: '2022-09-01' }),
    'service': () => ({ host: made.instance.host, token: sas.forHost(made.instance.host, made.instance.policy, made.instance.key), version: VERSION.service }),
    'device': () => ({ host: idscope.deviceHost, token: sas.forDevice(made.idScope, device.id, device.key), version: VERSION.device }),
    'hub': () => ({ host: made.hubs[0].host, token: sas.forHost(made.hubs[0].host, 'iothubowner', made.hubs[0].key), version: VERSION.hub }),
  };

  // query: instead of the version alone.
  function send(operation, { path = pathWith(operation), query, headers }) {
    const { host, token, version } = PLANES[operation.plane]();
    const { body, headers: typed } = bodyOf(operation);
    return idscope.https.request(operation.method, host, `${path}?${query ?? `api-version=${version}`}`, { body: typed ? (Array.isArray(body) ? '[]' : JSON.stringify(body)) : undefined, headers: { Authorization: token, ...typed, ...headers } });
  }

  const sentence = ({ json }) => json?.message ?? json?.error?.message ?? json?.error_description ?? json?.Message;

  // --- cases: {operation, what, request, statuses, named} ---------------------------------------------------------------------------------

  const inPath = (operation, { name, schema }) => HOSTILE.filter((text) => !isWritten(text) || !isOfForm(schema, decodeURIComponent(text)) || !isRuled({ schema })).map((text) => ({ operation, what: `${name} ${text.slice(0, 30)}`, request: { path: pathWith(operation, name, text) },
    statuses: [400, 401, 404, ...(operation.method === 'DELETE' ? [204] : []), ...(LAWFUL[operation.operationId] ? [200] : [])] }));

  const versionBeside = (operation, name) => (name === 'api-version' ? '' : `api-version=${PLANES[operation.plane]().version}&`);
  function inQuery(operation, { name, required, schema }) {
    const beside = versionBeside(operation, name);
    const one = (query, ruled) => ({ operation, what: query.slice(0, 60), request: { query }, ...(ruled ? { statuses: [400], named: name } : {}) });
    const wrong = isRuled({ schema }) ? HOSTILE.slice(0, 7).map((text) => one(`${beside}${encodeURIComponent(name)}=${text}`, true)) : HOSTILE.map((text) => one(`${beside}${encodeURIComponent(name)}=${text}`));
    const few = schema.minimum === undefined ? [] : [one(`${beside}${encodeURIComponent(name)}=${schema.minimum - 1}`, true), one(`${beside}${encodeURIComponent(name)}=1.5`, true)];
    return [...wrong, ...few, ...(required ? [one(beside, true)] : [])];
  }

  const inHeader = (operation, { name, schema }) => HOSTILE_HEADER.map((text) => ({ operation, what: `${name}: ${text.slice(0, 30)}`, request: { headers: { [name]: text } }, ...(isRuled({ schema }) ? { statuses: [400], named: name } : {}) }));

  const WAYS = { path: inPath, query: inQuery, header: inHeader };
  // What would be done is not sent: a write that a hostile query or header does not stop.
  const isHarmless = ({ operation, request, statuses }) => statuses || operation.method === 'GET' || operation.method === 'HEAD' || /_query/.test(operation.operationId) || request.path;

  async function check({ operation, what, request, statuses, named }) {
    const answer = await send(operation, request);
    const told = `${operation.operationId} ${what}: ${answer.status} ${answer.text.slice(0, 200)}`;
    assert.ok(answer.status < 500, told);
    if (statuses) assert.ok(statuses.includes(answer.status), told);
    if (named && operation.method !== 'HEAD') assert.ok(sentence(answer)?.includes(named), told);
  }

  for (const plane of Object.keys(PLANES)) {
    test(`${plane}: no parameter is taken for what it is not`, async () => {
      if (!idscope.token) await idscope.signIn();
      const of = openapi.operations.filter((operation) => operation.plane === plane).flatMap((operation) => parametersOf(operation).map((parameter) => [operation, parameter]));
      const cases = of.flatMap(([operation, parameter]) => WAYS[parameter.in](operation, parameter)).filter(isHarmless);
      const wrong = [];
      await settled(made.idScope.toLowerCase());
      await unchanged(() => each(cases, WIDTH, (one) => check(one).catch((error) => wrong.push(error.message))));
      console.log(`parameters: ${plane}: ${of.length} parameters, ${cases.length - wrong.length} of ${cases.length} texts fare as the document says`);
      assert.ok(wrong.length === 0, `${wrong.length} fare otherwise:\n${wrong.sort().join('\n')}`);
    });
  }
});
