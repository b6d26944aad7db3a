// ipfilter.js: from which addresses an instance and a built-in hub may be called: rules in their order, by target, and publicNetworkAccess.
// The client's address is what the edge says; calls come from several addresses of the loopback network, and over IPv6.
'use strict';

const https = require('node:https');
const { describe, test, before, after } = require('node:test');
const { Https } = require('../../lib/https');
const { assert, idscope, expect, fresh, sas, scene, sharedScene, refusedArm, until } = require('../kit');

const { ca } = idscope.https.agent.options;
const HOME = '127.0.0.1';
const PLANT = '127.0.0.77';
const OFFICE = '127.0.1.78';
const rule = (filterName, action, ipMask, target) => ({ filterName, action, ipMask, ...target && { target } });

describe('ipfilter: who may call', () => {
  const made = sharedScene({ before, after }, { hubs: 1 });
  const agents = new Map([PLANT, OFFICE, HOME].map((localAddress) => [localAddress, new https.Agent({ ca, localAddress })]));
  const six = new Https({ ca, address: '::1', port: 443 });
  let device;
  before(async () => {
    device = await made.registered();
    await until('its end', async () => (await idscope.registration(made.instance, device.id)).status === 'assigned');
  });
  after(() => { six.close(); for (const agent of agents.values()) agent.destroy(); });

  const send = (from, method, host, path, authorization, body, headers) => {
    const options = { body, headers: { Authorization: authorization, ...headers } };
    return from === '::1' ? six.request(method, host, path, options) : idscope.https.request(method, host, path, { ...options, agent: agents.get(from) });
  };
  const serviceToken = () => sas.forHost(made.instance.host, made.instance.policy, made.instance.key);
  const service = (from, headers) => send(from, 'GET', made.instance.host, `/enrollments/${device.id}?api-version=2021-10-01`, serviceToken(), undefined, headers);
  const deviceToken = () => sas.forDevice(made.idScope, device.id, device.key);
  const at = () => `/${made.idScope}/registrations/${device.id}`;
  const look = (from, headers) => send(from, 'POST', idscope.deviceHost, `${at()}?api-version=2021-06-01`, deviceToken(), { registrationId: device.id }, headers);
  const restrict = (network) => made.put({ ...made.properties, ...network });
  const open = () => restrict({ publicNetworkAccess: 'Enabled', ipFilterRules: [] });

  // "sd": both planes answer, "s-": the service plane alone …
  const opened = async (from) => {
    const [ours, theirs] = [await service(from), await look(from)];
    for (const { status } of [ours, theirs]) assert.ok(status === 200 || status === 401, String(status));
    return `${ours.status === 200 ? 's' : '-'}${theirs.status === 200 ? 'd' : '-'}`;
  };

  const TABLE = [
    ['no rules', [], ['sd', 'sd', 'sd', 'sd']],
    ['one address is refused', [rule('a', 'Reject', PLANT)], ['sd', '--', 'sd', 'sd']],
    ['a range, at the devices\' plane', [rule('a', 'Reject', '127.0.0.0/24', 'deviceApi')], ['s-', 's-', 'sd', 'sd']],
    ['a range, at the service plane', [rule('a', 'Reject', '127.0.1.0/24', 'serviceApi')], ['sd', 'sd', '-d', 'sd']],
    ['the first rule that fits decides', [rule('plant', 'Accept', PLANT), rule('rest', 'Reject', '127.0.0.0/8'), rule('late', 'Reject', PLANT)], ['--', 'sd', '--', 'sd']],
    ['the other way round', [rule('rest', 'Reject', '127.0.0.0/8'), rule('plant', 'Accept', PLANT)], ['--', '--', '--', 'sd']],
    ['all but one', [rule('office', 'Accept', OFFICE, 'all'), rule('six', 'Reject', '::/0')], ['--', '--', 'sd', '--']],
    ['IPv6 alone', [rule('six', 'Reject', '::1/128')], ['sd', 'sd', 'sd', '--']],
    ['IPv4 as IPv6', [rule('mapped', 'Reject', '::ffff:127.0.0.0/120')], ['--', '--', 'sd', 'sd']],
    ['an accepted one closes nothing', [rule('a', 'Accept', '10.0.0.0/8')], ['sd', 'sd', 'sd', 'sd']],
  ];
  for (const [name, rules, wanted] of TABLE) {
    test(name, async () => {
      const { properties } = await restrict({ ipFilterRules: rules });
      assert.deepEqual(properties.ipFilterRules ?? [], rules);
      const seen = [];
      for (const from of [HOME, PLANT, OFFICE, '::1']) seen.push(await opened(from));
      assert.deepEqual(seen, wanted);
    });
  }

  test('a refused caller is told what any wrong credential is told, whatever it brings', async () => {
    await open();
    const wrong = await send(HOME, 'GET', made.instance.host, `/enrollments/${device.id}?api-version=2021-10-01`, sas.forHost(made.instance.host, made.instance.policy, sas.newKey()));
    await restrict({ ipFilterRules: [rule('secret-name', 'Reject', PLANT)] });
    const plain = ({ status, json }) => [status, json.errorCode, json.message];
    for (const authorization of [serviceToken(), sas.forHost(made.instance.host, 'nobody', sas.newKey())]) {
      const refused = await send(PLANT, 'GET', made.instance.host, `/enrollments/${device.id}?api-version=2021-10-01`, authorization);
      assert.deepEqual(plain(refused), plain(wrong));
      assert.doesNotMatch(refused.text, /secret-name|rule|address/i);
    }
    const bearer = await send(PLANT, 'GET', made.instance.host, `/enrollments/${device.id}?api-version=2021-10-01`, `Bearer ${idscope.token}`);
    assert.equal(bearer.status, 401);
  });

  test('what a client says of its own address counts for nothing', async () => {
    await restrict({ ipFilterRules: [rule('plant', 'Accept', PLANT), rule('rest', 'Reject', '0.0.0.0/0')] });
    for (const name of ['X-Idscope-Client-Address', 'X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'x_idscope_client_address']) {
      const headers = { [name]: name === 'Forwarded' ? `for=${PLANT}` : PLANT };
      assert.equal((await service(HOME, headers)).status, 401, name);
      assert.equal((await look(HOME, headers)).status, 401, name);
      assert.equal((await look(PLANT, { [name]: HOME })).status, 200, name);
    }
  });

  // In a scene of its own, since the log takes five refusals of an instance in a second.
  test('a device is refused at each of its calls, and its tenant reads by which rule; nobody is told wrong things about its key', async (t) => {
    const own = await scene(t, { hubs: 1 });
    const mover = await own.enroll();
    const { operationId } = await own.start(mover);
    await own.put({ ...own.properties, ipFilterRules: [rule('quarantine', 'Reject', '0.0.0.0/0', 'deviceApi')] });
    const authorization = sas.forDevice(own.idScope, mover.id, mover.key);
    const poll = await own.poll(mover, operationId);
    const again = await idscope.device('PUT', own.idScope, `${mover.id}/register`, { body: { registrationId: mover.id }, authorization });
    for (const answer of [poll, again]) assert.deepEqual([answer.status, answer.json.errorCode], [401, 401002]);
    const { attempts } = await until('both to stand in the log', async () => {
      const told = (await idscope.explain(own.instance, mover.id)).json;
      return told.attempts.length >= 2 && told;
    });
    assert.deepEqual(attempts.map((attempt) => attempt.trackingId).sort(), [poll, again].map((answer) => answer.json.trackingId).sort());
    for (const { reason } of attempts) assert.equal(reason, 'the IP filter rule quarantine refuses the address');
    await own.put({ ...own.properties, ipFilterRules: [] });
    assert.equal((await own.register(mover)).status, 'assigned');
  });

  test('publicNetworkAccess Disabled: nobody reaches service and devices, the management plane opens them again', async () => {
    const { etag } = await open();
    const closed = await restrict({ publicNetworkAccess: 'disabled', ipFilterRules: [rule('all', 'Accept', '0.0.0.0/0')] });
    assert.equal(closed.properties.publicNetworkAccess, 'Disabled');
    assert.notEqual(closed.etag, etag);
    for (const from of [HOME, PLANT, '::1']) assert.equal(await opened(from), '--');
    assert.equal((await open()).properties.publicNetworkAccess, 'Enabled');
    for (const from of [HOME, PLANT, '::1']) assert.equal(await opened(from), 'sd');
  });

  test('a PUT without them keeps them, PATCH of tags too; one of what GET gave changes no etag; [] clears', async () => {
    const rules = [rule('Plant', 'Reject', '10.0.0.1/8')];
    const first = await restrict({ ipFilterRules: rules, publicNetworkAccess: 'Disabled' });
    const kept = await made.put(made.properties);
    assert.deepEqual([kept.properties.ipFilterRules, kept.properties.publicNetworkAccess, kept.etag], [rules, 'Disabled', first.etag]);
    const path = idscope.instancePath(made.group, made.instance.name);
    const patched = expect('patch', await idscope.arm('PATCH', path, { body: { tags: { a: '1' } } }), 200);
    assert.deepEqual([patched.properties.ipFilterRules, patched.properties.publicNetworkAccess], [rules, 'Disabled']);
    assert.equal(expect('put back', await idscope.arm('PUT', path, { body: patched }), 200).etag, patched.etag);
    const templated = { ...patched, properties: { ...patched.properties, ipFilterRules: undefined, IpFilterRules: [{ FilterName: 'T', Action: 'reject', IpMask: '::1', Target: 'DEVICEAPI' }] } };
    assert.deepEqual(expect('a template', await idscope.arm('PUT', path, { body: templated }), 200).properties.ipFilterRules, [rule('T', 'Reject', '::1', 'deviceApi')]);
    const cleared = await open();
    assert.equal(cleared.properties.ipFilterRules, undefined);
  });

  test('rules outside the rules are refused by name, and change nothing', async () => {
    const { etag } = await open();
    const good = rule('a', 'Accept', '::/0');
    const bad = [
      [[good, rule('A', 'Reject', '10.0.0.0/8')], /ipFilterRules\[1\]\.filterName stands twice/],
      [[{ ...good, filterName: undefined }], /ipFilterRules\[0\]\.filterName is required/],
      [[{ ...good, filterName: 'a b' }], /ipFilterRules\[0\]\.filterName/],
      [[{ ...good, filterName: 'a'.repeat(129) }], /ipFilterRules\[0\]\.filterName.*128/],
      [[{ ...good, action: 'Drop' }], /ipFilterRules\[0\]\.action/],
      [[{ ...good, action: undefined }], /ipFilterRules\[0\]\.action is required/],
      [[{ ...good, target: 'hub' }], /ipFilterRules\[0\]\.target/],
      [[{ ...good, ipMask: '10.0.0.0/33' }], /ipFilterRules\[0\]\.ipMask/],
      [[{ ...good, ipMask: 'plant.example' }], /ipFilterRules\[0\]\.ipMask/],
      [[{ ...good, ipMask: 1 }], /ipFilterRules\[0\]\.ipMask/],
      [[good, null], /ipFilterRules\[1\]/],
      [Array.from({ length: 101 }, (_, i) => ({ ...good, filterName: `a${i}` })), /ipFilterRules.*100/],
    ];
    for (const [ipFilterRules, words] of bad) {
      const answer = await idscope.arm('PUT', idscope.instancePath(made.group, made.instance.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { ...made.properties, ipFilterRules } } });
      refusedArm(answer, 400, 'InvalidRequestContent', words);
    }
    const other = await idscope.arm('PUT', idscope.instancePath(made.group, made.instance.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: { ...made.properties, publicNetworkAccess: 'Private' } } });
    refusedArm(other, 400, 'InvalidRequestContent', /publicNetworkAccess/);
    assert.equal((await idscope.getInstance(made.group, made.instance.name)).etag, etag);
  });

  test('another instance, of the same tenant, is called as before', async (t) => {
    await restrict({ publicNetworkAccess: 'Disabled' });
    const other = await scene(t, { hubs: 1 });
    assert.equal((await other.registered()).state.status, 'assigned');
    await open();
  });
});

describe('ipfilter: a built-in hub', () => {
  test('its registry is closed to the addresses that its rules name, and opened again', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [hub] = made.hubs;
    const agent = new https.Agent({ ca, localAddress: PLANT });
    t.after(() => agent.destroy());
    const put = async (properties) => expect('the hub', await idscope.arm('PUT', idscope.hubPath(made.group, hub.name), { body: { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties } }), 200);
    const statistics = async () => (await idscope.https.request('GET', hub.host, '/statistics/devices?api-version=2021-04-12', { agent, headers: { Authorization: sas.forHost(hub.host, 'iothubowner', hub.key) } })).status;
    assert.equal(await statistics(), 200);
    const rules = [rule('plant', 'Reject', PLANT)];
    assert.deepEqual((await put({ ipFilterRules: rules })).properties.ipFilterRules, rules);
    assert.equal(await statistics(), 401);
    expect('from elsewhere', await idscope.hub(hub, 'GET', '/devices'), 200);
    assert.equal((await put({ ipFilterRules: [], publicNetworkAccess: 'Disabled' })).properties.publicNetworkAccess, 'Disabled');
    assert.equal((await idscope.hub(hub, 'GET', '/devices')).status, 401);
    await put({ publicNetworkAccess: 'Enabled' });
    assert.equal(await statistics(), 200);
    assert.equal((await made.registered()).state.status, 'assigned', fresh('the hub is whole again'));
  });
});
