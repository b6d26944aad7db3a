// strangers.js: a tenant and what belongs to another one: on every route that a bearer token opens, the stranger's token gets the answer of a name that
// never existed, and leaves no trace; the owner's own token succeeds with the same call. Made from routes.def: a route without a call fails.
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, expect, fresh, admin, stack } = require('../kit');
const { World, tokens, routes, ofService, ofLocks } = require('../../lib/world');

// What an answer is, but for ids, times and the names that were asked for.
const OWN = ['date', 'x-ms-request-id', 'x-ms-correlation-request-id', 'x-ms-routing-request-id', 'connection', 'keep-alive'];
function neutral({ status, headers, text }, names) {
  let body = text;
  for (const name of names) body = body.replaceAll(name, 'NAME');
  body = body.replace(/"(trackingId|timestampUtc)":"[^"]*"/g, '"$1":""');
  return { status, body, headers: Object.entries(headers).filter(([name]) => !OWN.includes(name)).sort() };
}

describe('strangers', () => {
  const used = [];
  const tables = ['tenant', 'subscription', 'service_principal', 'role_assignment', 'resource_group', 'hub', 'hub_policy', 'hub_certificate', 'instance', 'instance_policy', 'certificate', 'resource_lock'];
  const scoped = ['enrollment', 'registration', 'import', 'import_error'];
  const named = routes.filter((route) => ofService(route) || route.path.includes('{sub}')); // of the others each tenant has its own
  let world;
  let stranger;
  let mine;
  let theirs;

  async function customer(role) {
    const tenant = await admin('create-tenant', fresh('tenant'));
    const subscription = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'theirs');
    const made = new Idscope({ ...idscope.env, ...tenant, ...subscription, ...await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'owner', 'owner') });
    await admin('role-assignment', 'create', `--client=${made.env.IDSCOPE_CLIENT_ID}`, '--role=dataContributor', '--scope=/');
    await made.signIn();
    used.push(made);
    return made;
  }
  // Every row that is the owner's, and every event.
  async function rows() {
    const all = [...tables.map((table) => `SELECT '${table} ' || t::text AS line FROM idscope.${table} t`), ...scoped.map((table) => `SELECT '${table} ' || t::text FROM idscope.${table} t WHERE id_scope = '${world.made.idScope.toLowerCase()}'`),
      `SELECT 'audit_event ' || count(*) FROM idscope.audit_event WHERE tenant_id IN ('${world.of.env.IDSCOPE_TENANT_ID}', '${stranger.env.IDSCOPE_TENANT_ID}')`];
    return stack.sql(`${all.join(' UNION ALL ')} ORDER BY line`);
  }

  before(async () => {
    const owner = await customer();
    stranger = await customer();
    const { IDSCOPE_CLIENT_ID } = await admin('create-service-principal', owner.env.IDSCOPE_TENANT_ID, 'contributor', 'contributor');
    world = await new World(owner, { group: fresh('group'), hub: fresh('hub'), instance: fresh('dps') }, IDSCOPE_CLIENT_ID).build((text) => stack.sql(text));
    [mine, theirs] = [await tokens(owner), await tokens(stranger)];
  });
  after(() => used.forEach((them) => them.close()));

  test('what is another tenant\'s looks like what never existed, and stays as it is', async () => {
    const nobody = { subscription: crypto.randomUUID(), name: fresh('none') };
    await world.hold();
    const before_ = await rows();
    const told = [];
    for (const route of named) {
      const asked = await world.call(route, theirs);
      const missing = await world.call(route, theirs, { path: world.path(route).replace(world.of.subscription, nobody.subscription), host: world.made.host.replace(world.instance, nobody.name) });
      const names = [world.of.subscription, nobody.subscription, world.instance, nobody.name];
      assert.equal(asked.status, 404, `${route.name}: ${asked.text}`);
      assert.deepEqual(neutral(asked, names), neutral(missing, names), route.name);
      told.push(route.name);
    }
    assert.equal(await rows(), before_);
    console.log(`strangers: ${told.length} of ${named.length} routes answer as for what never existed`);
  });

  test('the owner\'s own token succeeds on each of them', async () => {
    const good = [];
    for (const route of routes) {
      if (!ofLocks(route) && good.length && ofLocks(routes[good.length - 1])) await world.release();
      const { status, text } = await world.call(route, mine);
      assert.ok(status >= 200 && status < 300, `${route.name}: ${status} ${text}`);
      good.push(route.name);
    }
    console.log(`strangers: ${good.length} of ${routes.length} routes open for their owner`);
  });
});
