// operators.js: what an operator decides about who may use the deployment (idscope-admin): tenants, subscriptions and service principals are
// listed, disabled and enabled, secrets renewed.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, expect, fresh, refusedArm, admin, stack, until } = require('../kit');

const said = (...words) => stack.adminText(process.env.FLAVOR || 'asan', ...words);
const json = async (...words) => JSON.parse(await said(...words, '--json'));
async function refusedWith(pattern, ...words) {
  await assert.rejects(said(...words), (error) => { assert.match(String(error.stderr || error.message), pattern); return true; });
}

describe('operators', { concurrency: 4 }, () => {
  const used = [];
  // A tenant of a test's own, with a subscription, a client and a group.
  async function customer() {
    const name = fresh('customer');
    const tenant = await admin('create-tenant', name);
    const subscription = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'theirs');
    const client = await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'theirs', 'contributor');
    const them = new Idscope({ ...idscope.env, ...tenant, ...subscription, ...client });
    used.push(them);
    await them.createGroup('theirs');
    return { them, name, tenant: tenant.IDSCOPE_TENANT_ID, subscription: them.subscription, client: client.IDSCOPE_CLIENT_ID, secret: client.IDSCOPE_CLIENT_SECRET };
  }
  const signsIn = async (who, secret) => (await who.them.requestToken({ client_secret: secret })).status;
  const reads = async (who) => (await who.them.arm('GET', who.them.groupPath('theirs'))).status;

  before(() => idscope.signIn());
  after(() => used.forEach((them) => them.close()));

  test('lists say who there is and in which state, for people and for programs', async () => {
    const one = await customer();
    const two = await customer();
    const tenants = await json('tenant', 'list');
    for (const { tenant, name } of [one, two]) {
      const { createdDateTimeUtc, ...rest } = tenants.find((row) => row.tenantId === tenant);
      assert.deepEqual(rest, { tenantId: tenant, displayName: name, state: 'enabled' });
      assert.ok(Math.abs(Date.now() - Date.parse(createdDateTimeUtc)) < 600000, createdDateTimeUtc);
    }
    assert.deepEqual((await json('subscription', 'list', `--tenant=${one.tenant}`)).map((row) => [row.subscriptionId, row.tenantId, row.displayName, row.state]), [[one.subscription, one.tenant, 'theirs', 'enabled']]);
    assert.deepEqual((await json('service-principal', 'list', `--tenant=${two.tenant}`)).map((row) => [row.clientId, row.tenantId, row.state, row.secretBefore]), [[two.client, two.tenant, 'enabled', false]]);
    assert.equal(await said('service-principal', 'list', `--tenant=${one.tenant}`), `${one.client}\t${one.tenant}\tenabled\ttheirs\n`);
    assert.ok((await said('tenant', 'list')).split('\n').includes(`${one.tenant}\tenabled\t${one.name}`));
    assert.deepEqual(await json('subscription', 'list', `--tenant=${crypto.randomUUID()}`), []);
    assert.ok(!(await said('service-principal', 'list')).includes(one.secret) && !JSON.stringify(await json('service-principal', 'list')).includes('ecret"'), 'no list shows a secret');
  });

  test('a disabled client is refused, its tokens too; enabled it is let in with the same secret; others are not touched', async () => {
    const who = await customer();
    const other = await customer();
    assert.equal(await reads(who), 200);
    const row = await json('service-principal', 'disable', who.client);
    assert.deepEqual([row.clientId, row.state], [who.client, 'disabled']);
    await until('its token to be refused', async () => (await reads(who)) === 401);
    assert.equal(await signsIn(who, who.secret), 401);
    assert.deepEqual([await reads(other), await signsIn(other, other.secret)], [200, 200]);
    assert.equal((await json('service-principal', 'disable', who.client)).disabledDateTimeUtc, row.disabledDateTimeUtc, 'disabled again it is since then');
    assert.equal(await said('service-principal', 'enable', who.client), `${who.client}\t${who.tenant}\tenabled\ttheirs\n`);
    await until('it to be let in', async () => (await signsIn(who, who.secret)) === 200);
    assert.equal(await reads(who), 200);
    const events = await stack.sql(`SELECT string_agg(detail->>'change', ' ' ORDER BY id) FROM idscope.audit_event WHERE kind = 'servicePrincipal' AND key = '${who.client}'`);
    assert.equal(events, 'created disabled enabled', 'each change is an event, what changes nothing is none');
  });

  test('a renewed secret is good beside the one before, until the next one; or, revoked, alone', async () => {
    const who = await customer();
    const renew = async (...words) => (await admin('service-principal', 'renew-secret', who.client, ...words)).IDSCOPE_CLIENT_SECRET;
    const good = async (...secrets) => { for (const secret of secrets) await until('a secret to be good', async () => (await signsIn(who, secret)) === 200); };
    const bad = async (...secrets) => { for (const secret of secrets) await until('a secret to be bad', async () => (await signsIn(who, secret)) === 401); };
    const second = await renew();
    assert.notEqual(second, who.secret);
    await good(second, who.secret);
    assert.equal((await json('service-principal', 'list', `--tenant=${who.tenant}`))[0].secretBefore, true);
    const third = (await json('service-principal', 'renew-secret', who.client)).clientSecret;
    await good(third, second);
    await bad(who.secret);
    const fourth = await renew('--revoke');
    await good(fourth);
    await bad(third, second, who.secret);
    assert.equal(await reads(who), 200, 'tokens are the client\'s, not the secret\'s');
  });

  test('what stands in a disabled subscription is read and no more, and says so; its devices go on', async () => {
    const who = await customer();
    const hub = await who.them.createHub('theirs', fresh('hub'));
    const instance = await who.them.createInstance('theirs', fresh('dps'), { iotHubs: [Idscope.link(hub)] });
    const device = await who.them.enroll(instance, fresh('device'));
    const state = async () => expect('the subscription', await who.them.arm('GET', `/subscriptions/${who.subscription}`), 200).state;
    assert.equal(await state(), 'Enabled');
    assert.equal((await json('subscription', 'disable', who.subscription)).state, 'disabled');
    assert.equal(await state(), 'Disabled');
    const path = who.them.instancePath('theirs', instance.name);
    const put = () => who.them.arm('PUT', who.them.groupPath('more'), { body: { location: 'westeurope' } });
    await until('changes to be refused', async () => (await put()).status === 409);
    refusedArm(await put(), 409, 'ReadOnlyDisabledSubscription', /disabled/);
    for (const [method, at] of [['DELETE', path], ['POST', `${path}/listkeys`], ['DELETE', who.them.groupPath('theirs').toUpperCase().replace('/SUBSCRIPTIONS', '/subscriptions')]]) refusedArm(await who.them.arm(method, at), 409, 'ReadOnlyDisabledSubscription');
    expect('it is read', await who.them.arm('GET', path), 200);
    assert.equal((await who.them.register(instance.idScope, device, { pollMs: 100 })).status, 'assigned');
    await said('subscription', 'enable', who.subscription);
    await until('changes to be taken again', async () => [200, 201].includes((await put()).status));
  });

  test('the clients of a disabled tenant are refused, and its devices go on', async () => {
    const who = await customer();
    const hub = await who.them.createHub('theirs', fresh('hub'));
    const instance = await who.them.createInstance('theirs', fresh('dps'), { iotHubs: [Idscope.link(hub)] });
    const device = await who.them.enroll(instance, fresh('device'));
    await said('tenant', 'disable', who.tenant);
    await until('its tokens to be refused', async () => (await reads(who)) === 401);
    assert.equal(await signsIn(who, who.secret), 401);
    assert.equal((await who.them.register(instance.idScope, device, { pollMs: 100 })).status, 'assigned');
    await said('tenant', 'enable', who.tenant);
    await until('it to be let in', async () => (await signsIn(who, who.secret)) === 200);
  });

  test('who is not there, ids that are none and words that nobody knows are refused by name', async () => {
    const nobody = crypto.randomUUID();
    for (const [noun, told] of [['tenant', 'tenant'], ['subscription', 'subscription'], ['service-principal', 'service principal']]) {
      await refusedWith(new RegExp(`There is no ${told} of this id`), noun, 'disable', nobody);
      await refusedWith(/"x" is no id/, noun, 'enable', 'x');
      await refusedWith(/usage: idscope-admin/, noun, 'disable');
      for (const option of ['--jsn', '--json=yes', '--json=']) await refusedWith(/usage: idscope-admin/, noun, 'list', option);
    }
    await refusedWith(/There is no service principal of this id/, 'service-principal', 'renew-secret', nobody);
    for (const revoke of ['--revoke=true', '--revoke=yes']) await refusedWith(/usage: idscope-admin/, 'service-principal', 'renew-secret', nobody, revoke);
    for (const [tenant, said_] of [['x', /"x" is no id/], ['', /"" is no id/]]) await refusedWith(said_, 'subscription', 'list', `--tenant=${tenant}`);
    await refusedWith(/usage: idscope-admin/, 'subscription', 'list', '--tenant');
  });
});
