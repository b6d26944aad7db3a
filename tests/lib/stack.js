// stack.js: private local stacks for the crash test and the benchmark, driven through docker/local/stack.sh.
//
// Responsible for: free ports, starting, killing and stopping parts, the stack's process ids, one statement against its database.
// Must never touch a process or a folder but those of the stack that it made itself.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { execFile, spawn } = require('node:child_process');

const ROOT = path.join(__dirname, '..', '..');
const SCRIPT = path.join(ROOT, 'docker', 'local', 'stack.sh');

function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd: ROOT, maxBuffer: 1 << 28, ...options }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${path.basename(file)} ${args.join(' ').slice(0, 200)}: ${error.message}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`));
      else resolve(stdout);
    });
  });
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

// Below the range that the kernel takes for outgoing connections, so that nothing takes it between now and its use.
async function freePort() {
  for (;;) {
    const port = 12000 + Math.floor(Math.random() * 8000);
    if (await isFree(port)) return port;
  }
}

// A short folder: sockets live below it.
const temporaryFolder = (name) => fs.mkdtempSync(path.join(os.tmpdir(), `idscope-${name}.`));

class Stack {
  // settings: those of docker/local/settings.sh, by their names there (FLAVOR, API_ARGS, …).
  static async make(dir, settings = {}) {
    const stack = new Stack();
    stack.dir = dir;
    stack.edgePort = await freePort();
    stack.plainPort = await freePort();
    stack.settings = { VAR: dir, EDGE_PORT: String(stack.edgePort), PLAIN_PORT: String(stack.plainPort), EDGE_ADDRESS: '', EXTRA_NAMES: '',
      DOMAIN: 'idscope.localhost', FLAVOR: 'release', API_COUNT: '1', WORKER_COUNT: '1', API_ARGS: '', WORKER_ARGS: '', POSTGRES_ARGS: '', ...settings };
    return stack;
  }

  script(args, env = {}) {
    return run(SCRIPT, args, { env: { ...process.env, ...this.settings, ...env } });
  }

  async start() {
    await this.script(['start']);
    this.env = Object.fromEntries(fs.readFileSync(path.join(this.dir, 'dev.env'), 'utf8').split('\n').filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
    return this;
  }

  stopPart(...parts) { return this.script(['stop-part', ...parts]); }
  killPart(...parts) { return this.script(['kill-part', ...parts]); }
  startPart(parts, env = {}) { return this.script(['start-part', ...[parts].flat()], env); }

  // Stops everything and takes the data away.
  async remove() {
    await this.script(['stop']);
    await this.script(['forget']);
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  pid(name) {
    return Number(fs.readFileSync(path.join(this.dir, 'run', `${name}.pid`), 'utf8'));
  }

  log(name) {
    return path.join(this.dir, 'log', `${name}.log`);
  }

  // Of a role that programs have.
  databaseUrl(role) {
    return `postgresql://${role}@/idscope?host=${fs.readFileSync(path.join(this.dir, 'run/sockets'), 'utf8').trim()}/pg`;
  }

  // One number that a part shows of itself.
  async metric(part, name) {
    const health = fs.readFileSync(path.join(this.dir, 'run', `${part}.health`), 'utf8');
    const text = await (await fetch(`http://${health}/metrics`)).text();
    return Number(text.split('\n').find((line) => line.startsWith(`${name} `)).split(' ')[1]);
  }

  // The rows of one statement, each a list of texts.
  async sql(statement) {
    const text = await this.script(['psql', '-Atq', '-F', '\x1f', '-v', 'ON_ERROR_STOP=1', '-c', statement]);
    return text.split('\n').filter((line) => line !== '').map((line) => line.split('\x1f'));
  }

  async number(statement) {
    return Number((await this.sql(statement))[0][0]);
  }
}

// One psql that stays connected: a statement costs a round trip, not a process.
class Session {
  constructor(stack) {
    const host = `${fs.readFileSync(path.join(stack.dir, 'run/sockets'), 'utf8')}/pg`;
    this.child = spawn('psql', ['-XAtq', '-F', '\x1f', '-v', 'ON_ERROR_STOP=1', '-h', host, '-U', 'postgres', '-d', 'idscope'],
      { stdio: ['pipe', 'pipe', 'inherit'] });
    this.text = '';
    this.child.stdout.on('data', (part) => { this.text += part; this.settle(); });
    this.child.on('close', (code) => { if (this.waiting) this.waiting.reject(new Error(`psql ended with ${code}`)); });
  }

  settle() {
    if (!this.waiting || !this.text.endsWith('\x1e\n')) return;
    const rows = this.text.split('\n').slice(0, -2).map((line) => line.split('\x1f'));
    this.text = '';
    const { resolve } = this.waiting;
    this.waiting = undefined;
    resolve(rows);
  }

  sql(statement) {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.child.stdin.write(`${statement};\n\\echo '\x1e'\n`);
    });
  }

  async number(statement) {
    return Number((await this.sql(statement))[0][0]);
  }

  close() {
    this.child.stdin.end();
  }
}

// A process that we started and that nobody waited for (a killed one) is gone or dead, never running.
function isRunning(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}

module.exports = { Stack, Session, ROOT, run, isFree, freePort, isRunning, temporaryFolder };
