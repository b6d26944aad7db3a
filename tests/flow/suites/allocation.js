// allocation.js: which hub a device gets: the table of policies row by row, drained and unlinked hubs, links that are invalid.
// Shares are judged elsewhere (distribution.js); here it is which hubs may be chosen at all, and what is said when none may.
'use strict';

const { describe, test } = require('node:test');
const { assert, stack, idscope, Idscope, each, sas, scene, until } = require('../kit');

const POLICIES = ['Hashed', 'GeoLatency', 'Static'];

// Registers `count` devices of one kind and gives the hubs they got, each once.
async function hubsOf(made, more, count = 24) {
  const devices = await each(Array.from({ length: count }, () => more), 8, (m) => made.enroll(m));
  const states = await each(devices, 8, (device) => made.register(device));
  for (const state of states) assert.equal(state.status, 'assigned', JSON.stringify(state));
  return [...new Set(states.map((state) => state.assignedHub))].sort();
}

async function fails(made, more, words, code = 400208) {
  const device = more.key ? more : await made.enroll(more);
  const state = await made.register(device);
  assert.equal(state.status, 'failed', JSON.stringify(state));
  assert.equal(state.errorCode, code);
  assert.match(state.errorMessage, words);
  for (const member of ['registrationId', 'createdDateTimeUtc', 'lastUpdatedDateTimeUtc', 'etag']) assert.ok(state[member], member);
  assert.equal((await idscope.registration(made.instance, device.id)).status, 'failed');
  return device;
}

const all = (made) => made.hubs.map((hub) => Idscope.link(hub));
const sorted = (...hubs) => hubs.map((hub) => hub.host).sort();

// Waits for measured figures, then makes them what the test needs: hubs of one busy machine are not equally near by nature, nor far from
// each other. A hundred samples of one value, so that further measurements change nothing for a long while.
async function distances(made, farHubs = []) {
  await until('latency figures', async () => [...(await made.links()).values()].every((link) => link.latency.length > 0));
  const wanted = made.hubs.map((hub) => [hub.host, farHubs.includes(hub) ? 80 : 1]);
  await until('the figures to stand', async () => {
    for (const [host, ms] of wanted) {
      await stack.sql(`update idscope.link_latency set samples_us = array_fill(${ms * 1000}, array[100]), tcp_p50_us = ${ms * 1000}, tcp_p95_us = ${ms * 1000} where host = '${host.toLowerCase()}'`);
    }
    const links = await made.links();
    return wanted.every(([host, ms]) => links.get(host).latency.every((figure) => figure.p50Ms === ms));
  });
}

describe('allocation: the table', { concurrency: 3 }, () => {
  for (const policy of POLICIES) {
    test(`instance ${policy}, enrollment names one hub: that hub`, async (t) => {
      const made = await scene(t, { hubs: 3, properties: { allocationPolicy: policy } });
      for (const hub of made.hubs) {
        assert.deepEqual(await hubsOf(made, { iotHubs: [hub.host] }, 3), [hub.host]);
        assert.deepEqual(await hubsOf(made, { iotHubHostName: hub.host }, 3), [hub.host]);
      }
      assert.deepEqual(await hubsOf(made, { iotHubs: [made.hubs[1].host.toUpperCase()] }, 1), [made.hubs[1].host]);
    });

    test(`instance ${policy}, enrollment static with one hub: that hub`, async (t) => {
      const made = await scene(t, { hubs: 2, properties: { allocationPolicy: policy } });
      for (const hub of made.hubs) assert.deepEqual(await hubsOf(made, { allocationPolicy: 'static', iotHubs: [hub.host] }, 3), [hub.host]);
    });

    test(`instance ${policy}, enrollment hashed: over all links, or over those named`, async (t) => {
      const made = await scene(t, { hubs: 3, properties: { allocationPolicy: policy } });
      assert.deepEqual(await hubsOf(made, { allocationPolicy: 'hashed' }, 40), sorted(...made.hubs));
      const [a, b] = made.hubs;
      assert.deepEqual(await hubsOf(made, { allocationPolicy: 'hashed', iotHubs: [a.host, b.host] }), sorted(a, b));
    });

    test(`instance ${policy}, enrollment geoLatency: among all links, or among those named`, async (t) => {
      const made = await scene(t, { hubs: 3, properties: { allocationPolicy: policy } });
      await distances(made);
      const [a, b] = made.hubs;
      assert.deepEqual(await hubsOf(made, { allocationPolicy: 'geoLatency' }, 40), sorted(...made.hubs), 'equally near hubs share');
      assert.deepEqual(await hubsOf(made, { allocationPolicy: 'geoLatency', iotHubs: [a.host, b.host] }), sorted(a, b));
    });

    test(`instance ${policy}, enrollment without a policy names none or several`, async (t) => {
      const made = await scene(t, { hubs: 3, properties: { allocationPolicy: policy } });
      const [a, b] = made.hubs;
      if (policy === 'GeoLatency') await distances(made);
      if (policy === 'Static') {
        await fails(made, {}, /name one hub on the enrollment/i);
        await fails(made, { iotHubs: [a.host, b.host] }, /name one hub on the enrollment/i);
      } else {
        assert.deepEqual(await hubsOf(made, {}, 40), sorted(...made.hubs));
        assert.deepEqual(await hubsOf(made, { iotHubs: [a.host, b.host] }), sorted(a, b));
      }
    });
  }
});

describe('allocation: drained, unlinked, none', { concurrency: 4 }, () => {
  test('a drained hub gets nothing new, also when it is named', async (t) => {
    const made = await scene(t, { hubs: 2, links: [{ applyAllocationPolicy: false }] });
    const [drained, open] = made.hubs;
    assert.deepEqual(await hubsOf(made, {}), [open.host]);
    for (const more of [{ iotHubs: [drained.host] }, { iotHubHostName: drained.host }, { allocationPolicy: 'static', iotHubs: [drained.host] }, { allocationPolicy: 'hashed', iotHubs: [drained.host] }]) {
      await fails(made, more, new RegExp(drained.host.split('.')[0]));
    }
    assert.equal((await idscope.registry(drained)).size, 0);
  });

  test('all drained: failed; one opened again: assigned at the next registration', async (t) => {
    const made = await scene(t, { hubs: 1, links: [{ applyAllocationPolicy: false }] });
    const device = await fails(made, {}, /./);
    await made.relink(all(made));
    assert.deepEqual([(await made.register(device)).status], ['assigned']);
  });

  test('no hub linked at all', async (t) => {
    const made = await scene(t, { hubs: 0 });
    await fails(made, {}, /hub/i);
  });

  test('a hub that the enrollment names and that was unlinked since is named in the failure', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [gone, left] = made.hubs;
    const device = await made.enroll({ iotHubs: [gone.host] });
    const both = await made.enroll({ iotHubs: [gone.host, left.host] });
    await made.relink([Idscope.link(left)]);
    await fails(made, device, new RegExp(gone.host.split('.')[0]));
    assert.equal((await made.register(both)).assignedHub, left.host, 'what is still linked among the named ones serves');
    await made.relink(all(made));
    assert.equal((await made.register(device)).assignedHub, gone.host);
  });
});

describe('allocation: links that refuse', { concurrency: 4 }, () => {
  const spoilt = (hub) => Idscope.link({ ...hub, connectionString: hub.connectionString.replace(hub.key, sas.newKey()) });

  test('a link whose credential is refused gets no new devices; the good one gets all', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const [bad, good] = made.hubs;
    await made.relink([spoilt(bad), Idscope.link(good)]);
    await made.linkState(bad.host, 'invalid');
    assert.deepEqual(await hubsOf(made, {}, 12), [good.host]);
  });

  test('all candidates invalid: assigning for the grace time, then failed 400209; a good key again: assigned', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    await made.relink([spoilt(hub)]);
    const device = await made.enroll();
    const { operationId } = await made.start(device);
    await made.linkState(hub.host, 'invalid');
    assert.equal((await made.poll(device, operationId)).status, 202, 'not failed before the grace is over');
    const done = await until('the failure', async () => {
      const answer = await made.poll(device, operationId);
      assert.ok([200, 202].includes(answer.status), answer.text);
      return answer.status === 200 && answer.json.registrationState;
    });
    assert.deepEqual([done.status, done.errorCode], ['failed', 400209]);
    await made.relink([Idscope.link(hub)]);
    const state = await made.register(device);
    assert.deepEqual([state.status, state.assignedHub], ['assigned', hub.host]);
  });

  test('a credential that is mended within the grace time: assigned, and the device never heard of it', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    await made.relink([spoilt(hub)]);
    await made.linkState(hub.host, 'invalid');
    const device = await made.enroll();
    const { operationId } = await made.start(device);
    await made.relink([Idscope.link(hub)]);
    const state = await until('the assignment', async () => {
      const answer = await made.poll(device, operationId);
      return answer.status === 200 && answer.json.registrationState;
    });
    assert.deepEqual([state.status, state.substatus, state.assignedHub], ['assigned', 'initialAssignment', hub.host]);
  });
});

describe('allocation: latency', { concurrency: 4 }, () => {
  test('the nearest hub gets all devices, whatever the weights; the explanation says why', async (t) => {
    const made = await scene(t, { hubs: 2, links: [{ allocationWeight: 1 }, { allocationWeight: 1000 }], properties: { allocationPolicy: 'GeoLatency' } });
    const [near, far] = made.hubs;
    await distances(made, [far]);
    const device = await made.registered();
    assert.equal(device.state.assignedHub, near.host);
    assert.deepEqual(await hubsOf(made, {}, 12), [near.host]);
    const why = (await idscope.explain(made.instance, device.id)).json;
    assert.equal(why.rule, 'geoLatency');
    assert.ok(why.candidates.find((one) => one.host === far.host).p50Ms > why.candidates.find((one) => one.host === near.host).p50Ms);
  });

  test('hubs that are about equally near share, a far one gets nothing, and a hashed enrollment does not care', async (t) => {
    const made = await scene(t, { hubs: 3, properties: { allocationPolicy: 'GeoLatency' } });
    const [a, b, far] = made.hubs;
    await distances(made, [far]);
    assert.deepEqual(await hubsOf(made, {}, 24), sorted(a, b));
    assert.deepEqual(await hubsOf(made, { allocationPolicy: 'hashed' }, 40), sorted(a, b, far));
    assert.deepEqual(await hubsOf(made, { iotHubs: [far.host, a.host] }, 6), [a.host]);
    assert.deepEqual(await hubsOf(made, { iotHubs: [far.host] }, 2), [far.host]);
  });

  test('a figure that changes moves nobody who is assigned', async (t) => {
    const made = await scene(t, { hubs: 2, properties: { allocationPolicy: 'GeoLatency' } });
    const device = await made.registered();
    await distances(made, [made.hubAt(device.state.assignedHub)]);
    assert.equal((await made.register(device)).assignedHub, device.state.assignedHub);
  });
});

describe('allocation: explained', { concurrency: 4 }, () => {
  test('the explanation names rule and hub, and every link with the reason why it may or may not be chosen', async (t) => {
    const made = await scene(t, { hubs: 3, links: [{ allocationWeight: 5 }, { applyAllocationPolicy: false }] });
    const device = await made.registered();
    const why = (await idscope.explain(made.instance, device.id)).json;
    assert.equal(why.assignedHub, device.state.assignedHub);
    assert.equal(why.rule, 'hashed');
    assert.deepEqual(why.candidates.map((one) => one.host).sort(), sorted(...made.hubs));
    const drained = why.candidates.find((one) => one.host === made.hubs[1].host);
    assert.equal(drained.eligible, false);
    assert.ok(drained.why.length > 0);
    assert.equal(why.candidates.find((one) => one.host === made.hubs[0].host).weight, 5);
    assert.notEqual(device.state.assignedHub, made.hubs[1].host);
  });

  test('stored inputs that no registration names go after a day, in every scope; what explains an assignment stays', async (t) => {
    const scenes = [await scene(t, { hubs: 1 }), await scene(t, { hubs: 1 })];
    const devices = await Promise.all(scenes.map((made) => made.registered()));
    const explained = () => Promise.all(scenes.map(async (made, i) => (await idscope.explain(made.instance, devices[i].id)).text));
    const before = await explained();
    const scopes = scenes.map((made) => `'${made.idScope.toLowerCase()}'`).join();
    await stack.sql(`insert into idscope.alloc_input (id_scope, hash, input) select id_scope, sha256(n::text::bytea), '{}'
      from idscope.scope, generate_series(1, 3000) n where id_scope in (${scopes})`);
    await stack.sql(`update idscope.alloc_input set created_at = created_at - interval '2 days' where id_scope in (${scopes})`);
    await until('the sweep to have taken what nobody names', async () => {
      await stack.sql("update idscope.tenant_job set due_at = now() where kind = 'clear_inputs' and payload is null");
      return (await stack.sql(`select count(*) from idscope.alloc_input where id_scope in (${scopes})`)) === '2';
    }, { timeoutMs: 30000 });
    assert.deepEqual(await explained(), before);
  });
});
