// tap.js WORK NAME: stands between edge and api of the deployment NAME (folder WORK/NAME.var), and holds every answer against api/openapi.yaml.
//
// Responsible for: passing bytes on both ways, reading the HTTP/1.1 in them beside that, and writing to WORK/answers what was found, a JSON object a line:
// {"pair"} when a pair of operation and status is seen for the first time, {"wrong", "text"} for each kind of answer that is not as the document says,
// {"lost"} where a connection could not be read. The suite "openapi" reads it. The edge is told of the tap by EDGE_VIA (docker/local/settings.sh).
// A deployment that is stopped and started has its sockets elsewhere, so each start has a process of its own; this one only starts those.
// Must never change, hold back or add a byte, and never answer in the api's stead: where no api listens the connection ends at once.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { fork } = require('node:child_process');
const { Openapi } = require('./openapi');

const VIA = '.tap';
const APIS = ['api1', 'api2', 'api3', 'api4'];
const BODY_MAX = 16 << 20;
const [work, name, listens] = process.argv.slice(2);
const out = fs.openSync(path.join(work, 'answers'), 'a');
const openapi = new Openapi();
const said = new Set();
let count = 0;

function say(line, key = JSON.stringify(line)) {
  if (said.has(key)) return;
  said.add(key);
  fs.writeSync(out, `${JSON.stringify(line)}\n`);
}

// --- HTTP, as it passes ---------------------------------------------------------------------------------------------------------------

// One direction of a connection: calls done({line, headers, text}) for each message that is complete. bare(line, headers): has it no body, whatever it says?
class Messages {
  constructor(bare, done) {
    Object.assign(this, { bare, done, rest: Buffer.alloc(0), message: undefined, left: 0, chunked: false });
  }

  feed(bytes) {
    this.rest = this.rest.length ? Buffer.concat([this.rest, bytes]) : bytes;
    while (this.message ? this.body() : this.head());
  }

  head() {
    const end = this.rest.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [line, ...fields] = this.rest.subarray(0, end).toString('latin1').trimStart().split('\r\n');
    const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]));
    this.rest = this.rest.subarray(end + 4);
    this.message = { line, headers, parts: [], size: 0 };
    const bare = this.bare(line, headers);
    this.chunked = !bare && /chunked/i.test(headers['transfer-encoding'] || '');
    this.left = bare || this.chunked ? 0 : Number(headers['content-length'] || 0);
    if (!this.chunked && this.left === 0) this.finish();
    return true;
  }

  body() {
    if (this.left > 0) return this.take();
    const end = this.rest.indexOf('\r\n');
    if (end < 0) return false;
    const word = this.rest.subarray(0, end).toString('latin1');
    this.rest = this.rest.subarray(end + 2);
    if (this.message.last) { // trailers, and the empty line behind them
      if (word === '') this.finish();
    } else if (word !== '') {
      this.left = parseInt(word, 16);
      this.message.last = this.left === 0;
      if (Number.isNaN(this.left)) throw new Error('a chunk without a size');
    }
    return true;
  }

  take() {
    if (this.rest.length === 0) return false;
    const part = this.rest.subarray(0, this.left);
    this.rest = this.rest.subarray(part.length);
    this.left -= part.length;
    this.message.size += part.length;
    if (this.message.size <= BODY_MAX) this.message.parts.push(part);
    if (this.left === 0 && !this.chunked) this.finish();
    return true;
  }

  finish() {
    const { line, headers, parts, size } = this.message;
    this.message = undefined;
    this.done({ line, headers, size, parts });
  }
}

function answered({ line, headers: asked }, { line: statusLine, headers, parts, size }) {
  count++;
  const status = Number(statusLine.split(' ')[1]);
  if (!headers['x-ms-request-id'] || size > BODY_MAX) return; // refused before the api saw it; or a list without end
  const [method, target] = line.split(' ');
  const text = Buffer.concat(parts).toString('utf8');
  const { pair, wrong } = openapi.answered({ method, host: asked.host || '', target, status, headers, text });
  if (pair) say({ pair });
  if (wrong) say({ wrong, text: text.slice(0, 2000) }, wrong);
}

// --- what passes --------------------------------------------------------------------------------------------------------------------------

function watch(near, far) {
  const asked = [];
  // A request may be answered before all of it came.
  const requests = new Messages((line, headers) => { asked.push({ line, headers }); return false; }, () => {});
  const answers = new Messages((line) => / (?:1\d\d|204|304)\b/.test(line.slice(0, 13)) || (asked[0] && asked[0].line.startsWith('HEAD ')),
    (message) => { if (!/ 1\d\d\b/.test(message.line.slice(0, 13))) answered(asked.shift(), message); });
  const beside = (messages) => (bytes) => {
    if (requests.lost) return;
    try {
      messages.feed(bytes);
    } catch (error) {
      requests.lost = true;
      say({ lost: error.message });
    }
  };
  near.on('data', beside(requests));
  far.on('data', beside(answers));
}

// As the edge left, so does the tap; as the api ended, too.
function join(near, far) {
  for (const socket of [near, far]) socket.on('error', () => socket.destroy());
  near.pipe(far, { end: false });
  far.pipe(near);
  near.on('end', () => far.end(() => far.destroy()));
  near.on('close', () => far.destroy());
  far.on('close', (failed) => (failed ? near.destroy() : near.end()));
  watch(near, far);
}

// Made by a start of the deployment; the group of its edge may connect to what is made in it.
async function edgeFolder() {
  for (;;) {
    try {
      const folder = path.join(fs.readFileSync(path.join(work, `${name}.var/run/sockets`), 'utf8'), 'edge');
      const { mode, gid } = fs.statSync(folder);
      if (process.getuid() !== 0 || (mode & 0o2000 && gid !== 0)) return { folder, gid };
    } catch {
      // not yet
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function listen() {
  const { folder, gid } = await edgeFolder();
  for (const api of APIS) {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => join(near, net.connect({ path: path.join(folder, `${api}.sock`), allowHalfOpen: true })));
    await new Promise((resolve, reject) => server.once('error', reject).listen(path.join(folder, `${api}.sock${VIA}`), resolve));
    fs.chmodSync(path.join(folder, `${api}.sock${VIA}`), 0o770);
  }
  return gid;
}

// The api takes connections of the edge's user alone: once it listens the process is that.
async function tap() {
  process.on('SIGTERM', () => {
    console.log(`tap: ${count} answers of ${name} passed`);
    process.exit(0);
  });
  const gid = await listen();
  if (process.getuid() !== 0) return;
  process.setgroups([]);
  process.setgid(gid);
  process.setuid('haproxy');
}

function everyStart() {
  let at;
  let present;
  const look = () => {
    const sockets = path.join(work, `${name}.var/run/sockets`);
    const now = fs.existsSync(sockets) ? fs.readFileSync(sockets, 'utf8') : '';
    if (now === '' || now === at) return;
    at = now;
    if (present) present.kill('SIGTERM');
    present = fork(__filename, [work, name, 'listens']);
  };
  const timer = setInterval(look, 50);
  process.on('SIGTERM', () => {
    clearInterval(timer);
    if (!present || present.exitCode !== null) process.exit(0);
    present.once('exit', (code) => process.exit(code || 0));
    present.kill('SIGTERM');
  });
}

if (listens) tap();
else everyStart();
