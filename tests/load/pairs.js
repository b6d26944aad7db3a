// pairs.js: the benchmark's main rows beside those of another commit (`make bench-pairs BASE=46bf179`).
//
// Responsible for: a checkout of that commit below build/, release builds of both, alternating runs (so that what else the machine does falls on
// both alike), the medians and their ratio, row by row. Exits with 1 when a row is under 0.85 of the other commit's, or is missing.
//     BASE (HEAD~1)   PAIRS (5)
// The runner of the other commit is replaced by ours, so that both run the same rows; how a commit fills its tables stays its own.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { ROOT } = require('../lib/stack');
const { median } = require('./measure');

const LEAST = 0.85;
const base = process.env.BASE || 'HEAD~1';
const pairs = Number(process.env.PAIRS || 5);
const other = path.join(ROOT, 'build/bench-base');

function run(folder, program, args, env = {}) {
  return execFileSync(program, args, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit'] });
}

function checkOut() {
  fs.rmSync(other, { recursive: true, force: true });
  fs.mkdirSync(other, { recursive: true });
  execFileSync('bash', ['-c', 'set -o pipefail; git archive "$0" | tar -x -C "$1"', base, other], { cwd: ROOT, stdio: 'inherit' });
  fs.copyFileSync(path.join(ROOT, 'tests/load/bench.js'), path.join(other, 'tests/load/bench.js'));
  for (const folder of [other, ROOT]) run(folder, 'make', ['-s', '--no-print-directory', 'bench-programs']);
}

function measured(folder, round) {
  const file = path.join(ROOT, 'build', `bench-pair.${round}.json`);
  run(folder, 'node', ['tests/load/bench.js'], { BENCH_PAIR: file });
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}

function report(ours, theirs) {
  const has = (runs) => (name) => runs.every((run) => name in run);
  const all = [...new Set([...ours, ...theirs].flatMap(Object.keys))];
  const names = all.filter(has(ours)).filter(has(theirs));
  const width = Math.max(...names.map((name) => name.length));
  const slow = [];
  console.log(`\nMedians of ${pairs} alternating pairs, per second: this commit, ${base}, ratio\n`);
  for (const name of names) {
    const [here, there] = [ours, theirs].map((runs) => median(runs.map((run) => run[name])));
    const ratio = here / there;
    if (!(ratio >= LEAST)) slow.push(name);
    console.log(`${name.padEnd(width)} ${here.toFixed(0).padStart(8)} ${there.toFixed(0).padStart(8)}   ${ratio.toFixed(2)}${ratio >= LEAST ? '' : '   under ' + LEAST}`);
  }
  for (const name of all) if (!names.includes(name)) console.log(`${name}: measured by one of the two commits alone`);
  console.log(`\nbench-pairs: ${names.length} rows, ${slow.length} under ${LEAST} of ${base}`);
  return slow.length;
}

function main() {
  if (!Number.isInteger(pairs) || pairs < 1) throw new Error('PAIRS must be a whole number from 1');
  checkOut();
  const ours = [];
  const theirs = [];
  for (let round = 1; round <= pairs; round++) {
    theirs.push(measured(other, `base${round}`));
    ours.push(measured(ROOT, `here${round}`));
  }
  process.exitCode = report(ours, theirs) > 0 ? 1 : 0;
}

main();
