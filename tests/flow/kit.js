// kit.js: what all flow suites share: the two deployments, scenes (a group with hubs and an instance), and what a refusal must look like.
//
// Responsible for: fresh names, so that suites never meet; taking a scene away when its test is over; remembering the tracking id of
// every refusal, which the suite "endings" looks for in the api's log.
// Must never answer in the service's stead, and never wait for a fixed time where an event can be waited for.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { Idscope, Refused, expect, each, sleep, VERSION } = require('../lib/idscope');
const { until } = require('../lib/https');
const sas = require('../lib/sas');
const { Deployment } = require('./deployment');

const work = process.env.FLOW_WORK;
if (!work) throw new Error('the flow tests run inside run.sh');

const deployment = (name) => {
  const stack = new Deployment(path.join(work, name), path.join(work, `${name}.var`));
  return { stack, idscope: new Idscope(stack.env) };
};
const first = deployment('first');
const second = deployment('second');
const { stack, idscope } = first;

const run = crypto.randomBytes(3).toString('hex');
let count = 0;
const fresh = (prefix) => `${prefix}-${run}-${(count++).toString(36)}`;

const admin = (...words) => stack.admin(process.env.FLAVOR || 'asan', ...words);

// Only this file's /etc/hosts changes (run.sh): the resolver reads it at each look-up.
const names = (address, ...hosts) => fs.appendFileSync('/etc/hosts', `${address} ${hosts.join(' ')}\n`);

// --- refusals -------------------------------------------------------------------------------------------------------------------------

const refusals = [];
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const remember = (answer, id) => {
  assert.match(id, GUID);
  assert.equal(answer.headers['x-ms-request-id'], id, 'x-ms-request-id is the tracking id');
  refusals.push({ id, status: answer.status, at: Date.now() });
  return answer;
};

// Service and device plane: {"errorCode","trackingId","message","timestampUtc"}; the code begins with the HTTP status.
function refused(answer, status, words = /./, code) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const { errorCode, trackingId, message, timestampUtc } = answer.json;
  assert.equal(Math.floor(errorCode / 1000), status, answer.text);
  if (code !== undefined) assert.equal(errorCode, code, answer.text);
  assert.match(message, words);
  assert.match(timestampUtc, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$/);
  return remember(answer, trackingId);
}

// Management plane: {"error":{"code","message"}}.
function refusedArm(answer, status, code, words = /./) {
  assert.equal(answer.status, status, answer.text);
  assert.deepEqual(Object.keys(answer.json), ['error'], answer.text);
  assert.equal(answer.json.error.code, code, answer.text);
  assert.match(answer.json.error.message, words);
  return remember(answer, answer.headers['x-ms-request-id']);
}

// Hub plane: {"Message":"ErrorCode:NAME;…","ExceptionMessage":"Tracking ID:…"} and the header iothub-errorcode.
function refusedHub(answer, status, code, words = /./) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.json.Message, new RegExp(`^ErrorCode:${code};`));
  assert.match(answer.json.Message, words);
  assert.equal(answer.headers['iothub-errorcode'], code);
  const found = /Tracking ID:([0-9a-f-]{36})-TimeStamp:/.exec(answer.json.ExceptionMessage);
  assert.ok(found, answer.text);
  return remember(answer, found[1]);
}

// --- scenes ---------------------------------------------------------------------------------------------------------------------------

class Scene {
  constructor(of) {
    this.of = of;
    this.group = fresh('group');
    this.hubs = [];
  }

  // hubs: how many, of which `links` describes the links (weight or {allocationWeight, applyAllocationPolicy, …}); properties: of the instance.
  async build({ hubs = 1, links = [], properties = {} }) {
    await this.of.createGroup(this.group);
    this.hubs = await each(Array.from({ length: hubs }, () => fresh('hub')), 4, (name) => this.of.createHub(this.group, name));
    this.properties = { allocationPolicy: 'Hashed', ...properties };
    const all = this.hubs.map((hub, i) => Idscope.link(hub, links[i]));
    this.instance = await this.of.createInstance(this.group, fresh('dps'), { ...this.properties, iotHubs: all });
    this.idScope = this.instance.idScope;
    return this;
  }

  put(properties) {
    return this.of.putInstance(this.group, this.instance.name, properties);
  }

  relink(links, properties = {}) {
    return this.put({ ...this.properties, ...properties, iotHubs: links });
  }

  enroll(more = {}, id = fresh('device')) {
    return this.of.enroll(this.instance, id, more);
  }

  // A change of an enrollment that exists.
  change(device, more) {
    const { attestation } = device.enrollment;
    return this.of.service(this.instance, 'PUT', `/enrollments/${device.id}`,
      { body: { registrationId: device.id, attestation, ...more }, headers: { 'If-Match': '*' } }).then((answer) => expect('change', answer, 200));
  }

  register(device, options = {}) {
    return this.of.register(this.idScope, device, { pollMs: 100, ...options });
  }

  async registered(more = {}) {
    const device = await this.enroll(more);
    device.state = await this.register(device);
    assert.equal(device.state.status, 'assigned', JSON.stringify(device.state));
    return device;
  }

  start(device, options) {
    return this.of.startRegister(this.idScope, device, options);
  }

  poll(device, operationId, options) {
    return this.of.poll(this.idScope, device, operationId, options);
  }

  hubAt(host) {
    return this.hubs.find((hub) => hub.host === host);
  }

  // The device as hub `hub` holds it, or undefined.
  async identity(hub, deviceId) {
    const answer = await this.of.hub(hub, 'GET', `/devices/${encodeURIComponent(deviceId)}`);
    if (answer.status === 404) return undefined;
    return expect(`read ${deviceId}`, answer, 200);
  }

  async links() {
    const list = await this.of.linkedHubs(this.group, this.instance.name);
    return new Map(list.map((link) => [link.properties.hostName, link.properties]));
  }

  linkState(host, state, timeoutMs = 60000) {
    return until(`the link to ${host} to be ${state}`, async () => {
      const link = (await this.links()).get(host);
      return link && link.state === state && link;
    }, { timeoutMs });
  }

  end() {
    return this.of.deleteGroup(this.group);
  }
}

// A scene for one test, taken away at its end. `t` is the test's context.
async function scene(t, options = {}, of = idscope) {
  const made = new Scene(of);
  t.after(() => made.end());
  return made.build(options);
}

// The same in every test of a suite, for tests that only look.
function sharedScene(describeHooks, options = {}, of = idscope) {
  const made = new Scene(of);
  describeHooks.before(() => made.build(options));
  describeHooks.after(() => made.end());
  return made;
}

// --- what is left --------------------------------------------------------------------------------------------------------------------------

// No api of a deployment has a call in flight, or holds an arena for one: also of those that were given up.
const atRest = (of = stack, timeoutMs = 5000) => until('nothing to be in flight', async () => {
  const { idscope_requests_in_flight: requests, idscope_arenas: arenas } = await of.metrics('api1');
  assert.ok(requests !== undefined && arenas !== undefined);
  return requests === 0 && arenas === 0;
}, { timeoutMs });

module.exports = { assert, first, second, stack, idscope, Idscope, Refused, VERSION, expect, each, sleep, until, sas, admin, fresh, names, refused, refusedArm,
  refusedHub, refusals, atRest, scene, sharedScene, work };
