// stack.js: what `make run` promises: it looks before it starts, takes back what it began when it fails, leaves alone what ran
// before, and runs nothing as root.
//
// Responsible for: breaking each step of docker/local/stack.sh from outside (ports, settings, tools in PATH) and looking, by pid, at
// what is left. Must never need more of the service than that it starts.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { execFileSync, spawn } = require('node:child_process');
const { after, before, test } = require('node:test');
const { Stack, ROOT, temporaryFolder } = require('../lib/stack');
const { until } = require('../lib/https');

const dir = temporaryFolder('stack');
fs.chmodSync(dir, 0o755);
const file = (...names) => path.join(dir, ...names);
const read = (name) => fs.readFileSync(name, 'utf8');

// --- looking ------------------------------------------------------------------------------------------------------------------------------

// Every process that the stack began, and theirs: they have something of its folder open, the log at least.
function processes() {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      const open = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
      return Number(pid) !== process.pid && open.some((end) => end.startsWith(`${stack.dir}/`));
    } catch {
      return false; // gone meanwhile, or not ours to look at
    }
  }).map(Number);
}

const listens = (port) => execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' }) !== '';
const pids = () => Object.fromEntries(['postgres', 'api1', 'worker1', 'edge'].map((part) => [part, stack.pid(part)]));

// A process of many threads is gone before the last of them has let its sockets go.
async function assertNothingIsLeft() {
  assert.deepEqual(processes(), []);
  await until('the ports to be free', () => !listens(stack.edgePort) && !listens(stack.plainPort), { timeoutMs: 1000, everyMs: 10 });
  assert.equal(fs.existsSync(`${stack.dir}/run/sockets`), false, 'the folder of the sockets is forgotten');
  assert.deepEqual(fs.readdirSync(`${stack.dir}/run`).filter((name) => name.endsWith('.pid')), []);
}

// A start with these settings fails, and says so in these words.
async function failingStart(words, settings = {}) {
  await assert.rejects(stack.script(['start'], settings), (error) => {
    assert.match(error.message, words);
    return true;
  });
}

// --- breaking -----------------------------------------------------------------------------------------------------------------------------

// A folder for PATH in which `sqitch`, the step in the middle of a start, is this shell script.
function sqitch(script) {
  fs.mkdirSync(file('tools'), { recursive: true });
  fs.writeFileSync(file('tools/sqitch'), `#!/bin/sh\ncp ${stack.dir}/run/sockets ${file('sockets-seen')}\n${script}\n`, { mode: 0o755 });
  return { PATH: `${file('tools')}:${process.env.PATH}` };
}
const REAL_SQITCH = execFileSync('sh', ['-c', 'command -v sqitch'], { encoding: 'utf8' }).trim();

// PATH without one tool.
function pathWithout(tool) {
  const folder = file(`without-${tool}`);
  fs.mkdirSync(folder);
  for (const from of ['/usr/local/bin', '/usr/bin', '/bin', path.dirname(process.execPath)].filter((name) => fs.existsSync(name))) {
    for (const name of fs.readdirSync(from)) {
      if (name !== tool && !fs.existsSync(path.join(folder, name))) fs.symlinkSync(path.join(from, name), path.join(folder, name));
    }
  }
  return { PATH: folder };
}

async function whileListening(port, work) {
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });
  await work().finally(() => new Promise((resolve) => { server.close(resolve); }));
}

// A process that is told to end has not ended yet.
async function stopped(pid) {
  process.kill(pid);
  for (const end = Date.now() + 10000; processes().includes(pid) && Date.now() < end;) await new Promise((resolve) => setTimeout(resolve, 20));
}

let stack;
before(async () => { stack = await Stack.make(file('var')); });
after(async () => {
  await stack.remove();
  fs.rmSync(dir, { recursive: true, force: true });
});

// --- before anything starts ---------------------------------------------------------------------------------------------------------------

test('a port that is taken is named, with its holder and what to set, and nothing has begun', async () => {
  const holder = `\\S+ \\(pid ${process.pid}\\)`;
  await whileListening(stack.edgePort, () => failingStart(new RegExp(`port ${stack.edgePort} is taken by ${holder}: choose another one with EDGE_PORT=`)));
  await whileListening(stack.plainPort, () => failingStart(new RegExp(`port ${stack.plainPort} is taken by ${holder}: choose another one with PLAIN_PORT=`)));
  await whileListening(stack.plainPort + 1, () => failingStart(/PLAIN_PORT=/, { API_COUNT: '2' }));
  await assertNothingIsLeft();
  assert.equal(fs.existsSync(`${stack.dir}/pg`), false, 'not even a cluster was made');
});

test('a setting that is none is named with its rule, and nothing has begun', async () => {
  for (const [name, value, rule] of [['EDGE_PORT', 'https', 'a number from 1 to 65535 is wanted'], ['EDGE_PORT', '0', 'a number from 1'], ['EDGE_PORT', '65536', 'a number from 1'],
    ['PLAIN_PORT', '-1', 'a number from 1'], ['API_COUNT', '5', 'a number from 1 to 4'], ['API_COUNT', '0', 'a number from 1 to 4'], ['WORKER_COUNT', 'x', 'a number from 1 to 9'],
    ['TLS_PROFILE', 'old', 'modern or compatible is wanted']]) {
    await failingStart(new RegExp(`${name}=${value}: ${rule}`), { [name]: value });
  }
  await failingStart(/idscope-api is not built: make build FLAVOR=none/, { FLAVOR: 'none' });
  for (const tool of ['sqitch', 'psql', 'curl']) await failingStart(new RegExp(`${tool} is not installed: make deps`), pathWithout(tool));
  await assertNothingIsLeft();
  assert.equal(fs.existsSync(`${stack.dir}/pg`), false);
});

// --- a start that fails -------------------------------------------------------------------------------------------------------------------

test('a start that fails takes back what it began, whatever the step', async () => {
  const steps = [
    ['the database server does not start', /the database server does not start/, { POSTGRES_ARGS: '-c no_such_setting=1' }],
    ['the migration fails', /migration failed/, () => sqitch('exit 1')],
    ['the edge does not take its configuration', /the edge does not take its configuration/, { EDGE_PER_ADDRESS: 'many' }],
    ['the api ends', /api1 ended at its start/, { API_ARGS: '--no-such-setting=1' }],
    ['the worker ends', /worker1 ended at its start/, { WORKER_ARGS: '--no-such-setting=1' }],
    ['the port is taken meanwhile', new RegExp(`port ${stack.edgePort} is taken by \\S+ \\(pid \\d+\\): choose another one with EDGE_PORT=`), () => sqitch(
      `node -e 'require("net").createServer().listen(${stack.edgePort}, "127.0.0.1", () => require("fs").writeFileSync("${file('thief')}", String(process.pid)))' >/dev/null 2>&1 &
       until [ -s ${file('thief')} ]; do sleep 0.05; done
       exec ${REAL_SQITCH} "$@"`)],
  ];
  for (const [step, words, settings] of steps) {
    await failingStart(words, typeof settings === 'function' ? settings() : settings).catch((error) => assert.fail(`${step}: ${error.message}`));
    if (fs.existsSync(file('thief'))) await stopped(Number(read(file('thief'))));
    assert.deepEqual(processes(), [], step);
  }
  assert.equal(fs.existsSync(read(file('sockets-seen'))), false, 'the folder of the sockets is gone');
  await assertNothingIsLeft();
});

test('a start that is interrupted takes back what it began', async () => {
  const env = { ...process.env, ...stack.settings, ...sqitch(`touch ${file('migrating')}; sleep 1`) };
  const child = spawn(path.join(ROOT, 'docker/local/stack.sh'), ['start'], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => { child.on('exit', resolve); });
  while (!fs.existsSync(file('migrating'))) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.notDeepEqual(processes(), []);
  child.kill('SIGTERM');
  assert.notEqual(await ended, 0);
  await assertNothingIsLeft();
});

// --- a start that works -------------------------------------------------------------------------------------------------------------------

test('a start runs everything, and nothing of it as root', async () => {
  await stack.start();
  const all = processes();
  assert.ok(all.length >= 10, 'parts, processes of the database server, the reader of the log');
  for (const part of Object.values(pids())) assert.ok(all.includes(part));
  for (const pid of all) {
    const status = read(`/proc/${pid}/status`);
    for (const line of ['Uid', 'Gid']) assert.doesNotMatch(new RegExp(`^${line}:.*$`, 'm').exec(status)[0], /\t0\b/, `${read(`/proc/${pid}/comm`).trim()}: ${status}`);
    assert.doesNotMatch(/^Groups:.*$/m.exec(status)[0], /[\t ]0\b/);
  }
});

test('a second start leaves everything as it is', async () => {
  const first = pids();
  await stack.start();
  assert.deepEqual(pids(), first);
});

test('a start that fails leaves alone what ran before', async () => {
  const first = pids();
  await failingStart(/the edge does not take its configuration/, { EDGE_PER_ADDRESS: 'many' });
  assert.deepEqual(pids(), first);
  await whileListening(stack.plainPort + 1, () => failingStart(/PLAIN_PORT=/, { API_COUNT: '2' }));
  assert.deepEqual(pids(), first);
  await stack.stopPart('api', 'worker');
  await failingStart(/api1 ended at its start/, { API_ARGS: '--no-such-setting=1' });
  for (const part of ['postgres', 'edge']) {
    assert.equal(stack.pid(part), first[part]);
    assert.ok(processes().includes(first[part]));
  }
  assert.equal(fs.existsSync(`${stack.dir}/run/worker1.pid`), false, 'the worker had begun, and was taken back');
  await stack.start();
  assert.equal(stack.pid('postgres'), first.postgres);
});

test('a stop leaves nothing', async () => {
  await stack.script(['stop']);
  await assertNothingIsLeft();
});
