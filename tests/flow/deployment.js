// deployment.js: one of the two running deployments, for tests that take parts of it away or look at what it leaves behind.
//
// Responsible for: the parts' start and stop (through the deployment's own stack tool, made by run.sh), its dev.env, logs, SQL and dumps as the
// cluster's superuser. Must never be used to find out whether the service answers rightly: that is asked over HTTPS.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');

function execute(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 1 << 30, ...options }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${path.basename(program)} ${args.join(' ')}: ${error.message}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`));
      else resolve(stdout);
    });
    child.stdin.end();
  });
}

class Deployment {
  // tool: docker/local/stack.sh with this deployment's settings; folder: its VAR.
  constructor(tool, folder) {
    this.tool = tool;
    this.folder = folder;
    this.commands = []; // of idscope-admin that succeeded, as lists of words
  }

  run(...args) {
    return execute(this.tool, args);
  }

  async sql(text) {
    return (await this.run('psql', '-Atc', text)).trim();
  }

  // A plain dump of the whole database, as an operator would make it; a character per byte.
  dump() {
    return execute('pg_dump', [this.databaseUrl('postgres')], { encoding: 'latin1' });
  }

  // An operator's command (idscope-admin); gives what it prints, or the variables in it.
  adminText(flavor, ...words) {
    const program = path.join(__dirname, '../../build', flavor, 'idscope-admin');
    return execute(program, [...words, `--database-url=${this.databaseUrl('idscope_admin')}`, `--key-ring-file=${path.join(this.folder, 'keys/ring')}`])
      .then((text) => { this.commands.push(words); return text; });
  }

  async admin(flavor, ...words) {
    return variables(await this.adminText(flavor, ...words));
  }

  databaseUrl(role) {
    return variables(fs.readFileSync(path.join(this.folder, 'run/stack.env'), 'utf8')).STACK_DATABASE_URL.replace('postgres@', `${role}@`);
  }

  get env() {
    return variables(fs.readFileSync(path.join(this.folder, 'dev.env'), 'utf8'));
  }

  // The numbers that a part shows of itself, by name and labels as they are written: {'idscope_arenas': 0, …}.
  async metrics(part) {
    const text = await (await fetch(`http://${this.health(part)}/metrics`)).text();
    return Object.fromEntries(text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  }

  // ADDRESS:PORT at which a part says how it is.
  health(part) {
    return fs.readFileSync(path.join(this.folder, `run/${part}.health`), 'utf8');
  }

  pid(part) {
    return Number(fs.readFileSync(path.join(this.folder, `run/${part}.pid`), 'utf8'));
  }

  // The Unix socket at which a part listens to the edge.
  edgeSocket(part) {
    return path.join(fs.readFileSync(path.join(this.folder, 'run/sockets'), 'utf8'), `edge/${part}.sock`);
  }

  // The JSON lines of a program's logs, parsed; other lines are left out.
  events(program) {
    return this.logs(program).flatMap((text) => text.split('\n')).flatMap((line) => {
      try {
        return line.startsWith('{') ? [JSON.parse(line)] : [];
      } catch {
        return [];
      }
    });
  }

  // Each log as text, a character per byte.
  logs(program = '') {
    const folder = path.join(this.folder, 'log');
    return fs.readdirSync(folder).filter((file) => file.startsWith(program)).map((file) => fs.readFileSync(path.join(folder, file), 'latin1'));
  }
}

const variables = (text) => Object.fromEntries(text.split('\n').filter((line) => line.includes('=')).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));

module.exports = { Deployment };
