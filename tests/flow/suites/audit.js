// audit.js: who changed what can be relied on afterwards: events are sealed within seconds, in order, and `idscope-admin audit verify` names
// whatever was altered since. What is planted here is written by the database's superuser, whom no grant holds back. The hashes are computed by
// this suite's own code, out of what core/audit.h promises.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { describe, test, before, after } = require('node:test');
const { assert, idscope, Idscope, expect, fresh, refusedArm, admin, stack, until, work } = require('../kit');

const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');
const rows = async (select) => JSON.parse(await stack.sql(`SELECT coalesce(json_agg(r), '[]') FROM (${select}) r`));

// The exit code of an operator's command, and what it printed.
function run(...words) {
  const program = path.join(__dirname, '../../../build', process.env.FLAVOR || 'asan', 'idscope-admin');
  const settings = [`--database-url=${stack.databaseUrl('idscope_admin')}`, `--key-ring-file=${path.join(stack.folder, 'keys/ring')}`];
  return new Promise((resolve) => {
    execFile(program, [...words, ...settings], (error, stdout, stderr) => resolve({ code: error ? error.code : 0, out: stdout, complaint: stderr }));
  });
}
async function verify(...words) {
  const { code, out, complaint } = await run('audit', 'verify', '--json', ...words);
  assert.ok(out.startsWith('{'), complaint);
  return { code, ...JSON.parse(out) };
}

// --- the hashes, as core/audit.h promises them -------------------------------------------------------------------------------------------

// An event as the database holds it, as its line.
function lineOf(event) {
  const absent = (name, value) => (value === null ? '' : `"${name}":${JSON.stringify(value)},`);
  return `{"eventId":"${event.event_id}","time":"${event.time}","tenantId":"${event.tenant_id}",${absent('actorKind', event.actor_kind)}${absent('actorId', event.actor_id)}`
    + `${absent('clientAddress', event.client_address)}${absent('trackingId', event.tracking_id)}${absent('operation', event.operation)}${absent('kind', event.kind)}`
    + `${absent('key', event.key)}${absent('resourceId', event.resource_id)}"detail":${event.detail}}`;
}
const hashOf = (tenant, block, previous, digests) => sha256(`{"tenantId":"${tenant}","block":${block},"count":${digests.length},"previous":"${previous}"}\n${digests.map((digest) => `${digest}\n`).join('')}`);
const eventsOf = (tenant) => rows(`SELECT id, tenant_id, event_id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '0Z' AS time, actor_kind, actor_id, client_address,
  tracking_id, operation, kind, key, resource_id, detail::text FROM idscope.audit_event WHERE tenant_id = '${tenant}' ORDER BY id`);
const blocksOf = (tenant) => rows(`SELECT block, ids, encode(digests, 'hex') AS digests, encode(previous, 'hex') AS previous, encode(hash, 'hex') AS hash, sealed_at FROM idscope.audit_block
  WHERE tenant_id = '${tenant}' ORDER BY block`);

describe('audit', () => {
  const told = {};
  let other;
  const note = (many = 1) => Array.from({ length: many }, (_, i) => i).reduce((done, i) => done.then(() => admin('create-subscription', told.tenant, `s${i}`)), Promise.resolve());
  const isSealed = () => until('the events to be sealed', async () => (await verify(`--tenant=${told.tenant}`)).tenants[0].notSealed === 0, { timeoutMs: 20000 });

  before(async () => {
    told.tenant = (await admin('create-tenant', fresh('audited'))).IDSCOPE_TENANT_ID;
    other = (await admin('create-tenant', fresh('other'))).IDSCOPE_TENANT_ID;
    // Three blocks, of three events each; in each is an id that nobody has.
    told.holes = [];
    for (let block = 0; block < 3; block++) {
      await stack.run('stop-part', 'worker');
      await note(2);
      told.holes.push(Number(await stack.sql("SELECT nextval('idscope.audit_event_id_seq')")));
      await note(1);
      await stack.run('start-part', 'worker');
      await isSealed();
    }
    told.events = await eventsOf(told.tenant);
    told.blocks = await blocksOf(told.tenant);
  });
  after(() => stack.sql('DROP TABLE IF EXISTS public.kept_event, public.kept_block, public.kept_chain'));

  test('events are sealed within 5 s by the worker, each once and in order, and the log tells each block\'s hash', async () => {
    const begun = Date.now();
    await note(1);
    await isSealed();
    const [last] = (await blocksOf(told.tenant)).slice(-1);
    const { at } = (await rows(`SELECT at FROM idscope.audit_event WHERE tenant_id = '${told.tenant}' ORDER BY id DESC LIMIT 1`))[0];
    const late = Date.parse(last.sealed_at) - Date.parse(at);
    assert.ok(late <= 5000 && begun <= Date.parse(last.sealed_at), `${late} ms`);
    const events = await eventsOf(told.tenant);
    const blocks = await blocksOf(told.tenant);
    assert.deepEqual(blocks.flatMap(({ ids }) => ids), events.map(({ id }) => id));
    assert.deepEqual(blocks.map(({ block }) => block), blocks.map((_, i) => i + 1));
    let previous = '0'.repeat(64);
    const logged = new Map(stack.events('worker').filter(({ event, tenant }) => event === 'auditSealed' && tenant === told.tenant).map((line) => [line.block, line.hash]));
    for (const { block, ids, digests, previous: named, hash } of blocks) {
      const own = events.filter(({ id }) => ids.includes(id)).map((event) => sha256(lineOf(event)));
      assert.equal(digests, own.join(''));
      assert.equal(named, previous);
      assert.equal(hash, hashOf(told.tenant, block, previous, own));
      assert.equal(logged.get(block), hash);
      previous = hash;
    }
    told.events = events;
    told.blocks = blocks;
  });

  test('the deployment\'s own events are sealed too, and nothing is found where nothing was altered', async () => {
    await admin('new-token-key');
    const nobody = '00000000-0000-0000-0000-000000000000';
    await until('they are sealed', async () => (await verify(`--tenant=${nobody}`)).tenants[0].notSealed === 0, { timeoutMs: 20000 });
    const whole = await verify();
    assert.deepEqual([whole.code, whole.findings], [0, []]);
    assert.ok(whole.tenants.find(({ tenantId }) => tenantId === nobody).sealed > 0);
    const { code, out } = await run('audit', 'verify', `--tenant=${told.tenant}`);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^${told.tenant}\tsealed ${told.events.length} in ${told.blocks.length} blocks\tnot sealed 0\n$`));
  });

  test('without a worker events wait, which is said and is no finding; none is lost', async () => {
    await stack.run('stop-part', 'worker');
    await note(2);
    const { code, findings, tenants } = await verify(`--tenant=${told.tenant}`);
    const [one, two] = (await eventsOf(told.tenant)).slice(-2);
    assert.deepEqual([code, findings, tenants[0].notSealed, tenants[0].firstNotSealed, tenants[0].lastNotSealed], [0, [], 2, one.id, two.id]);
    await stack.run('start-part', 'worker');
    await isSealed();
    told.events = await eventsOf(told.tenant);
    told.blocks = await blocksOf(told.tenant);
  });

  // --- ten planted changes: each names what must be found, and nothing else may be ------------------------------------------------------

  const event = (n) => told.events[n].id;
  const set = (n, change) => `UPDATE idscope.audit_event SET ${change} WHERE id = ${event(n)}`;
  const hole = () => told.holes[1];
  const blockOf = (id) => told.blocks.find(({ ids }) => ids[0] <= id && id <= ids.at(-1)).block;
  const last = () => told.blocks.at(-1).block;
  const altered = (...ns) => ns.map((n) => ({ block: blockOf(event(n)), event: event(n), what: 'the row was altered' }));

  // The chain from the altered row's block on, as somebody would make it anew who can write in the tables and has the source.
  function chainedAnew() {
    const forged = told.events.map((one, n) => (n === 2 ? { ...one, actor_id: 'nobody' } : one));
    const from = blockOf(event(2));
    let { previous } = told.blocks[from - 1];
    const changes = [set(2, "actor_id = 'nobody'")];
    for (const { block, ids } of told.blocks.slice(from - 1)) {
      const digests = forged.filter(({ id }) => ids.includes(id)).map((one) => sha256(lineOf(one)));
      const hash = hashOf(told.tenant, block, previous, digests);
      changes.push(`UPDATE idscope.audit_block SET digests = '\\x${digests.join('')}', previous = '\\x${previous}', hash = '\\x${hash}' WHERE tenant_id = '${told.tenant}' AND block = ${block}`);
      previous = hash;
    }
    changes.push(`UPDATE idscope.audit_chain SET hash = '\\x${previous}' WHERE tenant_id = '${told.tenant}'`);
    return changes.join('; ');
  }
  const swapped = (a, b) => `UPDATE idscope.audit_event e SET event_id = gen_random_uuid() WHERE id IN (${event(a)}, ${event(b)}); UPDATE idscope.audit_event e SET at = o.at, actor_kind = o.actor_kind, actor_id = o.actor_id, tracking_id = o.tracking_id, key = o.key, detail = o.detail,
    event_id = CASE e.id WHEN ${event(a)} THEN '${told.events[b].event_id}'::uuid ELSE '${told.events[a].event_id}' END FROM idscope.audit_event o WHERE (e.id, o.id) IN ((${event(a)}, ${event(b)}), (${event(b)}, ${event(a)}))`;

  const planted = [
    ['a payload that was altered', () => set(1, "detail = detail || '{\"change\": \"deleted\"}'"), () => altered(1)],
    ['an actor that was altered', () => set(4, "actor_id = 'uid 1'"), () => altered(4)],
    ['a time that was altered', () => set(5, "at = at - interval '1 microsecond'"), () => altered(5)],
    ['a row that was deleted', () => `DELETE FROM idscope.audit_event WHERE id = ${event(3)}`, () => [{ block: blockOf(event(3)), event: event(3), what: 'the row is missing' }]],
    ['a row that was inserted among sealed ones', () => `INSERT INTO idscope.audit_event (tenant_id, id, actor_kind, actor_id, operation, kind, key, detail) OVERRIDING SYSTEM VALUE
        VALUES ('${told.tenant}', ${hole()}, 'operator', 'uid 0', 'x', 'x', 'x', '{}')`, () => [{ block: blockOf(hole()), event: hole(), what: 'the row was inserted' }]],
    ['a last block that was deleted', () => `DELETE FROM idscope.audit_block WHERE tenant_id = '${told.tenant}' AND block = ${last()}`,
      () => [{ block: last(), what: 'the block is missing: the end of the chain names it' }]],
    ['two rows that were swapped', () => swapped(0, 1), () => altered(0, 1)],
    ['a block\'s hash that was altered', () => `UPDATE idscope.audit_block SET hash = sha256(hash) WHERE tenant_id = '${told.tenant}' AND block = 1`,
      () => [{ block: 1, what: 'the block or its hash was altered' }, { block: 2, what: 'the block does not follow the one before' }]],
    ['a tail that was chained anew, by the anchor', chainedAnew, () => told.blocks.slice(blockOf(event(2)) - 1).map(({ block }) => ({ block, what: 'the block is not the one of the anchor' }))],
    ['a row that was moved to another tenant', () => set(6, `tenant_id = '${other}'`), () => [{ block: blockOf(event(6)), event: event(6), what: `the row was moved to tenant ${other}` }]],
  ];

  const tables = ['event', 'block', 'chain'];
  const kept = () => stack.sql(tables.map((name) => `CREATE TABLE public.kept_${name} AS SELECT * FROM idscope.audit_${name} WHERE tenant_id IN ('${told.tenant}', '${other}')`).join('; '));
  const restore = () => stack.sql(tables.map((name) => `DELETE FROM idscope.audit_${name} WHERE tenant_id IN ('${told.tenant}', '${other}');
      INSERT INTO idscope.audit_${name} OVERRIDING SYSTEM VALUE SELECT * FROM public.kept_${name}; DROP TABLE public.kept_${name}`).join('; '));

  for (const [what, change, findings] of planted) {
    test(`found: ${what}`, async () => {
      const anchors = path.join(work, 'anchors');
      fs.writeFileSync(anchors, stack.logs('worker').join(''), 'latin1');
      const sound = await verify(`--tenant=${told.tenant}`, `--anchor-file=${anchors}`, `--anchor=${told.blocks.at(-1).hash}`);
      assert.deepEqual([sound.code, sound.findings], [0, []]);
      await kept();
      try {
        await stack.sql(change());
        const found = await verify(`--tenant=${told.tenant}`, `--anchor-file=${anchors}`);
        assert.equal(found.code, 1);
        const wanted = findings().map((one) => ({ tenantId: told.tenant, ...one }));
        // What an anchor names beside is told as well: of a block that was altered or is gone.
        const own = found.findings.filter((one) => wanted.some((other_) => other_.what === one.what) || !/anchor/.test(one.what));
        assert.deepEqual(own, wanted);
        const plain = await run('audit', 'verify', `--tenant=${told.tenant}`, `--anchor-file=${anchors}`);
        assert.equal(plain.code, 1);
        for (const { block, event: id, what: told_ } of wanted) assert.ok(plain.out.includes(`${told.tenant}\tblock ${block}\tevent ${id || '-'}\t${told_}\n`), plain.out);
        assert.match(plain.complaint, /audit verify: The audit events are not what was sealed/);
        told.beside = what.includes('moved') && (await verify(`--tenant=${other}`)).findings;
        if (what.includes('anchor')) {
          assert.deepEqual((await verify(`--tenant=${told.tenant}`)).findings, [], 'without an anchor the chain is as good as the other');
          assert.deepEqual((await verify(`--tenant=${told.tenant}`, `--anchor=${told.blocks.at(-1).hash}`)).findings.map((one) => one.what), ['no block has the hash of the anchor']);
        }
      } finally {
        await restore();
      }
      if (what.includes('moved')) assert.deepEqual(told.beside.map((one) => [one.tenantId, one.event, /^the row was inserted/.test(one.what)]), [[other, event(6), true]], 'whose it became has it for an inserted one');
    });
  }

  test('who can write in no table finds nothing to alter: rows and blocks are append-only for every program', async () => {
    for (const role of ['idscope_api', 'idscope_worker', 'idscope_admin']) {
      for (const statement of ['UPDATE idscope.audit_event SET at = at', 'DELETE FROM idscope.audit_event', 'UPDATE idscope.audit_block SET hash = hash', 'DELETE FROM idscope.audit_block', 'DELETE FROM idscope.audit_chain', 'TRUNCATE idscope.audit_event']) {
        await assert.rejects(stack.sql(`SET ROLE ${role}; ${statement}`), /permission denied/, `${role}: ${statement}`);
      }
    }
  });

  test('what was kept long enough is deleted by the worker, and what is left is verified as before', async () => {
    const [old, next] = told.blocks;
    const chain = (change) => stack.sql(`UPDATE idscope.audit_chain SET ${change} WHERE tenant_id = '${told.tenant}'`);
    for (const table of ['event', 'block']) await stack.sql(`CREATE TABLE public.cut_${table} AS SELECT * FROM idscope.audit_${table} WHERE tenant_id = '${told.tenant}'`);
    await stack.sql(`UPDATE idscope.audit_block SET sealed_at = sealed_at - interval '3651 days' WHERE tenant_id = '${told.tenant}' AND block = 1;
      UPDATE idscope.tenant_job SET due_at = now() WHERE kind = 'cut_audit'`);
    const { block, count, hash } = await until('the first block to go', () => stack.events('worker').find(({ event: name, tenant }) => name === 'auditCut' && tenant === told.tenant), { timeoutMs: 20000 });
    assert.deepEqual([block, count, hash], [1, old.ids.length, old.hash]);
    assert.deepEqual((await blocksOf(told.tenant)).map((one) => one.block)[0], next.block);
    assert.deepEqual((await eventsOf(told.tenant)).filter(({ id }) => old.ids.includes(id)), []);
    const anchors = path.join(work, 'anchors-of-all');
    fs.writeFileSync(anchors, stack.logs('worker').join(''), 'latin1');
    const left = await verify(`--tenant=${told.tenant}`, `--anchor-file=${anchors}`);
    assert.deepEqual([left.code, left.findings, left.tenants[0].fromBlock], [0, [], 2]);
    assert.match((await run('audit', 'verify', `--tenant=${told.tenant}`)).out, /verified from block 2/);
    await chain("cut_hash = sha256(cut_hash)");
    const { code, findings } = await verify(`--tenant=${told.tenant}`, `--anchor-file=${anchors}`);
    assert.deepEqual([code, findings.map((one) => [one.block, one.what])], [1, [[1, 'the block that is gone is not the one of the anchor'], [2, 'the block does not follow the one before']]]);
    // "accounted" counts all that was ever noted.
    await chain('cut_blocks = 0, cut_id = 0, cut_hash = NULL');
    for (const table of ['event', 'block']) await stack.sql(`INSERT INTO idscope.audit_${table} OVERRIDING SYSTEM VALUE SELECT * FROM public.cut_${table} ON CONFLICT DO NOTHING; DROP TABLE public.cut_${table}`);
    assert.deepEqual((await verify(`--tenant=${told.tenant}`)).findings, []);
  });

  test('anchors, ids and words that are none are refused by name', async () => {
    const nothing = path.join(work, 'no-anchors');
    fs.writeFileSync(nothing, 'a line\n{"event":"request"}\n');
    for (const [words, said] of [[['--anchor=abc'], /--anchor must be a hash of 64 hex digits/], [['--tenant=x'], /"x" is no id/], [[`--anchor-file=${nothing}`], /no line of it is of a sealed block/],
      [[`--anchor-file=${nothing}x`], /no-anchorsx/], [['--anchors=x'], /usage: idscope-admin/]]) {
      const { code, out, complaint } = await run('audit', 'verify', ...words);
      assert.ok(code > 0 && out === '', `${words}`);
      assert.match(complaint, said);
    }
  });
});

describe('audit: as the tenant reads it', () => {
  const VALUES = '/providers/Microsoft.Insights/eventtypes/management/values';
  const told = { begun: new Date(Date.now() - 2000).toISOString() };
  let them;
  let stranger;

  const list = async (of, filter, more = '') => {
    const found = [];
    let pages = 0;
    let target = `/subscriptions/${of.subscription}${VALUES}?api-version=2015-04-01&$filter=${encodeURIComponent(filter)}${more}`;
    while (target) {
      const page = expect('a page of events', await of.arm('GET', target, { version: null }), 200);
      found.push(...page.value);
      assert.ok(++pages < 20, 'a list ends');
      target = page.nextLink && new URL(page.nextLink).pathname + new URL(page.nextLink).search;
    }
    return found;
  };
  const since = (rest = '') => `eventTimestamp ge '${told.begun}'${rest}`;
  const lines = async (of) => {
    const answer = await of.arm('GET', '/providers/Idscope.Audit/events/export');
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers['content-type'], /^application\/x-ndjson/);
    return answer.text.split('\n').filter(Boolean);
  };
  async function customer() {
    const tenant = await admin('create-tenant', fresh('reader'));
    const subscription = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'theirs');
    const client = await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'theirs', 'owner');
    return new Idscope({ ...idscope.env, ...tenant, ...subscription, ...client });
  }

  before(async () => {
    them = await customer();
    stranger = await customer();
    told.group = fresh('Group');
    await them.createGroup(told.group);
    const hub = await them.createHub(told.group, fresh('hub'));
    told.instance = await them.createInstance(told.group, fresh('dps'), { iotHubs: [Idscope.link(hub)] });
    told.device = await them.enroll(told.instance, fresh('device'));
    await stranger.createGroup(fresh('other'));
  });
  after(() => { them.close(); stranger.close(); });

  test('the events of a subscription have their standard form, newest first; another tenant sees its own', async () => {
    const events = await list(them, since());
    assert.deepEqual(events.map(({ operationName, resourceGroupName }) => [operationName.value, resourceGroupName]), [
      ['Microsoft.Devices/provisioningServices/enrollment/write', told.group], ['Microsoft.Devices/provisioningServices/write', told.group],
      ['Microsoft.Devices/IotHubs/write', told.group], ['Microsoft.Resources/subscriptions/resourceGroups/write', told.group]]);
    const [, put] = events;
    const id = them.instancePath(told.group, told.instance.name);
    const { eventDataId, eventTimestamp, correlationId, properties, httpRequest, ...rest } = put;
    assert.deepEqual(rest, {
      authorization: { action: 'Microsoft.Devices/provisioningServices/write', scope: put.resourceId }, caller: them.env.IDSCOPE_CLIENT_ID, channels: 'Operation',
      eventName: { value: 'EndRequest', localizedValue: 'EndRequest' }, category: { value: 'Administrative', localizedValue: 'Administrative' },
      id: `${put.resourceId}/events/${eventDataId}/ticks/${BigInt(Date.parse(eventTimestamp)) * 10000n + 621355968000000000n + BigInt(eventTimestamp.slice(23, 27))}`, level: 'Informational', operationId: correlationId,
      operationName: { value: 'Microsoft.Devices/provisioningServices/write', localizedValue: 'Microsoft.Devices/provisioningServices/write' }, resourceGroupName: told.group,
      resourceProviderName: { value: 'Microsoft.Devices', localizedValue: 'Microsoft.Devices' }, resourceId: put.resourceId,
      resourceType: { value: 'Microsoft.Devices/provisioningServices', localizedValue: 'Microsoft.Devices/provisioningServices' },
      status: { value: 'Succeeded', localizedValue: 'Succeeded' }, subStatus: { value: '', localizedValue: '' }, submissionTimestamp: eventTimestamp, subscriptionId: them.subscription, tenantId: them.env.IDSCOPE_TENANT_ID });
    assert.equal(put.resourceId.toLowerCase(), id.toLowerCase());
    assert.ok(put.resourceId.includes('/resourceGroups/'), put.resourceId);
    assert.equal(properties.operation, 'instance_put');
    assert.equal(JSON.parse(properties.detail).change, 'created');
    assert.deepEqual(httpRequest, { clientRequestId: correlationId, clientIpAddress: '127.0.0.1' });
    assert.ok(stack.events('api').some((line) => line.event === 'request' && line.trackingId === correlationId && line.operation === 'instance_put'));
    assert.equal(events[0].resourceId.toLowerCase(), id.toLowerCase(), 'what is done to an enrollment belongs to its instance');
    assert.deepEqual((await list(stranger, since())).map(({ operationName }) => operationName.value), ['Microsoft.Resources/subscriptions/resourceGroups/write']);
    refusedArm(await stranger.arm('GET', `/subscriptions/${them.subscription}${VALUES}?$filter=${encodeURIComponent(since())}`), 404, 'SubscriptionNotFound');
  });

  test('filters by time, group, resource, correlation id, caller and status; names that are selected come alone', async () => {
    const all = await list(them, since());
    const id = all[1].resourceId;
    for (const [rest, count] of [[` and resourceGroupName eq '${told.group.toUpperCase()}'`, 4], [" and resourceGroupName eq 'none'", 0], [` and resourceUri eq '${id}'`, 2], [` and resourceId eq '${id.toUpperCase()}'`, 2],
      [` and resourceId eq '${id}x'`, 0], [` and correlationId eq '${all[2].correlationId}'`, 1], [` and caller eq '${them.env.IDSCOPE_CLIENT_ID}'`, 3], [" and caller eq 'nobody'", 0], [" and status eq 'Succeeded'", 4],
      [" and status eq 'Failed'", 0], [" and resourceProvider eq 'microsoft.devices'", 3], [` and eventTimestamp le ${all[2].eventTimestamp.replace('Z', '')}`, 2], [' and eventTimestamp le 2020-01-01', 0]]) {
      assert.equal((await list(them, since(rest))).length, count, rest);
    }
    assert.deepEqual((await list(them, since(), '&$select=caller%20,%20eventDataId')).map((one) => Object.keys(one)), all.map(() => ['caller', 'eventDataId']));
    for (const bad of ['', "resourceGroupName eq 'x'", since(" and resourceGroupName ne 'x'"), since(" and nobody eq 'x'"), since(' and'), since(" and caller eq 'a' and caller eq 'b'"), since(' or eventTimestamp le 2020-01-01'), 'eventTimestamp ge x']) {
      refusedArm(await them.arm('GET', `/subscriptions/${them.subscription}${VALUES}?$filter=${encodeURIComponent(bad)}`), 400, 'InvalidRequestContent', /\$filter must be eventTimestamp ge/);
    }
  });

  test('more than a page is read by its nextLink, none twice and none left out', async () => {
    const path = them.groupPath(told.group);
    for (let i = 0; i < 210; i++) expect('tags', await them.arm('PATCH', path, { body: { tags: { i: String(i) } } }), 200);
    const ids = (await list(them, since())).map(({ eventDataId }) => eventDataId);
    assert.equal(new Set(ids).size, 214);
    assert.equal(ids.length, 214);
    const first = await them.arm('GET', `/subscriptions/${them.subscription}${VALUES}?$filter=${encodeURIComponent(since())}`);
    assert.equal(first.json.value.length, 200);
    refusedArm(await them.arm('GET', `/subscriptions/${them.subscription}${VALUES}?$skiptoken=x&$filter=${encodeURIComponent(since())}`), 400, 'InvalidRequestContent', /\$skiptoken/);
  });

  test('an export is every event of the tenant as it was sealed: whoever has the lines can compute every hash', async () => {
    const tenant = them.env.IDSCOPE_TENANT_ID;
    await until('all to be sealed', async () => (await verify(`--tenant=${tenant}`)).tenants[0].notSealed === 0, { timeoutMs: 20000 });
    const blocks = await blocksOf(tenant);
    const found = { events: 0, blocks: 0 };
    let hash;
    let previous = '0'.repeat(64);
    for (const line of await lines(them)) {
      const told_ = JSON.parse(line);
      if ('count' in told_) {
        assert.deepEqual([told_.tenantId, told_.block, told_.previous], [tenant, found.blocks + 1, previous]);
        hash = crypto.createHash('sha256').update(`${line}\n`);
      } else if ('hash' in told_) {
        previous = hash.digest('hex');
        assert.equal(previous, told_.hash);
        assert.equal(previous, blocks[found.blocks].hash);
        found.blocks += 1;
      } else {
        assert.equal(told_.tenantId, tenant);
        hash.update(`${sha256(line)}\n`);
        found.events += 1;
      }
    }
    assert.deepEqual(found, { events: (await eventsOf(tenant)).length, blocks: blocks.length });
    const reader = new Idscope({ ...them.env, ...await admin('create-service-principal', tenant, 'reader', 'reader') });
    refusedArm(await reader.arm('GET', '/providers/Idscope.Audit/events/export'), 403, 'AuthorizationFailed');
    reader.close();
  });
});
