// pull.js: a fleet moves in from another deployment (idscope-admin pull): what it kept comes over whole, the source is asked no more than it allows, and
// every device registers here on the hub and under the id that it had.
// PULL_DEVICES: how many there are (`make flow-pull` has 10,000).
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { spawn } = require('node:child_process');
const { Front } = require('../../lib/front');
const { make: certificate } = require('../../lib/certificates');
const { SoftTpm } = require('../../lib/tpm');
const { registered } = require('../certified');
const { DEVICES: ATTESTED } = require('../../lib/attested');
const { assert, idscope, stack, second, Idscope, expect, each, fresh, names, until, sas, scene, admin, work } = require('../kit');

const theirs = second.idscope;
const DEVICES = Number(process.env.PULL_DEVICES || 240);
const OF_GROUP = Math.floor(DEVICES / 6);
const FRONT = '127.0.0.121';
const PEM = () => fs.readFileSync(path.join(second.stack.folder, 'tls/server.pem.ecdsa'));
const derive = (key, id) => crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(id).digest('base64');

// --- the command ------------------------------------------------------------------------------------------------------------------------

let strings = 0;
function secretFile(text) {
  const file = path.join(work, `pull-${strings++}.string`);
  fs.writeFileSync(file, `  ${text}\r\n`, { mode: 0o600 });
  return file;
}

// One run, as an operator begins it. `ended` gives {code, out, said}; both sides' connection strings stand in files, so that no list of processes shows them.
function pull(from, into, more = [], env = {}) {
  const program = path.join(__dirname, '../../../build', process.env.FLAVOR || 'asan', 'idscope-admin');
  const sides = [from && `--from-file=${secretFile(from)}`, into && `--into-file=${secretFile(into)}`].filter(Boolean);
  const child = spawn(program, ['pull', ...sides, `--ca-file=${work}/ca.pem`, ...more], { env: { PATH: process.env.PATH, ASAN_OPTIONS: process.env.ASAN_OPTIONS || '', ...env } });
  const run = { child, out: '', said: '' };
  child.stdout.on('data', (part) => { run.out += part; });
  child.stderr.on('data', (part) => { run.said += part; });
  run.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code: code ?? signal, out: run.out, said: run.said })));
  return run;
}

// What a run says at its end: {enrollments: {read, brought, there, left}, …}.
function summary({ out }) {
  const rows = [...out.matchAll(/^(\w+): (\d+) read, (\d+) (?:would be )?brought, (\d+) there already, (\d+) left$/gm)];
  return Object.fromEntries(rows.map(([, noun, read, brought, there, left]) => [noun, { read: +read, brought: +brought, there: +there, left: +left }]));
}
const leftOf = ({ out }) => out.split('\n').filter((line) => line.startsWith('left: '));

async function done(run) {
  const end = await run.ended;
  assert.equal(end.code, 0, `${end.out}\n${end.said}`);
  return end;
}

// --- what both sides hold ---------------------------------------------------------------------------------------------------------------

const service = (of, instance) => (method, at, options) => of.service(instance, method, at, options);

async function list(call, noun) {
  const all = [];
  let continuation;
  do {
    const answer = await call('POST', `/${noun}/query`, { body: { query: `SELECT * FROM ${noun}` }, headers: { 'x-ms-max-item-count': 1000, 'x-ms-continuation': continuation } });
    all.push(...expect(`list ${noun}`, answer, 200));
    continuation = answer.headers['x-ms-continuation'];
  } while (continuation);
  return all;
}

// An entry as its operator wrote it, with the keys; text by text, so that numbers count as they are written.
async function entries(call, noun) {
  const all = await list(call, noun);
  return new Map(await each(all, 8, async (entry) => {
    const id = entry.enrollmentGroupId || entry.registrationId;
    const attestation = await call('POST', `/${noun}/${id}/attestationmechanism`);
    const { text } = await call('GET', `/${noun}/${id}`);
    const mine = text.replace(/"(etag|createdDateTimeUtc|lastUpdatedDateTimeUtc)":"(?:[^"\\]|\\.)*",?/g, '').replace(/"registrationState":\{[^}]*\},?/, '');
    return [id, `${mine.replace(/,\}/g, '}')} ${attestation.text}`];
  }));
}

async function registry(hub) {
  const devices = await theirs.registry(hub);
  return new Map([...devices].map(([id, { etag, connectionStateUpdatedTime, lastActivityTime, ...identity }]) => [id, identity]));
}

async function twins(hub, ids) {
  return new Map(await each(ids, 16, async (id) => {
    const { tags, properties } = expect(`twin of ${id}`, await theirs.hub(hub, 'GET', `/twins/${id}`), 200);
    return [id, JSON.stringify({ tags, desired: { ...properties.desired, $metadata: undefined, $version: undefined } })];
  }));
}

async function hubsHold(hubs) {
  const all = new Map();
  for (const hub of hubs) {
    const devices = await registry(hub);
    all.set(hub.host, { devices, twins: await twins(hub, [...devices.keys()]) });
  }
  return all;
}

// --- a fleet ----------------------------------------------------------------------------------------------------------------------------

const TWIN = '{"tags":{"hall":"B","n":[0.1,1e-7,12345678901234567890123]},"properties":{"desired":{"rate":21.30}}}';

// `count` devices enrolled there, those of a group among them, registered; and entries that never registered, of every other kind.
class Fleet {
  constructor(made, count, ofGroup) {
    Object.assign(this, { made, call: service(theirs, made.instance), group: fresh('hall') });
    this.own = Array.from({ length: count - ofGroup }, (_, n) => ({ id: `${this.group}-own-${n}`, key: sas.newKey(), n }));
    this.members = Array.from({ length: ofGroup }, (_, n) => ({ id: `${this.group}-Member-${n}` }));
  }

  entry({ id, key, n }) {
    const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: sas.newKey() } };
    return { registrationId: id, attestation, ...(n % 3 === 0 && { deviceId: `${id}.dev` }), ...(n % 4 === 0 && { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: n % 8 === 0 } }),
      ...(n % 5 === 0 && { initialTwin: 'TWIN' }), ...(n % 7 === 0 && { iotHubs: [this.made.hubs[n % this.made.hubs.length].host] }), capabilities: { iotEdge: n % 9 === 0 } };
  }

  async enroll() {
    const tens = [];
    for (let i = 0; i < this.own.length; i += 10) tens.push(this.own.slice(i, i + 10).map((device) => this.entry(device)));
    await each(tens, 8, async (enrollments) => {
      const body = JSON.stringify({ mode: 'create', enrollments }).replaceAll('"TWIN"', TWIN);
      assert.deepEqual(expect('enroll ten', await this.call('POST', '/enrollments', { body }), 200).errors, []);
    });
    const groupKey = sas.newKey();
    expect('a group', await this.call('PUT', `/enrollmentGroups/${this.group}`, { body: { enrollmentGroupId: this.group, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: groupKey, secondaryKey: sas.newKey() } } } }), 200);
    for (const member of this.members) member.key = derive(groupKey, member.id);
    this.devices = [...this.own, ...this.members];
  }

  async enrollOthers() {
    const ca = certificate(fresh('ca'), { ca: true });
    const leaf = certificate(`${this.group}-leaf`);
    const root = certificate(`${this.group} root`, { ca: true });
    const between = certificate(`${this.group} between`, { ca: true, by: root });
    const chained = certificate(`${this.group}-Chained`, { by: between });
    const tpm = new SoftTpm();
    this.tpm = { id: `${this.group}-tpm`, is: tpm };
    // Each registers by itself, on the deployment that it is told of.
    this.attested = [['leaf', (of, scope, id) => registered(scope, id, leaf, of)], ['Chained', (of, scope, id) => registered(scope, id, { cert: chained.cert + between.cert, key: chained.key }, of)],
      ['tpm', (of, scope, id) => Object.assign(new ATTESTED.TPM({ of, idScope: scope }, id), { tpm }).register()]].map(([name, register]) => ({ id: `${this.group}-${name}`, register }));
    const put = async (noun, id, body) => expect(`put ${id}`, await this.call('PUT', `/${noun}/${id}`, { body }), 200);
    await put('enrollmentGroups', `${this.group}-ca`, { enrollmentGroupId: `${this.group}-ca`, attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: ca.cert } } } }, provisioningStatus: 'disabled' });
    await put('enrollmentGroups', `${this.group}-chain`, { enrollmentGroupId: `${this.group}-chain`, attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: root.cert } } } }, initialTwin: { tags: { of: 'chain' } } });
    await put('enrollments', `${this.group}-leaf`, { registrationId: `${this.group}-leaf`, attestation: { type: 'x509', x509: { clientCertificates: { primary: { certificate: leaf.cert } } } } });
    await put('enrollments', `${this.group}-tpm`, { registrationId: `${this.group}-tpm`, attestation: { type: 'tpm', tpm: tpm.shown } });
    await put('enrollments', `${this.group}-off`, Idscope.enrollment(`${this.group}-off`, { provisioningStatus: 'disabled', optionalDeviceInformation: { floor: 3 } }));
  }

  // Those with certificates and with a TPM.
  async registerAttested(of, scope) {
    return new Map(await each(this.attested, 1, async ({ id, register }) => {
      const state = await register(of, scope, id);
      assert.equal(state.status, 'assigned', `${id}: ${JSON.stringify(state)}`);
      return [id, { hub: state.assignedHub, deviceId: state.deviceId, substatus: state.substatus, key: state.tpm && state.tpm.authenticationKey }];
    }));
  }

  register(of, scope) {
    return each(this.devices, 24, async (device) => {
      const state = await of.register(scope, device, { pollMs: 50 });
      assert.equal(state.status, 'assigned', `${device.id}: ${JSON.stringify(state)}`);
      return [device.id, { hub: state.assignedHub, deviceId: state.deviceId, substatus: state.substatus }];
    }).then((all) => new Map(all));
  }
}

// Where it came from, and an empty instance here with the same ID scope and the same hubs.
async function moving(t, count, ofGroup, hubs = 2) {
  const made = await scene(t, { hubs }, theirs);
  for (const hub of made.hubs) names('127.0.0.2', hub.host);
  names(FRONT, made.instance.host);
  const fleet = new Fleet(made, count, ofGroup);
  await fleet.enroll();
  await fleet.enrollOthers();
  const here = fresh('moved');
  await idscope.createGroup(here);
  t.after(() => idscope.deleteGroup(here));
  await admin('instance', 'create', `--id-scope=${made.idScope}`, `--tenant=${idscope.env.IDSCOPE_TENANT_ID}`, `--subscription=${idscope.subscription}`, `--group=${here}`, `--name=${here}`, '--location=westeurope');
  const instance = await idscope.createInstance(here, here, { iotHubs: made.hubs.map((hub) => Idscope.link(hub)) });
  names('127.0.0.1', instance.host);
  return { made, fleet, instance, from: made.instance.connectionString, into: instance.connectionString, call: service(idscope, instance) };
}

const undefined_ = () => undefined;
const without = (connectionString, name, key) => connectionString.replace(/SharedAccessKeyName=[^;]*/, `SharedAccessKeyName=${name}`).replace(/SharedAccessKey=[^;]*$/, `SharedAccessKey=${key}`);

describe('pull: from another deployment', () => {
  let front;
  before(async () => {
    await theirs.signIn();
    front = new Front(FRONT, PEM(), fs.readFileSync(`${work}/ca.pem`), '127.0.0.2');
    await front.start();
  });
  after(() => front.stop());

  test(`${DEVICES} devices: each registers here on the hub and under the id that it had; no identity is made or deleted, no twin changes`, async (t) => {
    const { made, fleet, instance, from, into, call } = await moving(t, DEVICES, OF_GROUP);
    const there = new Map([...await fleet.register(theirs, made.idScope), ...await fleet.registerAttested(theirs, made.idScope)]);
    const kept = await Promise.all(['enrollments', 'enrollmentGroups'].map((noun) => entries(fleet.call, noun)));
    const held = await hubsHold(made.hubs);
    const began = Date.now();
    const end = await done(pull(from, into));
    t.diagnostic(`${DEVICES} devices pulled in ${((Date.now() - began) / 1000).toFixed(1)} s: ${end.out.trim().split('\n').at(-1)}`);
    assert.deepEqual(leftOf(end), []);
    assert.deepEqual(summary(end), { enrollmentGroups: { read: 3, brought: 3, there: 0, left: 0 }, enrollments: { read: DEVICES - OF_GROUP + 3, brought: DEVICES - OF_GROUP + 3, there: 0, left: 0 },
      registrations: { read: DEVICES + 3, brought: DEVICES + 3, there: 0, left: 0 } });
    assert.deepEqual(await Promise.all(['enrollments', 'enrollmentGroups'].map((noun) => entries(call, noun))), kept, 'entry by entry, with keys and certificates, as written');
    const here = new Map([...await fleet.register(idscope, instance.idScope), ...await fleet.registerAttested(idscope, instance.idScope)]);
    for (const [id, was] of there) assert.deepEqual([id, here.get(id).hub, here.get(id).deviceId], [id, was.hub, was.deviceId]);
    const after = await hubsHold(made.hubs);
    // A TPM is handed the key of its identity with each assignment: it is the hub's, and need not be the one before.
    const byTpm = here.get(fleet.tpm.id);
    const shown = (id, identity) => (id === byTpm.deviceId ? { ...identity, authentication: identity.authentication.type } : identity);
    assert.equal(fleet.tpm.is.open(byTpm.key), after.get(byTpm.hub).devices.get(byTpm.deviceId).authentication.symmetricKey.primaryKey, 'the key that the TPM was handed here is the one at the hub');
    for (const [host, before] of held) {
      assert.deepEqual([...after.get(host).devices.keys()], [...before.devices.keys()], `${host}: 0 identities made or deleted`);
      for (const [id, identity] of before.devices) assert.deepEqual(shown(id, after.get(host).devices.get(id)), shown(id, identity), `${host}: ${id}`);
      assert.deepEqual(after.get(host).twins, before.twins, `${host}: twins`);
    }
  });

  // What a run asks of the source: nothing but this.
  const READS = /^POST \/(enrollments|enrollmentGroups)\/query$|^POST \/(enrollments|enrollmentGroups)\/[^/]+\/attestationmechanism$|^POST \/registrations\/[^/]+\/query$|^GET \/registrations\/[^/]+$/;
  const asked = () => front.requests.map(({ method, path: at }) => `${method} ${at}`);
  const quietly = async (instead, work) => {
    front.requests = [];
    front.instead = instead;
    try {
      return await work();
    } finally {
      front.instead = () => undefined;
    }
  };
  const COUNT = 14;
  const small = (t) => moving(t, COUNT, 2, 1);
  const ENTRIES = COUNT - 2 + 3;
  const WHOLE = { enrollmentGroups: 3, enrollments: ENTRIES, registrations: COUNT };
  const is = (end, word) => assert.deepEqual(Object.fromEntries(Object.entries(summary(end)).map(([noun, tally]) => [noun, tally[word]])), WHOLE);

  test('a dry run reads all and writes nothing', async (t) => {
    const { made, fleet, from, into, call } = await small(t);
    await fleet.register(theirs, made.idScope);
    const end = await quietly(undefined_, () => done(pull(from, into, ['--dry-run=yes'])));
    is(end, 'brought');
    assert.deepEqual(leftOf(end), []);
    assert.match(end.out, /would be brought/);
    for (const noun of ['enrollments', 'enrollmentGroups']) assert.deepEqual(await list(call, noun), []);
    for (const one of asked()) assert.match(one, READS, 'the source is read and nothing else');
  });

  test('a dry run of registrations: what their enrollments bring with them is no fault, what the target will refuse is', async (t) => {
    const { made, fleet, instance, from, into, call } = await small(t);
    await fleet.register(theirs, made.idScope);
    const [shy, ...others] = fleet.own;
    await idscope.putInstance(instance.group, instance.name, { iotHubs: [] });
    const nowhere = await quietly(undefined_, () => done(pull(from, into, ['--dry-run=yes'])));
    const refusedStates = leftOf(nowhere).filter((line) => line.startsWith('left: registration '));
    assert.equal(refusedStates.length, COUNT);
    for (const line of refusedStates) assert.match(line, /assignedHub: .* is not a linked hub of this instance/);
    await idscope.putInstance(instance.group, instance.name, { iotHubs: made.hubs.map((hub) => Idscope.link(hub)) });
    const end = await quietly(({ path: at }) => (at === `/enrollments/${shy.id}/attestationmechanism` ? { status: 404 } : undefined), () => done(pull(from, into, ['--dry-run=yes'])));
    assert.deepEqual(leftOf(end).map((line) => line.split(':')[1].trim()), [`enrollment ${shy.id}`, `registration ${shy.id}`]);
    assert.equal(summary(end).registrations.brought, others.length + fleet.members.length);
    for (const noun of ['enrollments', 'enrollmentGroups']) assert.deepEqual(await list(call, noun), []);
  });

  test('at another port than 443, on either side', async (t) => {
    const { made, fleet, instance, from, into } = await small(t);
    await fleet.register(theirs, made.idScope);
    const doors = [new Front(FRONT, PEM(), fs.readFileSync(`${work}/ca.pem`), '127.0.0.2', undefined, { port: 8443 }), new Front('127.0.0.1', fs.readFileSync(path.join(stack.folder, 'tls/server.pem.ecdsa')), fs.readFileSync(`${work}/ca.pem`), '127.0.0.1', undefined, { port: 8444 })];
    for (const door of doors) await door.start();
    t.after(() => Promise.all(doors.map((door) => door.stop())));
    const at = (text, host, port) => text.replace(host, `${host}:${port}`);
    is(await quietly(undefined_, () => done(pull(at(from, made.instance.host, 8443), at(into, instance.host, 8444)))), 'brought');
    assert.deepEqual(asked(), [], 'nothing was asked at 443');
    for (const door of doors) assert.ok(door.requests.length > 0);
    const end = await pull(at(from, made.instance.host, 84433), into).ended;
    assert.deepEqual([end.code, /--from: The port of HostName .* must be 1 to 65535/.test(end.said)], [78, true], end.said);
  });

  test('a source that asks for patience gets it: 429 and 503 with Retry-After, lost lines; and is asked for nothing twice', async (t) => {
    const { made, fleet, from, into } = await small(t);
    await fleet.register(theirs, made.idScope);
    const [soon, late] = ['1', '2'].map((s) => ({ 'Retry-After': s }));
    // A line that was in use before is tried again at once, since it may have been closed for its age; one that is new and breaks is not.
    const said = new Map([[1, { status: 429, headers: late }], [4, 'cut'], [5, 'cut'], [8, { status: 503, headers: soon }], [10, 'lost'], [11, 'lost'], [13, { status: 429 }], [14, { status: 429, headers: soon }]]);
    const end = await quietly((_, n) => said.get(n), () => done(pull(from, into)));
    is(end, 'brought');
    const least = { 1: 2000, 5: 500, 8: 1000, 11: 500, 13: 500, 14: 1000 };
    for (const [n, ms] of Object.entries(least)) assert.ok(front.requests[+n + 1].at - front.requests[n].at >= ms - 20, `request ${n} was tried again after ${front.requests[+n + 1].at - front.requests[n].at} ms`);
    const calls = asked();
    for (const n of said.keys()) assert.equal(calls[n + 1], calls[n], 'the same call, and none meanwhile');
    const once = calls.filter((_, n) => !said.has(n));
    const keys = once.filter((one) => one.endsWith('/attestationmechanism'));
    assert.equal(new Set(keys).size, keys.length);
    assert.equal(keys.length, ENTRIES - 1 + 3, 'one for each entry, but for that of a TPM, which its list shows');
    assert.equal(once.length, keys.length + 2 + 3 + 3, 'the two lists, the states of three that never registered, and the devices of three groups');
    assert.match(end.said, /HTTP 429; asked again in 2 s/);
    assert.ok(end.out.includes(`put off ${Object.keys(least).length};`), end.out);
  });

  test('killed in the middle and begun again: the same result, and what was there is not asked for again', async (t) => {
    const { made, fleet, from, into, call } = await moving(t, 60, 6, 1);
    await fleet.register(theirs, made.idScope);
    const kept = await Promise.all(['enrollments', 'enrollmentGroups'].map((noun) => entries(fleet.call, noun)));
    let run;
    await quietly((_, n) => { if (n === 40) run.child.kill('SIGKILL'); }, async () => {
      run = pull(from, into);
      assert.equal((await run.ended).code, 'SIGKILL');
    });
    const before = await list(call, 'enrollments');
    const states = await list(call, 'registrations');
    assert.ok(before.length > 0 && before.length < 57, `${before.length} of 57`);
    const end = await quietly(undefined_, () => done(pull(from, into)));
    const { enrollments, registrations } = summary(end);
    assert.deepEqual(enrollments, { read: 57, brought: 57 - before.length, there: before.length, left: 0 });
    assert.deepEqual(registrations, { read: 60, brought: 60 - states.length, there: states.length, left: 0 });
    assert.equal(asked().filter((one) => one.endsWith('/attestationmechanism')).length, 56 - before.length, 'all but that of the TPM');
    assert.deepEqual(await Promise.all(['enrollments', 'enrollmentGroups'].map((noun) => entries(call, noun))), kept);
    const etags = async () => (await list(call, 'enrollments')).map(({ registrationId, etag }) => [registrationId, etag]);
    const as = await etags();
    const again = summary(await done(pull(from, into)));
    assert.deepEqual(again, { enrollmentGroups: { read: 3, brought: 0, there: 3, left: 0 }, enrollments: { read: 57, brought: 0, there: 57, left: 0 }, registrations: { read: 60, brought: 0, there: 60, left: 0 } }, 'a third run finds all there');
    assert.deepEqual(await etags(), as, 'and touches nothing');
  });

  test('what cannot be read or is not taken is told, one by one, and the rest comes over', async (t) => {
    const { fleet, from, into, call } = await small(t);
    const [masked, empty] = fleet.own.map(({ id }) => id);
    const keys = (primaryKey) => ({ status: 200, body: { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: sas.newKey() } } });
    const elsewhere = { enrollmentGroupId: 'elsewhere', iotHubs: ['nobody.example'], attestation: { type: 'symmetricKey' } };
    const added = [elsewhere, { enrollmentGroupId: 'by-reference', attestation: { type: 'x509', x509: { caReferences: { primary: 'nobodys' } } } },
      { enrollmentGroupId: 'custom', allocationPolicy: 'custom', customAllocationDefinition: { webhookUrl: 'https://x.example/f', apiVersion: '2019-03-31' }, attestation: { type: 'symmetricKey' } }];
    const instead = ({ path: at }) => {
      if (at === `/enrollments/${masked}/attestationmechanism`) return keys('****');
      if (at === `/enrollments/${empty}/attestationmechanism`) return keys('');
      if (at === '/enrollmentGroups/query') return { status: 200, body: added };
      if (at === '/enrollmentGroups/by-reference/attestationmechanism') return { status: 200, body: added[1].attestation };
      if (/^\/enrollmentGroups\/(custom|elsewhere)\/attestationmechanism$/.test(at)) return keys(sas.newKey());
      return undefined;
    };
    const tried = await quietly(instead, () => done(pull(from, into, ['--dry-run=yes'])));
    for (const noun of ['enrollments', 'enrollmentGroups']) assert.deepEqual(await list(call, noun), [], 'a dry run writes nothing');
    const end = await quietly(instead, () => done(pull(from, into)));
    const left = leftOf(end);
    assert.deepEqual([leftOf(tried), summary(tried)], [left, summary(end)], 'a dry run tells the same, of both sides');
    assert.deepEqual(left.filter((line) => /^left: enrollment hall/.test(line)).sort(), [masked, empty].map((id) => `left: enrollment ${id}: the source does not show its keys`).sort());
    assert.match(end.out, /^left: enrollment group by-reference: .*caReferences/m);
    assert.match(end.out, /^left: enrollment group elsewhere: .*nobody\.example/m);
    assert.match(end.out, /^note: enrollment group custom: custom allocation is not offered here/m);
    assert.equal((await list(call, 'enrollments')).length, ENTRIES - 2);
    assert.deepEqual((await list(call, 'enrollmentGroups')).map(({ enrollmentGroupId: id }) => id).filter((id) => id !== 'custom'), []);
    assert.equal(summary(end).enrollmentGroups.read, added.length);
    assert.equal(summary(end).enrollments.left, 2);
  });

  test('who may not is told which right is missing, on which side; keys are never shown, nor told to who lists processes', async (t) => {
    const { made, from, into } = await small(t);
    const key = sas.newKey();
    await made.put({ ...made.properties, authorizationPolicies: [...made.instance.keys.map(({ keyName, primaryKey, secondaryKey, rights }) => ({ keyName, primaryKey, secondaryKey, rights })),
      { keyName: 'reads', primaryKey: key, secondaryKey: sas.newKey(), rights: 'EnrollmentRead' }, { keyName: 'nothing', primaryKey: key, secondaryKey: sas.newKey(), rights: 'DeviceConnect' }] });
    const cases = [
      [[without(from, 'reads', key), into], 78, /--from: .* refuses POST \/enrollmentGroups\/.*attestationmechanism \(HTTP 401\): the key of policy reads must be right and the policy have EnrollmentWrite/],
      [[without(from, 'nothing', key), into], 78, /--from: .* policy nothing must be right and the policy have EnrollmentRead/],
      [[without(from, 'provisioningserviceowner', sas.newKey()), into], 78, /--from: .* refuses/],
      [[from, without(into, 'provisioningserviceowner', sas.newKey())], 78, /--into: .* refuses POST \/enrollmentGroups\/query/],
      [[from.replace(/SharedAccessKey=.*/, 'SharedAccessKey=****'), into], 78, /--from: SharedAccessKey is no key/],
      [[from.replace(/HostName=[^;]*;/, ''), into], 78, /--from: .*HostName/],
      [[from.replace(/HostName=[^;]*/, 'HostName=nobody.second.test'), into], 1, /--from: nobody\.second\.test cannot be asked: /],
      [[from, from], 78, /name the same service/],
      [[undefined, into], 78, /--from-file=FILE, IDSCOPE_PULL_FROM or --from=/],
      [[from, into, ['--ca-file=/etc/ssl/certs/ca-certificates.crt']], 1, /--into: .* cannot be asked: SSL/],
      [[from, into, ['--dry-run=perhaps']], 78, /--dry-run is yes or no/],
      [[from, into, ['--dryrun=yes']], 2, /usage: idscope-admin/],
    ];
    for (const [words, code, pattern] of cases) {
      const end = await pull(...words).ended;
      assert.equal(end.code, code, `${pattern}\n${end.out}${end.said}`);
      assert.match(end.said, pattern);
      for (const secret of [key, made.instance.key, into.split('SharedAccessKey=')[1]]) assert.ok(!`${end.out}${end.said}`.includes(secret), 'no key is shown');
    }
    let seen = '';
    const hold = new Promise((resolve) => { front.held = resolve; });
    const run = pull(undefined, into, [`--from=${from}`]);
    await quietly(() => { seen = fs.readFileSync(`/proc/${run.child.pid}/cmdline`, 'latin1'); front.held(); }, async () => { await hold; await done(run); });
    assert.match(seen, /--from=/);
    assert.ok(!seen.includes(made.instance.key), 'the list of processes does not show it');
    const { enrollments } = summary(await done(pull(undefined, undefined, [], { IDSCOPE_PULL_FROM: from, IDSCOPE_PULL_INTO: into })));
    assert.deepEqual(enrollments, { read: ENTRIES, brought: 0, there: ENTRIES, left: 0 });
  });
});
