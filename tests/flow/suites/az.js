// az.js: the stock Azure command line of Debian (/usr/bin/az), unmodified, against the running deployment behind its edge.
//
// Responsible for: what each command prints, and the proof that none of them waited for anything. Commands that do not depend on each other run side by side: each is a second or two of Python.
// Must never stand in for az: what it sends and reads is its own.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { describe, test, before, after } = require('node:test');
const { assert, admin, idscope, each, fresh, stack, until } = require('../kit');
const { BASE, User, signIn, requests } = require('../azure');
const { make } = require('../../lib/certificates');

const SIDE_BY_SIDE = 2;

describe('az: the stock command line', () => {
  const user = new User();
  const az = (...words) => user.az(...words);
  const side = (...commands) => each(commands, SIDE_BY_SIDE, (words) => az(...[words].flat()));
  const group = fresh('az');
  const [hub, other] = [fresh('hub'), fresh('hub')];
  const [dps, second] = [fresh('dps'), fresh('dps')];
  const G = ['-g', group];
  const made = {};

  before(async () => {
    await user.keep('version');
    await user.keep('cloud register -n local --endpoint-resource-manager', BASE);
    await user.keep('cloud set -n local');
    await user.keep(signIn(idscope.env));
    await user.keep('account set -s', idscope.subscription); // other suites add subscriptions
    await az('group create -l westus', G);
    const create = (word, name) => user.apart(`iot ${word} create --debug -n`, name, G).then((answer) => { made[name] = { ...answer, word }; });
    await Promise.all([create('hub', hub), create('dps', dps), create('hub', other), create('dps', second)]);
  });
  after(() => {
    const ms = user.spent.map((one) => one.ms).sort((a, b) => a - b);
    console.log(`az ${made.version}: ${ms.length} commands, ${user.spent[0].ms} ms for its version alone, half of them within ${ms[ms.length >> 1]} ms`);
    user.end();
  });

  test('hubs and instances are made at once: az asks whether the name is free, writes, and waits for nothing', async () => {
    for (const [name, { code, out, err, word }] of Object.entries(made)) {
      assert.equal(code, 0, err);
      const json = JSON.parse(out);
      assert.deepEqual([json.name, json.location, json.resourcegroup, json.properties.provisioningState], [name, 'westus', group, 'Succeeded']);
      const asked = requests(err);
      assert.equal(asked.filter((one) => one.startsWith('PUT ')).length, 1, asked.join('\n'));
      assert.match(asked.at(-1), new RegExp(`^PUT .*/${name}$`), asked.join('\n'));
      if (word === 'dps') assert.ok(asked.some((one) => /^POST .*\/checkProvisioningServiceNameAvailability$/.test(one)), asked.join('\n'));
    }
    made.version = (await az('version'))['azure-cli'];
  });

  describe('side by side', { concurrency: SIDE_BY_SIDE }, () => {
    test('a cloud is known by its endpoints alone, too; who signs in with a wrong secret is told so', async () => {
      const another = new User();
      try {
        const endpoints = { resourceManager: BASE, activeDirectory: `${BASE}/adfs`, activeDirectoryResourceId: `${BASE}/`, activeDirectoryGraphResourceId: `${BASE}/` };
        const words = ['resource-manager', 'active-directory', 'active-directory-resource-id', 'active-directory-graph-resource-id'].flatMap((name, i) => [`--endpoint-${name}`, Object.values(endpoints)[i]]);
        await another.keep('cloud register -n four', words);
        await another.keep('cloud register -n config --cloud-config', [JSON.stringify({ endpoints })]);
        const clouds = await another.keep('cloud list');
        for (const name of ['four', 'config']) assert.equal(clouds.find((one) => one.name === name).endpoints.activeDirectory, `${BASE}/adfs`);
        await another.keep('cloud set -n four');
        assert.match(await another.fails(1, signIn(idscope.env, { secret: 'wrong' })), /AADSTS7000215/);
        const accounts = await another.keep(signIn(idscope.env));
        assert.ok(accounts.some((account) => account.id === idscope.subscription), JSON.stringify(accounts));
        await another.keep('logout');
        assert.match(await another.fails(1, 'group list'), /az login/);
      } finally {
        another.end();
      }
    });

    test('the block of the README works as it stands, and leaves the az of whoever runs it alone', async () => {
      const reader = new User();
      try {
        const plant = fresh('plant');
        const [block] = /^\. var\/dev\.env\nexport AZURE_CONFIG_DIR[^]*?(?=^```$)/m.exec(fs.readFileSync(path.join(__dirname, '../../../README.md'), 'utf8'));
        fs.mkdirSync(path.join(reader.folder, 'var'));
        fs.copyFileSync(path.join(stack.folder, 'dev.env'), path.join(reader.folder, 'var/dev.env'));
        const env = { PATH: process.env.PATH, HOME: reader.folder, LC_ALL: 'C.UTF-8' };
        const said = await new Promise((resolve) => { execFile('bash', ['-euc', block.replaceAll('plant', plant)], { cwd: reader.folder, env }, (error, out, err) => resolve({ error, out, err })); });
        assert.equal(said.error, null, said.err);
        assert.equal(said.out.trim().split('\n').at(-1), (await idscope.getInstance(plant, `${plant}dps`)).properties.idScope);
        assert.deepEqual((await idscope.getInstance(plant, `${plant}dps`)).properties.iotHubs.map((one) => one.name), [`${plant}hub.hub.${idscope.domain}`]);
        assert.deepEqual(fs.readdirSync(reader.folder), ['var']);
        await idscope.deleteGroup(plant);
      } finally {
        reader.end();
      }
    });

    test('account and groups', async () => {
      const [account, token, groups, shown] = await side('account show', 'account get-access-token', 'group list', ['group show', G]);
      assert.deepEqual([account.id, account.environmentName, account.user.name], [idscope.subscription, 'local', idscope.env.IDSCOPE_CLIENT_ID]);
      assert.equal(token.tokenType, 'Bearer');
      assert.ok(groups.some(({ name }) => name === group));
      assert.equal(shown.location, 'westus');
      assert.deepEqual((await az('group update --set tags.a=b', G)).tags, { a: 'b' });
      assert.equal(await az('group exists', G), true);
      assert.equal(await az('group exists -g', fresh('none')), false);
    });

    test('hubs are shown by name alone and in their group, listed, and give their connection string', async () => {
      const [shown, inGroup, all, listed, string] = await side(['iot hub show -n', hub], ['iot hub show -n', hub, G], 'iot hub list', ['iot hub list', G], ['iot hub show-connection-string -n', hub]);
      assert.deepEqual(shown, inGroup);
      assert.deepEqual([shown.sku.name, shown.properties.hostName], ['S1', `${hub}.hub.${idscope.domain}`]);
      for (const list of [all, listed]) assert.ok(list.some(({ name }) => name === hub));
      assert.match(string.connectionString, new RegExp(`^HostName=${hub}\\.hub\\.${idscope.domain};SharedAccessKeyName=iothubowner;SharedAccessKey=[^*]{20,}$`));
      const [metrics, stats, groups] = await side(['iot hub show-quota-metrics -n', hub], ['iot hub show-stats -n', hub], ['iot hub consumer-group list --hub-name', hub]);
      assert.deepEqual(metrics.map((one) => [one.name, one.currentValue]), [['TotalMessages', 0], ['TotalDeviceCount', 0]]);
      assert.equal(stats.totalDeviceCount, 0);
      assert.deepEqual(groups.map((one) => one.name), ['$Default']);
      assert.match(await user.fails(1, 'iot hub show -n', fresh('none'), G), /not found/i);
      const skus = await az('iot hub list-skus -n', hub);
      assert.ok(skus.some(({ sku, capacity }) => sku.name === 'S1' && sku.tier === 'Standard' && capacity.default === 1));
    });

    test('linked hubs: by the name of one and by connection string, changed with their keys masked, shown, unlinked', async () => {
      const I = ['--dps-name', dps, ...G];
      const { connectionString } = await az('iot hub show-connection-string -n', other);
      const [linked] = await az('iot dps linked-hub create --hub-name', hub, I);
      assert.equal(linked.name, `${hub}.hub.${idscope.domain}`);
      assert.match(linked.connectionString, /;SharedAccessKey=\*+$/);
      await az('iot dps linked-hub create --allocation-weight 7 --apply-allocation-policy false --connection-string', [connectionString], I);
      const list = await az('iot dps linked-hub list', I);
      assert.deepEqual(list.map((one) => [one.name, one.allocationWeight, one.applyAllocationPolicy]), [[`${hub}.hub.${idscope.domain}`, null, null], [`${other}.hub.${idscope.domain}`, 7, false]]);
      await az('iot dps linked-hub update --allocation-weight 5 --linked-hub', hub, I);
      assert.equal((await az('iot dps linked-hub show --linked-hub', hub, I)).allocationWeight, 5);
      const valid = await until('both links to be valid with the keys that they had', async () => {
        const links = await idscope.linkedHubs(group, dps);
        return links.length === 2 && links.every((link) => link.properties.state === 'valid') && links;
      }, { timeoutMs: 60000 });
      assert.equal(valid.length, 2);
      await az('iot dps linked-hub delete --linked-hub', hub, I);
      const [left, ...none] = await az('iot dps linked-hub list', I);
      assert.equal(none.length, 0);
      assert.equal(left.name, `${other}.hub.${idscope.domain}`);
    });

    test('an instance is shown and changed; its ID scope, policy, tags and links stay what they are', async () => {
      const idScope = JSON.parse(made[second].out).properties.idScope;
      const [told, listed, inGroup] = await side(['iot dps show --query properties.idScope -n', second, G], 'iot dps list', ['iot dps list', G]);
      assert.equal(told, idScope);
      for (const list of [listed, inGroup]) assert.ok(list.some(({ name }) => name === second));
      for (const policy of ['GeoLatency', 'Static', 'Hashed']) {
        const changed = await az(`iot dps update --set properties.allocationPolicy=${policy} tags.policy=${policy} -n`, second, G);
        assert.deepEqual([changed.properties.allocationPolicy, changed.properties.idScope, changed.tags], [policy, idScope, { policy }]);
      }
      assert.match(await user.fails(1, 'iot dps update --set properties.allocationPolicy=Best -n', second, G), /allocationPolicy/);
      assert.match(await user.fails(1, 'iot dps create -n', second, G), /taken/);
    });

    test('resources of any kind are listed and shown, with the versions that their provider tells; locations', async () => {
      const named = ['-n', second, '--resource-type', 'Microsoft.Devices/provisioningServices'];
      const [all, some, shown, provider, registered, locations] = await side(['resource list', G], ['resource list --resource-type Microsoft.Devices/IotHubs', G], ['resource show', named, G], 'provider show -n Microsoft.Devices', 'provider list', 'account list-locations');
      assert.deepEqual(all.map((one) => one.name).sort(), [dps, second, hub, other].sort());
      assert.deepEqual(some.map((one) => one.name).sort(), [hub, other].sort());
      assert.equal(shown.properties.idScope, JSON.parse(made[second].out).properties.idScope);
      for (const one of [provider, ...registered]) assert.equal(one.registrationState, 'Registered');
      assert.ok(locations.some((one) => one.name === 'westus'));
      await az('provider register -n Microsoft.Devices');
    });

    test('who changed what is told: by group, by resource, with names that are selected', async () => {
      const events = await az('monitor activity-log list --max-events 100', G);
      assert.ok(events.length >= 5 && events.every((event) => event.resourceGroupName === group), JSON.stringify(events.slice(0, 3)));
      const [id] = events.filter(({ operationName }) => operationName.value === 'Microsoft.Devices/IotHubs/write').map((event) => event.resourceId);
      assert.match(id, /\/resourceGroups\/.*\/IotHubs\//);
      const of = await az('monitor activity-log list --resource-id', id, '--select resourceId caller');
      assert.ok(of.length > 0 && of.every((event) => event.resourceId === id && event.caller === idscope.env.IDSCOPE_CLIENT_ID && !event.operationName), JSON.stringify(of.slice(0, 3)));
    });

    // `az role` of Debian fails in itself (it asks its own client for a member that the packaged SDK has not), so it is `az rest`.
    test('roles by az rest: one is given, listed and taken', async () => {
      const at = `${BASE}/subscriptions/${idscope.subscription}/resourceGroups/${group}/providers/Microsoft.Authorization/roleAssignments`;
      const url = (rest = '') => ['--url', `${at}${rest}?api-version=2022-04-01`];
      const { IDSCOPE_CLIENT_ID: principalId } = await admin('create-service-principal', idscope.env.IDSCOPE_TENANT_ID, fresh('principal'), 'reader');
      const name = crypto.randomUUID();
      const roleDefinitionId = `/subscriptions/${idscope.subscription}/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c`;
      const given = await az('rest --method put --body', JSON.stringify({ properties: { roleDefinitionId, principalId, principalType: 'ServicePrincipal' } }), url(`/${name}`));
      assert.deepEqual([given.name, given.properties.principalId], [name, principalId]);
      const here = async () => (await az('rest --method get', url())).value.map((one) => one.name);
      assert.ok((await here()).includes(name));
      await az('rest --method delete', url(`/${name}`));
      assert.ok(!(await here()).includes(name));
    });

    test('policies of an instance: made with keys of its own, changed, deleted; the others keep theirs', async () => {
      const I = ['--dps-name', dps, ...G];
      const first = await az('iot dps policy list', I);
      assert.deepEqual(first.map((one) => one.keyName), ['provisioningserviceowner']);
      await az('iot dps policy create --rights EnrollmentWrite ServiceConfig --policy-name p1', I);
      const one = await az('iot dps policy show --policy-name p1', I);
      assert.equal(one.rights, 'ServiceConfig, EnrollmentWrite');
      assert.match(one.primaryKey, /^[A-Za-z0-9+/]{40,}=*$/);
      await az('iot dps policy update --rights EnrollmentRead --policy-name p1', I);
      assert.deepEqual((await az('iot dps policy list', I)).map(({ keyName, primaryKey, rights }) => [keyName, primaryKey, rights]), [['provisioningserviceowner', first[0].primaryKey, first[0].rights], ['p1', one.primaryKey, 'EnrollmentRead']]);
      await az('iot dps policy delete --policy-name p1', I);
      assert.deepEqual(await az('iot dps policy list', I), first);
    });

    for (const [of, word, I] of [['an instance', 'dps', ['--dps-name', second, ...G]], ['a hub', 'hub', ['--hub-name', hub, ...G]]]) test(`a certificate of ${of} is proved: made, listed, shown, a code, a leaf that OpenSSL signs for it, verified, changed, deleted`, async () => {
      const certificate = (words, ...rest) => az(`iot ${word} certificate ${words}`, ...rest);
      const refused = (words, ...rest) => user.fails(1, `iot ${word} certificate ${words}`, ...rest);
      const root = make('Plant Root', { ca: true });
      const pem = user.file(`${word}-root.pem`, root.cert);
      const created = await certificate('create -n c1 -p', pem, I);
      assert.deepEqual([created.name, created.properties.subject, created.properties.isVerified], ['c1', 'CN=Plant Root', false]);
      assert.ok([root.cert, Buffer.from(root.cert).toString('base64')].includes(created.properties.certificate), 'it comes back as it was sent: az encodes the file for hubs');
      const { value } = await certificate('list', I);
      assert.deepEqual(value, [created]);
      const asked = await certificate('generate-verification-code -n c1 -e', created.etag, I);
      const proof = user.file(`${word}-proof.pem`, make(asked.properties.verificationCode, { by: root }).cert);
      const wrong = user.file(`${word}-wrong.pem`, make('another', { by: root }).cert);
      assert.match(await refused('verify -n c1 -p', proof, '-e', created.etag, I), /If-Match/);
      assert.match(await refused('verify -n c1 -p', wrong, '-e', asked.etag, I), /CN/);
      assert.equal((await certificate('show -n c1', I)).properties.isVerified, false);
      const proved = await certificate('verify -n c1 -p', proof, '-e', asked.etag, I);
      assert.equal(proved.properties.isVerified, true);
      const der = user.file(`${word}-root.cer`, make('Another Root', { ca: true }).der);
      const changed = await certificate('update -n c1 --verified true -p', der, '-e', proved.etag, I);
      assert.deepEqual([changed.properties.subject, changed.properties.isVerified], ['CN=Another Root', true]);
      await certificate('delete -n c1 -e', changed.etag, I);
      assert.deepEqual((await certificate('list', I)).value, []);
    });

    test('policies of a hub: listed, made, their keys renewed, deleted; a hub is changed and keeps its keys', async () => {
      const H = ['--hub-name', other];
      const first = await az('iot hub policy list', H);
      assert.deepEqual(first.map((one) => one.keyName), ['iothubowner', 'service', 'device', 'registryRead', 'registryReadWrite']);
      await az('iot hub policy create -n hp --permissions RegistryRead', H);
      const one = await az('iot hub policy show -n hp', H);
      await az('iot hub policy renew-key -n hp --renew-key primary', H);
      const renewed = await az('iot hub policy show -n hp', H);
      assert.notEqual(renewed.primaryKey, one.primaryKey);
      assert.deepEqual({ ...renewed, primaryKey: '' }, { ...one, primaryKey: '' });
      await az('iot hub policy delete -n hp', H);
      assert.deepEqual((await az('iot hub update --set tags.a=b -n', other, G)).tags, { a: 'b' });
      assert.deepEqual(await az('iot hub policy list', H), first);
    });
  });

  for (const [of, id] of [['a hub', () => JSON.parse(made[other].out).id], ['the subscription', () => `/subscriptions/${idscope.subscription}`]]) test(`tags by the id of ${of}: made, merged, deleted by name and value, listed, all deleted`, async () => {
    const R = ['--resource-id', id()];
    assert.deepEqual((await az('tag create --tags a=1 b=2', R)).properties.tags, { a: '1', b: '2' });
    assert.deepEqual((await az('tag update --operation Merge --tags b=3 c=4', R)).properties.tags, { a: '1', b: '3', c: '4' });
    assert.deepEqual((await az('tag update --operation Delete --tags a=1', R)).properties.tags, { b: '3', c: '4' });
    assert.deepEqual((await az('tag list', R)).properties.tags, { b: '3', c: '4' });
    await az('tag delete -y', R);
    assert.deepEqual((await az('tag list', R)).properties.tags, {});
  });

  test('what was made is deleted, the group last and with all that is in it', async () => {
    await side(['iot dps delete -n', dps, G], ['iot hub delete -n', hub, G]);
    assert.match(await user.fails(3, 'iot dps show -n', dps, G), /ResourceNotFound/);
    const { code, err } = await user.apart('group delete -y --debug', G);
    assert.equal(code, 0, err);
    assert.match(requests(err).at(-1), /^DELETE /);
    assert.equal(await az('group exists', G), false);
    assert.match(await user.fails(3, 'iot dps show -n', second, G), /ResourceGroupNotFound/);
    await user.keep('logout');
  });
});
