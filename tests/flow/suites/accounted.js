// accounted.js: after all other suites: what was written is what was noted. Every request that changed something, by the access logs of both
// deployments, has its audit events, route by route, and no event is without its request; so has every command of idscope-admin. And no secret
// that a client was ever given stands in an event.
// Must run last, and must never write.
'use strict';

const { describe, test } = require('node:test');
const { routes } = require('../../lib/routes');
const { assert, expect, first, second, until } = require('../kit');


// Routes that no GET or HEAD are, and change nothing; each with its reason.
const READS = {
  token: 'a token is signed, and nothing is kept of it', token_of_tenant: 'the same at another address',
  provider_register: 'every provider is registered already',
  hub_name_check: 'asks', instance_name_check: 'asks',
  hub_list_keys: 'reads', hub_list_keys_of: 'reads', instance_list_keys: 'reads', instance_list_keys_of: 'reads',
  enrollment_attestation: 'reads', enrollment_group_attestation: 'reads', enrollment_query: 'reads', enrollment_group_query: 'reads',
  registration_query: 'reads', registration_query_all: 'reads', hub_twin_query: 'reads',
  register: 'devices are not audited one by one: their registration is the record', registration_status: 'a device asks',
};
// Of these one 200 may change nothing: an entry of several is told its refusal beside the others, and what is blocked stays blocked, what is assigned stays assigned. So each event
// has its request, and not every request an event.
// And of the management plane a DELETE answers alike whether there was anything.
const PARTLY = new Set(['enrollment_bulk', 'enrollment_group_bulk', 'hub_device_bulk', 'registration_block', 'registration_unblock', 'group_patch', 'hub_patch', 'instance_patch',
  'role_put_tenant', 'role_put_subscription', 'role_put_group', 'role_put_resource']);

const MAYBE = ({ plane, operation, status }) => PARTLY.has(operation) || status < 200 || status >= 300 || (plane === 'management' && /_delete(_|$)/.test(operation) && status === 204);

// The event of each command of idscope-admin that changes something; `again`: of one that changes nothing where it is so already.
const COMMANDS = {
  'create-tenant': 'tenant created', 'create-subscription': 'subscription created', 'create-service-principal': 'servicePrincipal created', 'new-token-key': 'tokenKey created',
  'service-principal create': 'servicePrincipal created', 'service-principal renew-secret': 'servicePrincipal secretRenewed',
  ...Object.fromEntries([['tenant', 'tenant'], ['subscription', 'subscription'], ['service-principal', 'servicePrincipal']].flatMap(([noun, kind]) => ['enable', 'disable'].map((verb) => [`${noun} ${verb}`, `${kind} ${verb}d`]))),
};
// What a deployment begins with (idscope-admin bootstrap).
const BOOTSTRAP = ['tenant created', 'subscription created', 'servicePrincipal created', 'tokenKey created'];

// The events that the commands leave which tests have run, in their order.
function eventsOf(commands) {
  const state = new Map();
  return [...BOOTSTRAP, ...commands.flatMap((words) => {
    const name = [words.slice(0, 2).join(' '), words[0]].find((one) => one in COMMANDS);
    if (!name) return [];
    const [thing, able] = [`${words[0]} ${words[2]}`, words[1]];
    if (!/able$/.test(name)) return [COMMANDS[name]];
    const same = (state.get(thing) || 'enable') === able;
    state.set(thing, able);
    return same ? [] : [COMMANDS[name]];
  })];
}
const counted = (texts) => Object.fromEntries([...texts.reduce((all, text) => all.set(text, (all.get(text) || 0) + 1), new Map())].sort());

const writes = routes().filter(({ name, method }) => !['GET', 'HEAD'].includes(method) && !(name in READS));
// What a test asks through a door of its own (frozen.js) comes from "a line" (door.c), and has its lines in no log of the deployment.
const noted = async (stack) => (await stack.sql(`SELECT operation || ' ' || tracking_id FROM idscope.audit_event WHERE actor_kind NOT IN ('operator', 'service') AND client_address IS DISTINCT FROM 'a line' GROUP BY operation, tracking_id`))
  .split('\n').filter(Boolean).map((line) => line.split(' '));
const idOf = ({ operation, trackingId }) => [operation, trackingId];
const byRoute = (pairs) => pairs.reduce((all, [name, id]) => all.set(name, (all.get(name) || new Set()).add(id)), new Map());
const without = (left, right = new Set()) => [...(left || [])].filter((id) => !right.has(id));

// The secrets that are there: of the client that signs in, and of every policy of hubs and instances.
async function keysOf({ idscope }) {
  const keys = new Set([idscope.env.IDSCOPE_CLIENT_SECRET, await idscope.signIn()]);
  for (const type of ['IotHubs', 'provisioningServices']) {
    const { value } = expect('list', await idscope.arm('GET', `/subscriptions/${idscope.subscription}/providers/Microsoft.Devices/${type}`), 200);
    for (const { id } of value) {
      const listed = await idscope.arm('POST', `${id}/listkeys`);
      if (listed.status === 200) listed.json.value.forEach((policy) => [policy.primaryKey, policy.secondaryKey].forEach((key) => keys.add(key)));
    }
  }
  return keys;
}

describe('accounted', () => {
  test('the table of what changes nothing names routes that are there and no others', () => {
    const names = routes().filter(({ method }) => !['GET', 'HEAD'].includes(method)).map(({ name }) => name);
    assert.deepEqual(Object.keys(READS).filter((name) => !names.includes(name)), []);
    assert.deepEqual([...PARTLY].filter((name) => !writes.some((route) => route.name === name)), []);
  });

  for (const [name, of] of [['first', first], ['second', second]]) {
    const { stack } = of;
    test(`the 2xx writes of the ${name} deployment's access log are its audit events, route by route`, async () => {
      const all = byRoute(await noted(stack));
      const read = () => {
        // An import stands from its first piece on, also when its client leaves in the middle and is answered nothing.
        const lines = stack.events('api').filter(({ event, status, operation }) => event === 'request' && ((status >= 200 && status < 300) || /_import$/.test(operation)));
        return { sure: byRoute(lines.filter((line) => !MAYBE(line)).map(idOf)), every: byRoute(lines.map(idOf)) };
      };
      // A line of the log is written behind the answer.
      const missing = ({ every }) => [...all].flatMap(([route, ids]) => without(ids, every.get(route)));
      await until('the last line of the log', () => missing(read()).length === 0, { timeoutMs: 10000 }).catch(() => {});
      const logged = read();
      const odd = writes.map(({ name: route }) => ({ route, unnoted: without(logged.sure.get(route), all.get(route)), unasked: without(all.get(route), logged.every.get(route)) }))
        .filter(({ unnoted, unasked }) => unnoted.length + unasked.length > 0);
      console.log(`accounted: ${name}: ${writes.length - odd.length} of ${writes.length} routes equal, ${[...all.values()].reduce((sum, ids) => sum + ids.size, 0)} writes`);
      assert.deepEqual(odd.map(({ route, unnoted, unasked }) => `${route}: ${unnoted.length} requests without an event (${unnoted.slice(0, 3)}), ${unasked.length} events without a request (${unasked.slice(0, 3)})`), []);
      const asked = eventsOf(stack.commands);
      const told = (await stack.sql("SELECT kind || ' ' || (detail ->> 'change') FROM idscope.audit_event WHERE actor_kind = 'operator'")).split('\n').filter((one) => BOOTSTRAP.includes(one) || Object.values(COMMANDS).includes(one));
      assert.deepEqual(counted(told), counted(asked), 'idscope-admin');
      assert.deepEqual([...all.keys()].filter((route) => !writes.some((one) => one.name === route)), [], 'no event is of a route that changes nothing');
    });

    test(`no secret of the ${name} deployment stands in its audit events`, async () => {
      const keys = await keysOf(of);
      const events = await stack.sql("SELECT string_agg(to_json(e)::text, E'\\n') FROM idscope.audit_event e");
      assert.ok(keys.size > 0);
      assert.deepEqual([...keys].filter((key) => events.includes(key)), []);
      assert.doesNotMatch(events, /SharedAccessKey=|SharedAccessSignature |Bearer |-----BEGIN|[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==/, 'nothing that looks like one');
    });
  }
});
