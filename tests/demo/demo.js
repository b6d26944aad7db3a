// demo.js: the service shown from outside, in one sitting.
//
// Responsible for: creating an instance and hubs, linking, enrolling and registering devices, and checking every claim it prints
// (exit 1 and what failed, otherwise 0). It is a client like any other: HTTPS and the variables of dev.env are all it has.
// Must never look into the database, the logs or the processes of the stack.
'use strict';

const crypto = require('node:crypto');
const { Idscope, each, expect } = require('../lib/idscope');
const { until } = require('../lib/https');

const DEVICES = 200;
const WIDTH = 32;
const run = crypto.randomBytes(4).toString('hex');
const group = `demo-${run}`;
const started = Date.now();
const table = [];

const say = (text) => console.log(`[${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s] ${text}`);
const row = (what, value) => table.push([what, value]);

function check(good, text) {
  if (!good) throw new Error(text);
}

const devicesOf = (count) => `${count} device${count === 1 ? '' : 's'}`;
const short = (host) => host.split('.')[0];
const numbered = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix}-${run}-${String(i).padStart(4, '0')}`);

async function enrollAndRegister(idscope, instance, ids, more = {}) {
  say(`enrolling ${devicesOf(ids.length)}`);
  const devices = await each(ids, WIDTH, (id) => idscope.enroll(instance, id, more));
  say(`registering ${devicesOf(ids.length)} (SAS, then polling until assigned)`);
  return register(idscope, instance, devices);
}

// All at once, as devices do: each waits as long as the answers' Retry-After says.
async function register(idscope, instance, devices) {
  const states = await each(devices, devices.length, (device) => idscope.register(instance.idScope, device));
  states.forEach((state, i) => check(state.status === 'assigned', `${devices[i].id} ended ${state.status}: ${state.errorMessage}`));
  devices.forEach((device, i) => { device.state = states[i]; });
  return devices;
}

function perHub(devices, hubs) {
  const counts = hubs.map((hub) => devices.filter((device) => device.state.assignedHub === hub.host).length);
  check(counts.reduce((a, b) => a + b, 0) === devices.length, 'a device was sent to a hub that is not linked');
  return counts;
}

const shares = (counts, hubs) => counts.map((n, i) => `${short(hubs[i].host)} ${n} (${((100 * n) / counts.reduce((a, b) => a + b, 0)).toFixed(1)} %)`).join(', ');

// Each device stands in the registry of the hub it was told, with its keys, and in no other.
async function checkRegistries(idscope, devices, hubs) {
  for (const hub of hubs) {
    const registry = await idscope.registry(hub);
    for (const device of devices) {
      const found = registry.get(device.state.deviceId);
      if (device.state.assignedHub !== hub.host) check(!found, `${device.id} also stands in the registry of ${hub.host}`);
      else check(found && found.authentication.symmetricKey.primaryKey === device.key, `${device.id} is missing in ${hub.host}, or has another key`);
    }
    say(`  ${short(hub.host)}: ${registry.size} devices in its registry`);
  }
}

const links = (hubs, weights) => hubs.map((hub, i) => Idscope.link(hub, { allocationWeight: weights[i], applyAllocationPolicy: true }));

async function createAll(idscope) {
  say(`signing in at ${idscope.env.IDSCOPE_URL}`);
  await idscope.signIn();
  await idscope.createGroup(group);
  const hubs = [await idscope.createHub(group, `demo-${run}-a`), await idscope.createHub(group, `demo-${run}-b`)];
  const instance = await idscope.createInstance(group, `demo-${run}`, { allocationPolicy: 'Hashed', iotHubs: links(hubs, [1, 1]) });
  say(`instance ${instance.name}: ID scope ${instance.idScope}, service endpoint ${instance.host}`);
  say(`hubs ${hubs.map((hub) => hub.host).join(' and ')}, both linked; allocation policy Hashed`);
  row('ID scope', instance.idScope);
  row('service endpoint', instance.host);
  return { hubs, instance };
}

async function spread(idscope, { hubs, instance }) {
  const first = await enrollAndRegister(idscope, instance, numbered('sensor', DEVICES));
  const even = perHub(first, hubs);
  say(`weights 1:1 gave ${shares(even, hubs)}`);
  row(`${DEVICES} devices, weights 1:1`, shares(even, hubs));
  say('checking each device in its hub');
  await checkRegistries(idscope, first, hubs);

  await idscope.putInstance(group, instance.name, { allocationPolicy: 'Hashed', iotHubs: links(hubs, [3, 1]) });
  const second = await enrollAndRegister(idscope, instance, numbered('meter', DEVICES));
  const weighted = perHub(second, hubs);
  say(`weights 3:1 gave ${shares(weighted, hubs)}`);
  check(weighted[0] > weighted[1], 'weights 3:1 did not favour the first hub');
  row(`${DEVICES} new devices, weights 3:1`, shares(weighted, hubs));
  return first;
}

async function named(idscope, { hubs, instance }) {
  const [device] = await enrollAndRegister(idscope, instance, [`gateway-${run}`], { allocationPolicy: 'static', iotHubs: [hubs[1].host] });
  check(device.state.assignedHub === hubs[1].host, `the enrollment names ${hubs[1].host}, the device was sent to ${device.state.assignedHub}`);
  say(`an enrollment that names ${short(hubs[1].host)} (weight 1 of 4) wins over the instance's policy`);
  row('hub named on the enrollment', short(device.state.assignedHub));
}

async function geoLatency(idscope, { hubs, instance }) {
  await idscope.putInstance(group, instance.name, { allocationPolicy: 'GeoLatency', iotHubs: links(hubs, [1, 1]) });
  say('allocation policy GeoLatency: waiting for the measured latencies');
  const measured = await until('latency figures of both hubs', async () => {
    const list = await idscope.linkedHubs(group, instance.name);
    return list.every((link) => link.properties.latency.length > 0) && list;
  }, { timeoutMs: 90000, everyMs: 500 });
  for (const { properties } of measured) {
    for (const at of properties.latency) {
      const text = `p50 ${at.p50Ms} ms, p95 ${at.p95Ms} ms (${at.count} samples, ${at.ageSeconds} s old)`;
      say(`  ${short(properties.hostName)} from region ${at.region}: ${text}; link ${properties.state}`);
      row(`latency ${at.region} → ${short(properties.hostName)}`, text);
    }
  }
  const [device] = await enrollAndRegister(idscope, instance, [`camera-${run}`]);
  const why = (await idscope.explain(instance, device.id)).json;
  say(`  chosen: ${short(device.state.assignedHub)}, by ${why.rule}: ${why.sentence}`);
  row('GeoLatency chose', `${short(device.state.assignedHub)} (${why.rule})`);
}

async function thirdHub(idscope, { hubs, instance }, devices) {
  hubs.push(await idscope.createHub(group, `demo-${run}-c`));
  await idscope.putInstance(group, instance.name, { allocationPolicy: 'Hashed', iotHubs: links(hubs, [1, 1, 1]) });
  say(`third hub ${hubs[2].host} linked; the first ${devices.length} devices register again`);
  const before = devices.map((device) => device.state.assignedHub);
  await register(idscope, instance, devices);
  const moved = devices.filter((device, i) => device.state.assignedHub !== before[i]);
  const between = moved.filter((device) => device.state.assignedHub !== hubs[2].host);
  check(between.length === 0, `${between.length} devices moved between the old hubs`);
  check(moved.length > 0 && moved.length < devices.length / 2, `${moved.length} of ${devices.length} devices moved`);
  const text = `${moved.length} of ${devices.length} (${((100 * moved.length) / devices.length).toFixed(0)} %), all to the new hub`;
  say(`moved: ${text}`);
  row('moved after a third hub', text);
  say('checking that a moved device left its old hub');
  await until('the old identities to be removed', async () => {
    const old = await Promise.all(hubs.slice(0, 2).map((hub) => idscope.registry(hub)));
    return moved.every((device) => old.every((registry) => !registry.has(device.state.deviceId)));
  }, { timeoutMs: 90000, everyMs: 500 });
  await checkRegistries(idscope, devices, hubs);
}

async function explain(idscope, instance, device) {
  const text = (await idscope.explain(instance, device.id)).text;
  say(`why ${device.id} is on ${short(device.state.assignedHub)}:`);
  console.log(JSON.stringify(JSON.parse(text), null, 2).replace(/^/gm, '           '));
}

async function deleteAll(idscope, instance) {
  await idscope.deleteGroup(group);
  expect('look for the deleted group', await idscope.arm('HEAD', idscope.groupPath(group)), 404);
  if (instance) expect('look for the deleted instance', await idscope.arm('GET', idscope.instancePath(group, instance.name)), 404);
  say('everything is deleted');
}

async function story(idscope) {
  let made = {};
  try {
    made = await createAll(idscope);
    const first = await spread(idscope, made);
    await named(idscope, made);
    await geoLatency(idscope, made);
    await thirdHub(idscope, made, first);
    await explain(idscope, made.instance, first[0]);
  } catch (error) {
    await deleteAll(idscope, made.instance).catch((again) => say(`could not tidy up: ${again.message}`));
    throw error;
  }
  await deleteAll(idscope, made.instance);
}

async function main() {
  const idscope = new Idscope();
  try {
    await story(idscope);
  } finally {
    idscope.close();
  }
  row('duration', `${((Date.now() - started) / 1000).toFixed(1)} s`);
  const width = Math.max(...table.map(([what]) => what.length));
  console.log(`\n${table.map(([what, value]) => `  ${what.padEnd(width)}  ${value}`).join('\n')}\n\ndemo: everything went as it should`);
}

main().catch((error) => {
  console.error(`\ndemo: FAILED: ${error.message}`);
  process.exit(1);
});
