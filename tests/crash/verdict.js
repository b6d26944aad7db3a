// verdict.js: is everything that was accepted there, once, and the same on both sides? And is nothing left in the programs?
//
// Responsible for: comparing the hubs' registries, listed whole over HTTPS, with the registrations and with the devices' own keys, row by
// row. Must never repair or retry: it looks once, after the dust has settled.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { until } = require('../lib/https');

// Waits until no work on devices is left; dead jobs count as left.
async function settled(stack) {
  await until('the jobs of all devices to end', async () => await stack.number("select count(*) from idscope.job where kind in ('assign', 'hub_remove')") === 0,
    { timeoutMs: 120000, everyMs: 250 });
}

function compareDevice(device, row, places, wrong) {
  if (!row) wrong.lost.push(`${device.id} has no registration`);
  else if (row.status !== 'assigned') wrong.lost.push(`${device.id} is ${row.status}`);
  if (places.length === 0) wrong.lost.push(`${device.id} is on no hub`);
  if (places.length > 1) wrong.doubled.push(`${device.id} is on ${places.map((place) => place.host).join(' and ')}`);
  if (!row || places.length !== 1) return;
  const [{ host, identity }] = places;
  if (row.hub !== host) wrong.differ.push(`${device.id} is assigned to ${row.hub} and lives on ${host}`);
  if (row.deviceId !== device.id) wrong.differ.push(`${device.id} has the device id ${row.deviceId}`);
  const keys = identity.authentication && identity.authentication.symmetricKey;
  if (!keys || keys.primaryKey !== device.key || keys.secondaryKey !== device.secondaryKey) wrong.differ.push(`${device.id} has other keys on its hub`);
  if (device.state && device.state.assignedHub.toLowerCase() !== host) wrong.differ.push(`${device.id} was told ${device.state.assignedHub} and lives on ${host}`);
}

async function registrations(stack) {
  const rows = await stack.sql('select registration_id, status, lower(assigned_hub), device_id from idscope.registration');
  return new Map(rows.map(([id, status, hub, deviceId]) => [id, { status, hub, deviceId }]));
}

// registered: the devices that have registered. Gives lists of what is wrong.
async function judge(stack, service, hubs, registered) {
  await settled(stack);
  const wrong = { lost: [], doubled: [], differ: [] };
  const rows = await registrations(stack);
  const places = new Map();
  let identities = 0;
  for (const hub of hubs) {
    for (const [id, identity] of await service.registry(hub)) {
      identities++;
      places.set(id, [...(places.get(id) || []), { host: hub.host.toLowerCase(), identity }]);
    }
  }
  for (const device of registered) compareDevice(device, rows.get(device.id), places.get(device.id) || [], wrong);
  if (rows.size !== registered.length) wrong.differ.push(`${registered.length} devices registered, ${rows.size} registrations`);
  if (identities !== registered.length) wrong.differ.push(`${registered.length} devices registered, ${identities} identities on the hubs`);
  return wrong;
}

function insistClean(wrong) {
  for (const [name, list] of Object.entries(wrong)) {
    if (list.length) throw new Error(`${list.length} ${name}: ${list.slice(0, 5).join('; ')}`);
  }
}

// A program's own account, in its log, of the arenas that it had not given back when it ended. Who was killed gives none.
function leftBy(stack, name) {
  const ends = fs.readFileSync(stack.log(name), 'utf8').split('\n').filter((line) => line.startsWith('{') && line.includes('"event":"stopped"')).map((line) => JSON.parse(line));
  if (!ends.length) throw new Error(`${name} never said that it stopped`);
  return ends.filter(({ arenasLeft }) => arenasLeft !== 0).map(({ arenasLeft }) => `${name} ended with ${arenasLeft} arenas`);
}

// With all answered no call is in flight and none holds an arena; then the programs are stopped, in order for once, and leave none at all.
async function insistNothingLeft(stack) {
  const health = fs.readFileSync(path.join(stack.dir, 'run/api1.health'), 'utf8');
  await until('no call to be left', async () => {
    const text = await (await fetch(`http://${health}/metrics`)).text();
    return ['idscope_requests_in_flight', 'idscope_arenas'].every((name) => text.includes(`\n${name} 0\n`));
  }, { timeoutMs: 15000 });
  await stack.stopPart('worker', 'api');
  const left = ['api1', 'worker1'].flatMap((name) => leftBy(stack, name));
  if (left.length) throw new Error(left.join('; '));
}

module.exports = { insistNothingLeft, judge, insistClean, settled };
