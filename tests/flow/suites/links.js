// links.js: a linked hub as a resource of its own, beside the array of its instance: the two always agree, and no writer loses what another one wrote.
'use strict';

const { describe, test } = require('node:test');
const { assert, admin, each, expect, fresh, idscope, Idscope, refusedArm, sas, scene, until } = require('../kit');

const of = (made) => {
  const at = (host) => `${idscope.instancePath(made.group, made.instance.name)}/linkedHubs${host === undefined ? '' : `/${host}`}`;
  const instance = () => idscope.getInstance(made.group, made.instance.name);
  return {
    at,
    instance,
    put: (host, properties, headers = {}) => idscope.arm('PUT', at(host), { body: { properties }, headers }),
    get: async (host) => expect(`get ${host}`, await idscope.arm('GET', at(host)), 200),
    erase: (host, headers = {}) => idscope.arm('DELETE', at(host), { headers }),
    hosts: async () => (await instance()).properties.iotHubs.map((link) => link.name),
    array: (iotHubs, headers = {}) => idscope.arm('PUT', idscope.instancePath(made.group, made.instance.name),
      { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { iotHubs } }, headers }),
  };
};
const byResource = (made, hub, more) => ({ hubResourceId: idscope.hubPath(made.group, hub.name), ...more });
const connection = (host, key = sas.newKey(), policy = 'owner') => `HostName=${host};SharedAccessKeyName=${policy};SharedAccessKey=${key}`;

describe('links: each a resource beside the array', { concurrency: 4 }, () => {
  // A scene with hubs of which none is linked yet.
  async function unlinked(t, hubs) {
    const made = await scene(t, { hubs });
    const link = of(made);
    for (const { host } of made.hubs) assert.equal((await link.erase(host)).status, 204);
    return { made, link, hubs: made.hubs };
  }

  test('a link comes by connection string or by resource id, works, and goes; array and resources agree at each step', async (t) => {
    const { made, link, hubs: [one, two] } = await unlinked(t, 2);
    assert.deepEqual(await link.hosts(), []);
    const made1 = expect('by string', await link.put(one.host.toUpperCase(), { connectionString: one.connectionString, allocationWeight: 7 }), 201);
    assert.equal(made1.name, one.host);
    assert.equal(made1.properties.location, 'westeurope', 'that of the instance');
    assert.match(made1.properties.connectionString, /;SharedAccessKey=\*+$/);
    const made2 = expect('by resource', await link.put(two.host, byResource(made, two, { applyAllocationPolicy: false })), 201);
    assert.deepEqual([made2.properties.accessPolicy, made2.properties.applyAllocationPolicy, made2.properties.allocationWeight], ['iothubowner', false, null]);
    await Promise.all([one, two].map(({ host }) => made.linkState(host, 'valid')));
    const { iotHubs } = (await link.instance()).properties;
    assert.deepEqual(iotHubs.map((each_) => [each_.name, each_.allocationWeight, each_.applyAllocationPolicy]), [[one.host, 7, null], [two.host, null, false]]);
    assert.equal((await made.registered()).state.assignedHub, one.host);
    expect('again', await link.put(two.host, byResource(made, two)), 200);
    assert.equal((await link.get(two.host)).properties.applyAllocationPolicy, null, 'what is absent is unset');
    assert.equal((await link.erase(one.host.toUpperCase())).status, 204);
    assert.deepEqual(await link.hosts(), [two.host]);
    assert.equal((await made.registered()).state.assignedHub, two.host, 'what allocation goes by changed with it');
    refusedArm(await idscope.arm('GET', link.at(one.host)), 404, 'ResourceNotFound');
    assert.equal((await link.erase(one.host)).status, 204, 'it was not there');
  });

  test('a put of what was read changes nothing: neither the link nor its state, its instance, an etag', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const link = of(made);
    const [{ host, connectionString }] = made.hubs;
    expect('with a second', await link.put(host, { connectionString, secondaryConnectionString: connection(host) }), 200);
    await made.linkState(host, 'degraded');
    const before = [await link.get(host), await link.instance()];
    delete before[0].properties.latency;
    for (const body of [before[0], { properties: { ...before[0].properties, connectionString } }]) {
      expect('put', await idscope.arm('PUT', link.at(host), { body }), 200);
      const now = [await link.get(host), await link.instance()];
      for (const moving of ['latency', 'lastGood']) delete now[0].properties[moving], delete before[0].properties[moving];
      assert.deepEqual(now, before);
    }
  });

  test('the array keeps second credentials; a link that tells none has none any more', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const link = of(made);
    const [{ host, connectionString, name, keys }] = made.hubs;
    const { primaryKey, secondaryKey } = keys.find(({ keyName }) => keyName === 'iothubowner');
    // The first key is no good, the second one is.
    const second = connection(host, secondaryKey, 'iothubowner');
    expect('put', await link.put(host, { connectionString: connection(host, sas.newKey(), 'iothubowner'), secondaryConnectionString: second }), 200);
    await made.linkState(host, 'degraded');
    assert.equal((await link.get(host)).properties.secondaryConnectionString, `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=****`);
    assert.ok(await made.registered(), `${name} is used by the second credential`);
    const [shown] = (await link.instance()).properties.iotHubs;
    assert.equal(shown.secondaryConnectionString, undefined, 'the array is as other services show it');
    expect('array', await link.array([{ ...shown, allocationWeight: 3 }]), 200);
    assert.match((await link.get(host)).properties.secondaryConnectionString, /\*+$/);
    expect('a good first key by the array', await link.array([{ ...shown, connectionString: connection(host, primaryKey, 'iothubowner') }]), 200);
    await made.linkState(host, 'valid');
    assert.match((await link.get(host)).properties.secondaryConnectionString, /\*+$/);
    expect('none', await link.put(host, { connectionString }), 200);
    assert.equal((await link.get(host)).properties.secondaryConnectionString, undefined);
    refusedArm(await link.put(host, { connectionString, secondaryConnectionString: connection(host, '****', 'iothubowner') }), 400, 'InvalidRequestContent', /secondaryConnectionString.*masked/);
    expect('by resource', await link.put(host, byResource(made, made.hubs[0])), 200);
    refusedArm(await link.put(host, byResource(made, made.hubs[0], { secondaryConnectionString: second })), 400, 'InvalidRequestContent', /secondaryConnectionString/);
  });

  test('bodies that name no hub, two, another one, or one that is not to be had', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const link = of(made);
    const [one, two] = made.hubs;
    const bad = (properties, words) => link.put(one.host, properties).then((answer) => refusedArm(answer, 400, 'InvalidRequestContent', words));
    await bad({}, /properties\.connectionString is required, or hubResourceId/);
    await bad(byResource(made, one, { connectionString: one.connectionString }), /properties\.connectionString: give either/);
    await bad({ connectionString: two.connectionString }, /properties\.connectionString: the hub is .*path/);
    await bad(byResource(made, two), /properties\.hubResourceId: the hub is .*path/);
    await bad({ hubResourceId: `${idscope.hubPath(made.group, one.name)}x` }, /properties\.hubResourceId: there is no such hub/);
    await bad(byResource(made, one, { accessPolicy: 'service' }), /properties\.accessPolicy.*RegistryWrite/);
    await bad(byResource(made, one, { accessPolicy: 'registryReadWrite' }), /properties\.accessPolicy.*ServiceConnect/);
    await bad(byResource(made, one, { accessPolicy: 'none' }), /properties\.accessPolicy.*no policy none/);
    await bad({ connectionString: one.connectionString.replace(one.host, `${one.host}:443`) }, /properties\.connectionString: .*HostName/);
    await bad({ connectionString: `HostName=${one.host};SharedAccessKeyName=a` }, /properties\.connectionString: .*SharedAccessKey/);
    await bad({ connectionString: one.connectionString, secondaryConnectionString: two.connectionString }, /properties\.secondaryConnectionString: HostName must be that of the link/);
    await bad({ connectionString: one.connectionString, allocationWeight: 1001 }, /properties\.allocationWeight/);
    assert.deepEqual(await link.hosts(), [one.host, two.host]);
  });

  test('members of a connection string come in any case and order, with blanks and what nobody knows', async (t) => {
    const { link, hubs: [hub] } = await unlinked(t, 1);
    const sent = ` sharedaccesskey = ${hub.key} ;x=y=z; SHAREDACCESSKEYNAME=iothubowner;hostname=${hub.host.toUpperCase()}; `;
    assert.equal(expect('put', await link.put(hub.host, { connectionString: sent }), 201).properties.hostName.toLowerCase(), hub.host);
    const array = await link.array([Idscope.link(hub), byResource({ group: hub.resource.resourcegroup }, hub, { location: 'westeurope' })]);
    refusedArm(array, 400, 'InvalidRequestContent', /iotHubs\[1\]: the hub .* stands twice/);
  });

  test('a hub of another subscription of the tenant is linked by its resource id; key renewal and deletion are followed', async (t) => {
    const { made, link } = await unlinked(t, 1);
    const subscription = await admin('create-subscription', idscope.env.IDSCOPE_TENANT_ID, fresh('second'));
    const second = new Idscope({ ...idscope.env, ...subscription });
    t.after(() => second.close());
    const group = fresh('group');
    await second.createGroup(group);
    t.after(() => second.deleteGroup(group));
    const hub = await second.createHub(group, fresh('hub'), 'northeurope');
    const written = expect('put', await link.put(hub.host, { hubResourceId: second.hubPath(group, hub.name) }), 201);
    assert.equal(written.properties.location, 'northeurope', 'that of the hub');
    assert.equal(written.properties.hubResourceId.toLowerCase(), second.hubPath(group, hub.name).toLowerCase());
    await made.linkState(hub.host, 'valid');
    const { etag } = await link.get(hub.host);
    const renewed = { keyName: 'iothubowner', rights: 'RegistryWrite, ServiceConnect', primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
    expect('renew', await second.arm('PUT', second.hubPath(group, hub.name),
      { body: { location: 'northeurope', sku: { name: 'S1', capacity: 1 }, properties: { authorizationPolicies: [renewed] } } }), 200);
    assert.equal((await made.registered()).state.assignedHub, hub.host);
    assert.equal((await second.arm('DELETE', second.hubPath(group, hub.name))).status, 204);
    assert.equal((await made.linkState(hub.host, 'invalid')).reason, 'hub_deleted');
    assert.equal((await link.get(hub.host)).etag, etag, 'nobody configured the link meanwhile');
  });

  test('If-Match and If-None-Match: a link is overwritten by none who has not seen it', async (t) => {
    const { link, hubs: [hub] } = await unlinked(t, 1);
    const body = { connectionString: hub.connectionString };
    const refuses = (answer) => refusedArm(answer, 412, 'PreconditionFailed');
    refuses(await link.put(hub.host, body, { 'If-Match': '*' }));
    refuses(await link.erase(hub.host, { 'If-Match': '*' }));
    const { etag } = expect('new', await link.put(hub.host, body, { 'If-None-Match': '*' }), 201);
    refuses(await link.put(hub.host, body, { 'If-None-Match': '*' }));
    const [shown] = (await link.instance()).properties.iotHubs;
    expect('same array', await link.array([shown]), 200);
    assert.equal((await link.get(hub.host)).etag, etag, 'the array left it as it was');
    expect('array', await link.array([{ ...shown, allocationWeight: 4 }]), 200);
    const changed = (await link.get(hub.host)).etag;
    assert.notEqual(changed, etag, 'a change by the array is one of the link');
    refuses(await link.put(hub.host, { ...body, allocationWeight: 9 }, { 'If-Match': etag }));
    refuses(await link.erase(hub.host, { 'If-Match': etag }));
    expect('matching', await link.put(hub.host, { ...body, allocationWeight: 9 }, { 'If-Match': changed }), 200);
    assert.equal((await link.erase(hub.host, { 'If-Match': (await link.get(hub.host)).etag })).status, 204);
  });

  test('a change of one link by the array is none of the others, also where they stand elsewhere then', async (t) => {
    const made = await scene(t, { hubs: 2 });
    const link = of(made);
    const [one, two] = made.hubs;
    const etags = async () => [(await link.get(one.host)).etag, (await link.get(two.host)).etag];
    const before = await etags();
    expect('array', await link.array([Idscope.link(two, { allocationWeight: 8 }), Idscope.link(one)]), 200);
    const now = await etags();
    assert.deepEqual([now[0] === before[0], now[1] === before[1]], [true, false]);
  });

  test('a change of a link is one of its instance: an array that was read before is refused, and loses nothing', async (t) => {
    const { link, hubs: [one, two] } = await unlinked(t, 2);
    const { etag } = await link.instance();
    expect('link', await link.put(one.host, { connectionString: one.connectionString }), 201);
    refusedArm(await link.array([Idscope.link(two)], { 'If-Match': etag }), 412, 'PreconditionFailed');
    assert.deepEqual(await link.hosts(), [one.host]);
    const second = (await link.instance()).etag;
    assert.equal((await link.erase(one.host)).status, 204);
    refusedArm(await link.array([Idscope.link(one), Idscope.link(two)], { 'If-Match': second }), 412, 'PreconditionFailed');
    expect('without', await link.array([Idscope.link(two)]), 200);
    assert.deepEqual(await link.hosts(), [two.host], 'whoever sends no If-Match has the last word');
  });

  test('writers at once, of links and of the array by get, edit and put: each finds its own, none is lost', async (t) => {
    const { link, hubs } = await unlinked(t, 1);
    const foreign = Array.from({ length: 8 }, (_, i) => `${fresh(`h${i}`)}.example.test`);
    // By the array, as a client does that loses nothing: again when somebody was faster.
    const byArray = (host) => until(`${host} to be in the array`, async () => {
      const { etag, properties: { iotHubs } } = await link.instance();
      const answer = await link.array([...iotHubs, { connectionString: connection(host), location: 'westeurope' }], { 'If-Match': etag });
      if (answer.status === 412) return false;
      return expect('array', answer, 200);
    });
    await each(foreign.map((host, i) => [host, i]), 8, ([host, i]) => i % 2 === 0 ? byArray(host)
      : link.put(host, { connectionString: connection(host) }).then((answer) => expect('link', answer, 201)));
    expect('and another', await link.put(hubs[0].host, { connectionString: hubs[0].connectionString }), 201);
    assert.deepEqual(new Set(await link.hosts()), new Set([...foreign, hubs[0].host]));
  });

  test('a hub that two instances link has a warning on both; another tenant is named to nobody, and told of nothing', async (t) => {
    const { link, made, hubs: [hub] } = await unlinked(t, 1);
    const warning = async (of_ = link, host = hub.host) => (await of_.get(host)).properties.warning;
    expect('one', await link.put(hub.host, { connectionString: hub.connectionString }), 201);
    assert.equal(await warning(), undefined);
    const second = await scene(t, { hubs: 0 });
    expect('two', await of(second).put(hub.host, { connectionString: hub.connectionString }), 201);
    assert.match(await warning(), new RegExp(`more than one instance.*: ${second.instance.name}\\.$`));
    assert.match(await warning(of(second)), new RegExp(`more than one instance.*: ${made.instance.name}\\.$`));
    assert.equal((await of(second).erase(hub.host)).status, 204);
    assert.equal(await warning(), undefined);
    // Another tenant, with a key of the hub.
    const tenant = await admin('create-tenant', fresh('tenant'));
    const subscription = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 's');
    const other = new Idscope({ ...idscope.env, ...tenant, ...subscription, ...await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'p', 'owner') });
    t.after(() => other.close());
    const third = await scene(t, { hubs: 0 }, other);
    const at = `${other.instancePath(third.group, third.instance.name)}/linkedHubs/`;
    for (const to of [hub.connectionString, connection(`${hub.name}.example.test`)])
      expect('theirs', await other.arm('PUT', at + /HostName=([^;]*)/.exec(to)[1], { body: { properties: { connectionString: to } } }), 201);
    assert.match(await warning(), /more than one instance.*: others that are not of this tenant\.$/, 'to the owner of the hub');
    assert.equal(expect('get', await other.arm('GET', at + hub.host), 200).properties.warning, undefined, 'to another tenant');
    expect('elsewhere', await link.put(`${hub.name}.example.test`, { connectionString: connection(`${hub.name}.example.test`) }), 201);
    assert.equal(await warning(link, `${hub.name}.example.test`), undefined, 'a hub elsewhere is nobody\'s');
  });

  test('an instance links fifty hubs, by whichever way', async (t) => {
    const { link, hubs: [hub] } = await unlinked(t, 1);
    const fifty = Array.from({ length: 50 }, (_, i) => ({ connectionString: connection(`n${i}.example.test`), location: 'westeurope' }));
    expect('fifty', await link.array(fifty), 200);
    refusedArm(await link.put(hub.host, { connectionString: hub.connectionString }), 409, 'QuotaExceeded', /50 hubs/);
    expect('one of them', await link.put('n7.example.test', { connectionString: connection('n7.example.test'), allocationWeight: 2 }), 200);
  });
});

describe('links: who still names a hub', () => {
  const told = (answer) => answer.headers['x-idscope-enrollments'];
  const names = (list) => list.value.map(({ registrationId, enrollmentGroupId, provisioningStatus }) => [enrollmentGroupId ? 'group' : 'individual', enrollmentGroupId ?? registrationId, provisioningStatus]);

  test('unlinking tells how many enrollments name the hub, the list tells which, of groups and single ones; clients see no more than a header', async (t) => {
    const made = await scene(t, { hubs: 3 });
    const link = of(made);
    const [one, two, free] = made.hubs;
    const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: sas.newKey(), secondaryKey: sas.newKey() } };
    const group = (id, more) => idscope.service(made.instance, 'PUT', `/enrollmentGroups/${id}`, { body: { enrollmentGroupId: id, attestation, ...more } }).then((answer) => expect('group', answer, 200));
    const ids = Array.from({ length: 5 }, (_, i) => `Naming:${i}.${fresh('n')}`);
    await group('Plant', { iotHubs: [one.host, two.host] });
    await made.enroll({ iotHubs: [one.host.toUpperCase()] }, ids[0]);
    await made.enroll({ iotHubHostName: one.host, provisioningStatus: 'disabled' }, ids[1]);
    await made.enroll({ iotHubs: [two.host, one.host] }, ids[2]);
    await made.enroll({ iotHubs: [two.host] }, ids[3]);
    await made.enroll({}, ids[4]);
    const list = async (host, query = '') => expect('list', await idscope.arm('GET', `${link.at(host)}/enrollments${query}`), 200);
    const ofOne = [['group', 'Plant', 'enabled'], ...[ids[0], ids[1], ids[2]].map((id) => ['individual', id, id === ids[1] ? 'disabled' : 'enabled'])];
    assert.deepEqual(names(await list(one.host.toUpperCase())), ofOne, 'before');
    assert.deepEqual(names(await list(free.host)), []);
    const unnamed = await link.erase(free.host);
    assert.deepEqual([unnamed.status, unnamed.text, told(unnamed)], [204, '', '0']);
    const gone = await link.erase(one.host);
    assert.deepEqual([gone.status, gone.text, told(gone)], [204, '', '4']);
    assert.deepEqual(names(await list(one.host)), ofOne, 'and behind it');
    assert.equal(told(await link.erase(one.host)), undefined, 'it was not linked');

    const paged = [];
    let query = '?$top=1';
    for (let page = 1; query; page++) {
      assert.ok(page <= 4, 'the list ends');
      const { value, nextLink } = await list(one.host, query);
      paged.push({ value: names({ value }), whole: value });
      query = nextLink && new URL(nextLink).search.replace(/api-version=[^&]*&/, '');
    }
    assert.deepEqual(paged.flatMap(({ value }) => value), ofOne);

    const cleared = await link.array([]);
    assert.deepEqual([cleared.status, told(cleared)], [200, '3']);
    assert.equal(told(await link.array([])), undefined);
    assert.deepEqual(names(await list('nobody.example')), []);
    refusedArm(await idscope.arm('GET', `${link.at(one.host)}/enrollments?$skiptoken=${'x'.repeat(161)}`), 400, 'InvalidRequestContent', /skiptoken/);
  });

  test('an enrollment goes out of the list when it names the hub no more, and is not in another instance\'s', async (t) => {
    const [made, other] = [await scene(t, { hubs: 1 }), await scene(t, { hubs: 0 })];
    const [{ host }] = made.hubs;
    await other.put({ ...other.properties, iotHubs: [Idscope.link(made.hubs[0])] });
    const count = async (of_) => (expect('list', await idscope.arm('GET', `${of(of_).at(host)}/enrollments`), 200)).value.length;
    const device = await made.enroll({ iotHubs: [host] });
    await other.enroll({ iotHubs: [host] }, device.id);
    assert.deepEqual([await count(made), await count(other)], [1, 1]);
    await made.change(device, {});
    assert.deepEqual([await count(made), await count(other)], [0, 1]);
    assert.equal(told(await of(other).erase(host)), '1');
  });

  test('of an import whose rows name the hub each is counted', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [{ host }] = made.hubs;
    const lines = Array.from({ length: 500 }, (_, i) => JSON.stringify(Idscope.enrollment(`row-${i}`, i % 2 ? { iotHubs: [host] } : {})));
    const started = await idscope.service(made.instance, 'POST', '/enrollments/import', { body: lines.join('\n'), headers: { 'Content-Type': 'application/x-ndjson' } });
    const { pathname } = new URL(expect('import', started, 202) && started.headers['operation-location']);
    await until('the import to end', async () => (await idscope.service(made.instance, 'GET', pathname)).json.status === 'succeeded');
    assert.equal(told(await of(made).erase(host)), '250');
  });
});
