// endings.js: looks back over all suites that ran: every refusal can be found in the log, no answer was an internal error, no work is left behind.
'use strict';

const { describe, test } = require('node:test');
const { routes } = require('../../lib/routes');
const { assert, first, second, stack, idscope, fresh, refusedArm, refusals, atRest, until } = require('../kit');

describe('endings', () => {
  test('every refusal\'s tracking id is in the log of the api, or of the edge where that refused by itself, with the status that the client saw', async () => {
    refusedArm(await idscope.arm('GET', idscope.groupPath(fresh('none'))), 404, 'ResourceGroupNotFound');
    const logged = await until('the last refusal to be logged', async () => {
      const found = new Map(['edge', 'api'].flatMap((program) => [first, second].flatMap((of) => of.stack.events(program))).filter((event) => event.event === 'request').map((event) => [event.trackingId, event]));
      return found.has(refusals.at(-1).id) && found;
    }, { timeoutMs: 15000 });
    const missing = refusals.filter(({ id, status }) => !logged.has(id) || logged.get(id).status !== status);
    assert.deepEqual(missing, []);
    // A challenge to a TPM is a 401 and no error; its line says so.
    for (const { id } of refusals) assert.ok(logged.get(id).program === 'edge' || (logged.get(id).error || /challenge/.test(logged.get(id).detail)) && logged.get(id).plane, JSON.stringify(logged.get(id)));
  });

  test('every operation of the route table was called and did what it was asked at least once', () => {
    const all = routes().map((route) => route.name);
    const done = new Set(stack.events('api').filter((event) => event.event === 'request' && event.status < 300).map((event) => event.operation));
    assert.ok(all.length > 40);
    if (process.env.FLOW_SUITES.trim() === '') assert.deepEqual(all.filter((name) => !done.has(name)), []);
  });

  test('no request was answered with an internal error but those whose stored attestation a test had broken', () => {
    const asked = new Set(refusals.filter(({ status }) => status === 500).map(({ id }) => id));
    const bad = stack.events('api').filter((event) => event.event === 'request' && event.status === 500 && !asked.has(event.trackingId));
    assert.deepEqual(bad.slice(0, 5), []);
  });

  test('no call is left at any api, and no program that ended left memory of a request, a job or anything else', async () => {
    for (const deployment of [first, second]) {
      await atRest(deployment.stack, 15000);
      const ended = ['api', 'worker'].flatMap((program) => deployment.stack.events(program)).filter(({ event }) => event === 'stopped');
      assert.deepEqual(ended.filter(({ arenasLeft }) => arenasLeft !== 0), []);
    }
  });

  test('all work comes to an end: no job of a living scope is left over, none is dead, and deleted things are purged', async () => {
    await until('jobs to end', async () => (await stack.sql("select count(*) from idscope.job where kind in ('assign', 'hub_remove', 'hub_status') and due_at < 'infinity'")) === '0', { timeoutMs: 120000, everyMs: 1000 });
    assert.equal(await stack.sql("select count(*) from idscope.job where due_at = 'infinity' and kind = 'assign'"), '0');
    const wrong = `SELECT hub_id FROM (SELECT hub_id, count(*) AS devices, count(*) FILTER (WHERE status = 'enabled') AS enabled FROM idscope.hub_device GROUP BY hub_id) d
      FULL JOIN (SELECT hub_id, sum(devices) AS devices, sum(enabled) AS enabled FROM idscope.hub_device_count JOIN idscope.hub_registry r USING (hub_id) WHERE r.retired_at IS NULL GROUP BY hub_id) c USING (hub_id)
      JOIN idscope.hub_registry r USING (hub_id) WHERE r.retired_at IS NULL AND (coalesce(d.devices, 0), coalesce(d.enabled, 0)) IS DISTINCT FROM (coalesce(c.devices, 0), coalesce(c.enabled, 0))`;
    assert.equal(await stack.sql(wrong), '', 'hubs whose counted devices are not those that they have');
    await until('retired scopes and hubs to be purged', async () => (await stack.sql(`select (select count(*) from idscope.enrollment e join idscope.scope s using (id_scope) where s.retired_at is not null)
      + (select count(*) from idscope.hub_registry where retired_at is not null)`)) === '0', { timeoutMs: 120000, everyMs: 1000 });
  });
});
