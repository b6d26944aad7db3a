// returning.js: a whole fleet that comes back within ten minutes, when nothing has changed, to hubs that allow a hundred calls a minute.
// RETURNING_DEVICES: how many (`make flow-returning` has 200,000 and waits for the ten minutes after which a device's return is no sign of trouble; else
// their last answers are dated back). Runs against the release build ("second").
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { loadClient } = require('../../lib/load');
const { LINK_CHECK } = require('../../lib/stranger');
const { assert, second, Idscope, fresh, sleep, until, work } = require('../kit');
const { Beside } = require('../strangers');

const { idscope, stack } = second;
const LONG = Boolean(process.env.RETURNING_DEVICES);
const DEVICES = Number(process.env.RETURNING_DEVICES || 600);
const QUICK_RETURN_S = 600; // quick_return_s, as it is when nobody sets it
const STANDING = "select count(*), sum(hashtext(registration_key || assigned_hub || device_id)::bigint) from idscope.registration where status = 'assigned'";
const WITHIN_S = LONG ? 600 : 3;

describe('returning: devices whose registration still holds', () => {
  const stranger = new Beside('127.0.0.122');
  let scopes;
  const group = fresh('group');
  const key = crypto.randomBytes(32).toString('base64');

  // All in the same order, so that who was answered first comes back first.
  const register = (more) => loadClient({ ask: 'register', port: 8081, host: 'global.dps.second.test', scopes, size: DEVICES, count: DEVICES, derive: key, ...more });
  const number = async (query) => Number(await stack.sql(query));
  const ofFleet = (what) => number(`select ${what} from idscope.registration where id_scope = '${fs.readFileSync(scopes, 'utf8').trim().toLowerCase()}'`);
  const everyoneAnswered = (done) => assert.deepEqual([done.sent, done.broken, done.status], [DEVICES, 0, { 202: DEVICES }]);

  before(async () => {
    const hubs = [0, 1].map(() => stranger.hub('strict'));
    await idscope.createGroup(group);
    const made = await idscope.createInstance(group, fresh('dps'), { allocationPolicy: 'Hashed', iotHubs: hubs.map((hub) => Idscope.link(hub)) });
    const body = { enrollmentGroupId: 'fleet', attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: key } } };
    assert.equal((await idscope.service(made, 'PUT', '/enrollmentGroups/fleet', { body })).status, 200);
    scopes = path.join(work, 'returning.scopes');
    fs.writeFileSync(scopes, `${made.idScope}\n`);
    await until('both links to be valid', async () => (await idscope.linkedHubs(group, made.name)).every(({ properties }) => properties.state === 'valid'), { timeoutMs: 60000 });
  });
  after(() => idscope.deleteGroup(group));

  test(`${DEVICES} devices come back within ${WITHIN_S} seconds: every one is answered its hub, and no hub is asked`, async (t) => {
    everyoneAnswered(await register({ connections: 64 }));
    await until('all to be assigned', async () => await ofFleet("count(*) filter (where status = 'assigned')") === DEVICES, { timeoutMs: 600000, everyMs: 500 });
    if (LONG) await sleep((QUICK_RETURN_S + 5) * 1000);
    else await stack.sql(`update idscope.registration set updated_at = updated_at - interval '${QUICK_RETURN_S + 5} seconds'`);
    const before = await stack.sql(STANDING);
    stranger.strictFrom = Date.now();
    const done = await register({ connections: 32, rate: Math.ceil(DEVICES / WITHIN_S) });
    everyoneAnswered(done);
    assert.equal(await ofFleet("count(*) filter (where status = 'assigned' and updated_at > now() - interval '1 hour')"), DEVICES, 'each stands assigned, by its last answer');
    assert.equal(await stack.sql(STANDING), before, 'where it was');
    // The links are checked meanwhile.
    const asked = [...stranger.calls.values()].flat().filter(({ at, path: called }) => at >= stranger.strictFrom && !LINK_CHECK.test(called));
    assert.deepEqual(asked, [], 'no hub was asked for any of them');
    assert.equal(stranger.refused, undefined, 'nor had one to refuse');
    t.diagnostic(`${done.sent} registered again in ${done.seconds.toFixed(1)} s, p99 ${(done.p99_us / 1000).toFixed(1)} ms; refusals at the hubs: 0`);
  });

  // A day has passed since a hub was asked: each is to be asked again, and has room for a sixth of it.
  test('when hubs have no room to be asked, devices are answered where they stand, and those of whom no hub was asked are to be asked about later', async (t) => {
    await stack.sql("update idscope.registration set checked_at = now() - interval '2 days'");
    const where = await stack.sql(STANDING);
    const due = () => ofFleet("count(*) filter (where checked_at < now() - interval '1 day')");
    Object.assign(stranger, { strictFrom: Date.now(), refused: 0 });
    everyoneAnswered(await register({ connections: 64 }));
    await until('all to be assigned again', async () => await ofFleet("count(*) filter (where status = 'assigned')") === DEVICES, { timeoutMs: LONG ? 600000 : 50000, everyMs: 200 });
    const later = await due();
    t.diagnostic(`${DEVICES - later} were asked about, ${later} are to be; the hubs refused ${stranger.refused} calls`);
    assert.equal(await stack.sql(STANDING), where, 'where they were');
    assert.ok(stranger.refused > 0, 'the hubs had no room');
    assert.ok(later > 0 && later < DEVICES, 'as many were asked about as there was room for');
  });
});
