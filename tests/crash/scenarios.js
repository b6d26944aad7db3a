// scenarios.js: single crashes, each with its defined outcome.
//
// Responsible for: the moments that a storm only hits by luck: the hubs down, a worker dead between the hub's answer and its own finish, a
// worker that outlives its lease, an api dead just before and just after its commit, a worker dead in a sweep, while it seals events, and in an inventory.
// Must leave the stack whole and the devices assigned, for the verdict over all of them.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const assert = require('node:assert/strict');
const { Idscope, expect } = require('../lib/idscope');
const { each, until } = require('../lib/https');
const { run } = require('../lib/stack');

const state = (pid) => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];

class Scenarios {
  constructor({ stack, fleet, killer, service, hubs }) {
    Object.assign(this, { stack, fleet, killer, service, hubs });
  }

  list() {
    return [
      ['hubs that are down leave devices assigning; they are assigned when the hubs return', () => this.hubsDown()],
      ['an api that dies before its commit leaves nothing behind', () => this.apiBeforeCommit()],
      ['an api that dies after its commit has begun the operation that the next register answers', () => this.apiAfterCommit()],
      ['a worker that dies between hub and finish: the same identity on the same hub', () => this.workerBeforeFinish()],
      ['a worker that outlives its lease changes nothing any more', () => this.staleFinish()],
      ['a worker that dies while it writes a list as a whole leaves nothing of it; the next one writes all', () => this.workerInImport()],
      ['a worker that dies in a sweep costs its lease: the sweep goes on', () => this.workerInSweep()],
      ['a worker that dies while it seals events costs a delay: the next one seals each once, and the chain is whole', () => this.workerInSealing()],
      ['a worker that dies between a page of an inventory and its job: the page is taken again, and each device is found once', () => this.workerInInventory()],
    ];
  }

  async row(device) {
    const [found] = await this.stack.sql(`select status, coalesce(target_hub, ''), coalesce(assigned_hub, ''), revision, operation_id, updated_at
      from idscope.registration where registration_key = lower('${device.id}')`);
    return found && { status: found[0], target: found[1], hub: found[2], text: found.join(' ') };
  }

  // The identities of a device on the hubs: [{ host, generation, etag }].
  async identities(device) {
    const answers = await each(this.hubs, 4, async (hub) => ({ hub, answer: await this.service.hub(hub, 'GET', `/devices/${device.id}`) }));
    return answers.filter(({ answer }) => { expect(`look for ${device.id}`, answer, 200, 404); return answer.status === 200; })
      .map(({ hub, answer }) => ({ host: hub.host, generation: answer.json.generationId, etag: answer.json.etag }));
  }

  // The worker reaches its hubs through the edge: without it all hubs are down. Devices come in by the plain listener meanwhile.
  async hubsDown() {
    const devices = await this.fleet.enroll(20, 'hubs-down');
    await this.stack.killPart('edge');
    for (const device of devices) {
      const answer = await this.fleet.plain('PUT', device, '/register', { registrationId: device.id });
      assert.equal(answer.status, 202, answer.text);
      device.operation = answer.json.operationId;
    }
    await until('the worker to have tried in vain', async () => await this.stack.number(`select count(*) from idscope.registration
      where registration_key like 'hubs-down-%' and status = 'assigning' and waiting_for is not null`) === devices.length);
    for (const device of devices) {
      const answer = await this.fleet.plain('GET', device, `/operations/${device.operation}`);
      assert.equal(answer.status, 202, answer.text);
      assert.equal(answer.json.status, 'assigning');
      const wait = Number(answer.headers['retry-after']);
      assert.ok(wait >= 3 && wait <= 60, `Retry-After is ${answer.headers['retry-after']}`);
    }
    await this.stack.startPart('edge');
    await until('all of them to be assigned', async () => await this.stack.number(`select count(*) from idscope.registration
      where registration_key like 'hubs-down-%' and status = 'assigned'`) === devices.length);
    for (const device of devices) {
      const answer = await this.service.poll(this.fleet.instance.idScope, device, device.operation);
      assert.equal(answer.status, 200, answer.text);
      assert.equal((await this.identities(device)).length, 1);
    }
  }

  async apiBeforeCommit() {
    const [device] = await this.fleet.enroll(1, 'before-commit');
    await this.stack.stopPart('api');
    const before = await this.killer.arm('register_before_commit');
    this.fleet.release([device]);
    await this.killer.fell('register_before_commit', before, () => this.fleet.inFlight());
    assert.equal(await this.row(device), undefined, 'the registration was written by an api that died before its commit');
    await this.stack.startPart('api');
    await this.fleet.settled();
    assert.equal((await this.identities(device)).length, 1);
  }

  async apiAfterCommit() {
    const [device] = await this.fleet.enroll(1, 'after-commit');
    await this.stack.stopPart('worker', 'api');
    const before = await this.killer.arm('register_after_commit');
    this.fleet.release([device]);
    await this.killer.fell('register_after_commit', before, () => this.fleet.inFlight());
    const begun = await this.row(device);
    assert.equal(begun && begun.status, 'assigning');
    await this.stack.startPart('api');
    await until('the device to be answered', () => device.operation !== undefined);
    assert.equal((await this.row(device)).text, begun.text, 'the second register began another operation');
    const polled = await this.fleet.plain('GET', device, `/operations/${device.operation}`);
    const [, operation] = /^"([0-9a-f-]{36})-/.exec(Buffer.from(polled.json.registrationState.etag, 'base64')) || [];
    assert.ok(operation && begun.text.includes(operation), `the device was given ${device.operation}, which is ${polled.text}, the row has ${begun.text}`);
    await this.stack.startPart('worker');
    await this.fleet.settled();
  }

  async workerBeforeFinish() {
    const [device] = await this.fleet.enroll(1, 'before-finish');
    await this.stack.stopPart('worker');
    const before = await this.killer.arm('assign_hub_done');
    this.fleet.release([device]);
    await this.killer.fell('assign_hub_done', before, () => this.fleet.inFlight());
    const row = await this.row(device);
    assert.equal(row.status, 'assigning');
    const made = await this.identities(device);
    assert.deepEqual(made.map((identity) => identity.host), [row.target], 'the identity is not on the hub that the row names');
    await this.stack.startPart('worker');
    await this.fleet.settled();
    const kept = await this.identities(device);
    assert.deepEqual(kept.map(({ host, generation }) => [host, generation]), made.map(({ host, generation }) => [host, generation]),
      'the identity was made anew or on another hub');
    assert.equal((await this.row(device)).hub, row.target);
  }

  // worker1 freezes between the hub's answer and its finish; worker2 takes over when the lease has ended. Then the device registers again and
  // worker2 freezes at the same place, with the new job, the first of its subject's new life, in its hands. Now worker1 goes on: its finish
  // must neither change the registration nor take the job away from worker2.
  async staleFinish() {
    const [device, witness] = await this.fleet.enroll(2, 'stale');
    await this.stack.stopPart('worker');
    const args = this.stack.settings.WORKER_ARGS;
    this.stack.settings.WORKER_ARGS = `${args} --job-slots=1 --lease-ms=2000`;
    const first = await this.freezing('worker1');
    this.fleet.release([device]);
    await first.stands();
    await this.stack.startPart('worker2');
    await this.fleet.settled();
    await this.stack.stopPart('worker2');
    this.stack.settings.WORKER_ARGS = `${args} --job-slots=1 --lease-ms=60000`;
    const second = await this.freezing('worker2');
    this.fleet.release([device]);
    await second.stands();
    await this.goesOnUnheard(first, device, witness);
    process.kill(second.pid, 'SIGCONT');
    await until('worker2 to finish', async () => (await this.row(device)).status === 'assigned');
    await this.stack.killPart('worker1', 'worker2');
    this.stack.settings.WORKER_ARGS = args;
    await this.stack.startPart('worker');
    await this.fleet.settled();
    assert.equal((await this.identities(device)).length, 1);
  }

  // Nobody ever sees a part of the list: not behind the death, nor while the next worker writes it.
  async workerInImport() {
    const COUNT = 6000;
    const { instance } = this.fleet;
    const there = () => this.stack.number("select count(*) from idscope.enrollment where registration_key like 'listed-%'");
    await this.stack.stopPart('worker');
    const before = await this.killer.arm('import_bite');
    const body = Array.from({ length: COUNT }, (_, i) => JSON.stringify({ registrationId: `listed-${i}`, attestation: { type: 'symmetricKey' } })).join('\n');
    const sent = await this.service.service(instance, 'POST', '/enrollments/import?mode=allOrNothing', { body, headers: { 'Content-Type': 'application/x-ndjson' } });
    const { operationId } = expect('import', sent, 202);
    const status = async () => expect('how it fares', await this.service.service(instance, 'GET', `/enrollments/imports/${operationId}`), 200);
    await this.killer.fell('import_bite', before, () => this.fleet.inFlight());
    assert.equal((await status()).status, 'writing');
    assert.equal(await there(), 0);
    await this.stack.startPart('worker');
    const seen = new Set();
    const done = await until('the list to be there', async () => {
      seen.add(await there());
      const now = await status();
      return now.status === 'succeeded' && now;
    });
    assert.deepEqual([done.written, done.refused, await there()], [COUNT, 0, COUNT]);
    assert.ok([...seen].every((count) => count === 0 || count === COUNT), `parts were seen: ${[...seen]}`);
    assert.deepEqual(await this.stack.sql(`select detail->>'change', detail->>'count', length(detail->>'sha256') from idscope.audit_event where tracking_id = '${operationId}' order by id`),
      [['begun', '', ''], ['imported', String(COUNT), '64']], 'whoever wrote it, one event tells what was written');
    await this.stack.sql("delete from idscope.job where kind = 'import'; delete from idscope.enrollment where registration_key like 'listed-%'");
  }

  // The worker dies when a sweep's bite is done and not yet written down. What it had claimed is nobody's until the lease ends, and then the
  // next worker's.
  async workerInSweep() {
    await this.stack.stopPart('worker');
    await this.stack.sql('update idscope.tenant_job set due_at = now()');
    const before = await this.killer.arm('sweep_bitten');
    await this.killer.fell('sweep_bitten', before, () => this.fleet.inFlight());
    const lost = await this.stack.sql('select kind, fence from idscope.tenant_job where due_at > now()');
    assert.ok(lost.length > 0, 'no sweep was claimed');
    await this.stack.startPart('worker');
    const goneOn = lost.map(([kind, fence]) => `kind = '${kind}' and fence > ${fence} and attempt = 0`).join(' or ');
    await until('the sweeps to go on', async () => await this.stack.number(`select count(*) from idscope.tenant_job where ${goneOn}`) === lost.length);
  }

  // The blocks were computed and stand nowhere yet.
  async workerInSealing() {
    const { service, stack } = this;
    const verify = async () => JSON.parse(await run(path.join(__dirname, '../../build', stack.settings.FLAVOR, 'idscope-admin'), ['audit', 'verify', '--json', `--database-url=${stack.databaseUrl('idscope_admin')}`,
      `--key-ring-file=${path.join(stack.dir, 'keys/ring')}`]));
    const unsealed = async () => (await verify()).tenants.reduce((sum, { notSealed }) => sum + notSealed, 0);
    const blocks = () => stack.sql('select tenant_id, block, hash from idscope.audit_block order by 1, 2');
    await until('all to be sealed', async () => await unsealed() === 0);
    await stack.stopPart('worker');
    const sealed = await blocks();
    for (const name of ['crash-sealed-1', 'crash-sealed-2']) await service.createGroup(name);
    const before = await this.killer.arm('audit_sealing');
    await this.killer.fell('audit_sealing', before, () => this.fleet.inFlight());
    assert.deepEqual(await blocks(), sealed, 'nothing of a block stands before all of it');
    assert.equal(await unsealed(), 2);
    await stack.startPart('worker');
    await until('the events to be sealed', async () => await unsealed() === 0);
    assert.deepEqual((await verify()).findings, []);
    assert.deepEqual((await blocks()).filter((one) => sealed.some((old) => String(old) === String(one))), sealed, 'what was sealed stays as it was');
    assert.deepEqual(await stack.sql('select id from (select unnest(ids) id from idscope.audit_block) b group by id having count(*) > 1'), [], 'each stands in one block');
  }

  // On a hub of its own, which the verdict does not look at: nothing of the fleet stands there.
  async workerInInventory() {
    const { service, stack } = this;
    const { group } = this.fleet.instance;
    const hub = await service.createHub(group, 'crash-listed');
    const devices = Array.from({ length: 2500 }, (_, i) => ({ id: `listed-${i}`, importMode: 'create', authentication: { type: 'sas', symmetricKey: {} } }));
    for (let i = 0; i < devices.length; i += 100) expect('make', await service.hub(hub, 'POST', '/devices', { body: devices.slice(i, i + 100) }), 200);
    await stack.stopPart('worker');
    const instance = await service.createInstance(group, 'crash-listing', { allocationPolicy: 'Hashed', iotHubs: [Idscope.link(hub)] });
    const scope = `id_scope = '${instance.idScope.toLowerCase()}'`;
    const found = () => stack.number(`select count(*) from idscope.found_identity where ${scope}`);
    const before = await this.killer.arm('inventory_page');
    await this.killer.fell('inventory_page', before, () => 0);
    assert.equal(await found(), 1000, 'a page is kept whole');
    await stack.startPart('worker');
    await until('the hub to be listed', async () => await stack.number(`select count(*) from idscope.inventory where ${scope} and taken_at is not null`) === 1, { timeoutMs: 60000 });
    assert.equal(await found(), devices.length);
  }

  // A worker that freezes whenever it stands between a hub's answer and its finish.
  async freezing(name) {
    await this.killer.arm('assign_hub_done', { signal: 'STOP', name });
    const pid = this.stack.pid(name);
    return { pid, stands: () => until(`${name} to freeze`, () => state(pid) === 'T', { everyMs: 10 }) };
  }

  // Lets the frozen worker go on, and waits until its only assigning thread reaches the point again with another device: it is past its stale
  // finish then.
  async goesOnUnheard(worker, device, witness) {
    const look = () => this.stack.sql(`select r, j.fence, j.subject from idscope.registration r left join idscope.job j
      on j.id_scope = r.id_scope and j.kind = 'assign' and j.subject = r.registration_key where r.registration_key = '${device.id}'`);
    const [row, identities] = [await look(), await this.identities(device)];
    assert.equal(row[0][2], device.id, 'the second registration has no job');
    process.kill(worker.pid, 'SIGCONT');
    await until('the worker to go on', () => state(worker.pid) !== 'T', { everyMs: 5 });
    this.fleet.release([witness]);
    await worker.stands();
    assert.deepEqual(await look(), row, 'a finish after the end of the lease changed the registration or its job');
    assert.deepEqual(await this.identities(device), identities, 'a finish after the end of the lease changed the identity');
  }
}

module.exports = { Scenarios };
