// run.js [NAME…] | --apply: makes each planted break of tests/mutants/*.mutant in a copy of the tree, and sees that its test fails.
//
// Responsible for: the copy below build/mutants (kept, so that compiling goes on from the last time), each test seen to pass unbroken first,
// no break that survives, and none that is killed only because it does not compile.
// Must never change the tree that it stands in. --apply only looks whether all mutants still fit.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { all, fit } = require('./mutant.js');

const root = path.join(__dirname, '../..');
const work = path.join(root, 'build/mutants');
const copy = path.join(work, 'tree');
const LEFT_OUT = new Set(['node_modules', 'build', 'var', 'out', '.git']);
const UNBROKEN_LIMIT_S = 1800;

// --- the copy ---------------------------------------------------------------------------------------------------------------------------

function filesOf(folder, at = '') {
  if (!fs.existsSync(path.join(folder, at))) return [];
  return fs.readdirSync(path.join(folder, at), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(at, entry.name);
    if (LEFT_OUT.has(entry.name)) return [];
    return entry.isDirectory() ? filesOf(folder, name) : [name];
  });
}

const same = (a, b) => fs.existsSync(b) && fs.readFileSync(a).equals(fs.readFileSync(b));

// Only what differs is written, with the time of now: make must see what a mutant left behind, and no more.
function refresh() {
  const wanted = new Set(filesOf(root));
  for (const file of filesOf(copy)) if (!wanted.has(file)) fs.rmSync(path.join(copy, file));
  for (const file of wanted) {
    const [from, to] = [path.join(root, file), path.join(copy, file)];
    if (same(from, to)) continue;
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(from, to);
    fs.chmodSync(to, fs.statSync(from).mode);
  }
  linkPackages();
}

// The client packages are the tree's own; the lock file is no newer than they are, or make would install them anew.
function linkPackages() {
  const [here, lock] = ['tests/flow/node_modules', 'tests/flow/package-lock.json'];
  const { atime, mtime } = fs.statSync(path.join(root, lock));
  fs.rmSync(path.join(copy, here), { force: true });
  fs.symlinkSync(path.join(root, here), path.join(copy, here));
  fs.utimesSync(path.join(copy, lock), atime, mtime);
}

const write = (texts) => { for (const [file, text] of texts) fs.writeFileSync(path.join(copy, file), text); };

// --- commands ---------------------------------------------------------------------------------------------------------------------------

// Runs a command in the copy, in a process group of its own that does not outlive its limit. Gives { good, seconds }.
function run(command, log, limitSeconds) {
  const began = Date.now();
  const out = fs.openSync(log, 'a');
  fs.writeSync(out, `$ ${command}\n`);
  const child = spawn('bash', ['-c', command], { cwd: copy, detached: true, stdio: ['ignore', out, out] });
  const end = () => { try { process.kill(-child.pid, 'SIGKILL'); } catch { /* gone already */ } };
  const timer = setTimeout(() => { fs.writeSync(out, `mutants: stopped after ${limitSeconds} s\n`); end(); }, limitSeconds * 1000);
  process.once('exit', end);
  return new Promise((resolve) => child.on('exit', (code) => {
    clearTimeout(timer);
    process.removeListener('exit', end);
    fs.closeSync(out);
    resolve({ good: code === 0, seconds: (Date.now() - began) / 1000 });
  }));
}

// What compiles everything that a test command runs; nothing for a command without make, or a break of no C.
function compiling({ test, files }) {
  const c = files.some(({ path: file }) => /^(core|db|api|workers|admin)\/|^tests\/.*\.[ch]$/.test(file));
  if (!c || !/\bmake\b/.test(test)) return 'true';
  const verb = /\bmake\b[^&|;]*?\b(flow|crash|tsan)\b/.exec(test);
  const flavor = /FLAVOR=(\w+)/.exec(test)?.[1] ?? { flow: 'asan', crash: 'crash', tsan: 'tsan' }[verb?.[1]] ?? 'release';
  const named = [...new Set(test.match(/\bbuild\/\w+\/tests\/\S+/g))].join(' ');
  const units = /\bmake\b[^&|;]*\bunit\b/.test(test) ? 'unit-programs' : '';
  return `make -s --no-print-directory FLAVOR=${flavor} ${named || units || 'build'}`;
}

// --- the verdicts -----------------------------------------------------------------------------------------------------------------------

const logOf = (name) => {
  const log = path.join(work, 'logs', `${name}.log`);
  fs.mkdirSync(path.dirname(log), { recursive: true });
  fs.rmSync(log, { force: true });
  return log;
};

const unbroken = new Map(); // by command: { good, seconds }

async function passesUnbroken({ name, test }) {
  if (!unbroken.has(test)) unbroken.set(test, await run(test, logOf(`${name}.unbroken`), UNBROKEN_LIMIT_S));
  return unbroken.get(test);
}

// In one word what became of a mutant; all but "killed" are failures.
async function verdict(mutant) {
  const { before, after, wrong } = fit(mutant, copy);
  if (wrong.length > 0) return `does not apply: ${wrong.join('; ')}`;
  const whole = await passesUnbroken(mutant);
  if (!whole.good) return `its test fails on the unbroken tree: ${mutant.test}`;
  const log = logOf(mutant.name);
  const limit = Math.ceil(60 + 4 * whole.seconds);
  write(after);
  try {
    if (mutant.kill !== 'compile' && !(await run(compiling(mutant), log, UNBROKEN_LIMIT_S)).good) return 'does not compile';
    return (await run(mutant.test, log, limit)).good ? `SURVIVED: ${mutant.test}` : 'killed';
  } finally {
    write(before);
  }
}

async function main(names) {
  const mutants = all(__dirname).filter(({ name }) => names.length === 0 || names.includes(name));
  const unknown = names.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`there is no mutant ${unknown.join(', ')}`);
  refresh();
  let killed = 0;
  for (const mutant of mutants) {
    const began = Date.now();
    const word = await verdict(mutant);
    if (word === 'killed') killed++;
    console.log(`mutant ${mutant.name}: ${word} (${Math.round((Date.now() - began) / 1000)} s; ${mutant.why})`);
  }
  console.log(`mutants: killed ${killed} of ${mutants.length}`);
  return killed === mutants.length ? 0 : 1;
}

function apply() {
  const mutants = all(__dirname);
  const bad = mutants.flatMap((mutant) => fit(mutant, root).wrong.map((wrong) => `${mutant.name}: ${wrong}`));
  for (const line of bad) console.log(`mutant ${line}`);
  console.log(`mutants: ${mutants.length} looked at, ${bad.length} do not fit`);
  return bad.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const asked = process.argv.slice(2);
(asked[0] === '--apply' ? Promise.resolve(apply()) : main(asked)).then(
  (code) => { process.exitCode = code; },
  (error) => { console.error(`mutants: ${error.message}`); process.exitCode = 1; },
);
