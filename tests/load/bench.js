// bench.js: the benchmark (`make bench`; with BENCH_SMOKE=1 its short form, `make bench-smoke`; one half of a pair for pairs.js).
//
// Responsible for: sizes, the interleaved rounds, the time box, the verdict. Exits with 1 when a figure does not add up (rows that are not
// accepted answers), when under half of the batches at 128 connections were prepared while another one was in the database, or, short, when a
// generous limit of safety is passed; never because an aim of speed is missed.
//     BENCH_ROUNDS (3)   BENCH_SECONDS per measurement (3)   BENCH_LIMIT_S (840): no new round that would end later
//     BENCH_PAIR=FILE: the main rows alone, on the short form's fleet; each row's rate is written to FILE and nothing is printed as a table
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const { Site } = require('./site');
const { Rows, CERTIFIED } = require('./rows');
const { Report } = require('./report');

const smoke = process.env.BENCH_SMOKE === '1';
const pair = process.env.BENCH_PAIR;
const name = smoke ? 'bench-smoke' : pair ? 'bench-pair' : 'bench';
// Each by its own name in the table, but for the number of scopes. "again" and "poll" follow the assignment that they look back at.
const MAIN_ROWS = /^(pgbench.* 16 clients|register, (one scope|[0-9]+ scopes|TLS edge), (32|128) conn\.|register to assigned, [0-9]+ hubs( of [0-9]+ scopes)?|register again.*|poll.*)$/;
const SIZES = pair
  ? { fleet: 60000, small: 400, scopes: 50, perScope: 400, shared: 50, assign: 4000, hubs: [2, 10, 11], held: 300, seconds: 2 }
  : smoke
  ? { fleet: 60000, small: 400, scopes: 20, perScope: 200, shared: 10, assign: 300, hubs: [2, 3, 4], held: 300, seconds: 1, groups: true }
  : { fleet: 1000000, small: 10000, scopes: 1000, perScope: 150, shared: 50, assign: 10000, hubs: [2, 10, 50], held: 9000, seconds: 3, groups: true };
const began = Date.now();
const elapsed = () => (Date.now() - began) / 1000;

function say(text) {
  process.stdout.write(`${name} ${elapsed().toFixed(0).padStart(4)} s  ${text}\n`);
}

function setting(variable, fallback) {
  const value = Number(process.env[variable] || fallback);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${variable} must be a whole number from 1`);
  return value;
}

// The conditions, as the report begins with them. Settings that durability depends on are read back from the server.
async function conditions(site) {
  const settings = {};
  for (const key of ['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'shared_buffers', 'max_wal_size']) {
    [[settings[key]]] = await site.a.session.sql(`show ${key}`);
  }
  for (const key of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    if (settings[key] !== 'on') throw new Error(`does not add up: ${key} is ${settings[key]}`);
  }
  const cpu = fs.readFileSync('/proc/cpuinfo', 'utf8').match(/^model name\s*: (.*)$/m);
  return `
${os.cpus().length} x ${cpu ? cpu[1] : os.arch()}, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${os.release()}, Node ${process.version}
PostgreSQL, as read back: ${Object.entries(settings).map(([key, value]) => `${key}=${value}`).join(' ')}
Client, api, worker, edge and database share the machine. Workers run in the rows "to assigned" only; tables are emptied and a checkpoint is
made before each measurement. Median [min..max] of the rounds; CPU in microseconds per operation, of both deployments. "register" rows are
first registrations with their job; "to assigned" ends when the identities are in the hubs, its p50 and p99 are of that whole way.
"neighbours" are the cores that others used meanwhile. "openssl s_server" stands for the edge in its row; it sends no tickets.
`;
}

async function rounds(rows, report) {
  const wanted = smoke || pair ? 1 : setting('BENCH_ROUNDS', 3);
  const limit = setting('BENCH_LIMIT_S', 840);
  for (let round = 1, took = 0; round <= wanted; round++) {
    if (elapsed() + took > limit) {
      say(`the time box of ${limit} s ends the rounds: ${round - 1} of ${wanted}`);
      break;
    }
    const from = elapsed();
    for (const { name: row, work } of rows.list()) {
      if (pair && !MAIN_ROWS.test(row)) continue;
      const figures = await work();
      report.add(row, figures);
      say(`round ${round}  ${row}: ${figures.rate.toFixed(0)} per second`);
    }
    if (!pair) report.memory.push(await rows.memory());
    took = elapsed() - from;
  }
}

// Limits of safety: a fifth of what a slow and busy machine gives. The aims stand in the report of the whole benchmark.
function safe(report) {
  const best = report.rate(report.best('register, one scope')) / report.rate(report.best('pgbench'));
  const held = report.memory[0].held;
  if (best < 0.2) throw new Error(`registrations are at ${best.toFixed(2)} of pgbench`);
  if (held > 128) throw new Error(`the api holds ${held.toFixed(0)} MiB with ${SIZES.held} connections`);
}

async function main() {
  if (process.env.BENCH_SECONDS) SIZES.seconds = setting('BENCH_SECONDS', 3);
  const site = new Site(SIZES);
  let closing;
  const close = () => (closing = closing || site.close());
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => close().finally(() => process.exit(1)));
  try {
    await site.open(say);
    const rows = new Rows(site, SIZES);
    const report = new Report(rows.list().map((row) => row.name));
    report.connections = SIZES.held;
    const header = await conditions(site);
    await rounds(rows, report);
    if (!pair) {
      say('storms of devices whose check is dear');
      const { Storm } = require('./storm'); // not at the top: another commit, beside which this file is put for a pair, may have none
      report.storms = await new Storm(rows).run(report.rate(CERTIFIED) / 2);
    }
    if (pair) fs.writeFileSync(pair, JSON.stringify(Object.fromEntries([...report.rounds].filter(([, of]) => of.length).map(([row, [of]]) => [row, of.rate]))));
    else console.log(`${header}\n${report.table()}\n\n${report.aims()}\n`);
    if (smoke) safe(report);
    if (!pair && report.beside() < 0.5) throw new Error(`of two lanes at 128 connections ${report.beside().toFixed(2)} of the batches were prepared while another one was in the database`);
    const registered = [...report.rounds.values()].flat().length + report.memory.length;
    console.log(`${name}: ${registered} measurements in ${elapsed().toFixed(0)} s, each with as many rows as accepted answers; all counted`);
  } finally {
    await close();
  }
}

main().catch((error) => {
  console.error(`${name}: failed: ${error.message}`);
  process.exitCode = 1;
});
