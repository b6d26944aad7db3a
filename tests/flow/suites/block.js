// block.js: POST /registrations/{id}/block and …/unblock: one call that keeps a device out of the service and off its hub, whatever it does.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, stack, idscope, Idscope, expect, sas, fresh, refused, sharedScene, scene, until } = require('../kit');

const REASON = 'blocked by the provisioning service';
const ask = (made, device, what, options) => idscope.service(made.instance, 'POST', `/registrations/${encodeURIComponent(device.id)}/${what}`, options);
const done = async (made, device, what) => assert.equal((await ask(made, device, what)).status, 204, what);
const enrolled = (made, device) => idscope.service(made.instance, 'GET', `/enrollments/${device.id}`).then((answer) => expect('enrollment', answer, 200));
const becomes = (made, hub, device, status) => until(`the identity to be ${status}`, async () => {
  const identity = await made.identity(hub, device.state.deviceId);
  return identity.status === status && identity;
}, { timeoutMs: 30000 });
const jobs = (made) => stack.sql(`select count(*) from idscope.job where kind = 'hub_status' and id_scope = '${made.idScope.toLowerCase()}'`);
const settled = (made) => until('no change of status to be left', async () => (await jobs(made)) === '0', { timeoutMs: 30000 });

describe('block', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const [hubOf] = [() => made.hubs[0]];

  test('a blocked device is disabled here and on its hub through every registration, until it is unblocked', async () => {
    const device = await made.registered({ deviceId: fresh('Press'), capabilities: { iotEdge: true } });
    const first = await made.identity(hubOf(), device.state.deviceId);
    const { etag } = await enrolled(made, device);
    await done(made, device, 'block');
    const entry = await enrolled(made, device);
    assert.equal(entry.provisioningStatus, 'disabled');
    assert.notEqual(entry.etag, etag);
    const blocked = await becomes(made, hubOf(), device, 'disabled');
    assert.equal(blocked.statusReason, REASON);
    for (const member of ['authentication', 'capabilities', 'generationId']) assert.deepEqual(blocked[member], first[member], member);
    for (let i = 0; i < 2; i++) assert.equal((await made.register(device)).status, 'disabled');
    await done(made, device, 'block'); // again is as once
    await settled(made);
    assert.deepEqual([(await made.identity(hubOf(), device.state.deviceId)).status, (await idscope.registration(made.instance, device.id)).status], ['disabled', 'disabled']);
    await done(made, device, 'unblock');
    assert.equal((await becomes(made, hubOf(), device, 'enabled')).statusReason, null);
    assert.equal((await enrolled(made, device)).provisioningStatus, 'enabled');
    assert.equal((await made.register(device)).status, 'assigned');
  });

  test('a device that never registered is blocked before it does', async () => {
    const device = await made.enroll();
    await done(made, device, 'block');
    assert.equal((await made.register(device)).status, 'disabled');
    assert.equal(await made.identity(hubOf(), device.id), undefined);
    await done(made, { id: device.id.toUpperCase() }, 'unblock');
    assert.equal((await made.register(device)).status, 'assigned');
  });

  test('what the operator of the hub disabled stays theirs', async () => {
    const device = await made.registered();
    const identity = await made.identity(hubOf(), device.state.deviceId);
    const put = (more) => idscope.hub(hubOf(), 'PUT', `/devices/${device.state.deviceId}`, { body: { ...identity, ...more }, headers: { 'If-Match': '*' } });
    expect('disable', await put({ status: 'disabled', statusReason: 'stolen' }), 200);
    for (const what of ['block', 'unblock']) {
      await done(made, device, what);
      await settled(made);
      const now = await made.identity(hubOf(), device.state.deviceId);
      assert.deepEqual([now.status, now.statusReason], ['disabled', 'stolen'], what);
    }
  });

  // The registration is set back to what it says while a worker makes the identity.
  test('an assignment that runs ends before the identity is looked at', async () => {
    const device = await made.registered();
    const where = `id_scope = '${made.idScope.toLowerCase()}' and registration_key = '${device.id}'`;
    const set = (status, substatus) => stack.sql(`update idscope.registration set status = '${status}', substatus = ${substatus} where ${where}`);
    const fence = async () => Number(await stack.sql(`select coalesce(max(fence), 0) from idscope.job where kind = 'hub_status' and subject = '${device.id}'`));
    await set('assigning', 'NULL');
    await stack.sql(`update idscope.enrollment set enabled = false, version = version + 1 where ${where} and not of_group`);
    await stack.sql(`insert into idscope.job (id_scope, kind, subject, hub, payload, due_at) values ('${made.idScope.toLowerCase()}', 'hub_status', '${device.id}', '${hubOf().host}', '["${device.id}"]', now())`);
    for (let turn = 0; turn < 2; turn++) {
      const last = await fence();
      await until('another look', async () => (await fence()) > last, { timeoutMs: 30000 });
    }
    assert.equal((await made.identity(hubOf(), device.id)).status, 'enabled');
    await set('assigned', "'initialAssignment'");
    await becomes(made, hubOf(), device, 'disabled');
  });

  // The identity is held while the worker writes what it read, and changed meanwhile.
  test('what the operator of the hub changes in the same moment stays', async () => {
    const device = await made.registered();
    const where = `device_id = '${device.state.deviceId}'`;
    const holder = stack.sql(`do $$ begin perform 1 from idscope.hub_device where ${where} for update;
      loop perform pg_stat_clear_snapshot(), pg_sleep(0.02);
        exit when exists (select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%FROM idscope.hub_registry WHERE hub_id%'); end loop;
      update idscope.hub_device set revision = revision + 1, iot_edge = true where ${where}; end $$`);
    await until('the identity to be held', async () => (await stack.sql(`select count(*) from (select 1 from idscope.hub_device where ${where} for update skip locked) d`)) === '0');
    await done(made, device, 'block');
    await holder;
    const { capabilities, statusReason } = await becomes(made, hubOf(), device, 'disabled');
    assert.deepEqual([capabilities, statusReason], [{ iotEdge: true }, REASON]);
  });

  test('an identity that is gone is no trouble', async () => {
    const device = await made.registered();
    assert.equal((await idscope.hub(hubOf(), 'DELETE', `/devices/${device.state.deviceId}`, { headers: { 'If-Match': '*' } })).status, 204);
    await done(made, device, 'block');
    await settled(made);
    assert.equal(await made.identity(hubOf(), device.state.deviceId), undefined);
  });

  test('who may not write enrollments, and ids that nobody enrolled, are refused; each change is audited', async () => {
    const device = await made.enroll();
    for (const what of ['block', 'unblock']) {
      refused(await ask(made, { id: fresh('none') }, what), 404, /enrollment/, 404201);
      refused(await ask(made, { id: 'a b' }, what), 400, /registrationId/);
      refused(await ask(made, device, what, { authorization: sas.forHost(made.instance.host, made.instance.policy, sas.newKey()) }), 401, /./, 401002);
      await done(made, device, what);
    }
    const noted = await stack.sql(`select string_agg(detail->>'change', ' ' order by id) from idscope.audit_event where kind = 'enrollment' and key = '${made.idScope.toLowerCase()}/${device.id}'`);
    assert.equal(noted, 'created blocked unblocked');
  });

  test('a hub that refuses us is told when it lets us in; a device that is being assigned meanwhile is not let in', async (t) => {
    const own = await scene(t, { hubs: 1 });
    const [hub] = own.hubs;
    const device = await own.registered();
    const late = await own.enroll();
    await own.relink([Idscope.link({ ...hub, connectionString: hub.connectionString.replace(hub.key, sas.newKey()) })]);
    await own.start(late);
    for (const one of [device, late]) await done(own, one, 'block');
    await until('the change to have failed', async () => Number(await stack.sql(`select count(*) from idscope.job where kind = 'hub_status' and attempt > 0 and id_scope = '${own.idScope.toLowerCase()}'`)) > 0, { timeoutMs: 30000 });
    assert.equal((await own.identity(hub, device.state.deviceId)).status, 'enabled');
    await own.relink([Idscope.link(hub)]);
    await becomes(own, hub, device, 'disabled');
    await settled(own);
    assert.equal((await own.register(late)).status, 'disabled');
    const identity = await own.identity(hub, late.id);
    assert.ok(!identity || identity.status === 'disabled', JSON.stringify(identity));
  });
});

describe('block: devices of groups', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const derive = (key, id) => crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(id).digest('base64');
  let group;
  before(async () => {
    const body = { enrollmentGroupId: fresh('hall'), attestation: { type: 'symmetricKey' } };
    group = expect('group', await idscope.service(made.instance, 'PUT', `/enrollmentGroups/${body.enrollmentGroupId}`, { body }), 200);
  });
  const deviceOf = (id = fresh('Member')) => ({ id, key: derive(group.attestation.symmetricKey.primaryKey, id) });
  const member = async () => {
    const device = deviceOf();
    device.state = await made.register(device);
    assert.equal(device.state.status, 'assigned');
    return device;
  };
  const hub = () => made.hubs[0];
  const missing = async (device) => refused(await idscope.service(made.instance, 'GET', `/enrollments/${device.id}`), 404, /./, 404201);

  test('one gets a disabled enrollment of its own, stays disabled here and on its hub through every registration, and is its group\'s again when it is unblocked', async () => {
    const device = await member();
    await done(made, device, 'block');
    const entry = await enrolled(made, device);
    assert.deepEqual([entry.registrationId, entry.provisioningStatus, entry.attestation.type], [device.id, 'disabled', 'symmetricKey']);
    assert.equal((await becomes(made, hub(), device, 'disabled')).statusReason, REASON);
    for (let i = 0; i < 2; i++) assert.equal((await made.register(device)).status, 'disabled', 'its own key tells it so');
    await done(made, device, 'block'); // again is as once
    await settled(made);
    assert.equal((await made.identity(hub(), device.id)).status, 'disabled');
    await done(made, device, 'unblock');
    await missing(device);
    assert.equal((await becomes(made, hub(), device, 'enabled')).statusReason, null);
    assert.equal((await made.register(device)).status, 'assigned');
    assert.equal((await idscope.registration(made.instance, device.id)).enrollmentGroupId, group.enrollmentGroupId);
    assert.equal((await made.identity(hub(), device.id)).authentication.symmetricKey.primaryKey, device.key);
    const noted = await stack.sql(`select string_agg(detail->>'change', ' ' order by id) from idscope.audit_event where kind = 'enrollment' and key = '${made.idScope.toLowerCase()}/${device.id.toLowerCase()}'`);
    assert.equal(noted, 'blocked blocked unblocked');
    refused(await ask(made, device, 'unblock'), 404, /enrollment/, 404201);
  });

  test('one that never registered is nobody\'s; others of its group are not touched', async () => {
    const [other, device] = [await member(), deviceOf()];
    refused(await ask(made, device, 'block'), 404, /enrollment/, 404201);
    await done(made, await member(), 'block');
    await settled(made);
    assert.equal((await made.register(other)).status, 'assigned');
    assert.equal((await made.register(device)).status, 'assigned');
  });

  test('an enrollment that somebody wrote since stays, and is enabled by unblock', async () => {
    const device = await member();
    await done(made, device, 'block');
    const body = { registrationId: device.id, attestation: { type: 'symmetricKey' }, provisioningStatus: 'disabled', iotHubs: [hub().host] };
    expect('written', await idscope.service(made.instance, 'PUT', `/enrollments/${device.id}`, { body, headers: { 'If-Match': '*' } }), 200);
    await done(made, device, 'unblock');
    assert.equal((await enrolled(made, device)).provisioningStatus, 'enabled');
    assert.equal((await made.register(device)).status, 'assigned', 'by the keys that its enrollment was given');
  });

  test('its group may be gone, or another\'s at the next registration', async (t) => {
    const own = await scene(t, { hubs: 1 });
    const id = fresh('gone');
    const made1 = expect('group', await idscope.service(own.instance, 'PUT', `/enrollmentGroups/${id}`, { body: { enrollmentGroupId: id, attestation: { type: 'symmetricKey' } } }), 200);
    const device = { id: fresh('Member') };
    device.key = derive(made1.attestation.symmetricKey.primaryKey, device.id);
    device.state = await own.register(device);
    assert.equal((await idscope.service(own.instance, 'DELETE', `/enrollmentGroups/${id}`)).status, 204);
    await done(own, device, 'block');
    await becomes(own, own.hubs[0], device, 'disabled');
    await done(own, device, 'unblock');
    await becomes(own, own.hubs[0], device, 'enabled');
  });
});

describe('block: a registration under way', () => {
  // The worker has looked at the enrollment and waits to store its choice; the block comes in between.
  for (const [what, prepare] of [
    ['a device of its own enrollment', async (own) => ({ device: await own.enroll() })],
    ['a group\'s device', async (own) => {
      const id = fresh('hall');
      const { attestation } = expect('group', await idscope.service(own.instance, 'PUT', `/enrollmentGroups/${id}`, { body: { enrollmentGroupId: id, attestation: { type: 'symmetricKey' } } }), 200);
      const device = { id: fresh('member') };
      device.key = crypto.createHmac('sha256', Buffer.from(attestation.symmetricKey.primaryKey, 'base64')).update(device.id).digest('base64');
      return { device };
    }]]) {
    test(`${what} that is blocked while the worker is at it is told that it is disabled, and keeps no identity that is enabled`, async (t) => {
      const own = await scene(t, { hubs: 1 });
      await own.linkState(own.hubs[0].host, 'valid');
      const { device } = await prepare(own);
      const scope = own.idScope.toLowerCase();
      const where = `id_scope = '${scope}' and registration_key = '${device.id}'`;
      const waiting = (words) => `exists (select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%${words}%')`;
      const link = await stack.sql(`select host from idscope.linked_hub where id_scope = '${scope}'`);
      assert.equal(link, own.hubs[0].host);
      await stack.sql(`update idscope.linked_hub set slow_until = now() + interval '1 hour' where id_scope = '${scope}'`);
      await own.start(device);
      await until('the registration', async () => (await stack.sql(`select count(*) from idscope.registration where ${where} and waiting_for is not null`)) === '1');
      const holder = stack.sql(`do $$ begin perform 1 from idscope.registration where ${where} for update;
        for i in 1..200 loop perform pg_stat_clear_snapshot(), pg_sleep(0.02);
          exit when ${waiting('removal_kind')} and ${waiting('by_block AND NOT')}; end loop; end $$`);
      await until('the row to be held', async () => (await stack.sql(`select count(*) from (select 1 from idscope.registration where ${where} for update skip locked) r`)) === '0');
      await stack.sql(`update idscope.linked_hub set slow_until = null where id_scope = '${scope}'`);
      await stack.sql(`update idscope.job set due_at = now() where id_scope = '${scope}' and kind = 'assign'`);
      await until('the worker to wait for it', async () => (await stack.sql(`select ${waiting('removal_kind')}`)) === 't');
      const blocked = done(own, device, 'block');
      await holder;
      await blocked;
      await until('the end', async () => (await idscope.registration(own.instance, device.id)).status === 'disabled', { timeoutMs: 30000 });
      await until('no work to be left', async () => (await stack.sql(`select count(*) from idscope.job where id_scope = '${scope}' and kind <> 'link_validate' and kind <> 'latency_measure'`)) === '0', { timeoutMs: 60000 });
      const identity = await own.identity(own.hubs[0], device.id);
      assert.ok(!identity || identity.status === 'disabled', JSON.stringify(identity));
    });
  }
});
