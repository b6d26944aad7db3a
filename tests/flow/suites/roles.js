// roles.js: who may what where: each role at each scope, on every route that a bearer token opens. What a cell must be stands in NEEDS, which is not
// made from routes.def: a route that it does not name fails, and so does one whose right is another one than it says.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, each, fresh, admin, stack } = require('../kit');
const { World, tokens, routes, ofService, ofLocks } = require('../../lib/world');

const ROLES = ['owner', 'contributor', 'reader', 'dataContributor', 'dataReader'];
const SCOPES = ['tenant', 'subscription', 'group', 'resource']; // each covers those behind it
const NEEDS = {
  nothing: 'tenant_list provider_list provider_operations subscription_list role_definition_list_tenant role_definition_get_tenant',
  any: `subscription_get location_list provider_list_subscription provider_get resource_list_subscription resource_list_group group_list hub_list_subscription hub_list_group hub_name_check instance_list_subscription
    instance_list_group instance_name_check role_definition_list_subscription role_definition_list_group role_definition_list_resource role_definition_get_subscription role_definition_get_group role_definition_get_resource
    permission_list_group permission_list_resource`,
  reader: `activity_list subscription_lock_list group_lock_list hub_lock_list instance_lock_list subscription_lock_get group_lock_get hub_lock_get instance_lock_get subscription_usage_list instance_quota_metrics group_get group_head hub_get hub_skus hub_statistics hub_quota_metrics hub_consumer_group_list instance_get instance_skus instance_operation_result private_link_list private_link_get private_connection_list
    group_tags_get subscription_tags_get hub_tags_get instance_tags_get linked_hub_list linked_hub_get linked_hub_enrollments certificate_list certificate_get certificate_crl_get hub_certificate_list hub_certificate_get role_list_tenant role_list_subscription role_list_group role_list_resource role_get_tenant role_get_subscription role_get_group role_get_resource`,
  contributor: `linked_hub_put linked_hub_delete group_tags_put group_tags_patch group_tags_delete subscription_tags_put subscription_tags_patch subscription_tags_delete hub_tags_put hub_tags_patch hub_tags_delete instance_tags_put instance_tags_patch instance_tags_delete provider_register group_put group_patch group_delete hub_put hub_patch hub_delete hub_list_keys hub_list_keys_of instance_put instance_patch instance_delete instance_list_keys instance_list_keys_of certificate_put
    certificate_delete certificate_code certificate_verify certificate_crl_put hub_certificate_put hub_certificate_delete hub_certificate_code hub_certificate_verify`,
  owner: 'audit_export subscription_lock_put group_lock_put hub_lock_put instance_lock_put subscription_lock_delete group_lock_delete hub_lock_delete instance_lock_delete role_put_tenant role_put_subscription role_put_group role_put_resource role_delete_tenant role_delete_subscription role_delete_group role_delete_resource',
  dataReader: `enrollment_get enrollment_query enrollment_statistics enrollment_group_get enrollment_group_query enrollment_group_statistics registration_query_all registration_get registration_query registration_explain
    registration_statistics registration_export attempt_list`,
  dataContributor: `enrollment_import enrollment_export enrollment_group_import enrollment_group_export registration_import enrollment_put enrollment_delete enrollment_attestation enrollment_bulk enrollment_group_put
    enrollment_group_delete enrollment_group_attestation enrollment_group_bulk registration_delete registration_block registration_unblock enrollment_import_get enrollment_import_cancel enrollment_group_import_get
    enrollment_group_import_cancel registration_import_get registration_import_cancel`,
};
const ENOUGH = { reader: ['reader', 'contributor', 'owner'], contributor: ['contributor', 'owner'], owner: ['owner'], dataReader: ['dataReader', 'dataContributor'], dataContributor: ['dataContributor'] };
const needs = new Map(Object.entries(NEEDS).flatMap(([need, names]) => names.split(/\s+/).map((name) => [name, need])));

// What a route names: a resource of which nobody has a role here is "hub".
const placeOf = ({ path }) => (path.includes('/IotHubs/{name}') ? 'hub' : path.includes('{name}') ? 'resource' : path.includes('{rg}') ? 'group' : path.includes('{sub}') ? 'subscription' : 'tenant');
const covers = (scope, place) => SCOPES.indexOf(scope) <= (place === 'hub' ? SCOPES.indexOf('group') : SCOPES.indexOf(place));
function allowed(route, { role, scope }) {
  const need = needs.get(route.name);
  if (need === 'nothing') return true;
  if (role === 'none') return false;
  if (need === 'any') return true;
  return ENOUGH[need].includes(role) && (ofService(route) || covers(scope, placeOf(route)));
}

describe('roles: a matrix of role, scope and route', () => {
  const used = [];
  const principals = [...ROLES.flatMap((role) => SCOPES.map((scope) => ({ role, scope }))), { role: 'none', scope: 'resource' }];
  let as;

  before(async () => {
    const ids = await admin('create-tenant', fresh('matrix'));
    Object.assign(ids, await admin('create-subscription', ids.IDSCOPE_TENANT_ID, 'theirs'));
    as = (client) => {
      const them = new Idscope({ ...idscope.env, ...ids, ...client });
      used.push(them);
      return them;
    };
    const client = (role, ...more) => admin('create-service-principal', ids.IDSCOPE_TENANT_ID, role, role, ...more);
    const owner = as(await client('owner'));
    await owner.signIn();
    const whom = (await client('reader')).IDSCOPE_CLIENT_ID;
    await each(principals, 4, async (one) => {
      one.world = await new World(owner, { group: fresh('group'), hub: fresh('hub'), instance: fresh('dps') }, whom).build((text) => stack.sql(text));
      const at = { tenant: '/', subscription: `/subscriptions/${owner.subscription}`, group: owner.groupPath(one.world.group), resource: owner.groupPath(one.world.group) }[one.scope];
      const made = await client(one.role === 'none' ? 'reader' : one.role, `--scope=${at}`);
      one.client = as(made);
      if (one.scope === 'resource') await narrow(owner, one, made.IDSCOPE_CLIENT_ID);
      one.tokens = await tokens(one.client);
    });
  });
  after(() => used.forEach((them) => them.close()));

  // From the group to its instance, or to nothing.
  async function narrow(owner, { role, world }, id) {
    const list = `${owner.groupPath(world.group)}/providers/Microsoft.Authorization/roleAssignments`;
    const { value: [had] } = (await owner.arm('GET', `${list}?$filter=${encodeURIComponent(`principalId eq '${id}'`)}`)).json;
    const { roleDefinitionId } = had.properties;
    assert.equal((await owner.arm('DELETE', had.id)).status, 200);
    if (role === 'none') return;
    const at = `${owner.instancePath(world.group, world.instance)}/providers/Microsoft.Authorization/roleAssignments/${had.name}`;
    assert.equal((await owner.arm('PUT', at, { body: { properties: { roleDefinitionId, principalId: id } } })).status, 201);
  }

  test('the table knows every route, and no other', () => {
    assert.deepEqual(routes.map(({ name }) => name).filter((name) => !needs.has(name)), []);
    assert.deepEqual([...needs.keys()].filter((name) => !routes.some((route) => route.name === name)), []);
  });

  test('each cell is what the table says', async () => {
    const wrong = [];
    let right = 0;
    const ask = (some) => each(principals, 4, async (one) => {
      for (const route of some) {
        const { status, text } = await one.world.call(route, one.tokens);
        const may = allowed(route, one);
        if (may ? status >= 200 && status < 300 : status === 403) right++;
        else wrong.push(`${one.role} of the ${one.scope}: ${route.name}: ${status}, not ${may ? '2xx' : 403}: ${text.slice(0, 200)}`);
      }
    });
    for (const { world } of principals) await world.hold();
    await ask(routes.filter(ofLocks));
    for (const { world } of principals) await world.release();
    await ask(routes.filter((route) => !ofLocks(route)));
    assert.deepEqual(wrong, []);
    console.log(`roles: ${right} of ${principals.length * routes.length} cells, ${principals.length} principals on ${routes.length} routes`);
    assert.equal(right, principals.length * routes.length);
  });
});
