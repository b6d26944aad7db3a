// fleet.js: the devices of the crash test: clients that never give up.
//
// Responsible for: registering and polling as a device does, again after every 5xx and every lost connection; knowing how many registrations
// are in flight. An answer that a device could not explain (an accepted operation that nobody knows any more, a refusal) is a violation and
// is kept, never retried away. Must never look behind the service's front.
'use strict';

const http = require('node:http');
const { Idscope } = require('../lib/idscope');
const { each, sleep } = require('../lib/https');
const sas = require('../lib/sas');

const GIVE_UP_MS = 180000;
const BROKEN_OFF = 502001;

class Fleet {
  constructor(service, instance, random, plainPort) {
    this.service = service;
    this.instance = instance;
    this.random = random;
    this.plainPort = plainPort;
    this.devices = [];
    this.retries = { answers5xx: 0, lostConnections: 0 };
    this.violations = [];
    this.running = new Set();
  }

  // Devices with keys of our own, so that the hubs' copies can be compared.
  async enroll(count, prefix) {
    const made = Array.from({ length: count }, (_, i) => ({ id: `${prefix}-${i}`, key: sas.newKey(), secondaryKey: sas.newKey() }));
    await each(made, 16, (device) => this.service.enroll(this.instance, device.id, {
      attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: device.key, secondaryKey: device.secondaryKey } } }));
    this.devices.push(...made);
    return made;
  }

  inFlight() { return this.running.size; }

  // Lets devices begin; does not wait for them.
  release(devices) {
    for (const device of devices) {
      const work = this.provision(device).catch((error) => this.violations.push(`${device.id}: ${error.message}`))
        .finally(() => this.running.delete(work));
      this.running.add(work);
    }
  }

  async settled() {
    while (this.running.size) await Promise.all(this.running);
  }

  async provision(device) {
    device.state = undefined;
    const end = Date.now() + GIVE_UP_MS;
    const begun = await this.insist(end, () => this.service.device('PUT', this.instance.idScope, `${device.id}/register`,
      { body: { registrationId: device.id }, authorization: sas.forDevice(this.instance.idScope, device.id, device.key) }));
    if (begun.status !== 202) throw new Error(`register was answered ${begun.status} ${begun.text}`);
    device.operation = begun.json.operationId;
    for (;;) {
      await sleep(50 + this.random() * 250);
      const answer = await this.insist(end, () => this.service.poll(this.instance.idScope, device, device.operation));
      if (answer.status === 200) {
        device.state = answer.json.registrationState;
        break;
      }
      if (answer.status !== 202) throw new Error(`the poll of an accepted operation was answered ${answer.status} ${answer.text}`);
      if (Date.now() > end) throw new Error('never assigned');
    }
    if (device.state.status !== 'assigned') throw new Error(`ended ${device.state.status} ${device.state.errorCode} ${device.state.errorMessage}`);
  }

  // The first answer that is not a 5xx.
  async insist(end, ask) {
    for (;;) {
      let answer;
      try {
        answer = await ask();
      } catch (error) {
        this.retries.lostConnections++;
      }
      if (answer && answer.status < 500) return answer;
      if (answer) this.checkRefusal(answer);
      if (Date.now() > end) throw new Error(answer ? `still ${answer.status} ${answer.text}` : 'still no answer');
      await sleep(30 + this.random() * 200);
    }
  }

  // A 5xx is allowed while something is down, but it has to be JSON and to say when to come again. It is a 503, or the 502 of the edge: of a request
  // that met no api until its last attempt, and there one that was killed with it in hand. That api may have done what was asked, so 503 would not be true.
  checkRefusal(answer) {
    this.retries.answers5xx++;
    if (!answer.json) this.violations.push(`a ${answer.status} without JSON: ${answer.text.slice(0, 200)}`);
    else if (answer.status !== 503 && answer.json.errorCode !== BROKEN_OFF) this.violations.push(`a ${answer.status} that is no 503: ${answer.text.slice(0, 200)}`);
    else if (!/^[0-9]+$/.test(answer.headers['retry-after'] || '')) this.violations.push(`a ${answer.status} without Retry-After`);
  }

  // On the plain listener, which stays when the edge is gone. One request, no retry.
  plain(method, device, path, body) {
    const payload = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = http.request({ method, host: '127.0.0.1', port: this.plainPort, agent: false,
        path: `/${this.instance.idScope}/registrations/${device.id}${path}?api-version=2021-06-01`,
        headers: { Authorization: sas.forDevice(this.instance.idScope, device.id, device.key), 'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(payload) } });
      request.on('error', reject);
      request.on('response', (response) => {
        let text = '';
        response.on('data', (part) => { text += part; });
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text, json: text ? JSON.parse(text) : undefined }));
      });
      request.end(payload);
    });
  }

  link(hubs) { return hubs.map((hub) => Idscope.link(hub)); }
}

module.exports = { Fleet };
