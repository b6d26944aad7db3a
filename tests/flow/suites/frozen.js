// frozen.js: the database is there and says nothing: all its processes are stopped for a while. Everybody is told so in time, by a thread that waits for
// nothing; nothing that was refused runs afterwards; and when the database goes on, so does the service, by itself.
'use strict';

const { execFileSync } = require('node:child_process');
const { describe, test } = require('node:test');
const { assert, stack, idscope, Idscope, admin, expect, sas, fresh, refused, refusedArm, refusedHub, atRest, scene, sleep, until } = require('../kit');
const { Door, DOOR_MS } = require('../door');

const ANSWER_MS = 13000; // request_timeout_ms is 10000
const UNREADY_MS = 6000;

async function ready(part) {
  const response = await fetch(`http://${stack.health(part)}/readyz`, { signal: AbortSignal.timeout(5000) });
  return response.status === 200;
}

// The server's processes of this moment: the first one stops first, so that it starts no others.
async function whileFrozen(work) {
  const first = stack.pid('postgres');
  process.kill(first, 'SIGSTOP');
  const all = [first, ...execFileSync('pgrep', ['-P', String(first)], { encoding: 'utf8' }).trim().split('\n').map(Number)];
  try {
    for (const pid of all) process.kill(pid, 'SIGSTOP');
    return await work();
  } finally {
    for (const pid of all.reverse()) process.kill(pid, 'SIGCONT');
  }
}

async function timed(work) {
  const begun = Date.now();
  const answer = await work();
  return { answer, ms: Date.now() - begun };
}

describe('frozen: a second door', () => {
  test('calls without HTTP are run by the same lanes; while the database is frozen each comes back once and in time, and nothing is left of it', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.registered();
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    const door = new Door(t);
    const host = `global.dps.${idscope.domain}`;
    const register = () => door.ask('PUT', host, `/${made.idScope}/registrations/${device.id}/register?api-version=2021-10-01`, authorization);
    const keys = () => door.ask('GET', 'localhost', '/adfs/discovery/keys');
    const listing = () => door.ask('GET', made.hubs[0].host, '/devices?api-version=2021-04-12', sas.forHost(made.hubs[0].host, made.hubs[0].keys[0].keyName, made.hubs[0].keys[0].primaryKey));
    const inline = () => door.ask('GET', 'localhost', '/metadata/endpoints?api-version=2015-01-01');
    const bearer = `Bearer ${await idscope.signIn()}`;
    const subscriptions = () => door.ask('GET', 'localhost', '/subscriptions?api-version=2021-04-01', bearer);
    await until('the second door to be open', () => door.open, { timeoutMs: 20000 });
    const statuses = async (numbers) => (await door.answersTo(numbers, 10000)).map((answer) => answer.status);
    assert.deepEqual(await statuses([register(), keys(), listing(), inline(), door.ask('GET', 'localhost', '/none')]), [202, 200, 200, 200, 404]);
    const said = new Map(door.requests().map((request) => [request.operation, request]));
    assert.deepEqual([...said.keys()].map(String).sort(), ['hub_device_list', 'jwks', 'metadata_endpoints', 'register', 'undefined'], 'operations in the access log');
    assert.deepEqual([said.get('register').idScope, said.get('hub_device_list').plane], [made.idScope, 'hub']);
    for (const { trackingId, address, totalUs } of said.values()) assert.ok(trackingId && address === 'a line' && totalUs >= 0);

    await whileFrozen(async () => {
      const numbers = Array.from({ length: 60 }, (_, i) => [register, listing, subscriptions][i % 3]());
      const fast = [inline(), keys()];
      for (const { status, ms } of await door.answersTo(numbers, 10000)) {
        assert.equal(status, 503);
        assert.ok(ms < DOOR_MS + 1500, `an answer took ${ms} ms`);
      }
      for (const { status, ms } of await door.answersTo(fast, 1000)) assert.ok(status === 200 && ms < DOOR_MS / 2, 'what needs no lane goes on');
    });
    await until('the second door to serve again', async () => (await statuses([register()]))[0] === 202, { timeoutMs: 30000 });
    await door.end();
  });

  test('the second statement of a call is not sent when its time was over with the first', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const known = await made.registered();
    const device = await made.enroll();
    const door = new Door(t);
    const register = ({ id, key }) => door.ask('PUT', `global.dps.${idscope.domain}`, `/${made.idScope}/registrations/${id}/register?api-version=2021-10-01`, sas.forDevice(made.idScope, id, key));
    const statusOf = async (number) => (await door.answersTo([number], 10000))[0].status;
    await until('the second door to be open', () => door.open, { timeoutMs: 20000 });
    assert.equal(await statusOf(register(known)), 202); // the look-up of the scope is remembered: what is frozen is the operation's own first statement

    await whileFrozen(async () => assert.equal(await statusOf(register(device)), 503));
    await sleep(1000); // the look-up has been answered by now, and a write would have been done
    expect('registration', await idscope.service(made.instance, 'GET', `/registrations/${device.id}`), 404);
    await until('the second door to serve again', async () => (await statusOf(register(device))) === 202, { timeoutMs: 30000 });
    await door.end();
  });
});

describe('frozen: token keys', () => {
  test('a token of a key that was made a moment ago is good in a process whose management lanes are all held, and the key is published within seconds', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const published = async () => expect('keys', await idscope.https.request('GET', 'localhost', '/adfs/discovery/keys'), 200).keys.map((key) => key.kid);
    const kidOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
    const signIn = async () => expect('token', await idscope.requestToken({ scope: 'https://azure-devices-provisioning.net/.default' }), 200).access_token;
    const door = new Door(t, { callMs: 60000 });
    await until('the second door to be open', () => door.open, { timeoutMs: 20000 });
    const statusOf = async (method, host, target, bearer) => (await door.answersTo([door.ask(method, host, target, bearer)], 20000))[0].status;
    const group = fresh('held');
    await idscope.createGroup(group);
    const remove = () => door.ask('DELETE', 'localhost', `${idscope.groupPath(group)}?api-version=2021-04-01`, `Bearer ${idscope.token}`);

    const holder = stack.sql(`begin; select from idscope.resource_group where name = '${group}' for update; select pg_sleep(60); commit`).catch(() => {});
    const sessions = (what, which) => stack.sql(`select ${what} from pg_stat_activity where ${which}`);
    await until('the row to be locked', async () => (await sessions('count(*)', "query ~ 'pg_sleep.60.' and wait_event = 'PgSleep'")) === '1');
    const held = [remove(), remove()];
    await until('both lanes to be held', async () => (await sessions('count(*)', "wait_event_type = 'Lock' and application_name = 'idscope-api management'")) === '2');
    const before = await published();
    await admin('new-token-key');
    await sleep(3000); // what was read a moment ago is not read again for every token that is bad
    await until('the other process to publish the new key', async () => (await published()).some((kid) => !before.includes(kid)), { timeoutMs: PUBLISHED_MS });
    const token = await signIn();
    assert.ok(!before.includes(kidOf(token)), 'signed by the new key');
    assert.equal(await statusOf('GET', made.instance.host, `/enrollments/none?api-version=2021-10-01`, `Bearer ${token}`), 404, 'the new key is known');
    assert.equal(await statusOf('GET', 'localhost', '/adfs/discovery/keys'), 200, 'the key set is told without a lane');
    assert.ok(held.every((number) => !door.answers.has(number)), 'both lanes were held all the while');

    await sessions('pg_terminate_backend(pid)', "query ~ 'pg_sleep.60.' and wait_event = 'PgSleep'");
    await holder;
    for (const { status } of await door.answersTo(held, 20000)) assert.ok(status < 500);
    await door.end();
  });
});
const PUBLISHED_MS = 13000; // each process looks every ten seconds

describe('frozen: PostgreSQL is stopped', () => {
  test('every plane answers 503 in time, api and worker are not ready, what was refused is not done later, and all is well again', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.registered();
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    const ids = Array.from({ length: 20 }, () => fresh('late'));
    const put = (id) => idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: Idscope.enrollment(id) });

    await whileFrozen(async () => {
      const begun = Date.now();
      const unready = Promise.all(['api1', 'worker1'].map((part) => until(`${part} to be unready`, async () => !(await ready(part)), { timeoutMs: 30000, everyMs: 100 })
        .then(() => Date.now() - begun)));
      const [puts, register, poll, list, get] = await Promise.all([
        Promise.all(ids.map((id) => timed(() => put(id)))),
        timed(() => idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization })),
        timed(() => idscope.device('POST', made.idScope, device.id, { body: {}, authorization })),
        timed(() => idscope.hub(made.hubs[0], 'GET', '/devices')),
        timed(() => idscope.arm('GET', idscope.instancePath(made.group, made.instance.name))),
      ]);
      for (const { answer } of puts) refused(answer, 503);
      for (const { answer } of [register, poll]) refused(answer, 503);
      refusedHub(list.answer, 503, 'ServiceUnavailable');
      refusedArm(get.answer, 503, 'ServiceUnavailable');
      for (const { answer, ms } of [...puts, register, poll, list, get]) {
        assert.ok(ms < ANSWER_MS, `an answer took ${ms} ms`);
        assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
      }
      for (const unreadyMs of await unready) assert.ok(unreadyMs < UNREADY_MS, `unready after ${unreadyMs} ms`);
    });

    await until('every plane to be back', async () => {
      const answers = await Promise.all([idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), idscope.service(made.instance, 'GET', `/enrollments/${device.id}`),
        idscope.hub(made.hubs[0], 'GET', '/devices'), made.poll(device, 'none')]);
      return (await ready('api1')) && (await ready('worker1')) && answers.every((answer) => answer.status < 500);
    }, { timeoutMs: 30000 });

    // Neither what waited, nor what had reached the database when it stopped: that goes on late, and finds that it is too late.
    await sleep(1000);
    const found = await Promise.all(ids.map((id) => idscope.service(made.instance, 'GET', `/enrollments/${id}`)));
    for (const answer of found) expect('done afterwards', answer, 404);
    for (const id of ids) expect('again', await put(id), 200);
    assert.equal((await made.register(device)).status, 'assigned');
    await atRest(stack, 15000); // nothing is left of the calls that were given up
  });
});
