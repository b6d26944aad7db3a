// moving.js: a fleet moves in: an instance on an ID scope that its devices already carry (idscope-admin instance create).
'use strict';

const crypto = require('node:crypto');
const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, expect, fresh, refusedArm, sharedScene, admin, stack } = require('../kit');

const newScope = () => `0ne${crypto.randomBytes(4).toString('hex').toUpperCase()}`;

// What `instance create` is told, as options; `more` replaces some.
function words(made, more = {}) {
  const all = { tenant: idscope.env.IDSCOPE_TENANT_ID, subscription: idscope.subscription, group: made.group, location: 'West Europe', 'id-scope': newScope(), name: fresh('moved'), ...more };
  return { ...all, words: Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `--${name}=${value}`) };
}

const create = (told) => admin('instance', 'create', ...told.words);
// What an operator is told who may not.
async function refusedWith(told, pattern) {
  await assert.rejects(create(told), (error) => { assert.match(String(error.stderr || error.message), pattern); return true; });
}

describe('moving: an ID scope that devices carry', () => {
  const made = sharedScene({ before, after }, { hubs: 1 });

  test('an instance stands on it, is configured like any other, and its devices register', async () => {
    const told = words(made);
    const said = await create(told);
    assert.equal(said.IDSCOPE_ID_SCOPE, told['id-scope']);
    const { properties, location } = await idscope.getInstance(made.group, told.name);
    assert.deepEqual([properties.idScope, properties.serviceOperationsHostName, properties.allocationPolicy, location, properties.iotHubs],
      [told['id-scope'], said.IDSCOPE_SERVICE_HOST, 'Hashed', 'westeurope', []]);
    const instance = await idscope.createInstance(made.group, told.name, { iotHubs: [Idscope.link(made.hubs[0])] });
    assert.equal(instance.idScope, told['id-scope'], 'a PUT keeps it');
    assert.deepEqual(instance.keys.map((key) => [key.keyName, key.rights]), made.instance.keys.map((key) => [key.keyName, key.rights]), 'its first policy is any instance\'s');
    const device = await idscope.enroll(instance, fresh('device'));
    assert.equal((await idscope.register(told['id-scope'].toLowerCase(), device, { pollMs: 100 })).status, 'assigned');
    const event = JSON.parse(await stack.sql(`select json_build_object('tenant', tenant_id, 'actor', actor_kind, 'operation', operation, 'detail', detail)
      from idscope.audit_event where kind = 'instance' and key = '${told['id-scope'].toLowerCase()}' order by id limit 1`));
    assert.deepEqual(event, { tenant: idscope.env.IDSCOPE_TENANT_ID, actor: 'operator', operation: 'idscope-admin', detail: { change: 'created', idScope: 'takenOver' } });
  });

  test('never one that was issued here, to whom it was, or deleted since, in whatever case; and nothing is left behind', async () => {
    const told = words(made);
    await create(told);
    const taken = /--id-scope: 0ne[0-9A-Fa-f]{8} was issued here before/;
    await refusedWith(words(made, { 'id-scope': told['id-scope'].toLowerCase() }), taken);
    await refusedWith(words(made, { 'id-scope': made.idScope }), taken);
    expect('delete it', await idscope.arm('DELETE', idscope.instancePath(made.group, told.name)), 204);
    const late = words(made, { 'id-scope': told['id-scope'] });
    await refusedWith(late, taken);
    refusedArm(await idscope.arm('GET', idscope.instancePath(made.group, late.name)), 404, 'ResourceNotFound');
  });

  test('names, places and words follow the rules of the management plane', async () => {
    const other = (await admin('create-tenant', fresh('other'))).IDSCOPE_TENANT_ID;
    const { IDSCOPE_SUBSCRIPTION_ID: theirs } = await admin('create-subscription', other, 'other');
    const cases = [
      [{ 'id-scope': '0ne12345' }, /--id-scope: "0ne12345" is not 0ne and eight hex digits/],
      [{ 'id-scope': undefined }, /--id-scope=… must be given/],
      [{ name: 'global' }, /--name: global is reserved/],
      [{ name: '-x-' }, /--name: 3 to 50 letters/],
      [{ name: made.instance.name.toUpperCase() }, /--name: .* is taken/],
      [{ location: 'a/b' }, /--location: 1 to 64/],
      [{ tenant: 'x' }, /"x" is no id/],
      [{ group: fresh('nowhere') }, /no such resource group/],
      [{ subscription: crypto.randomUUID() }, /no such subscription/],
      [{ tenant: other }, /no such subscription/],
      [{ tenant: other, subscription: theirs }, /no such resource group/],
      [{ nmae: 'x' }, /usage: idscope-admin/],
    ];
    for (const [more, pattern] of cases) {
      const told = words(made, more);
      await refusedWith(told, pattern);
      if (told['id-scope']) assert.equal(await stack.sql(`select count(*) from idscope.scope where id_scope = '${told['id-scope'].toLowerCase()}'`), '0', 'no ID scope is used up');
    }
  });

  test('a name that rests for another tenant is not had this way either', async () => {
    const group = fresh('resting');
    const other = await admin('create-tenant', fresh('other'));
    const { IDSCOPE_SUBSCRIPTION_ID } = await admin('create-subscription', other.IDSCOPE_TENANT_ID, 'other');
    const them = new Idscope({ ...idscope.env, ...other, IDSCOPE_SUBSCRIPTION_ID, ...await admin('create-service-principal', other.IDSCOPE_TENANT_ID, 'other', 'owner') });
    const name = fresh('rests');
    await them.createGroup(group);
    await them.putInstance(group, name);
    await them.deleteGroup(group);
    them.close();
    await refusedWith(words(made, { name }), /--name: .* is taken/);
    assert.equal((await create(words(made))).IDSCOPE_SERVICE_HOST.endsWith(`.dps.${idscope.domain}`), true);
  });
});
