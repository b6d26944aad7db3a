// foreign.js: hubs of a second deployment with its own database, domain and CA, reached by their own HTTPS address like anybody's hub;
// and what becomes of registrations while such a hub is away, says nothing, or comes back.
// The second deployment stays up all the time: what is taken away is the network between (relay.js).
'use strict';

const { describe, test, before } = require('node:test');
const { Relay } = require('../../lib/relay');
const { assert, stack, idscope, second, Idscope, expect, fresh, names, scene, until } = require('../kit');

const theirs = second.idscope;

async function foreignHub(t, address) {
  const group = fresh('foreign');
  await theirs.createGroup(group);
  t.after(() => theirs.deleteGroup(group));
  const hub = await theirs.createHub(group, fresh('hub'));
  names(address, hub.host);
  return hub;
}

// A relay on an address of its own, so that tests can run side by side.
let last = 10;
async function behindRelay(t, mode) {
  const relay = new Relay(`127.0.0.${last++}`, '127.0.0.2');
  t.after(() => relay.set('closed'));
  await relay.set(mode);
  return { relay, hub: await foreignHub(t, relay.address) };
}

const waitingFor = async (made, device) => JSON.stringify(await idscope.registration(made.instance, device.id));

describe('foreign: a hub of another deployment', { concurrency: 4 }, () => {
  before(() => theirs.signIn());

  test('it is linked, validated, measured and used like any other', async (t) => {
    const hub = await foreignHub(t, '127.0.0.2');
    const made = await scene(t, { hubs: 1 });
    await made.relink([Idscope.link(hub), Idscope.link(made.hubs[0])]);
    await made.linkState(hub.host, 'valid');
    await until('a latency figure', async () => (await made.links()).get(hub.host).latency.length > 0);
    const devices = await Promise.all(Array.from({ length: 24 }, () => made.registered()));
    const registry = await theirs.registry(hub);
    const there = devices.filter((device) => device.state.assignedHub === hub.host);
    assert.ok(there.length > 0 && there.length < devices.length, `${there.length} of ${devices.length}`);
    assert.deepEqual([...registry.keys()].sort(), there.map((device) => device.id).sort());
    for (const device of there) assert.equal(registry.get(device.id).authentication.symmetricKey.primaryKey, device.key);
    await made.relink([Idscope.link(made.hubs[0]), Idscope.link(hub, { applyAllocationPolicy: false })]);
    const state = await made.register(there[0]);
    assert.equal(state.assignedHub, made.hubs[0].host);
    await until('the identity to be removed there', async () => !(await theirs.registry(hub)).has(there[0].id));
  });

  test('unreachable: registrations wait, say for what, with growing Retry-After, and end when the hub is back', async (t) => {
    const { relay, hub } = await behindRelay(t, 'closed');
    const made = await scene(t, { hubs: 0 });
    await made.relink([Idscope.link(hub)]);
    const link = await made.linkState(hub.host, 'unreachable');
    assert.ok(link.reason.length > 0);
    const devices = await Promise.all(Array.from({ length: 5 }, () => made.enroll()));
    const started = await Promise.all(devices.map((device) => made.start(device)));
    await until('the registration to say what it waits for', async () => (await waitingFor(made, devices[0])).includes(hub.host.split('.')[0]));
    const waits = [];
    await until('Retry-After to grow', async () => {
      const answer = await made.poll(devices[0], started[0].operationId);
      assert.equal(answer.status, 202, answer.text);
      assert.equal(answer.json.status, 'assigning');
      waits.push(Number(answer.headers['retry-after']));
      return waits.at(-1) > waits[0];
    }, { timeoutMs: 30000, everyMs: 1000 });
    assert.ok(waits.every((wait, i) => wait >= 3 && wait <= 60 && (i === 0 || wait >= waits[i - 1])), waits.join());
    await relay.set('open');
    const states = await Promise.all(devices.map((device, i) => until(`${device.id} to be assigned`, async () => {
      const answer = await made.poll(device, started[i].operationId);
      assert.ok([200, 202].includes(answer.status), answer.text);
      return answer.status === 200 && answer.json.registrationState;
    }, { timeoutMs: 90000, everyMs: 250 })));
    for (const state of states) assert.deepEqual([state.status, state.assignedHub, state.substatus], ['assigned', hub.host, 'initialAssignment']);
    assert.deepEqual([...(await theirs.registry(hub)).keys()].sort(), devices.map((device) => device.id).sort(), 'none lost, none doubled');
  });

  test('a registration that waits for five hubs is finished as soon as the fifth is back', async (t) => {
    const away = await Promise.all(Array.from({ length: 5 }, () => behindRelay(t, 'closed')));
    away.sort((a, b) => (a.hub.host < b.hub.host ? -1 : 1)); // sentences name the first three
    const made = await scene(t, { hubs: 0 });
    await made.relink(away.map(({ hub }) => Idscope.link(hub)));
    for (const { hub } of away) await made.linkState(hub.host, 'unreachable');
    const device = await made.enroll();
    const { operationId } = await made.start(device);
    await until('the registration to say what it waits for', async () => (await waitingFor(made, device)).includes('and 2 more'));
    // Its own next try is out of the way: an hour from now, when it is not claimed.
    const scope = made.idScope.toLowerCase();
    await until('the job to wait', async () => (await stack.sql(`update idscope.job set due_at = now() + interval '1 hour'
      where id_scope = '${scope}' and kind = 'assign' and waits_for is not null returning 1`)).includes('1'));
    await away[4].relay.set('open');
    await made.linkState(away[4].hub.host, 'valid');
    const back = Date.now();
    const state = await until('the assignment', async () => {
      const answer = await made.poll(device, operationId);
      return answer.status === 200 && answer.json.registrationState;
    }, { timeoutMs: 30000, everyMs: 50 });
    assert.deepEqual([state.status, state.assignedHub], ['assigned', away[4].hub.host]);
    assert.ok(Date.now() - back < 5000, `${Date.now() - back} ms after the hub's return`);
  });

  test('a registration that begins to wait in the moment in which its hub comes back is finished all the same', async (t) => {
    const { relay, hub } = await behindRelay(t, 'closed');
    const made = await scene(t, { hubs: 0 });
    await made.relink([Idscope.link(hub)]);
    await made.linkState(hub.host, 'unreachable');
    const device = await made.enroll();
    const { operationId } = await made.start(device);
    const scope = made.idScope.toLowerCase();
    await until('the job to wait', async () => (await stack.sql(`update idscope.job set due_at = now() + interval '1 hour'
      where id_scope = '${scope}' and kind = 'assign' and waits_for is not null returning 1`)).includes('1'));
    // Its next wait is held up before its commit until the hub is back and whoever waited for it was woken; its next try would be many seconds later.
    await stack.sql(`update idscope.registration set waiting_for = 'something else' where id_scope = '${scope}'`);
    const holder = stack.sql(`do $$ begin perform 1 from idscope.registration where id_scope = '${scope}' for update;
      loop exit when exists (select 1 from idscope.linked_hub where id_scope = '${scope}' and state = 'valid'); perform pg_sleep(0.05); end loop; perform pg_sleep(1); end $$`);
    const held = async (what) => (await stack.sql(what)) !== '0';
    await until('the registration to be held', async () => !await held(`select count(*) from (select 1 from idscope.registration where id_scope = '${scope}' for update skip locked) r`));
    await stack.sql(`update idscope.job set due_at = now(), attempt = 30 where id_scope = '${scope}' and kind = 'assign'`);
    await until('the wait to be held up', () => held("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%waits_for = (SELECT array_agg(w.host)%'"));
    await relay.set('open');
    await holder;
    const since = Date.now();
    await until('the assignment', async () => (await made.poll(device, operationId)).status === 200, { timeoutMs: 30000, everyMs: 50 });
    assert.ok(Date.now() - since < 5000, `${Date.now() - since} ms after the wait began`);
  });

  test('unreachable beside a good one: new devices go to the good one', async (t) => {
    const { hub } = await behindRelay(t, 'closed');
    const made = await scene(t, { hubs: 1 });
    await made.relink([Idscope.link(hub, { allocationWeight: 1000 }), Idscope.link(made.hubs[0])]);
    await made.linkState(hub.host, 'unreachable');
    for (const device of await Promise.all(Array.from({ length: 10 }, () => made.registered()))) assert.equal(device.state.assignedHub, made.hubs[0].host);
    const named = await made.enroll({ iotHubs: [hub.host] });
    const { operationId } = await made.start(named);
    await until('the named hub to be waited for', async () => (await waitingFor(made, named)).includes(hub.host.split('.')[0]));
    assert.equal((await made.poll(named, operationId)).status, 202);
  });

  test('pending: a choice that falls on a link without a first validation waits for it', async (t) => {
    const { relay, hub } = await behindRelay(t, 'silent');
    const made = await scene(t, { hubs: 0 });
    await made.relink([Idscope.link(hub)]);
    assert.equal((await made.links()).get(hub.host).state, 'pending');
    const device = await made.enroll();
    const { operationId } = await made.start(device);
    assert.equal((await made.poll(device, operationId)).status, 202);
    assert.equal((await theirs.registry(hub)).size, 0);
    await relay.set('open');
    const state = await until('the assignment', async () => {
      const answer = await made.poll(device, operationId);
      return answer.status === 200 && answer.json.registrationState;
    }, { timeoutMs: 90000 });
    assert.deepEqual([state.status, state.assignedHub], ['assigned', hub.host]);
  });

  test('an assigned device whose hub is away is told its hub, in the quick return time and after it', async (t) => {
    const { relay, hub } = await behindRelay(t, 'open');
    const made = await scene(t, { hubs: 1 });
    await made.relink([Idscope.link(hub, { allocationWeight: 1000 }), Idscope.link(made.hubs[0])]);
    await made.linkState(hub.host, 'valid');
    const device = await made.registered({ iotHubs: [hub.host] });
    const roaming = await until('a device that is hashed to the foreign hub', async () => {
      const one = await made.registered();
      return one.state.assignedHub === hub.host && one;
    });
    await relay.set('closed');
    await made.linkState(hub.host, 'unreachable');
    for (const one of [device, roaming]) {
      const state = await made.register(one);
      assert.deepEqual([state.status, state.assignedHub], ['assigned', hub.host], 'weather moves nobody');
    }
  });

  test('a hub that stops answering in the middle of work leaves registrations assigning and takes no other link down', async (t) => {
    const { relay, hub } = await behindRelay(t, 'open');
    const made = await scene(t, { hubs: 1 });
    await made.relink([Idscope.link(hub), Idscope.link(made.hubs[0])]);
    await made.linkState(hub.host, 'valid');
    await relay.set('silent');
    const devices = await Promise.all(Array.from({ length: 20 }, () => made.enroll()));
    const ended = Promise.all(devices.map((device) => made.register(device, { timeoutMs: 120000 })));
    const near = await made.registered({ iotHubs: [made.hubs[0].host] });
    assert.equal(near.state.assignedHub, made.hubs[0].host);
    await relay.set('open');
    for (const state of await ended) assert.equal(state.status, 'assigned');
    const [a, b] = [await theirs.registry(hub), await idscope.registry(made.hubs[0])];
    await until('each identity to stand once', async () => (await theirs.registry(hub)).size + (await idscope.registry(made.hubs[0])).size === devices.length + 1, { timeoutMs: 90000 });
    assert.ok(a.size + b.size >= devices.length);
  });

  test('a certificate that nobody vouches for, and a name that does not resolve, are told as reasons', async (t) => {
    const hub = await foreignHub(t, '127.0.0.2');
    const made = await scene(t, { hubs: 0 });
    const stray = (host) => Idscope.link({ ...hub, connectionString: hub.connectionString.replace(hub.host, host) });
    names('127.0.0.2', 'wrong-name.example.test');
    await made.relink([stray('wrong-name.example.test'), stray('nowhere.example.test')]);
    const reason = async (host) => until(`a reason for ${host}`, async () => {
      const link = (await made.links()).get(host);
      return link.state !== 'pending' && link.state !== 'valid' && link.reason;
    });
    assert.match(await reason('wrong-name.example.test'), /certificate/i);
    assert.match(await reason('nowhere.example.test'), /resolve/i);
    expect('still served', await idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), 200);
  });
});
