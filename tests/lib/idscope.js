// idscope.js: the service as its clients see it: management, service, device and hub plane over HTTPS.
//
// Responsible for: signing in, the paths and api-versions of each plane, registering as a device does, reading a hub's registry whole.
// Knows nothing but the variables of dev.env: no database, no files of the stack but its CA. Must never hide an answer:
// the plain calls (arm, service, device, hub) give it back as it is, only the named steps insist on success.
'use strict';

const fs = require('node:fs');
const { Https, each, sleep } = require('./https');
const sas = require('./sas');

const VERSION = { arm: '2022-02-05', group: '2021-04-01', service: '2021-10-01', device: '2021-06-01', hub: '2021-04-12' };
const NEEDED = ['IDSCOPE_URL', 'IDSCOPE_PORT', 'IDSCOPE_CA', 'IDSCOPE_DOMAIN', 'IDSCOPE_DEVICE_HOST', 'IDSCOPE_TENANT_ID',
  'IDSCOPE_SUBSCRIPTION_ID', 'IDSCOPE_CLIENT_ID', 'IDSCOPE_CLIENT_SECRET'];

class Refused extends Error {
  constructor(what, answer) {
    super(`${what}: HTTP ${answer.status} ${answer.text}`);
    this.status = answer.status;
    this.answer = answer;
  }
}

function expect(what, answer, ...statuses) {
  if (!statuses.includes(answer.status)) throw new Refused(what, answer);
  return answer.json;
}

class Idscope {
  constructor(env = process.env, options = {}) {
    for (const name of NEEDED) if (!env[name]) throw new Error(`the variable ${name} is not set: read var/dev.env first`);
    this.env = env;
    this.domain = env.IDSCOPE_DOMAIN;
    this.deviceHost = env.IDSCOPE_DEVICE_HOST;
    this.subscription = env.IDSCOPE_SUBSCRIPTION_ID;
    this.managementHost = new URL(env.IDSCOPE_URL).hostname;
    this.https = new Https({
      ca: fs.readFileSync(env.IDSCOPE_CA), address: this.managementHost, port: Number(env.IDSCOPE_PORT), ...options,
    });
    this.token = undefined;
  }

  close() {
    this.https.close();
  }

  // --- sign-in and management -------------------------------------------------------------------------------------------------

  requestToken(fields) {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: this.env.IDSCOPE_CLIENT_ID,
      client_secret: this.env.IDSCOPE_CLIENT_SECRET, scope: 'https://management.azure.com/.default', ...fields }).toString();
    return this.https.request('POST', this.managementHost, '/adfs/oauth2/token',
      { body, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  }

  async signIn() {
    this.token = expect('sign in', await this.requestToken({}), 200).access_token;
    return this.token;
  }

  async arm(method, path, { body, headers = {}, version = VERSION.arm, host = this.managementHost, bearer } = {}) {
    if (!this.token && bearer === undefined) await this.signIn();
    const query = version === null ? '' : `${path.includes('?') ? '&' : '?'}api-version=${version}`;
    return this.https.request(method, host, path + query,
      { body, headers: { Authorization: bearer === undefined ? `Bearer ${this.token}` : bearer, ...headers } });
  }

  groupPath(group) { return `/subscriptions/${this.subscription}/resourcegroups/${group}`; }
  hubPath(group, name) { return `${this.groupPath(group)}/providers/Microsoft.Devices/IotHubs/${name}`; }
  instancePath(group, name) { return `${this.groupPath(group)}/providers/Microsoft.Devices/provisioningServices/${name}`; }

  async createGroup(group, location = 'westeurope') {
    return expect('create the resource group', await this.arm('PUT', this.groupPath(group), { body: { location }, version: VERSION.group }), 200, 201);
  }

  async deleteGroup(group) {
    expect('delete the resource group', await this.arm('DELETE', this.groupPath(group), { version: VERSION.group }), 200, 202, 204);
  }

  // A hub with what its clients need: host, policy keys, connection string.
  async createHub(group, name, location = 'westeurope') {
    const body = { location, sku: { name: 'S1', capacity: 1 }, properties: {} };
    const resource = expect(`create the hub ${name}`, await this.arm('PUT', this.hubPath(group, name), { body }), 200, 201);
    return this.hubOf(group, name, resource);
  }

  async hubOf(group, name, resource) {
    const keys = expect('list the hub keys', await this.arm('POST', `${this.hubPath(group, name)}/listkeys`), 200).value;
    const owner = keys.find((key) => key.keyName === 'iothubowner');
    const host = resource.properties.hostName;
    return { name, host, key: owner.primaryKey, keys, resource, location: resource.location,
      connectionString: `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=${owner.primaryKey}` };
  }

  async putInstance(group, name, properties = {}, location = 'westeurope') {
    const body = { location, sku: { name: 'S1', capacity: 1 }, properties };
    return expect(`put the instance ${name}`, await this.arm('PUT', this.instancePath(group, name), { body }), 200, 201);
  }

  async getInstance(group, name) {
    return expect(`get the instance ${name}`, await this.arm('GET', this.instancePath(group, name)), 200);
  }

  // The instance with what its clients need: ID scope, service host, the owner policy's key.
  async createInstance(group, name, properties = {}) {
    const resource = await this.putInstance(group, name, properties);
    const keys = expect('list the instance keys', await this.arm('POST', `${this.instancePath(group, name)}/listkeys`), 200).value;
    const owner = keys.find((key) => key.keyName === 'provisioningserviceowner');
    const host = resource.properties.serviceOperationsHostName;
    return { group, name, resource, idScope: resource.properties.idScope, host, keys, key: owner.primaryKey, policy: owner.keyName,
      connectionString: `HostName=${host};SharedAccessKeyName=${owner.keyName};SharedAccessKey=${owner.primaryKey}` };
  }

  static link(hub, more = {}) {
    return { connectionString: hub.connectionString, location: hub.location, ...more };
  }

  async linkedHubs(group, name) {
    return expect('list the linked hubs', await this.arm('GET', `${this.instancePath(group, name)}/linkedHubs`), 200).value;
  }

  // --- service plane ----------------------------------------------------------------------------------------------------------

  service(instance, method, path, { body, headers = {}, version = VERSION.service, authorization } = {}) {
    const token = authorization === undefined ? sas.forHost(instance.host, instance.policy, instance.key) : authorization;
    const query = version === null ? '' : `${path.includes('?') ? '&' : '?'}api-version=${version}`;
    return this.https.request(method, instance.host, path + query, { body, headers: { Authorization: token, ...headers } });
  }

  static enrollment(id, more = {}) {
    return { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '', secondaryKey: '' } }, ...more };
  }

  async enroll(instance, id, more = {}, headers = {}) {
    const answer = await this.service(instance, 'PUT', `/enrollments/${encodeURIComponent(id)}`, { body: Idscope.enrollment(id, more), headers });
    const enrollment = expect(`enroll ${id}`, answer, 200);
    return { id, enrollment, key: enrollment.attestation.symmetricKey.primaryKey, secondaryKey: enrollment.attestation.symmetricKey.secondaryKey };
  }

  async explain(instance, id) {
    const answer = await this.service(instance, 'GET', `/registrations/${encodeURIComponent(id)}/explain`);
    expect(`explain ${id}`, answer, 200);
    return answer;
  }

  async registration(instance, id) {
    return expect(`read the registration ${id}`, await this.service(instance, 'GET', `/registrations/${encodeURIComponent(id)}`), 200);
  }

  // --- device plane -----------------------------------------------------------------------------------------------------------

  device(method, idScope, path, { body, headers = {}, authorization, agent, host = this.deviceHost, version = VERSION.device } = {}) {
    const query = version === null ? '' : `?api-version=${version}`;
    return this.https.request(method, host, `/${idScope}/registrations/${path}${query}`, { body, agent, headers: { Authorization: authorization, ...headers } });
  }

  async startRegister(idScope, device, options = {}) {
    const authorization = sas.forDevice(idScope, device.id, device.key);
    const answer = await this.device('PUT', idScope, `${device.id}/register`, { body: { registrationId: device.id }, authorization, ...options });
    const status = expect(`register ${device.id}`, answer, 202);
    return { ...status, retryAfter: answer.headers['retry-after'] };
  }

  poll(idScope, device, operationId, options = {}) {
    const authorization = sas.forDevice(idScope, device.id, device.key);
    return this.device('GET', idScope, `${device.id}/operations/${operationId}`, { authorization, ...options });
  }

  // Registers and polls to the end, as a device does. pollMs: instead of the Retry-After of the answers.
  async register(idScope, device, { pollMs, timeoutMs = 120000, ...options } = {}) {
    const end = Date.now() + timeoutMs;
    const { operationId, retryAfter } = await this.startRegister(idScope, device, options);
    let wait = retryAfter;
    for (;;) {
      await sleep(pollMs === undefined ? Number(wait || 3) * 1000 : pollMs);
      const answer = await this.poll(idScope, device, operationId, options);
      if (answer.status === 200) return answer.json.registrationState;
      expect(`poll ${device.id}`, answer, 202);
      if (Date.now() > end) throw new Error(`${device.id} is still ${answer.json.status} after ${timeoutMs} ms`);
      wait = answer.headers['retry-after'];
    }
  }

  // --- hub plane --------------------------------------------------------------------------------------------------------------

  hub(hub, method, path, { body, headers = {}, version = VERSION.hub, authorization } = {}) {
    const token = authorization === undefined ? sas.forHost(hub.host, 'iothubowner', hub.key) : authorization;
    const query = version === null ? '' : `${path.includes('?') ? '&' : '?'}api-version=${version}`;
    return this.https.request(method, hub.host, path + query, { body, headers: { Authorization: token, ...headers } });
  }

  // The registry, whole: device id → device.
  async registry(hub, pageSize = 1000) {
    const devices = new Map();
    let continuation;
    do {
      const answer = await this.hub(hub, 'GET', `/devices?top=${pageSize}`, { headers: { 'x-ms-continuation': continuation } });
      for (const device of expect(`list the devices of ${hub.host}`, answer, 200)) devices.set(device.deviceId, device);
      continuation = answer.headers['x-ms-continuation'];
    } while (continuation);
    return devices;
  }
}

module.exports = { Idscope, Refused, expect, each, sleep, VERSION };
