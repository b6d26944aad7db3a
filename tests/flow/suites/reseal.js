// reseal.js: every secret comes under another key of the key ring while a fleet registers and its operators write: idscope-admin reseal, killed and
// begun again; then the old key is gone, and nobody notices. On the second deployment, whose programs start again with each ring.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { spawn } = require('node:child_process');
const { SoftTpm } = require('../../lib/tpm');
const { assert, second, Idscope, expect, each, fresh, sas, scene, sharedScene, until, refused } = require('../kit');

const { idscope, stack } = second;
const FLAVOR = process.env.FLAVOR || 'asan'; // of the command
const RING = path.join(stack.folder, 'keys/ring');
const BULK = 3000;
const PARTS = ['api1', 'worker'];

const said = (...words) => stack.adminText(FLAVOR, ...words);
const ringOf = (...lines) => fs.writeFileSync(RING, lines.map((line) => `${line.trim()}\n`).join(''));
// As an operator brings a ring in: one program after the other.
// The edge looks for an api that was away twice a second.
async function restart(part) {
  await stack.run('restart-part', part);
  await until('the edge to find the api', async () => (await idscope.arm('GET', '/tenants')).status !== 503); // without a key it answers 500
}

async function bringIn(...lines) {
  ringOf(...lines);
  for (const part of PARTS) await restart(part);
}

// A run of the command that can be killed, with a key ring of its own if need be.
function reseal(words, ring = RING) {
  const child = spawn(path.join(__dirname, '../../../build', FLAVOR, 'idscope-admin'), ['reseal', ...words, `--database-url=${stack.databaseUrl('idscope_admin')}`, `--key-ring-file=${ring}`]);
  const run = { child, out: '', err: '' };
  child.stdout.on('data', (part) => { run.out += part; });
  child.stderr.on('data', (part) => { run.err += part; });
  run.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  return run;
}

// How many values of each column are under each key.
async function counted() {
  const columns = (await stack.sql('SELECT tab, col FROM idscope.sealed_column')).split('\n').map((line) => line.split('|'));
  const text = await stack.sql(columns.map(([tab, col]) => `SELECT '${tab}.${col}', get_byte(${col}, 4), count(*) FROM idscope.${tab} WHERE ${col} IS NOT NULL GROUP BY 2`).join(' UNION ALL '));
  const under = {};
  for (const [column, key, count] of text.split('\n').map((line) => line.split('|'))) (under[key] ||= {})[column] = Number(count);
  return under;
}
const sum = (columns = {}) => Object.values(columns).reduce((all, n) => all + n, 0);

describe('reseal', () => { // one after the other: each goes on with the ring that the one before left
  const made = sharedScene({ before, after }, { hubs: 2 }, idscope);
  const scope = () => made.idScope.toLowerCase();
  const service = (method, at, options) => idscope.service(made.instance, method, at, options);
  let [first, next] = [];
  const fleet = [];
  const met = { id: fresh('tpm'), tpm: new SoftTpm() }; // registers before
  const tpm = { id: fresh('tpm'), tpm: new SoftTpm() }; // is handed a nonce before, and signs with it afterwards

  const assigned = async (device) => {
    const state = await made.register(device);
    assert.equal(state.status, 'assigned', JSON.stringify(state));
    return state.assignedHub;
  };
  // Versions, etags and what stands for a link: all that a change would show itself by.
  const marks = () => stack.sql(`SELECT version, inputs_version FROM idscope.scope WHERE id_scope = '${scope()}'
    UNION ALL SELECT credential_version, extract(epoch FROM state_since)::bigint FROM idscope.linked_hub WHERE id_scope = '${scope()}' AND state = 'valid'
    UNION ALL SELECT h.version, 0 FROM idscope.hub_registry h WHERE hub_key = ANY ('{${made.hubs.map(({ name }) => name.toLowerCase())}}')
    UNION ALL SELECT count(*), sum(hashtext(etag::text)) FROM idscope.enrollment WHERE id_scope = '${scope()}' AND registration_key LIKE 'bulk-%' ORDER BY 1, 2`);
  const send = (rows) => service('POST', '/enrollments/import?', { body: rows.map((row) => JSON.stringify(row)).join('\n'), headers: { 'Content-Type': 'application/x-ndjson' } });
  const imported = (answer) => until('the import to end', async () => (await service('GET', new URL(answer.headers['operation-location']).pathname)).json.status === 'succeeded', { timeoutMs: 60000 });
  const rows = (n, prefix) => Array.from({ length: n }, (_, i) => Idscope.enrollment(`${prefix}-${i}`, { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: sas.newKey(64), secondaryKey: sas.newKey(64) } } }));
  const custom = { allocationPolicy: 'custom', customAllocationDefinition: { webhookUrl: 'https://allocate.example/?code=secret', apiVersion: '2021-10-01' } };
  const waiting = rows(3, fresh('waiting'));
  const ask = (device, authorization) => idscope.device('PUT', made.idScope, `${device.id}/register`, { body: { registrationId: device.id, tpm: device.tpm.shown }, authorization });
  const nonce = async (device) => device.tpm.open(refused(await ask(device), 401, /./, 401002).json.authenticationKey);

  before(async () => {
    first = fs.readFileSync(RING, 'utf8').trim();
    for (const { host } of made.hubs) await made.linkState(host, 'valid');
    fleet.push(...await each(Array.from({ length: 20 }), 8, () => made.registered()));
    const hall = fresh('hall');
    const group = expect('group', await service('PUT', `/enrollmentGroups/${hall}`, { body: { enrollmentGroupId: hall, attestation: { type: 'symmetricKey' } } }), 200);
    const member = fresh('member');
    fleet.push({ id: member, key: sas.derive(group.attestation.symmetricKey.primaryKey, member) });
    for (const device of fleet) device.hub = await assigned(device);
    await made.enroll(custom, 'asks');
    for (const { id, tpm: { endorsementKey } } of [met, tpm]) expect('tpm', await service('PUT', `/enrollments/${id}`, { body: { registrationId: id, attestation: { type: 'tpm', tpm: { endorsementKey } } } }), 200);
    expect('a nonce is met', await ask(met, sas.forDevice(made.idScope, met.id, await nonce(met))), 202);
    const [{ host, connectionString }] = made.hubs;
    expect('a second credential', await idscope.arm('PUT', `${idscope.instancePath(made.group, made.instance.name)}/linkedHubs/${host}`,
      { body: { properties: { connectionString, secondaryConnectionString: connectionString } } }), 200);
    await made.linkState(host, 'valid');
    await imported(await send(rows(BULK, 'bulk')));
  });

  test('a second key is added, then it seals; both are open to everybody', async () => {
    next = (await said('new-key-ring', '--id=2')).trim();
    assert.match(next, /^2:[A-Za-z0-9+/]{43}=$/);
    await bringIn(first, next);
    assert.equal((await made.registered()).state.status, 'assigned');
    // What waits: the worker stands still from here on.
    await stack.run('stop-part', 'worker');
    waiting.answer = await send([...waiting, ...rows(1, fresh('waiting')).map((row) => ({ ...row, ...custom }))]);
    tpm.nonce = await nonce(tpm);
    const columns = (await stack.sql("SELECT tab || '.' || col FROM idscope.sealed_column ORDER BY 1")).split('\n');
    assert.deepEqual(Object.keys((await counted())[1]).sort(), columns.sort(), 'every column has something to be sealed anew');

    ringOf(next, first);
    await restart('api1');
    fleet.push(await made.enroll());
    const under = await counted();
    assert.deepEqual(under[2], { 'enrollment.attestation_sealed': 1 }, 'what is new is under the new key');
    assert.ok(under[1]['enrollment.attestation_sealed'] >= BULK);
  });

  test('killed in the middle, it leaves nothing undone but what it had not come to', async () => {
    const run = reseal(['--batch=1']);
    const all = (await counted())[1]['enrollment.attestation_sealed'];
    await until('it to be at work', async () => (await counted())[1]['enrollment.attestation_sealed'] < all, { everyMs: 10 });
    run.child.kill('SIGKILL');
    assert.equal(await run.ended, 'SIGKILL');
    const under = await counted();
    assert.ok(sum(under[1]) > 0 && sum(under[2]) > 0, JSON.stringify(under));
  });

  test('begun again, it ends, while devices register and operators write: no write is lost, no etag, version or link changes', async () => {
    const secrets = async () => [expect('keys', await idscope.arm('POST', `${idscope.instancePath(made.group, made.instance.name)}/listkeys`), 200).value,
      expect('hub keys', await idscope.arm('POST', `${idscope.hubPath(made.group, made.hubs[0].name)}/listkeys`), 200).value,
      expect('webhook', await service('GET', '/enrollments/asks'), 200), expect('mechanism', await service('POST', '/enrollments/bulk-7/attestationmechanism'), 200)];
    await stack.run('start-part', 'worker');
    const [keys, before] = [await secrets(), await marks()];
    const run = reseal(['--batch=20', '--json']);
    let running = true;
    const code = run.ended.then((ended) => { running = false; return ended; });
    const wrote = new Map();
    const writes = async (device) => {
      for (let n = 0; running || n < 2; n++) {
        const deviceId = `${device.id}-as-${n}`;
        expect('write', await service('PUT', `/enrollments/${device.id}`, { body: Idscope.enrollment(device.id, { deviceId, attestation: { type: 'symmetricKey', symmetricKey: {} } }), headers: { 'If-Match': '*' } }), 200);
        wrote.set(device.id, deviceId);
      }
    };
    const puts = async () => {
      while (running) await made.relink(made.hubs.map((hub) => Idscope.link(hub)));
    };
    const joins = async () => {
      do {
        const device = await made.registered();
        fleet.push({ ...device, hub: device.state.assignedHub });
      } while (running);
    };
    await Promise.all([imported(waiting.answer), ...(await each(Array.from({ length: 3 }), 3, () => made.enroll())).map(writes), puts(), joins()]);
    assert.equal(await code, 0, run.err);
    const told = JSON.parse(run.out);
    assert.deepEqual([told.keyId, told.left], [2, []]);
    assert.ok(told.resealed > 0);
    for (const [id, deviceId] of wrote) assert.equal(expect('read', await service('GET', `/enrollments/${id}`), 200).deviceId, deviceId);
    assert.equal(await marks(), before);
    assert.deepEqual(await secrets(), keys);

    const [event] = JSON.parse(await stack.sql("SELECT jsonb_agg(detail) FROM idscope.audit_event WHERE kind = 'keyRing' AND key = '2'"));
    assert.deepEqual([event.change, event.count], ['resealed', told.resealed]);
    // Who was about to put back what had stood there has done so by now.
    await said('reseal');
    assert.deepEqual(Object.keys(await counted()), ['2']);
    assert.equal(await said('reseal'), 'resealed\tkey 2\t0\n', 'nothing is left to do');
  });

  test('without the old key everything goes on: devices keep their hubs, tokens their keys, links their state', async () => {
    await bringIn(next);
    assert.match(await said('check'), /token keys opened/);
    await idscope.signIn();
    assert.ok(fleet.length > 20);
    await each(fleet.filter(({ hub }) => hub), 8, async (device) => assert.equal(await assigned(device), device.hub));
    await each(fleet.filter(({ hub }) => !hub), 8, assigned); // enrolled with the new key, and never registered
    const [late] = waiting;
    await assigned({ id: late.registrationId, key: late.attestation.symmetricKey.primaryKey });
    await assigned(await made.enroll());
    expect('the nonce that was handed before', await ask(tpm, sas.forDevice(made.idScope, tpm.id, tpm.nonce)), 202);
    for (const { host } of made.hubs) await made.linkState(host, 'valid');
    const hub = made.hubs[0];
    expect('the hub knows its policies', await idscope.hub(hub, 'GET', '/devices?top=1'), 200);
  });

  test('a ring without a key that values need: it is said what is missing, and where, nothing is changed, and nobody dies', async () => {
    const other = path.join(stack.folder, 'keys/other');
    const third = (await said('new-key-ring', '--id=3')).trim();
    fs.writeFileSync(other, `${third}\n`);
    const before = await counted();
    const run = reseal(['--json'], other);
    assert.equal(await run.ended, 1);
    assert.match(run.err, /values are not under key 3: some are under a key that is not in the key ring/);
    const told = JSON.parse(run.out);
    assert.deepEqual([told.keyId, told.resealed], [3, 0]);
    assert.deepEqual(Object.fromEntries(told.left.map((one) => [`${one.table}.${one.column}`, one.count])), before[2]);
    assert.ok(told.left.every((one) => one.keyId === 2 && one.inKeyRing === false));
    const lines = reseal([], other);
    assert.equal(await lines.ended, 1);
    assert.match(lines.out, /^left\ttoken_key\.private_sealed\tkey 2 \(not in the key ring\)\t\d+$/m);
    assert.deepEqual(await counted(), before);

    const device = fleet[0];
    try {
      await bringIn(third);
      const pids = ['api1', 'worker1'].map((part) => stack.pid(part));
      assert.equal((await idscope.requestToken()).status, 500);
      refused(await service('GET', `/enrollments/${device.id}`), 500);
      const answer = await idscope.device('PUT', made.idScope, `${device.id}/register`, { body: { registrationId: device.id }, authorization: sas.forDevice(made.idScope, device.id, device.key) });
      assert.ok(answer.status >= 400, answer.text);
      await until('the log to tell', () => ['token', 'enrollment_get', 'register'].every((operation) => stack.events('api1').some((event) => event.operation === operation && event.error === 'SEAL_BROKEN')));
      await assert.rejects(said('check'), (error) => /sealed secret could not be opened/.test(error.stderr || error.message));
      assert.deepEqual(['api1', 'worker1'].map((part) => stack.pid(part)), pids);
      assert.ok((await stack.metrics('api1')).idscope_arenas !== undefined);
    } finally {
      await bringIn(next);
    }
    assert.equal(await assigned(device), device.hub);
  });

  test('its options are judged', async () => {
    for (const words of [['--batch=0'], ['--batch=many'], ['--batch=5001']]) {
      const run = reseal(words);
      assert.equal(await run.ended, 1);
      assert.match(run.err, /--batch: a number from 1 to 5000/);
    }
    for (const id of ['0', '4294967296', 'x']) await assert.rejects(said('new-key-ring', `--id=${id}`), /--id: a number from 1 to 4294967295/);
  });
});
