// tenant_jobs.js [--write]: db/sql/tenant_job.sql is db/sql/job.sql for jobs of a tenant. --write (make tenant-jobs) makes it anew.
// Must never hold a statement: the queue is written once, in job.sql.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const read = (file) => fs.readFileSync(path.join(__dirname, '../..', file), 'utf8');
const FROM = 'db/sql/job.sql';
const TO = 'db/sql/tenant_job.sql';
const HEAD = `-- tenant_job.sql: the statements of job.sql for the table tenant_job, whose owner is a tenant (all ones: the deployment). Made from it: make
-- tenant-jobs.

`;
// In this order. A tenant's jobs are its own: nobody has to be asked whose they are.
const CHANGES = [
  [/\bSELECT w\.id_scope, s\.issued_to AS tenant/g, 'SELECT w.tenant_id::text AS id_scope, w.tenant_id AS tenant'],
  [/ AND s\.retired_at IS NULL/g, ''],
  [/^ *LEFT JOIN LATERAL [(]SELECT [a-z_, ]*FROM idscope\.scope.*\n/gm, ''],
  [/\$1::text AS id_scope/g, '$1::uuid AS id_scope'],
  [/(?<!AS )\bid_scope\b|(?<=\$1::uuid AS )id_scope/g, 'tenant_id'],
  [/\bidscope\.job\b/g, 'idscope.tenant_job'],
  [/^-- name: job_due_scopes/gm, '-- name: tenant_job_due'],
  [/^-- name: job_/gm, '-- name: tenant_job_'],
];

const statements = (text) => text.slice(text.search(/^-- name: /m)).replace(/^--(?! name: ).*\n/gm, '');
const wanted = () => HEAD + CHANGES.reduce((text, [what, by]) => text.replace(what, by), statements(read(FROM)));

// A rule of source.js.
function tenant_jobs() {
  const bad = read(TO) === wanted() ? [] : [`${TO}: is not what ${FROM} says: make tenant-jobs`];
  return { bad, note: `${TO} is made from ${FROM}` };
}

module.exports = { tenant_jobs };
if (require.main === module && process.argv[2] === '--write') fs.writeFileSync(path.join(__dirname, '../..', TO), wanted());
