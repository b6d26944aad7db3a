// distribution.js: ten thousand devices end to end, counted where they ended: in the hubs' registries, listed whole.
// The ids come from a seed that is drawn per run and printed: FLOW_SEED=… runs the same ids again. Runs against the release build ("second").
// A fair allocation fails each of these checks once in 10,000 runs at most.
'use strict';

const crypto = require('node:crypto');
const { describe, test } = require('node:test');
const { fit } = require('../../lib/stats');
const { assert, second, Idscope, each, sleep, scene, until } = require('../kit');

const COUNT = 10000;
const idscope = second.idscope;
const seed = process.env.FLOW_SEED || crypto.randomBytes(6).toString('hex');

const digest = (kind, i) => crypto.createHash('sha256').update(`${seed} ${kind} ${i}`).digest('hex');
const KINDS = {
  sequential: (i) => `line-${seed}-${String(i).padStart(5, '0')}`,
  mac: (i) => `00:1b:${digest('mac', 0).slice(0, 2)}:${digest('mac', i).slice(0, 6).match(/../g).join(':')}-${i % 7}`,
  uuid: (i) => digest('uuid', i).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/, '$1-$2-4$3-a$4-$5'),
};

// COUNT ids, a third of each kind, each once.
function draw() {
  const ids = new Map();
  Object.entries(KINDS).forEach(([kind, make], k) => {
    for (let i = 0, wanted = Math.floor((COUNT * (k + 1)) / 3); ids.size < wanted; i++) ids.set(make(i), kind);
  });
  return ids;
}

// Registers all and waits until each is assigned; gives the states by id.
async function registerAll(made, devices) {
  const open = new Map();
  await each(devices, 64, async (device) => open.set(device, (await made.start(device)).operationId));
  const states = new Map();
  while (open.size > 0) {
    await each([...open], 64, async ([device, operationId]) => {
      const answer = await made.poll(device, operationId);
      if (answer.status !== 200) return assert.equal(answer.status, 202, answer.text);
      assert.equal(answer.json.status, 'assigned', answer.text);
      states.set(device.id, answer.json.registrationState);
      return open.delete(device);
    });
    if (open.size > 0) await sleep(200); // the devices' pause between polls
  }
  return states;
}

// device id → host, as the registries have it; fails when one stands twice or not at all.
async function counted(made, devices) {
  const where = new Map();
  for (const hub of made.hubs) {
    for (const id of (await idscope.registry(hub)).keys()) {
      assert.ok(!where.has(id), `${id} stands in two hubs`);
      where.set(id, hub.host);
    }
  }
  assert.equal(where.size, devices.length);
  return where;
}

function checkShares(t, made, ids, where, weights) {
  for (const kind of [...Object.keys(KINDS), 'all']) {
    const mine = [...ids].filter(([, of]) => kind === 'all' || of === kind).map(([id]) => where.get(id));
    const counts = made.hubs.slice(0, weights.length).map((hub) => mine.filter((host) => host === hub.host).length);
    const { x, p } = fit(counts, weights);
    t.diagnostic(`weights ${weights.join(':')}, ${kind} ids: ${counts.join(' / ')}, chi-squared ${x.toFixed(2)}, p ${p.toFixed(4)} (seed ${seed})`);
    assert.ok(p >= 0.0001, `${kind} ids: ${counts.join(' / ')} does not fit ${weights.join(':')}`);
  }
}

const links = (hubs, weights) => weights.map((allocationWeight, i) => Idscope.link(hubs[i], { allocationWeight }));

describe('distribution', () => {
  for (const weights of [[1, 1], [3, 1]]) {
    test(`${COUNT} registrations with weights ${weights.join(':')} are shared as asked${weights[0] === 1 ? '; a third hub takes its share and nothing else moves' : ''}`, async (t) => {
      const ids = draw();
      const made = await scene(t, { hubs: 3 }, idscope);
      await made.relink(links(made.hubs, weights));
      const began = Date.now();
      const devices = await each([...ids.keys()], 64, (id) => made.enroll({}, id));
      const enrolled = Date.now();
      const states = await registerAll(made, devices);
      t.diagnostic(`${COUNT} enrolled in ${enrolled - began} ms, registered to the end in ${Date.now() - enrolled} ms`);
      const where = await counted(made, devices);
      for (const device of devices) assert.equal(where.get(device.id), states.get(device.id).assignedHub);
      checkShares(t, made, ids, where, weights);
      if (weights[0] !== 1) return;

      await made.relink(links(made.hubs, [1, 1, 1]));
      const after = await registerAll(made, devices);
      const moved = devices.filter((device) => after.get(device.id).assignedHub !== where.get(device.id));
      const between = moved.filter((device) => after.get(device.id).assignedHub !== made.hubs[2].host);
      const share = moved.length / COUNT;
      t.diagnostic(`third hub linked: ${moved.length} of ${COUNT} moved (${(100 * share).toFixed(2)} %), ${between.length} of them between the old hubs`);
      assert.equal(between.length, 0);
      assert.ok(Math.abs(share - 1 / 3) <= 0.02, `moved share ${share}`);
      const settled = await until('the old identities to be removed', async () => counted(made, devices).catch(() => undefined), { timeoutMs: 120000, everyMs: 1000 });
      for (const device of devices) assert.equal(settled.get(device.id), after.get(device.id).assignedHub);
    });
  }
});
