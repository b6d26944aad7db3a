// rows.js: every row of every table, so that a test can say that nothing was written.
// Must never leave out a column but those that probes and schedules change by themselves.
'use strict';

const { assert, stack, until } = require('./kit');

// What probes, measurements and sweeps change by themselves, in scenes that nobody touches.
const ITSELF = {
  linked_hub: ['state', 'reason', 'state_since', 'last_good_at', 'slow_until', 'next_check_at', 'next_latency_at'],
};
// Events are sealed by the worker. The log of refused attempts is what a refused device leaves behind, and belongs to no write; counts and inventories are made in rounds.
const NOT_OURS = { audit_block: 'true', audit_chain: 'true', attempt: 'true', attempt_ring: 'true', count_round: 'true', list_count: 'true', inventory: 'true', found_identity: 'true', link_latency: 'true', job: "kind IN ('link_validate', 'latency_measure', 'inventory')", scope: 'retired_at IS NOT NULL', hub_registry: 'retired_at IS NOT NULL',
  tenant_job: "tenant_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'" };

async function tables() {
  return (await stack.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'idscope' ORDER BY 1")).split('\n');
}

// Table and row, one a line. Nobody may change an event: those up to `event` are others' and not looked at.
async function everyRow(event) {
  const hidden = (table) => (table === 'audit_event' ? `id <= ${event}` : NOT_OURS[table] || 'false');
  const parts = (await tables()).map((table) =>
    `SELECT '${table} ' || (to_jsonb(t) - '{${(ITSELF[table] || []).join(',')}}'::text[])::text AS line FROM idscope.${table} t WHERE NOT (${hidden(table)})`);
  return (await stack.sql(`${parts.join(' UNION ALL ')} ORDER BY line`)).split('\n');
}

const without = (lines, others) => { const known = new Set(others); return lines.filter((line) => !known.has(line)); };

// Runs `work`, behind which every row must be as it was.
async function unchanged(work) {
  const event = await stack.sql('SELECT coalesce(max(id), 0) FROM idscope.audit_event');
  const before = await everyRow(event);
  await work();
  const now = await everyRow(event);
  assert.deepEqual(without(now, before), [], 'new or changed rows');
  assert.deepEqual(without(before, now), [], 'rows that are gone or were changed');
  assert.equal(now.length, before.length);
}

// No work is under way in a scope, and what other suites deleted is purged.
const settled = (scope) => until('all work to be done and what other suites left to be purged', async () =>
  (await stack.sql(`SELECT (SELECT count(*) FROM idscope.job WHERE id_scope = '${scope}' AND kind IN ('assign', 'hub_remove'))
    + (SELECT count(*) FROM idscope.scope WHERE retired_at IS NOT NULL AND purged_at IS NULL) + (SELECT count(*) FROM idscope.hub_registry WHERE retired_at IS NOT NULL)
    + (SELECT count(*) FROM idscope.hub_device_count WHERE n > 0)`)) === '0');

module.exports = { settled, unchanged };
