// world.js: a corner of a tenant with one of everything that a route names, and for every route that a bearer token opens a call that succeeds
// there. Made from routes.def, so that a route for which it knows no call is missed by nobody.
// Must never judge an answer.
'use strict';

const crypto = require('node:crypto');
const { Idscope, expect, VERSION } = require('./idscope');
const { make, revoke } = require('./certificates');
const { routes } = require('./routes');

const READER = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';
const LOCKS = '2016-09-01';
const ACTIVITY = '2015-04-01';
const ANY = { 'If-Match': '*' };
const opened = routes().filter(({ fields }) => /CREDENTIAL_(BEARER|INSTANCE)/.test(fields));
const ofLocks = ({ name }) => /_lock_(list|get|put|delete)$/.test(name); // called while there is one everywhere (hold), which is in the way of others
const ofService = (route) => route.fields.includes('CREDENTIAL_INSTANCE');
// What takes things away comes last, the smaller before the greater.
const LATE = ['certificate_verify', 'hub_certificate_verify', 'linked_hub_put', 'linked_hub_delete', 'enrollment_import_cancel', 'enrollment_group_import_cancel', 'registration_import_cancel', 'registration_delete', 'enrollment_delete', 'enrollment_group_delete', 'certificate_delete', 'hub_certificate_delete', 'role_delete_resource', 'role_delete_group',
  'hub_delete', 'instance_delete', 'group_delete'];
const inOrder = [...opened.filter(({ name }) => !LATE.includes(name)), ...LATE.map((name) => opened.find((route) => route.name === name))];

class World {
  // of: who owns the tenant; names: {group, hub, instance}; principal: whom roles are given to.
  constructor(of, names, principal) {
    Object.assign(this, { of, ...names, principal });
  }

  // sql: asks the database.
  async build(sql) {
    const { of, group, hub } = this;
    await of.createGroup(group);
    const linked = await of.createHub(group, hub);
    this.made = await of.createInstance(group, this.instance, { iotHubs: [Idscope.link(linked)] });
    this.host = linked.host;
    this.link = Idscope.link(linked);
    this.root = make('Root', { ca: true });
    this.proofs = {};
    const at = of.instancePath(group, this.instance);
    for (const [route, owner] of [['certificate_code', at], ['hub_certificate_code', of.hubPath(group, hub)]]) {
      expect('certificate', await of.arm('PUT', `${owner}/certificates/root`, { body: { certificate: this.root.cert } }), 200);
      this.prove(route, expect('code', await of.arm('POST', `${owner}/certificates/root/generateVerificationCode`, { headers: ANY }), 200));
    }
    this.crl = revoke(this.root, [], 1).pem;
    expect('crl', await of.arm('PUT', `${at}/certificates/root/crl`, { body: this.crl }), 200, 201);
    await of.enroll(this.made, 'one');
    await of.enroll(this.made, 'blocked');
    expect('group', await of.service(this.made, 'PUT', '/enrollmentGroups/members', { body: { enrollmentGroupId: 'members', attestation: { type: 'symmetricKey' } } }), 200);
    for (const id of ['one', 'blocked']) {
      await sql(`INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, substatus, assigned_hub, device_id, region, operation_at, created_at, updated_at)
                 VALUES ('${this.made.idScope.toLowerCase()}', '${id}', '${id}', gen_random_uuid(), 'assigned', 'initialAssignment', '${linked.host}', '${id}', 'r', now(), now(), now())`);
    }
    this.imports = {}; // that go on receiving, so that they can be cancelled
    for (const [list, kind] of [['enrollments', 'enrollment'], ['enrollmentgroups', 'enrollmentGroup'], ['registrations', 'registration']]) {
      this.imports[list] = crypto.randomUUID();
      await sql(`INSERT INTO idscope.import (id_scope, import_id, kind, whole, dry, actor_kind, actor_id, operation)
                 VALUES ('${this.made.idScope.toLowerCase()}', '${this.imports[list]}', '${kind}', false, false, 'client', 'x', 'x')`);
    }
    this.roles = {};
    for (const [place, path] of [['tenant', ''], ['subscription', `/subscriptions/${of.subscription}`], ['group', of.groupPath(group)], ['resource', at]]) this.roles[place] = await this.roleAt(path);
    return this;
  }

  // Of an instance or a hub, by the name of the route that gave the code.
  prove(route, { properties }) {
    this.proofs[route.replace(/_code$/, '_verify')] = make(properties.verificationCode, { by: this.root }).cert;
  }

  // The principal's role there; another world may have given it.
  async roleAt(path) {
    const list = `${path}/providers/Microsoft.Authorization/roleAssignments`;
    const id = crypto.randomUUID();
    const answer = await this.of.arm('PUT', `${list}/${id}`, { body: this.role });
    if (answer.status === 201) return id;
    const all = expect('roles', await this.of.arm('GET', `${list}?$filter=${encodeURIComponent(`principalId eq '${this.principal}'`)}`), 200).value;
    return all.find((one) => one.id.toLowerCase() === `${list}/${one.name}`.toLowerCase()).name;
  }

  // Locks, everywhere; and none any more.
  async hold() {
    for (const place of this.places()) expect('lock', await this.of.arm('PUT', `${place}/providers/Microsoft.Authorization/locks/held`, { body: this.lock, version: LOCKS }), 200, 201);
  }

  async release() {
    for (const place of this.places()) for (const name of ['held', this.ownLock]) expect('unlock', await this.of.arm('DELETE', `${place}/providers/Microsoft.Authorization/locks/${name}`, { version: LOCKS }), 200, 204);
  }

  places() {
    return [`/subscriptions/${this.of.subscription}`, this.of.groupPath(this.group), this.of.hubPath(this.group, this.hub), this.of.instancePath(this.group, this.instance)];
  }

  get ownLock() {
    return `of-${this.instance}`;
  }

  get lock() {
    return { properties: { level: 'CanNotDelete' } };
  }

  get role() {
    return { properties: { roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${READER}`, principalId: this.principal } };
  }

  // What {id} is of a route.
  id({ name, path }) {
    const list = /^\/(enrollments|enrollmentgroups|registrations)\/imports\//.exec(path);
    if (list) return this.imports[list[1]];
    const place = /^role_(?:get|put|delete)_(\w+)$/.exec(name);
    if (/^role_delete_(tenant|subscription)$/.test(name)) return crypto.randomUUID(); // that role is other worlds', too
    if (place) return this.roles[place[1]];
    if (name.startsWith('role_definition')) return READER;
    if (/_(un)?block$/.test(name)) return 'blocked';
    return { private_link_get: 'iotDps', hub_consumer_group_list: 'events', registration_query: 'members' }[name] || (name.startsWith('enrollment_group') ? 'members' : 'one');
  }

  path(route) {
    const hub = route.path.includes('/IotHubs/');
    const values = { sub: this.of.subscription, rg: this.group, name: hub ? this.hub : this.instance, type: 'provisioningServices', key: hub ? 'iothubowner' : 'provisioningserviceowner', cert: 'root',
      host: this.host, provider: 'Microsoft.Devices', op: '1', lock: /_(put|delete)$/.test(route.name) ? this.ownLock : 'held' };
    const path = route.path.replace(/\{(\w+)\}/g, (all, word) => (word === 'id' ? this.id(route) : values[word]));
    return route.name === 'activity_list' ? `${path}?$filter=${encodeURIComponent("eventTimestamp ge '2020-01-01T00:00:00Z'")}` : path;
  }

  // {body, headers} of a call; undefined for a write that it does not know.
  sent({ name, method }) {
    const service = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };
    const symmetric = { attestation: { type: 'symmetricKey' } };
    const one = { body: { query: '*' } };
    const lines = { body: '\n', headers: { 'Content-Type': 'application/x-ndjson' } };
    const tags = { body: { tags: { a: 'b' } } };
    const bulk = (list, entry) => ({ body: { mode: 'create', [list]: [entry] } });
    const known = {
      group_put: { body: { location: 'westeurope' } }, group_patch: tags, group_delete: {}, hub_put: { body: service }, hub_patch: tags, hub_delete: {}, instance_patch: tags, instance_delete: {},
      instance_put: { body: service }, hub_list_keys: {}, hub_list_keys_of: {}, instance_list_keys: {}, instance_list_keys_of: {}, provider_register: {},
      hub_name_check: { body: { name: 'some-name' } }, instance_name_check: { body: { name: 'some-name' } },
      certificate_crl_put: { body: this.crl },
      enrollment_put: { body: Idscope.enrollment('one'), headers: ANY }, enrollment_group_put: { body: { enrollmentGroupId: 'members', ...symmetric }, headers: ANY },
      enrollment_bulk: bulk('enrollments', { registrationId: 'more', ...symmetric }), enrollment_group_bulk: bulk('enrollmentGroups', { enrollmentGroupId: 'more', ...symmetric }),
      enrollment_query: one, enrollment_group_query: one, registration_query: one, registration_query_all: one,
      enrollment_import: lines, enrollment_group_import: lines, registration_import: lines, enrollment_import_cancel: {}, enrollment_group_import_cancel: {}, registration_import_cancel: {},
      enrollment_attestation: {}, enrollment_group_attestation: {}, enrollment_delete: {}, enrollment_group_delete: {}, registration_delete: {}, registration_block: {}, registration_unblock: {},
    };
    if (/certificate_put$/.test(name)) return { body: { certificate: this.root.cert } };
    if (/certificate_(delete|code)$/.test(name)) return { headers: ANY };
    if (/certificate_verify$/.test(name)) return { body: { certificate: this.proofs[name] }, headers: ANY };
    if (/^role_put_/.test(name)) return { body: this.role };
    if (name === 'linked_hub_put') return { body: { properties: { connectionString: this.link.connectionString } } };
    if (/_tags_(put|patch)$/.test(name)) return { body: { operation: 'Merge', properties: { tags: { a: 'b' } } } };
    if (/_lock_put$/.test(name)) return { body: this.lock };
    if (/^role_delete_|_(tags|lock)_delete$|^linked_hub_delete$/.test(name)) return {};
    return known[name] || (method === 'GET' || method === 'HEAD' ? {} : undefined);
  }

  // The call, by a client with its tokens for both planes; elsewhere: {path, host} in the place of ours.
  async call(route, { arm, data }, elsewhere = {}) {
    const path = elsewhere.path || this.path(route);
    const sent = this.sent(route);
    if (!sent) throw new Error(`world.js knows no call of ${route.name}`);
    const version = ofLocks(route) ? LOCKS : route.name === 'activity_list' ? ACTIVITY : route.path.includes('{rg}') && !route.path.includes('/providers/') ? VERSION.group : VERSION.arm;
    const answer = await (ofService(route) ? this.of.service(elsewhere.host ? { ...this.made, host: elsewhere.host } : this.made, route.method, path, { ...sent, authorization: `Bearer ${data}` })
      : this.of.arm(route.method, path, { ...sent, version, bearer: `Bearer ${arm}` }));
    if (/certificate_code$/.test(route.name) && answer.status === 200) this.prove(route.name, answer.json);
    return answer;
  }
}

// The tokens of a client for the management and the service plane.
async function tokens(client) {
  const ask = async (scope) => expect('token', await client.requestToken({ scope }), 200).access_token;
  return { arm: await ask('https://management.azure.com/.default'), data: await ask('https://azure-devices-provisioning.net/.default') };
}

module.exports = { World, tokens, routes: [...inOrder.filter(ofLocks), ...inOrder.filter((route) => !ofLocks(route))], ofService, ofLocks };
