// actors.js: who uses the service while ThreadSanitizer looks: operators, services, hub clients and probes, each in a loop of its own.
//
// Responsible for: one request at a time per actor, every answer counted by plane and status. A connection that breaks is counted too and is no
// failure: parts of the stack are taken away meanwhile. Must never stop because the service refuses, and never go faster than it answers.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const { Idscope } = require('../lib/idscope');
const { sleep } = require('../lib/https');
const sas = require('../lib/sas');

const PAUSE_MS = 5;

class Tally {
  constructor() {
    this.counts = new Map();
    this.broken = 0;
    this.strange = [];
  }

  add(plane, status, count = 1, text = '') {
    const statuses = this.counts.get(plane) || {};
    statuses[status] = (statuses[status] || 0) + count;
    this.counts.set(plane, statuses);
    if (status === 500) this.strange.push(`${plane}: 500 ${text.slice(0, 300)}`);
  }

  total() {
    return [...this.counts.values()].flatMap((statuses) => Object.values(statuses)).reduce((a, b) => a + b, 0);
  }

  served(plane) {
    return Object.entries(this.counts.get(plane) || {}).filter(([status]) => status < 300).reduce((sum, [, count]) => sum + count, 0);
  }

  lines() {
    return [...this.counts].map(([plane, statuses]) => `${plane}: ${Object.entries(statuses).map(([status, count]) => `${count} × ${status}`).join(', ')}`);
  }
}

class Actors {
  // of: { service: Idscope, stack, group, hubs, instances, devices: ids of the fleet }
  constructor(of) {
    Object.assign(this, of);
    this.tally = new Tally();
    this.count = 0;
  }

  fresh(prefix) { return `${prefix}-${this.count++}`; }

  // Each actor: plane and what it does in turn. A step gives an answer.
  list() {
    const { service, group, hubs, instances } = this;
    const [first, second] = instances;
    const weights = (i) => hubs.map((hub, n) => Idscope.link(hub, { allocationWeight: 1 + (i + n) % 5 }));
    return [
      ['management', (i) => service.arm('PUT', service.instancePath(group, first.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 },
        properties: { allocationPolicy: ['Hashed', 'GeoLatency'][i % 2], iotHubs: weights(i) } } })],
      ['management', (i) => service.arm('GET', [service.instancePath(group, first.name), service.hubPath(group, hubs[0].name), service.groupPath(group),
        `${service.instancePath(group, second.name)}/linkedHubs`][i % 4])],
      ['management', (i) => service.arm('POST', `${i % 2 ? service.instancePath(group, second.name) : service.hubPath(group, hubs[i % 3].name)}/listkeys`)],
      ...this.churn(),
      ['sign-in', (i) => service.requestToken(i % 3 ? {} : { client_secret: 'wrong' })],
      ['sign-in', (i) => service.https.request('GET', service.managementHost, ['/adfs/discovery/keys', '/adfs/.well-known/openid-configuration'][i % 2])],
      ...this.operators(first, 'a'),
      ...this.operators(second, 'b'),
      ...this.registries(),
      ...this.devicesByEdge(),
    ];
  }

  // Instances and hubs that come and go, so that cached entries are dropped while others use them.
  churn() {
    const { service, group } = this;
    const body = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };
    const paths = { instance: (name) => service.instancePath(group, name), hub: (name) => service.hubPath(group, name) };
    return Object.entries(paths).map(([kind, path]) => ['management', (i) => {
      const name = `tsan-${kind}-${i >> 1}`;
      return service.arm(i % 2 ? 'DELETE' : 'PUT', path(name), i % 2 ? {} : { body });
    }]);
  }

  operators(instance, mark) {
    const { service, devices } = this;
    const wrong = () => sas.forHost(instance.host, instance.policy, sas.newKey());
    return [
      ['service', (i) => [
        () => service.service(instance, 'PUT', `/enrollments/op-${mark}-${i >> 2}`, { body: Idscope.enrollment(`op-${mark}-${i >> 2}`) }),
        () => service.service(instance, 'GET', `/enrollments/op-${mark}-${i >> 2}`),
        () => service.service(instance, 'POST', `/enrollments/op-${mark}-${i >> 2}/attestationmechanism`),
        () => service.service(instance, 'DELETE', `/enrollments/op-${mark}-${i >> 2}`),
      ][i % 4]()],
      // Bodies and replies of some pieces.
      ['service', (i) => service.service(instance, ...(i % 2 ? ['GET', '/enrollments/export'] : ['POST', '/enrollments/import?dryRun=true',
        { body: Array.from({ length: 1500 }, (_, n) => JSON.stringify({ ...Idscope.enrollment(`list-${mark}-${i}-${n}`), optionalDeviceInformation: { n: 'x'.repeat(200) } })).join('\n') }]))],
      ['service', (i) => service.service(instance, 'GET', `/registrations/${devices[i % devices.length]}${i % 2 ? '/explain' : ''}`)],
      ['service', (i) => service.service(instance, i % 8 ? 'GET' : 'DELETE', `/registrations/${devices[(i * 7) % devices.length]}`,
        i % 5 ? {} : { authorization: wrong() })],
    ];
  }

  registries() {
    const { service, hubs } = this;
    const ids = (i) => Array.from({ length: 20 }, (_, n) => `bulk-${i}-${n}`);
    const entries = (i, importMode) => ids(i).map((id) => ({ id, importMode }));
    return [
      ['hub', (i) => service.hub(hubs[0], 'POST', '/devices', { body: entries(i >> 1, i % 2 ? 'delete' : 'create') })],
      ['hub', (i) => service.hub(hubs[1], 'GET', ['/devices?top=100', '/statistics/service', '/statistics/devices'][i % 3])],
      ['hub', (i) => service.hub(hubs[i % 2], ['PUT', 'GET', 'DELETE'][i % 3], `/devices/one-${Math.floor(i / 3)}`,
        i % 3 ? { headers: { 'If-Match': i % 3 === 2 ? '*' : undefined } } : { body: { deviceId: `one-${i / 3}` } })],
    ];
  }

  // Strangers: no enrollment, a wrong scope, a wrong key.
  devicesByEdge() {
    const { service, instances: [first] } = this;
    return [['device', (i) => {
      const scope = i % 2 ? first.idScope : '0ne00000000';
      const id = this.fresh('stranger');
      return service.device('PUT', scope, `${id}/register`, { body: { registrationId: id }, authorization: sas.forDevice(scope, id, sas.newKey()) });
    }]];
  }

  // Plain HTTP, a new connection each: the health listeners of both programs.
  probe(name, path) {
    const [host, port] = fs.readFileSync(`${this.stack.dir}/run/${name}.health`, 'utf8').split(':');
    return new Promise((resolve, reject) => {
      const request = http.get({ host, port, path, agent: false, timeout: 5000 }, (response) => {
        let text = '';
        response.on('data', (part) => { text += part; });
        response.on('end', () => resolve({ status: response.statusCode, text }));
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
    });
  }

  async inFlight() {
    return Number((await this.probe('api1', '/metrics')).text.match(/^idscope_requests_in_flight ([0-9]+)/m)[1]);
  }

  async act(plane, step, goesOn) {
    for (let i = 0; goesOn(); i++) {
      try {
        const answer = await step(i);
        this.tally.add(plane, answer.status, 1, answer.text);
      } catch {
        this.tally.broken++;
        await sleep(50);
      }
      await sleep(PAUSE_MS);
    }
  }

  // All of them until `goesOn` says no.
  async run(goesOn) {
    const probes = ['api1', 'worker1'].flatMap((name) => ['/metrics', '/readyz'].map((path) => ['probe', () => this.probe(name, path)]));
    await Promise.all([...this.list(), ...probes].map(([plane, step]) => this.act(plane, step, goesOn)));
  }
}

module.exports = { Actors, Tally };
