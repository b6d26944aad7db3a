// world.js: hubs, an instance and a device for each case of registering again, in which workers die at one step, or nobody dies.
//
// Responsible for: the cases and their rows; bringing a world to where its devices register again, living through the deaths and a hub that is down,
// and what can be read of it in the end: every identity with its twin on every hub, and every registration.
// Two worlds differ in names and times alone. Must never read over the front: what is down for workers, the test can see.
'use strict';

const assert = require('node:assert/strict');
const { DEVICES } = require('../lib/attested');
const { Idscope, expect } = require('../lib/idscope');
const { each, until } = require('../lib/https');
const sas = require('../lib/sas');

const BOOLEANS = [true, false];
const MOVED = 'moved';
const SAME = 'same hub';
const DOWN = 'old hub down'; // when the worker begins, and dies
const FALLS = 'old hub falls'; // when it has died
const WHATS = [SAME, MOVED, DOWN, FALLS];
const TARGET = 'target';
const hubOf = (what) => what.replaceAll(' ', '-');

const CELLS = Object.keys(DEVICES).flatMap((attested) => BOOLEANS.flatMap((update) => BOOLEANS.flatMap((migrate) => WHATS.map((what) => {
  const moves = update && what !== SAME;
  return { attested, update, migrate, what, moves,
    id: [attested.toLowerCase().replace('.', ''), update, migrate, hubOf(what)].join('-'),
    name: `${attested}, updateHubAssignment ${update}, migrateDeviceData ${migrate}, ${what}` };
}))));

// Who passes a step, and whether one at a time. A hub that is down is not asked, so it leaves at none of these steps.
const leaves = ({ moves, what }) => moves && what !== DOWN;
const resets = ({ update, migrate, what }) => update && !migrate && what === SAME;
const STEPS = {
  assign_chosen: { of: () => true },
  assign_left: { of: leaves, alone: true },
  assign_left_twin: { of: (cell) => leaves(cell) && cell.migrate, alone: true },
  assign_placed: { of: resets, alone: true },
  assign_twin: { of: resets, alone: true },
  assign_hub_done: { of: ({ update, what }) => update || what !== DOWN },
  assign_finished: { of: ({ update, what }) => update || what !== DOWN },
  remove_done: { of: leaves, alone: true },
};
const rowsOf = (step) => CELLS.filter(STEPS[step].of);

const INITIAL = { tags: { from: 'enrollment', n: 0.1 }, desired: { rate: 1 } };
const OPERATORS = { tags: { from: 'operator', n: 21.3 }, desired: { rate: 2, place: { row: 1 } } };
const KEYS = { primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
const twinOf = ({ tags, desired }) => ({ tags, properties: { desired } });

// What two worlds may differ in.
const PASSING = new Set(['etag', 'deviceEtag', 'generationId', 'version', '$metadata', '$version', 'lastUpdatedDateTimeUtc', 'createdDateTimeUtc']);
const isPassing = (name) => PASSING.has(name) || /Time$/.test(name);
const lasting = (value) => {
  if (Array.isArray(value)) return value.map(lasting);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !isPassing(name)).map(([name, one]) => [name, lasting(one)]));
};

class World {
  // step: at which workers die; none: the control.
  constructor(table, group, step) {
    Object.assign(this, { table, step, group, of: table.service, name: (step || 'control').replaceAll('_', '-'), hits: new Map(), made: new Map(), deaths: 0, hubs: {} });
    this.rows = step ? rowsOf(step) : [];
    for (const row of this.rows) this.hits.set(row.id, 0);
  }

  // --- how it begins ---------------------------------------------------------------------------------------------------------------

  async build(devices) {
    for (const role of [...WHATS.map(hubOf), TARGET]) this.hubs[role] = await this.of.createHub(this.group, `${this.name}-${role}`);
    const iotHubs = Object.values(this.hubs).map((hub) => Idscope.link(hub));
    this.instance = await this.of.createInstance(this.group, `again-${this.name}`, { allocationPolicy: 'Hashed', iotHubs });
    this.idScope = this.instance.idScope;
    this.devices = new Map(CELLS.map((cell, i) => [cell.id, Object.assign(devices[i].at(this), { cell })]));
    await this.linksAre('valid');
    await each([...this.devices.values()], 8, (device) => this.settleIn(device));
    await each(Object.values(this.hubs), 5, (hub) => this.bystand(hub));
  }

  async linksAre(state) {
    await until(`all links of ${this.name} to be ${state}`, async () => (await this.of.linkedHubs(this.group, this.instance.name)).every(({ properties }) => properties.state === state),
      { timeoutMs: 120000 });
  }

  home(cell) { return this.hubs[hubOf(cell.what)]; }

  target(cell) { return cell.what === SAME ? this.home(cell) : this.hubs[TARGET]; }

  end(cell) { return cell.moves ? this.hubs[TARGET] : this.home(cell); }

  enrollment({ update, migrate }, hub) {
    return { reprovisionPolicy: { updateHubAssignment: update, migrateDeviceData: migrate }, initialTwin: twinOf(INITIAL), capabilities: { iotEdge: true }, iotHubs: [hub.host] };
  }

  // A device gets its hub; then the hub's operator works on it, and its enrollment changes.
  async settleIn(device) {
    const home = this.home(device.cell);
    await device.enroll(this.enrollment(device.cell, home));
    assert.equal((await device.register()).assignedHub, home.host);
    const { authentication } = await this.operate(home, device.id, { statusReason: 'repaired', capabilities: { iotEdge: false } }, OPERATORS);
    if (device.cell.attested === 'TPM') for (const [name, key] of Object.entries(authentication.symmetricKey)) this.made.set(key, `${name} that was made for ${device.id}`);
    await device.change(this.enrollment(device.cell, this.target(device.cell)));
  }

  async operate(hub, id, change, twin) {
    const at = (method, where, body) => this.of.hub(hub, method, where, { body, headers: { 'If-Match': '*' } });
    const identity = expect('read', await this.of.hub(hub, 'GET', `/devices/${id}`), 200);
    expect('operate', await at('PUT', `/devices/${id}`, { ...identity, ...change }), 200);
    expect('operate', await at('PUT', `/twins/${id}`, twinOf(twin)), 200);
    return identity;
  }

  // Identities that nobody has anything to do with: of no enrollment of ours, one of them disabled.
  async bystand(hub) {
    for (const id of ['bystander', 'bystander-stolen']) expect('bystand', await this.of.hub(hub, 'PUT', `/devices/${id}`, { body: { deviceId: id, authentication: { type: 'sas', symmetricKey: KEYS } } }), 200);
    await this.operate(hub, 'bystander-stolen', { status: 'disabled', statusReason: 'stolen' }, OPERATORS);
  }

  // --- how it goes on ----------------------------------------------------------------------------------------------------------------

  fall(what) { this.table.down.add(this.hubs[hubOf(what)].host); }

  rise() { for (const hub of Object.values(this.hubs)) this.table.down.delete(hub.host); }

  // Devices register again and workers die at the step until each row has stood there when one did. No worker runs before, nor after.
  async live() {
    this.fall(DOWN);
    this.polls = new Map();
    for (const rows of this.groups()) await this.die(rows);
    await this.begin(CELLS.filter(({ id }) => !this.polls.has(id)));
    if (!this.step) await this.livesThrough();
    this.fall(FALLS);
  }

  // Who comes to the step at one time: with all others of the hub, which are called for together, or each alone.
  groups() {
    if (this.step && STEPS[this.step].alone) return this.rows.map((row) => [row]);
    return WHATS.map((what) => this.rows.filter((row) => row.what === what)).filter((rows) => rows.length > 0);
  }

  // In the control all who can be told are told before a hub falls.
  async livesThrough() {
    await this.table.stack.startPart('worker');
    await each([...this.devices.values()].filter(({ cell }) => cell.update || cell.what !== DOWN), 8, (device) => this.told(device));
    await this.table.stack.stopPart('worker');
  }

  begin(cells) {
    return each(cells, 8, async ({ id }) => this.polls.set(id, await this.devices.get(id).begin()));
  }

  async die(rows) {
    const { killer } = this.table;
    await this.begin(rows);
    for (let left = rows; left.length > 0; left = rows.filter(({ id }) => !this.hits.get(id))) {
      const before = await killer.arm(this.step, { aim: left.map(({ id }) => this.word(id)) });
      await killer.fell(this.step, before, () => left.length);
      this.deaths++;
      for (const word of killer.stood(this.step)) this.hit(word);
      await this.nobodyIsWithoutHub();
    }
  }

  word(id) { return `${this.idScope}/${id}`.toLowerCase(); }

  hit(word) {
    const row = this.rows.find(({ id }) => this.word(id) === word);
    if (row) this.hits.set(row.id, this.hits.get(row.id) + 1);
  }

  // Whatever stands on other hubs: where its registration says that it is, a device is enabled.
  async nobodyIsWithoutHub() {
    const { hubs } = await this.seen();
    const rows = await this.table.stack.sql(`select registration_key, lower(assigned_hub), device_id from idscope.registration where id_scope = lower('${this.idScope}')`);
    assert.equal(rows.length, CELLS.length);
    for (const [id, host, deviceId] of rows) {
      const role = Object.keys(this.hubs).find((name) => this.hubs[name].host.toLowerCase() === host);
      const identity = hubs[role][deviceId];
      assert.ok(identity && identity.status === 'enabled', `${this.name}: ${id} is without its hub ${host}`);
    }
  }

  async told(device) {
    const state = await until(`${this.name}: ${device.id} to be told`, this.polls.get(device.id), { timeoutMs: 120000 });
    assert.equal(state.status, 'assigned', JSON.stringify(state));
    return state.assignedHub;
  }

  // Told the hub that it cannot leave, a device stands there alone, whatever an attempt that was cut short made on the other one.
  async standsAlone(device, host) {
    if (host === this.hubs[TARGET].host) return;
    assert.equal(host, this.home(device.cell).host, `${this.name}: ${device.id}`);
    await until(`${this.name}: ${device.id} to be on ${host} alone`, async () => (await this.of.hub(this.hubs[TARGET], 'GET', `/devices/${device.id}`)).status === 404);
  }

  // The dust settles: who moves from a hub that is down is told one of its two hubs, and when that hub is back it moves.
  async settle() {
    const movers = [...this.devices.values()].filter(({ cell }) => cell.moves);
    await each(movers, 8, async (device) => this.standsAlone(device, await this.told(device)));
    this.rise();
    await this.linksAre('valid');
    await each([...this.devices.values()], 8, async (device) => {
      const end = this.end(device.cell).host;
      if (await this.told(device) !== end) await until(`${this.name}: ${device.id} to be told ${end}`, async () => (await device.register()).assignedHub === end, { timeoutMs: 120000 });
    });
    await until(`no work of ${this.name} to be left`, async () => await this.table.stack.number(`select count(*) from idscope.job where id_scope = lower('${this.idScope}') and kind in ('assign', 'hub_remove')`) === 0,
      { timeoutMs: 120000, everyMs: 500 });
  }

  // --- how it ends -------------------------------------------------------------------------------------------------------------------

  // { hubs: role → device id → identity with its twin, registrations: id → registration }, without what passes, and without what each world has of its own:
  // names of hubs, and keys that the service makes for a TPM when it is enrolled.
  async seen() {
    const hubs = {};
    for (const [role, hub] of Object.entries(this.hubs)) hubs[role] = await this.registry(hub);
    const registrations = {};
    await each(CELLS, 16, async ({ id }) => { registrations[id] = lasting(await this.of.registration(this.instance, id)); });
    let text = JSON.stringify({ hubs, registrations }).replaceAll(`"${this.name}-`, '"');
    for (const [key, word] of this.made) text = text.replaceAll(key, word);
    return JSON.parse(text);
  }

  async registry(hub) {
    const twins = expect('query', await this.of.hub(hub, 'POST', '/devices/query', { body: { query: 'SELECT * FROM devices' }, headers: { 'x-ms-max-item-count': '1000' } }), 200);
    const identities = await this.of.registry(hub);
    assert.equal(twins.length, identities.size);
    return Object.fromEntries(twins.map((twin) => [twin.deviceId, { ...lasting(identities.get(twin.deviceId)), twin: lasting(twin) }]));
  }

  // What the rules say of the end, without another world to compare with.
  insistExpected({ hubs, registrations }) {
    for (const { id, name, update, migrate, what, moves } of CELLS) {
      const standing = Object.keys(hubs).filter((role) => hubs[role][id]);
      assert.deepEqual(standing, [moves ? TARGET : hubOf(what)], name);
      const { status, statusReason, capabilities, twin } = hubs[standing[0]][id];
      const data = update && !migrate ? INITIAL : OPERATORS;
      assert.deepEqual([status, statusReason, twin.tags, twin.properties.desired, capabilities], ['enabled', 'repaired', data.tags, data.desired, { iotEdge: !(moves && migrate) }], name);
      assert.equal(registrations[id].substatus, moves ? (migrate ? 'deviceDataMigrated' : 'deviceDataReset') : 'reprovisionedToInitialAssignment', name);
    }
  }

  // In words: in what a row differs from the control, and in what the rest of its world does.
  wrongWith(row, seen, whole) {
    const wrong = this.hits.get(row.id) ? [] : [`it never stood at ${this.step} when a worker died`];
    for (const [role, identities] of Object.entries(whole.hubs)) {
      for (const id of new Set([...Object.keys(identities), ...Object.keys(seen.hubs[role])])) {
        if (!same(identities[id], seen.hubs[role][id])) wrong.push(`${id} on ${role}: ${JSON.stringify(seen.hubs[role][id])} in place of ${JSON.stringify(identities[id])}`);
      }
    }
    for (const [id, registration] of Object.entries(whole.registrations)) {
      if (!same(registration, seen.registrations[id])) wrong.push(`the registration ${id}: ${JSON.stringify(seen.registrations[id])} in place of ${JSON.stringify(registration)}`);
    }
    return wrong;
  }
}

const same = (a, b) => {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
};

module.exports = { CELLS, STEPS, WHATS, World };
