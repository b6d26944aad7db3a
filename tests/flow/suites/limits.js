// limits.js: how much and how often (idscope-admin limits): what an operator sets for a tenant or an instance holds for it within seconds, for nobody else,
// and is told by name to whoever meets it.
'use strict';

const { describe, test, before } = require('node:test');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { assert, stack, idscope, Idscope, expect, each, fresh, admin, names, refused, refusedArm, sas, scene, sleep, until } = require('../kit');

const said = (...words) => stack.adminText(process.env.FLAVOR || 'asan', 'limits', ...words);
const limit = (tenant, instance, name, value) => said('set', name, String(value), `--tenant=${tenant}`, ...(instance ? [`--instance=${instance.name}`] : []), '--json').then(JSON.parse);
async function refusedWith(pattern, ...words) {
  await assert.rejects(said(...words), (error) => { assert.match(error.message, pattern); return true; });
}
const processes = () => stack.sql("select count(*) from pg_stat_activity where application_name = 'idscope-api chores' and datname = current_database()").then(Number);

describe('limits', { concurrency: 3 }, () => {
  let tenant;
  before(async () => {
    await idscope.signIn();
    tenant = idscope.env.IDSCOPE_TENANT_ID;
  });
  const list = (made) => idscope.service(made.instance, 'GET', '/statistics/enrollments');
  const metrics = async (made) => Object.fromEntries(expect('metrics', await idscope.arm('GET', `${idscope.instancePath(made.group, made.instance.name)}/quotaMetrics`), 200)
    .value.map(({ name, ...rest }) => [name, rest]));
  const register = (made, device) => idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization: sas.forDevice(made.idScope, device.id, device.key) });
  // What is asked one after the other until it is refused; the answer that refused.
  async function until429(ask, most = 200) {
    for (let n = 0; n < most; n++) {
      const answer = await ask();
      if (answer.status === 429) return { n, answer };
    }
    return { n: most };
  }
  // No process remembers an instance for longer than a second (api/gate.h).
  const known = async (made, name, most) => {
    await until(`${name} to be ${most}`, async () => (await metrics(made))[name].maxValue === most);
    await sleep(1200);
  };
  const counted = (made, name, n) => until(`${n} ${name} to be counted`, async () => (await metrics(made))[name].currentValue === n, { timeoutMs: 120000 });

  test('operations of the service plane: as many as the limit, then 429 with its name and when to come back; another instance goes on', async (t) => {
    const [made, other] = [await scene(t), await scene(t)];
    const device = await made.enroll();
    await limit(tenant, made.instance, 'operationsPerMinute', 30);
    const share = Math.floor(30 / await processes());
    await known(made, 'operationsPerMinute', 30);
    const { n, answer } = await until429(() => list(made), 60);
    assert.ok(n >= share - 1 && n <= 45, `${n} were answered`);
    refused(answer, 429, /The limit operationsPerMinute is reached: 30 operations/, 429001);
    assert.match(answer.headers['retry-after'], /^[1-9]\d?$/);
    names('127.0.0.1', made.instance.host);
    const client = ProvisioningServiceClient.fromConnectionString(made.instance.connectionString);
    await assert.rejects(client.getIndividualEnrollment(device.id), (error) => { assert.match(`${error.name} ${error.message} ${error.responseBody}`, /Throttl/); return true; });
    assert.equal((await made.register(device)).status, 'assigned', 'devices are not the service plane');
    expect('another instance', await list(other), 200);
    expect('management', await idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), 200);
    assert.ok((await metrics(made)).operationsPerMinute.currentValue >= 20);
    await limit(tenant, made.instance, 'operationsPerMinute', 'default');
    await known(made, 'operationsPerMinute', undefined);
    assert.equal((await until429(() => list(made), 60)).n, 60);
  });

  test('registers: what strangers ask costs nothing; a device that proved itself is told when to come back; another instance goes on', async (t) => {
    const [made, other] = [await scene(t), await scene(t)];
    const devices = await each(Array.from({ length: 8 }), 4, () => made.enroll());
    const neighbour = await other.enroll();
    await limit(tenant, made.instance, 'registersPerMinute', 4);
    await known(made, 'registersPerMinute', 4);
    const stranger = { ...devices[0], key: Buffer.alloc(32, 7).toString('base64') };
    await each(Array.from({ length: 20 }), 4, async () => refused(await register(made, stranger), 401, /./, 401002));
    const answers = [];
    for (const device of devices) answers.push(await register(made, device));
    const late = answers.filter(({ status }) => status === 429);
    const share = Math.max(1, Math.floor(4 / await processes()));
    assert.ok(late.length >= 2 && answers.filter(({ status }) => status === 202).length >= share, answers.map(({ status }) => status).join());
    assert.ok(answers.every(({ status }) => status === 202 || status === 429));
    refused(late[0], 429, /The limit registersPerMinute is reached: 4 registers/, 429001);
    assert.match(late[0].headers['retry-after'], /^[1-9]\d?$/);
    assert.equal((await other.register(neighbour)).status, 'assigned');
    await limit(tenant, made.instance, 'registersPerMinute', 'default');
    await known(made, 'registersPerMinute', undefined);
    for (const device of devices) assert.equal((await made.register(device)).status, 'assigned');
  });

  test('another process that serves the deployment halves what this one gives out', async (t) => {
    const made = await scene(t);
    await limit(tenant, made.instance, 'operationsPerMinute', 60);
    await known(made, 'operationsPerMinute', 60);
    const there = await processes();
    // It stays until the test ends: who is late by a minute, since what was asked is forgotten in one, still meets it.
    const others = stack.sql("set application_name = 'idscope-api chores'; select pg_sleep(600)").catch(() => {});
    t.after(async () => {
      await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'idscope-api chores' and query like '%pg_sleep(600)%' and pid <> pg_backend_pid()");
      await others;
    });
    await until('it to be there', async () => (await processes()) === there + 1);
    const { n } = await until('it to be met', async () => {
      await until('what was asked to be forgotten', async () => (await metrics(made)).operationsPerMinute.currentValue === 0, { timeoutMs: 90000 });
      const met = await until429(() => list(made), 60);
      return met.n <= Math.floor(60 / (there + 1)) + 8 && met;
    }, { timeoutMs: 240000 });
    assert.ok(n >= Math.floor(60 / (there + 1)) - 1, `${n} were answered`);
  });

  test('enrollments: no more than the limit, by what was counted last; changes and groups go on; an import is refused by the row', async (t) => {
    const made = await scene(t);
    const first = await made.enroll();
    await each(Array.from({ length: 3 }), 3, () => made.enroll());
    await counted(made, 'enrollments', 4);
    await limit(tenant, made.instance, 'enrollments', 6);
    await known(made, 'enrollments', 6);
    const rows = Array.from({ length: 4 }, () => ({ registrationId: fresh('row'), attestation: { type: 'symmetricKey', symmetricKey: {} } }));
    const sent = expect('import', await idscope.service(made.instance, 'POST', '/enrollments/import', { body: rows.map((row) => JSON.stringify(row)).join('\n'), headers: { 'Content-Type': 'application/x-ndjson' } }), 202);
    const done = await until('the import to end', async () => {
      const { json } = await idscope.service(made.instance, 'GET', `/enrollments/imports/${sent.operationId}`);
      return json.status === 'succeeded' && json;
    });
    assert.deepEqual([done.written, done.refused], [2, 2], JSON.stringify(done));
    assert.match(JSON.stringify(done.errors), /registrationId: the instance has as many enrollments as its limit allows/);
    await counted(made, 'enrollments', 6);
    const id = fresh('more');
    refused(await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: {} } } }), 403, /The limit enrollments is reached: 6 individual enrollments/, 403001);
    await made.change(first, { provisioningStatus: 'disabled' });
    await made.change(first, { provisioningStatus: 'enabled' });
    const group = fresh('eg');
    expect('a group', await idscope.service(made.instance, 'PUT', `/enrollmentgroups/${group}`, { body: { enrollmentGroupId: group, attestation: { type: 'symmetricKey', symmetricKey: {} } } }), 200);
  });

  test('registrations: a device that is known registers again, a new one is refused', async (t) => {
    const made = await scene(t);
    const old = await made.registered();
    await counted(made, 'registrations', 1);
    await limit(tenant, made.instance, 'registrations', 1);
    await known(made, 'registrations', 1);
    const fresher = await made.enroll();
    refused(await register(made, fresher), 403, /The limit registrations is reached: 1 registrations/, 403001);
    assert.equal((await made.register(old)).status, 'assigned');
    await limit(tenant, made.instance, 'registrations', 0);
    await known(made, 'registrations', undefined);
    assert.equal((await made.register(fresher)).status, 'assigned');
  });

  test('a tenant has its own, and an instance of it another; instances are bounded by the subscription, whose usage tells', async () => {
    const made = await admin('create-tenant', fresh('bounded'));
    const id = made.IDSCOPE_TENANT_ID;
    const subscriptions = [await admin('create-subscription', id, 'one'), await admin('create-subscription', id, 'two')];
    const client = await admin('create-service-principal', id, 'theirs', 'contributor');
    const [them, elsewhere] = subscriptions.map((subscription) => new Idscope({ ...idscope.env, ...made, ...subscription, ...client }));
    try {
      for (const at of [them, elsewhere]) await at.createGroup('theirs');
      await limit(id, undefined, 'instances', 1);
      const first = await them.createInstance('theirs', fresh('dps'), {});
      refusedArm(await them.arm('PUT', them.instancePath('theirs', fresh('dps')), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} } }), 409, 'QuotaExceeded', /The limit instances is reached: 1 instances of a subscription/);
      await elsewhere.createInstance('theirs', fresh('dps'), {});
      expect('a change', await them.arm('PUT', them.instancePath('theirs', first.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {}, tags: { a: 'b' } } }), 200);
      const usages = expect('usages', await them.arm('GET', `/subscriptions/${them.subscription}/providers/Microsoft.Devices/usages`), 200);
      assert.deepEqual(usages.value.map(({ name, currentValue, limit: most, unit }) => [name.value, currentValue, most, unit]), [['instances', 1, 1, 'Count']]);
      await limit(id, undefined, 'enrollments', 70);
      const shown = await limit(id, first, 'enrollments', 50);
      const of = (rows, name) => rows.find((row) => row.name === name);
      assert.deepEqual(of(shown, 'enrollments'), { name: 'enrollments', value: 50, from: 'instance' });
      assert.deepEqual(of(shown, 'instances'), { name: 'instances', value: 1, from: 'tenant' });
      assert.deepEqual(of(shown, 'registrations'), { name: 'registrations', value: null, from: 'deployment' });
      assert.deepEqual(of(JSON.parse(await said('show', `--tenant=${id}`, '--json')), 'enrollments'), { name: 'enrollments', value: 70, from: 'tenant' });
      assert.match(await said('show', `--tenant=${id}`), /^enrollments\t70\ttenant$/m);
      await until('the instance to have its own', async () => expect('metrics', await them.arm('GET', `${them.instancePath('theirs', first.name)}/quotaMetrics`), 200).value.find(({ name }) => name === 'enrollments').maxValue === 50);
      assert.equal(await stack.sql(`select count(*) from idscope.audit_event where tenant_id = '${id}' and detail ->> 'change' = 'limited'`), '3');
    } finally {
      for (const at of [them, elsewhere]) await at.deleteGroup('theirs').catch(() => {});
      for (const at of [them, elsewhere]) at.close();
    }
  });

  test('what an operator mistypes is said, and changes nothing', async (t) => {
    const made = await scene(t);
    const before = await said('show', `--tenant=${tenant}`);
    await refusedWith(/no limit of this name/, 'set', 'wishes', '3', `--tenant=${tenant}`);
    for (const value of ['-1', '1.5', 'many', '1000000001']) await refusedWith(/whole number from 0/, 'set', 'enrollments', value, `--tenant=${tenant}`);
    await refusedWith(/no tenant of this id/, 'set', 'enrollments', '3', '--tenant=00000000-0000-4000-8000-000000000000');
    await refusedWith(/no instance of this name/, 'set', 'enrollments', '3', `--tenant=${tenant}`, '--instance=nowhere-at-all');
    await refusedWith(/limit of a tenant/, 'set', 'instances', '3', `--tenant=${tenant}`, `--instance=${made.instance.name}`);
    assert.equal(await said('show', `--tenant=${tenant}`), before);
  });
});
