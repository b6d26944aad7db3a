// neighbours.js: what one tenant's hubs do to another tenant: nothing. Hubs that take TLS and stay silent, hubs that answer after seconds, and
// meanwhile the new instance and the new device of somebody else.
'use strict';

const { describe, test, before, after } = require('node:test');
const { Mute } = require('../../lib/mute');
const { assert, idscope, stack, Idscope, each, fresh, scene, sleep, until, admin, expect, refusedArm } = require('../kit');
const { Beside, foreignHub } = require('../strangers');

const DRAIN_MS = 5000;
const AIM_MS = 2000; // on a machine that is not busy otherwise
const LIMIT_MS = 15000;

async function newTenant() {
  const tenant = await admin('create-tenant', fresh('neighbour'));
  const { IDSCOPE_SUBSCRIPTION_ID } = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'neighbour');
  const client = await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'neighbour', 'owner');
  return new Idscope({ ...idscope.env, ...tenant, IDSCOPE_SUBSCRIPTION_ID, ...client });
}

// An instance of `of` for each list of hubs, in a group of its own.
async function instances(t, of, lists) {
  const group = fresh('load');
  await of.createGroup(group);
  t.after(() => of.deleteGroup(group));
  return each(lists, 8, async (hubs) => ({ group, hubs, ...(await of.createInstance(group, fresh('dps'), { allocationPolicy: 'Hashed', iotHubs: hubs.map((hub) => Idscope.link(hub)) })) }));
}

// From the instance's PUT to the device's hub, several times; the longest.
async function longestStart(t, rounds) {
  let longest = 0;
  for (let i = 0; i < rounds; i++) {
    const began = Date.now();
    const made = await scene(t, { hubs: 1 });
    const device = await made.enroll();
    const state = await made.register(device, { timeoutMs: 4 * LIMIT_MS });
    assert.equal(state.status, 'assigned');
    longest = Math.max(longest, Date.now() - began);
  }
  return longest;
}

describe('neighbours', () => {
  let other;
  const stranger = new Beside('127.0.0.101');
  const stray = (manner) => stranger.hub(manner);
  before(async () => { other = await newTenant(); });

  // How long the sweep has been due that has been so for longest: they are to have their turns, whatever others do.
  const sweepsLate = async () => Number(await stack.sql('SELECT coalesce(max(extract(epoch FROM now() - due_at)), 0) * 1000 FROM idscope.tenant_job WHERE due_at <= now()'));
  const everyHostCalled = (hubs) => until('every host to be called', () => hubs.every((hub) => stranger.calls.has(hub.host)), { timeoutMs: 120000 });

  test('thirty silent hubs of one tenant, each of an instance of its own, do not keep another tenant\'s new instance and device waiting', async (t) => {
    const hubs = Array.from({ length: 30 }, () => stray('silent'));
    await instances(t, other, hubs.map((hub) => [hub]));
    const longest = await longestStart(t, 5);
    const late = await sweepsLate();
    t.diagnostic(`longest start ${longest} ms (aim ${AIM_MS}); sweeps late ${late} ms`);
    assert.ok(longest < LIMIT_MS && late < LIMIT_MS, `${longest} ms, ${late} ms`);
    await everyHostCalled(hubs); // nor are the silent ones forgotten
  });

  test('a deleted instance that leaves much behind keeps nobody waiting while it is swept away', async (t) => {
    const group = fresh('left');
    await other.createGroup(group);
    const { idScope } = await other.createInstance(group, fresh('dps'));
    const scope = idScope.toLowerCase();
    const left = async () => Number(await stack.sql(`SELECT count(*) FROM idscope.alloc_input WHERE id_scope = '${scope}'`));
    await stack.sql(`INSERT INTO idscope.alloc_input (id_scope, hash, input) SELECT '${scope}', sha256(n::text::bytea), '{}' FROM generate_series(1, 300000) n`);
    await other.deleteGroup(group);
    await until('the sweep to have begun', async () => (await left()) < 300000, { timeoutMs: 120000 });
    const longest = await longestStart(t, 5);
    const rest = await left();
    t.diagnostic(`longest start ${longest} ms (aim ${AIM_MS}); ${rest} rows left then`);
    assert.ok(longest < LIMIT_MS, `${longest} ms`);
    await until('all of it to be gone', async () => (await left()) === 0, { timeoutMs: 120000 });
  });

  test('thirty silent hubs of one instance do not keep that tenant\'s other instance waiting', async (t) => {
    const hubs = Array.from({ length: 30 }, () => stray('silent'));
    await instances(t, idscope, [hubs]);
    const longest = await longestStart(t, 5);
    t.diagnostic(`longest start ${longest} ms (aim ${AIM_MS})`);
    assert.ok(longest < LIMIT_MS, `${longest} ms`);
    await everyHostCalled(hubs);
  });

  test('thirty instances that link one silent hub are two turns at it at a time, and keep nobody waiting', async (t) => {
    const hub = stray('silent');
    const made = await instances(t, other, Array.from({ length: 30 }, () => [hub]));
    const longest = await longestStart(t, 5);
    t.diagnostic(`longest start ${longest} ms (aim ${AIM_MS})`);
    assert.ok(longest < LIMIT_MS, `${longest} ms`);
    const stateOf = async ({ group, name }) => (await other.linkedHubs(group, name))[0].properties.state;
    for (const instance of made) await until('the link to be unreachable', async () => (await stateOf(instance)) === 'unreachable', { timeoutMs: 120000 });
    assert.equal(stranger.most.get(hub.host), 2);
  });

  test('twelve instances of one tenant on hubs that answer after seven seconds do not keep another tenant\'s devices waiting', async (t) => {
    stranger.delayMs = 0;
    const loaded = await instances(t, other, Array.from({ length: 12 }, () => [stray('slow')]));
    for (const { group, name } of loaded) await until('the link to be valid', async () => (await other.linkedHubs(group, name))[0].properties.state === 'valid');
    const made = await scene(t, { hubs: 1 });
    await made.registered();
    stranger.delayMs = 7000;
    t.after(() => { stranger.delayMs = 0; });
    const load = each(loaded, 12, async (instance) => {
      for (let i = 0; i < 3; i++) {
        const device = await other.enroll(instance, fresh('device'));
        await other.startRegister(instance.idScope, device);
      }
    });
    await load;
    await until('a slow hub to be called', () => loaded.some(({ hubs }) => stranger.calls.get(hubs[0].host).some((call) => call.path.startsWith('/devices?'))));
    let longest = 0;
    for (const end = Date.now() + 10000; Date.now() < end; await sleep(100)) {
      const began = Date.now();
      await made.registered();
      longest = Math.max(longest, Date.now() - began);
    }
    const start = await longestStart(t, 2);
    t.diagnostic(`longest assignment ${longest} ms, start ${start} ms (aim ${AIM_MS})`);
    assert.ok(Math.max(longest, start) < LIMIT_MS, `${longest} ms, ${start} ms`);
  });

  test('one silent hub of an instance does not keep the devices of its other hub waiting', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const hub = stray('slow');
    stranger.delayMs = 0;
    await made.relink([Idscope.link(made.hubs[0]), Idscope.link(hub)]);
    await made.linkState(hub.host, 'valid');
    stranger.delayMs = 3600000;
    t.after(() => { stranger.delayMs = 0; });
    const stuck = await Promise.all(Array.from({ length: 8 }, () => made.enroll({ iotHubs: [hub.host] })));
    await Promise.all(stuck.map((device) => made.start(device)));
    let longest = 0;
    for (let i = 0; i < 10; i++) {
      const began = Date.now();
      const device = await made.registered({ iotHubs: [made.hubs[0].host] });
      assert.equal(device.state.assignedHub, made.hubs[0].host);
      longest = Math.max(longest, Date.now() - began);
    }
    t.diagnostic(`longest assignment ${longest} ms (aim ${AIM_MS})`);
    assert.ok(longest < LIMIT_MS, `${longest} ms`);
  });

  test('instances of one tenant are looked at in fewer turns than there are instances, and none of them waits for the silent hub of another in its turn', async (t) => {
    const loaded = await instances(t, other, Array.from({ length: 10 }, () => [stray('quick')]));
    for (const { group, name } of loaded) await until('the link to be valid', async () => (await other.linkedHubs(group, name))[0].properties.state === 'valid');
    const hosts = loaded.map(({ hubs }) => hubs[0].host);
    const jobs = async (of) => Number(await stack.sql(`select count(*) from idscope.job where kind = 'link_validate' and subject in (${of.map((host) => `'${host}'`)})`));
    const joined = async () => {
      const metrics = await stack.metrics('worker1');
      return metrics['idscope_job_owners_total{kind="link_validate"}'] - metrics['idscope_job_turns_total{kind="link_validate"}'];
    };
    const before = await joined();
    stranger.manners.set(hosts[0], 'silent');
    await stack.sql(`insert into idscope.job (id_scope, kind, subject, hub, due_at) select id_scope, 'link_validate', host, '', now() from idscope.linked_hub
      where host in (${hosts.map((host) => `'${host}'`)}) on conflict do nothing`);
    await until('the others to be written', async () => (await jobs(hosts.slice(1))) === 0);
    assert.equal(await jobs(hosts.slice(0, 1)), 1, 'the silent one is still asked');
    const after = await joined();
    assert.ok(after - before >= 5, `${after - before} of ten joined`);
  });

  test('an instance that a statement fails on spoils the turn of no other', async (t) => {
    const [bad, ...good] = await instances(t, other, Array.from({ length: 4 }, () => [stray('quick')]));
    for (const { group, name } of [bad, ...good]) await until('the link to be valid', async () => (await other.linkedHubs(group, name))[0].properties.state === 'valid');
    await stack.sql(`create function idscope.spoil() returns trigger language plpgsql as $$ begin raise exception 'spoiled'; end $$;
      create trigger spoil before insert on idscope.alloc_input for each row when (new.id_scope = lower('${bad.idScope}')) execute function idscope.spoil()`);
    const mend = () => stack.sql('drop function if exists idscope.spoil cascade');
    t.after(mend);
    const stuck = await other.enroll(bad, fresh('device'));
    await other.startRegister(bad.idScope, stuck); // its job stays due: from now on it is in the turn of whoever is due
    for (const instance of [...good, ...good]) {
      const device = await other.enroll(instance, fresh('device'));
      const state = await other.register(instance.idScope, device, { pollMs: 100, timeoutMs: LIMIT_MS });
      assert.equal(state.status, 'assigned');
    }
    assert.equal((await other.registration(bad, stuck.id)).status, 'assigning');
    await mend();
    assert.equal((await other.register(bad.idScope, stuck, { pollMs: 100 })).status, 'assigned');
  });

  // Each alone, in a turn of its own. Are all of them still waited for when the last turn has begun?
  async function waitedForAtOnce(made, silent) {
    const links = [];
    for (const one of silent) {
      await made.relink([...links, Idscope.link(one)]);
      links.push(Idscope.link(one));
      await until('its validation to run', async () => (await stack.sql(`select count(*) from idscope.job where kind = 'link_validate' and subject = '${one.host}' and fence > 0`)) === '1');
    }
    return (await made.links()).get(silent[0].host).state === 'pending';
  }

  test('silent hubs of an instance do not keep its next hub from being validated: more of them are waited for than the worker has connections', async (t) => {
    let made, silent;
    let atOnce = false;
    for (let tries = 0; !atOnce && tries < 3; tries++) { // a busy machine may take longer than a hub is waited for
      made = await scene(t, { hubs: 0 });
      silent = Array.from({ length: 3 }, () => stray('silent'));
      atOnce = await waitedForAtOnce(made, silent);
    }
    assert.ok(atOnce, 'three turns wait while two connections are there: one that waits holds none');
    const hub = stray('quick');
    const links = silent.map((one) => Idscope.link(one));
    const began = Date.now();
    await made.relink([...links, Idscope.link(hub)]);
    await made.linkState(hub.host, 'valid');
    t.diagnostic(`validated after ${Date.now() - began} ms (aim ${AIM_MS})`);
    assert.equal((await made.links()).get(silent[2].host).state, 'pending', 'the last of the silent ones has not been given up yet');
  });

  test('devices that have waited are taken in large turns; a hub is told of at most a hundred in one call, however many wait for it', async (t) => {
    const made = await scene(t, { hubs: 0 });
    const hub = stray('silent');
    await made.relink([Idscope.link(hub)]);
    const devices = await each(Array.from({ length: 130 }), 16, () => made.enroll());
    await each(devices, 16, (device) => made.start(device));
    await until('a turn to take them all, since they have waited', async () => {
      await stack.sql(`update idscope.job set due_at = now() - interval '10 seconds' where kind = 'assign' and id_scope = lower('${made.idScope}')`);
      return stack.events('worker').some(({ event, kind, idScope, count }) => event === 'job' && kind === 'assign' && idScope === made.idScope.toLowerCase() && count === devices.length);
    });
    stranger.manners.set(hub.host, 'quick');
    await made.linkState(hub.host, 'valid');
    const states = await each(devices, 16, (device) => made.register(device));
    assert.deepEqual([...new Set(states.map((state) => state.assignedHub))], [hub.host]);
    const calls = stranger.calls.get(hub.host);
    assert.ok(calls.filter((call) => call.path.startsWith('/devices?')).length >= 2);
    assert.equal(calls.filter((call) => call.method === 'PUT').length, 0, 'told one by one');
  });

  describe('a name server that takes questions and never answers', () => {
    const server = new Mute();

    before(() => server.start());
    after(() => server.stop());

    const mute = () => foreignHub(`${fresh('mute')}.example.test`);
    const asked = (hub) => until('the name to be asked for', () => server.wasAsked(hub.host.split('.')[0]));

    test('thirty names that nobody answers for keep no other tenant waiting, and the links say why they are unreachable', async (t) => {
      const hubs = Array.from({ length: 30 }, mute);
      const made = await instances(t, other, [hubs.slice(0, 15), ...hubs.slice(15).map((hub) => [hub])]);
      const longest = await longestStart(t, 5);
      t.diagnostic(`longest start ${longest} ms (aim ${AIM_MS})`);
      assert.ok(longest < LIMIT_MS, `${longest} ms`);
      await Promise.all(hubs.map(asked));
      const link = await until('the link to be unreachable', async () => {
        const { properties } = (await other.linkedHubs(made[0].group, made[0].name))[0];
        return properties.state === 'unreachable' && properties;
      });
      assert.match(link.reason, /name server does not answer/);
    });

    test('a worker that is asked to stop in the middle of it ends within its drain', async (t) => {
      const hubs = Array.from({ length: 4 }, mute);
      await instances(t, other, hubs.map((hub) => [hub]));
      await Promise.all(hubs.map(asked));
      const began = Date.now();
      await stack.run('stop-part', 'worker');
      const took = Date.now() - began;
      await stack.run('start-part', 'worker');
      t.diagnostic(`stop took ${took} ms`);
      assert.ok(took < DRAIN_MS, `${took} ms`);
    });
  });

  describe('a web server in a hub\'s place, which answers a page to everything', () => {
    const calls = (hub, method) => (stranger.calls.get(hub.host) || []).filter((call) => call.method === method).length;
    const statusOf = async (made, device) => (await idscope.registration(made.instance, device.id)).status;

    test('its link is invalid and it is told why; no device is assigned to it', async (t) => {
      const made = await scene(t, { hubs: 0 });
      const hub = stray('page');
      await made.relink([Idscope.link(hub)]);
      const device = await made.enroll();
      await made.start(device);
      const link = await made.linkState(hub.host, 'invalid');
      assert.match(link.reason, /is no hub/);
      await until('the registration to end', async () => (await statusOf(made, device)) === 'failed'); // 400209: every candidate was invalid for the time of grace
      assert.equal(calls(hub, 'PUT'), 0);
      assert.deepEqual((await made.links()).get(hub.host).latency, []);
    });

    for (const [status, type, body] of [[200, 'text/html', '<html>It works!</html>'], [200, 'application/json', '{}'], [200, 'application/json', '{"deviceId":"another"}'],
      [204, 'text/plain', ''], [400, 'text/html', '<html>Bad Request</html>']]) {
      test(`a hub that becomes one, with ${status} ${body || 'and nothing'}, neither makes a device nor refuses it; as a hub again it gets it`, async (t) => {
        const made = await scene(t, { hubs: 0 });
        const hub = stray('quick');
        await made.relink([Idscope.link(hub)]);
        await made.linkState(hub.host, 'valid');
        stranger.page = { status, type, body };
        stranger.manners.set(hub.host, 'page');
        const device = await made.enroll();
        const { operationId } = await made.start(device);
        await until('the single call', () => calls(hub, 'PUT') > 0);
        await until('the registration to say what it waits for', async () => /not as a hub does|is no hub|refuses/.test(JSON.stringify(await idscope.registration(made.instance, device.id))));
        assert.equal(await statusOf(made, device), 'assigning');
        stranger.manners.set(hub.host, 'quick');
        const state = await until('the assignment', async () => {
          const answer = await made.poll(device, operationId);
          return answer.status === 200 && answer.json.registrationState;
        }, { timeoutMs: 90000 });
        assert.deepEqual([state.status, state.assignedHub], ['assigned', hub.host]);
      });
    }

    test('a removal is not done before a hub says so', async (t) => {
      const made = await scene(t, { hubs: 1 });
      const hub = stray('quick');
      await made.relink([Idscope.link(hub), Idscope.link(made.hubs[0], { applyAllocationPolicy: false })]);
      await made.linkState(hub.host, 'valid');
      const device = await made.registered();
      assert.equal(device.state.assignedHub, hub.host);
      await made.relink([Idscope.link(hub, { applyAllocationPolicy: false }), Idscope.link(made.hubs[0])]);
      stranger.page = { status: 200, type: 'text/html', body: '<html>It works!</html>' };
      stranger.manners.set(hub.host, 'keeping');
      assert.equal((await made.register(device)).assignedHub, made.hubs[0].host);
      const removals = () => stranger.calls.get(hub.host).filter((call) => call.method === 'DELETE' && call.path.includes(device.id)).length;
      await until('a second try', () => removals() > 1);
      stranger.manners.set(hub.host, 'quick');
      const before = removals();
      await until('the try that counts', () => removals() > before);
      await until('the job to be gone', async () => (await stack.sql(`select count(*) from idscope.job where kind = 'hub_remove' and id_scope = lower('${made.idScope}')`)) === '0');
    });
  });

  test('a tenant has so many instances and links and no more; what it has can be changed and given back', async (t) => {
    const INSTANCES = 40; // run.sh
    const LINKS = 100;
    const tenant = await newTenant();
    const made = await instances(t, tenant, Array.from({ length: INSTANCES }, () => []));
    const { group } = made[0];
    const put = (name, hubs) => tenant.arm('PUT', tenant.instancePath(group, name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 },
      properties: hubs ? { iotHubs: hubs.map((hub) => Idscope.link(hub)) } : {} } });
    refusedArm(await put(fresh('dps')), 409, 'QuotaExceeded', /at most 40 instances/);
    const hosts = Array.from({ length: LINKS / 2 }, () => foreignHub(`${fresh('mute')}.example.test`));
    for (const { name } of made.slice(0, 2)) expect('link', await put(name, hosts), 200);
    const one = foreignHub(`${fresh('mute')}.example.test`);
    refusedArm(await put(made[2].name, [one]), 409, 'QuotaExceeded', /at most 100 hubs/);
    assert.deepEqual(await tenant.linkedHubs(group, made[2].name), [], 'nothing of it was written');
    expect('change', await put(made[0].name, hosts.slice(1)), 200);
    expect('link what was given back', await put(made[2].name, [one]), 200);
    expect('delete', await tenant.arm('DELETE', tenant.instancePath(group, made[3].name)), 200, 202, 204);
    expect('an instance for one that was given back', await put(fresh('dps')), 201);
    await scene(t, { hubs: 0 }); // another tenant is not asked for it

    // At the same time no more pass than one after the other: all have written what they want before the first is counted.
    const passed = async (calls) => {
      const answers = await Promise.all(calls);
      for (const answer of answers.filter(({ status }) => status >= 300)) refusedArm(answer, 409, 'QuotaExceeded', /at most/);
      return answers.filter(({ status }) => status < 300).length;
    };
    expect('delete', await tenant.arm('DELETE', tenant.instancePath(group, made[4].name)), 200, 202, 204);
    const holder = stack.sql('begin; lock table idscope.linked_hub in access exclusive mode; select pg_sleep(1); commit');
    await until('links to be locked', async () => (await stack.sql("select count(*) from pg_locks where relation = 'idscope.linked_hub'::regclass and mode = 'AccessExclusiveLock' and granted")) === '1');
    assert.equal(await passed(Array.from({ length: 12 }, () => put(fresh('dps')))), 1, 'one place, one instance');
    await holder;
    expect('unlink', await put(made[0].name, []), 200);
    assert.equal(await passed(made.slice(10, 22).map(({ name }) => put(name, hosts.slice(0, 20)))), 2, '49 places, twice 20 links');
  });

  test('a link that stays silent is tried less and less often', async (t) => {
    const [hub, instance] = await instances(t, other, [[stray('silent')]]).then(([one]) => [one.hubs[0], one]);
    const probes = () => (stranger.calls.get(hub.host) || []).map((call) => call.at);
    await until('the link to be unreachable', async () => (await other.linkedHubs(instance.group, instance.name))[0].properties.state === 'unreachable');
    const gaps = () => probes().slice(1).map((time, i) => time - probes()[i]);
    // A link that is well is validated every three seconds (run.sh); a probe of a silent one takes four.
    await until('a gap of ten seconds between two probes', () => Math.max(...gaps()) >= 10000, { timeoutMs: 60000 });
    assert.ok(gaps().at(-1) > gaps()[0], `gaps between probes: ${gaps().join(', ')} ms`);
  });
});
