// faults.js: what is taken away while work is under way: the database, links, hubs, enrollments, whole instances; and what must outlive everything:
// explanations, tokens. One test after the other: each takes parts of the stack away from all.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, describe, test } = require('node:test');
const { assert, stack, idscope, Idscope, expect, sas, refused, refusedArm, refusedHub, atRest, scene, until } = require('../kit');

const links = (hubs, more = []) => hubs.map((hub, i) => Idscope.link(hub, more[i]));
const unavailable = (answer, check) => {
  check();
  assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
};

// Starts a registration that cannot go on, because no worker runs.
async function underWay(made, more = {}) {
  const device = await made.enroll(more);
  device.operationId = (await made.start(device)).operationId;
  assert.equal((await made.poll(device, device.operationId)).status, 202);
  return device;
}

const ending = (made, device) => until(`${device.id} to end`, async () => {
  const answer = await made.poll(device, device.operationId);
  assert.ok([200, 202].includes(answer.status), answer.text);
  return answer.status === 200 && answer.json.registrationState;
}, { timeoutMs: 90000 });

// Whatever was taken away: no call outlives its answer.
const faults = (what, tests) => describe(`faults: ${what}`, () => {
  after(() => atRest());
  tests();
});

async function withoutWorker(work) {
  await stack.run('stop-part', 'worker');
  try {
    return await work();
  } finally {
    await stack.run('start-part', 'worker');
  }
}

faults('PostgreSQL', () => {
  test('while it is down every plane says 503 in its own shape with Retry-After; then the service is whole again by itself', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [hub] = made.hubs;
    const device = await made.registered();
    const waiting = await made.enroll();
    await stack.run('stop-part', 'postgres');
    try {
      const arm = await idscope.arm('GET', idscope.instancePath(made.group, made.instance.name));
      unavailable(arm, () => refusedArm(arm, 503, 'ServiceUnavailable'));
      const service = await idscope.service(made.instance, 'GET', `/enrollments/${device.id}`);
      unavailable(service, () => refused(service, 503));
      const authorization = sas.forDevice(made.idScope, device.id, device.key);
      const register = await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization });
      unavailable(register, () => refused(register, 503));
      const status = await idscope.device('POST', made.idScope, device.id, { body: {}, authorization });
      unavailable(status, () => refused(status, 503));
      const list = await idscope.hub(hub, 'GET', '/devices');
      unavailable(list, () => refusedHub(list, 503, 'ServiceUnavailable'));
      // For a second the api knows its clients without asking; after that it cannot say who they are.
      const token = await until('the client to be looked up again', async () => {
        const answer = await idscope.requestToken({});
        return answer.status !== 200 && answer;
      }, { timeoutMs: 5000 });
      unavailable(token, () => assert.equal(token.status, 503, token.text));
      assert.equal((await idscope.https.request('GET', 'localhost', '/metadata/endpoints?api-version=2015-01-01')).status, 200, 'what needs no database goes on');
    } finally {
      await stack.run('start-part', 'postgres');
    }
    await until('every plane to be back', async () => {
      const answers = await Promise.all([idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), idscope.service(made.instance, 'GET', `/enrollments/${device.id}`),
        idscope.hub(hub, 'GET', '/devices'), made.poll(device, 'none')]);
      return answers.every((answer) => answer.status < 500);
    }, { timeoutMs: 30000 });
    for (const one of [device, waiting]) assert.equal((await made.register(one)).status, 'assigned');
  });

  test('a registration that was accepted before the database went is not lost', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const devices = await withoutWorker(async () => {
      const started = await Promise.all(Array.from({ length: 5 }, () => underWay(made)));
      await stack.run('restart-part', 'postgres');
      return started;
    });
    await until('the api to be ready', async () => (await fetch(`http://${stack.health('api1')}/readyz`)).status === 200, { timeoutMs: 30000 });
    for (const device of devices) assert.equal((await ending(made, device)).status, 'assigned');
  });

  test('a lane that loses its connection and gets no other leaves its calls to the other one of its class', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const read = () => idscope.arm('GET', idscope.instancePath(made.group, made.instance.name));
    const up = async () => (await stack.metrics('api1'))['idscope_database_up{lane="management"}'];
    // An idle lane knows up to a second later that its connection is gone: the server knows which are there.
    const there = () => stack.sql("select count(*) from pg_stat_activity where application_name = 'idscope-api management'");
    const allBack = () => until('both lanes to be up', async () => await there() === '2' && await up() === 2, { timeoutMs: 30000 });
    await allBack();
    const connections = Number(await stack.sql("select count(*) from pg_stat_activity where usename = 'idscope_api'"));
    try {
      await stack.sql(`alter role idscope_api connection limit ${connections - 1}`);
      await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'idscope-api management' limit 1");
      await until('the lane to be down', async () => await up() === 1, { timeoutMs: 30000 });
      for (let i = 0; i < 10; i++) for (const answer of await Promise.all(Array.from({ length: 8 }, read))) expect('by the other lane', answer, 200);
    } finally {
      await stack.sql('alter role idscope_api connection limit -1');
      await allBack();
    }
  });
});

faults('changes while registrations are under way', () => {
  test('a hub is unlinked: assigned to what is left; the only one: failed, named hub is said', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [gone, left] = made.hubs;
    const { both, named } = await withoutWorker(async () => {
      const found = { both: await Promise.all(Array.from({ length: 8 }, () => underWay(made))), named: await underWay(made, { iotHubs: [gone.host] }) };
      await made.relink(links([left]));
      return found;
    });
    for (const device of both) assert.equal((await ending(made, device)).assignedHub, left.host);
    const failed = await ending(made, named);
    assert.deepEqual([failed.status, failed.errorCode], ['failed', 400208]);
    assert.equal((await idscope.registry(gone)).size, 0);
  });

  test('a hub is deleted: assigned to another one; the only one: failed 400209 after the grace time', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [gone, left] = made.hubs;
    const { both, named } = await withoutWorker(async () => {
      const found = { both: await Promise.all(Array.from({ length: 8 }, () => underWay(made))), named: await underWay(made, { iotHubs: [gone.host] }) };
      assert.equal((await idscope.arm('DELETE', idscope.hubPath(made.group, gone.name))).status, 204);
      return found;
    });
    for (const device of both) assert.equal((await ending(made, device)).assignedHub, left.host);
    const failed = await ending(made, named);
    assert.deepEqual([failed.status, failed.errorCode], ['failed', 400209]);
  });

  test('an enrollment is disabled: disabled, and no identity is made', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await withoutWorker(async () => {
      const one = await underWay(made);
      await made.change(one, { provisioningStatus: 'disabled' });
      return one;
    });
    assert.equal((await ending(made, device)).status, 'disabled');
    assert.equal(await made.identity(made.hubs[0], device.id), undefined);
  });

  test('an enrollment is deleted: the device is a stranger, and no identity is made', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [gone, stays] = await withoutWorker(async () => {
      const pair = [await underWay(made), await underWay(made)];
      assert.equal((await idscope.service(made.instance, 'DELETE', `/enrollments/${pair[0].id}`)).status, 204);
      return pair;
    });
    refused(await made.poll(gone, gone.operationId), 401, /./, 401002);
    refused(await idscope.service(made.instance, 'GET', `/registrations/${gone.id}`), 404, /./, 404202);
    assert.equal((await ending(made, stays)).status, 'assigned');
    assert.equal(await made.identity(made.hubs[0], gone.id), undefined);
  });

  test('the keys of an enrollment change: the hub gets the new ones', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const key = sas.newKey();
    const device = await withoutWorker(async () => {
      const one = await underWay(made);
      await made.change(one, { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: sas.newKey() } } });
      return { ...one, key };
    });
    assert.equal((await ending(made, device)).status, 'assigned');
    assert.equal((await made.identity(made.hubs[0], device.id)).authentication.symmetricKey.primaryKey, key);
  });

  test('its stored attestation does not open: the device waits, the registration says why, no identity is made, and a whole one ends it', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await withoutWorker(async () => {
      const one = await underWay(made);
      await stack.sql(`update idscope.enrollment set attestation_sealed = '\\x00' where id_scope = '${made.idScope.toLowerCase()}' and registration_key = '${one.id.toLowerCase()}'`);
      return one;
    });
    const state = await until('the registration to say what it waits for', async () => {
      const { registrationState } = expect('get', await idscope.service(made.instance, 'GET', `/enrollments/${device.id}`), 200);
      return /attestation.*cannot be opened/.test(registrationState.errorMessage) && registrationState;
    });
    assert.equal(state.status, 'assigning');
    assert.equal(await made.identity(made.hubs[0], device.id), undefined);
    const key = sas.newKey();
    await made.change(device, { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: sas.newKey() } } });
    assert.equal((await ending(made, { ...device, key })).status, 'assigned');
    assert.equal((await made.identity(made.hubs[0], device.id)).authentication.symmetricKey.primaryKey, key);
  });

  test('the instance is deleted: its devices are strangers, its hubs stay empty, its work is dropped', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const devices = await withoutWorker(async () => {
      const started = await Promise.all(Array.from({ length: 3 }, () => underWay(made)));
      assert.equal((await idscope.arm('DELETE', idscope.instancePath(made.group, made.instance.name))).status, 204);
      return started;
    });
    await until('the ID scope to be dead', async () => (await made.poll(devices[0], devices[0].operationId)).status === 401, { timeoutMs: 15000 });
    for (const device of devices) refused(await made.poll(device, device.operationId), 401, /./, 401002);
    await until('its rows to be purged', async () => (await stack.sql(`select count(*) from idscope.job where id_scope = '${made.idScope.toLowerCase()}'`)) === '0'
      && (await stack.sql(`select (select count(*) from idscope.enrollment where id_scope = '${made.idScope.toLowerCase()}') + (select count(*) from idscope.registration where id_scope = '${made.idScope.toLowerCase()}')`)) === '0');
    assert.equal((await idscope.registry(made.hubs[0])).size, 0);
  });
});

faults('what outlives everything', () => {
  test('an explanation is the same, byte for byte, after weights, policy and latencies changed, the hub was unlinked and everything was restarted', async (t) => {
    const made = await scene(t, { hubs: 2, links: [{ allocationWeight: 2 }, { allocationWeight: 3 }] });
    const hashed = await made.registered();
    await made.relink(links(made.hubs), { allocationPolicy: 'GeoLatency' });
    await until('latency figures', async () => [...(await made.links()).values()].every((link) => link.latency.length > 0));
    const near = await made.registered();
    const explain = () => Promise.all([hashed, near].map(async (device) => (await idscope.explain(made.instance, device.id)).text));
    const before = await explain();
    const token = idscope.token;
    await made.relink(links(made.hubs, [{ allocationWeight: 1 }, { allocationWeight: 900 }]), { allocationPolicy: 'Static' });
    assert.deepEqual(await explain(), before, 'after weights and policy');
    await made.relink([]);
    assert.deepEqual(await explain(), before, 'after unlinking');
    await stack.run('stop');
    await stack.run('start');
    assert.deepEqual(await explain(), before, 'after a restart of everything');
    assert.equal((await idscope.arm('GET', '/subscriptions', { bearer: `Bearer ${token}` })).status, 200, 'a token outlives the restart');
    assert.equal(JSON.parse(before[0]).assignedHub, hashed.state.assignedHub);
  });

  test('neither a plain dump of the database nor the logs hold a key in base64, base64url, hex or raw form', async (t) => {
    const made = await scene(t, { hubs: 2, properties: { authorizationPolicies: [{ keyName: 'provisioningserviceowner', rights: 'ServiceConfig,DeviceConnect,EnrollmentWrite' }] } });
    const devices = await Promise.all(Array.from({ length: 5 }, () => made.registered()));
    await made.relink(links(made.hubs.slice(0, 1)));
    await made.register(devices[0]);
    refused(await idscope.device('PUT', made.idScope, 'nobody/register', { body: {}, authorization: sas.forDevice(made.idScope, 'nobody', devices[0].key) }), 401);
    const own = expect('own', await idscope.hub(made.hubs[0], 'PUT', '/devices/own', { body: { deviceId: 'own' } }), 200).authentication.symmetricKey;

    const ring = fs.readFileSync(path.join(stack.folder, 'keys/ring'), 'utf8').split('\n').filter((line) => line.includes(':')).map((line) => line.split(':')[1].trim());
    const keys = [...devices.flatMap((device) => [device.key, device.secondaryKey]), ...made.hubs.flatMap((hub) => hub.keys.flatMap((key) => [key.primaryKey, key.secondaryKey])),
      ...made.instance.keys.flatMap((key) => [key.primaryKey, key.secondaryKey]), own.primaryKey, own.secondaryKey, ...ring];
    const secret = stack.env.IDSCOPE_CLIENT_SECRET;
    const forms = (bytes) => [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url'), bytes.toString('hex'), bytes.toString('hex').toUpperCase(), bytes.toString('latin1')];
    const needles = new Set([...keys.flatMap((key) => forms(Buffer.from(key, 'base64'))), secret, ...forms(Buffer.from(secret))]);
    assert.ok(keys.length > 30 && needles.size > keys.length * 3);

    const dump = await stack.dump();
    assert.ok(dump.includes(made.idScope.toLowerCase()) && dump.includes(devices[0].id), 'the dump holds the rows');
    const logs = stack.logs();
    assert.ok(logs.some((text) => text.includes(made.idScope) || text.includes(made.idScope.toLowerCase())), 'the logs speak of this instance');
    for (const [where, text] of [['the dump', dump], ...logs.map((log) => ['a log', log])]) {
      for (const needle of needles) assert.ok(!text.includes(needle), `${where} holds a secret: ${crypto.createHash('sha256').update(needle).digest('hex').slice(0, 8)}`);
      assert.ok(!/SharedAccessSignature sr=|sig=[A-Za-z0-9%+/]{20}|Bearer ey/.test(text), `${where} holds a token`);
    }
  });
});
