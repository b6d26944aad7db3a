// azure.js: a user of the stock Azure command line of Debian (/usr/bin/az), unmodified: a folder of its own as HOME and AZURE_CONFIG_DIR, so that nobody's
// az is touched, and what each command prints. Must never stand in for az: what it sends and reads is its own.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { assert, work } = require('./kit');

const AZ = '/usr/bin/az';
const BASE = 'https://localhost';

const printed = ({ code, out, err }, words) => {
  assert.equal(code, 0, `az ${words.flat().join(' ')}: ${err}`);
  return out.trim() ? JSON.parse(out) : undefined;
};

// One user of az: his folder, and his commands. A command leaves its traces there, so one that runs beside others has a copy (apart).
class User {
  constructor(from) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'idscope-az.'));
    if (from) fs.cpSync(from, this.folder, { recursive: true });
    this.env = { PATH: process.env.PATH, HOME: this.folder, AZURE_CONFIG_DIR: this.folder, AZURE_CORE_COLLECT_TELEMETRY: 'no', REQUESTS_CA_BUNDLE: path.join(work, 'ca.pem'), LC_ALL: 'C.UTF-8' };
    this.spent = [];
  }

  file(name, text) {
    const at = path.join(this.folder, name);
    fs.writeFileSync(at, text);
    return at;
  }

  // Gives {code, out, err, ms} of `az WORDS…`; a word that is an array is its words.
  run(...words) {
    const args = words.flatMap((word) => (Array.isArray(word) ? word : word.split(' ')));
    const begun = Date.now();
    return new Promise((resolve) => {
      execFile(AZ, args, { env: this.env, maxBuffer: 1 << 26 }, (error, out, err) => {
        const ms = Date.now() - begun;
        this.spent.push({ args, ms });
        resolve({ code: error ? error.code : 0, out, err, ms });
      });
    });
  }

  async apart(...words) {
    const twin = new User(this.folder);
    try {
      return await twin.run(...words);
    } finally {
      this.spent.push(...twin.spent);
      twin.end();
    }
  }

  // What a command prints that succeeds: JSON, or nothing.
  async az(...words) {
    return printed(await this.apart(...words), words);
  }

  // The same of one that is to leave something in the folder.
  async keep(...words) {
    return printed(await this.run(...words), words);
  }

  // What it says that fails.
  async fails(code, ...words) {
    const answer = await this.apart(...words);
    assert.equal(answer.code, code, `az ${words.flat().join(' ')}: ${answer.out}${answer.err}`);
    return answer.err;
  }

  end() {
    fs.rmSync(this.folder, { recursive: true });
  }
}

const signIn = ({ IDSCOPE_CLIENT_ID: id, IDSCOPE_CLIENT_SECRET: secret, IDSCOPE_TENANT_ID: tenant }, more = {}) => ['login', '--service-principal', '-u', id, '-p', more.secret || secret, '--tenant', tenant];
// "METHOD address" of each request that a command made, out of what it says with --debug.
const requests = (err) => [...err.matchAll(/Request URL: '([^'?]*)[^]*?Request method: '(\w+)'/g)].map(([, url, method]) => `${method} ${decodeURIComponent(new URL(url).pathname)}`);

module.exports = { BASE, User, signIn, requests };
