// edge.js: what docker/edge/haproxy.cfg promises to devices and to the API.
//
// Responsible for: running HAProxy with that very file before a witness, an HTTP server that says what reached it, and looking
// at both ends. Must never need the programs of the service: what they make of the edge's headers is the flow tests' matter.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const { execFileSync, spawn } = require('node:child_process');
const { after, before, test } = require('node:test');

const root = path.join(__dirname, '../..');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'idscope-edge.'));
const file = (name) => path.join(dir, name);
const DOMAIN = 'idscope.localhost';
const DEVICES = `global.dps.${DOMAIN}`;

// --- certificates of devices ------------------------------------------------------------------------------------------------------------

const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] });
const der = (pem) => pem.replace(/-----[^-]*-----|\s/g, '');
const pem = (name) => fs.readFileSync(file(`${name}.pem`), 'utf8');

// issuer: name of a certificate made before; none: self-signed. padding: bytes of an extension that nobody reads.
function certificate(name, issuer, { ca = false, padding = 0 } = {}) {
  const extensions = [`basicConstraints=CA:${ca}`];
  if (padding) extensions.push(`1.2.3.4=ASN1:UTF8String:${'x'.repeat(padding)}`);
  fs.writeFileSync(file('extensions'), `${extensions.join('\n')}\n`);
  openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`, '-out', 'request', '-subj', `/CN=${name}`);
  const signer = issuer ? ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial'] : ['-signkey', `${name}.key`];
  openssl('x509', '-req', '-in', 'request', '-days', '2', '-extfile', 'extensions', '-out', `${name}.pem`, ...signer);
}

// What a device presents: its certificate and those above it, leaf first.
const device = (...names) => ({ key: fs.readFileSync(file(`${names[0]}.key`)), cert: names.map(pem).join('') });

// --- the witness and the edge -----------------------------------------------------------------------------------------------------------

const seen = [];
let witness;
let health;

const openWitness = () => new Promise((resolve) => {
  fs.rmSync(file('api.sock'), { force: true });
  witness = http.createServer({ maxHeaderSize: 65536 }, (request, response) => {
    let size = 0;
    request.on('data', (part) => { size += part.length; });
    request.on('end', () => {
      seen.push(request);
      if (request.url === '/break') request.socket.destroy();
      else response.end(JSON.stringify({ headers: request.headers, size }));
    });
  }).listen(file('api.sock'), resolve);
});
const closeWitness = () => new Promise((resolve) => { witness.close(resolve); witness.closeAllConnections(); });

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

async function until(what, condition) {
  for (const end = Date.now() + 20000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) if (await condition()) return;
  throw new Error(`waited in vain for ${what}`);
}

const running = new Set();
class Edge {
  constructor(name, settings = {}) {
    this.name = name;
    this.settings = settings;
    this.log = '';
  }

  // takeOver: arguments by which a new process takes the listeners of the one before.
  async start(...takeOver) {
    this.port = this.port || await freePort();
    const env = { PATH: `${process.env.PATH}:/usr/sbin`, IDSCOPE_EDGE_BIND: `127.0.0.1:${this.port}`, IDSCOPE_EDGE_TLS: file('tls'), IDSCOPE_EDGE_ADMIN: file(`${this.name}.sock`),
      IDSCOPE_EDGE_PER_ADDRESS: '1000', IDSCOPE_EDGE_RATE_PER_ADDRESS: '100000', IDSCOPE_API_1: `unix@${file('api.sock')}`, IDSCOPE_API_1_HEALTH: String(health.address().port), ...this.settings };
    const child = spawn('haproxy', ['-db', '-f', path.join(root, 'docker/edge/haproxy.cfg'), ...takeOver], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (part) => { this.log += part; });
    child.on('exit', () => running.delete(child));
    running.add(child);
    this.child = child;
    await until(`the edge ${this.name}\n${this.log}`, () => new Promise((resolve) => {
      const socket = net.connect(this.port, '127.0.0.1', () => { socket.destroy(); resolve(true); }).on('error', () => resolve(false));
    }));
    return this;
  }

  // One request over a connection of its own, as a device that has just started makes it.
  request(method, url, { host = DEVICES, headers = {}, body, identity = {} } = {}) {
    const ca = fs.readFileSync(file('tls/ca.pem'));
    return new Promise((resolve, reject) => {
      https.request({ host: '127.0.0.1', port: this.port, servername: host, ca, method, path: url, agent: false, headers: { Host: host, ...headers }, ...identity })
        .on('error', reject)
        .on('response', (response) => {
          let text = '';
          response.on('data', (part) => { text += part; });
          response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text, json: /^\{/.test(text) ? JSON.parse(text) : undefined }));
        })
        .end(body);
    });
  }

  connect(options) {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port: this.port, servername: DEVICES, ca: fs.readFileSync(file('tls/ca.pem')), ...options }, () => resolve(socket)).on('error', reject);
    });
  }
}

// An answer of the edge's own: JSON in the device plane's shape, with a tracking id that the edge's log holds, too.
async function ownAnswer(edge, answer, status, retryAfter) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['retry-after'], retryAfter);
  assert.deepEqual(Object.keys(answer.json), ['errorCode', 'trackingId', 'message', 'timestampUtc']);
  assert.equal(Math.floor(answer.json.errorCode / 1000), status);
  assert.match(answer.json.timestampUtc, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.match(answer.json.trackingId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(answer.headers['x-ms-request-id'], answer.json.trackingId);
  await until('the log line', () => edge.log.split('\n').some((line) => line.startsWith('{') && JSON.parse(line).trackingId === answer.json.trackingId));
}

let edge;
before(async () => {
  execFileSync(path.join(root, 'docker/local/certs.sh'), [file('tls'), DOMAIN]);
  certificate('root', undefined, { ca: true });
  certificate('above', 'root', { ca: true });
  certificate('line', 'above', { ca: true });
  certificate('press', 'line');
  certificate('alone');
  health = http.createServer((request, response) => response.end('ready\n'));
  await new Promise((resolve) => { health.listen(0, '127.0.0.1', resolve); });
  await openWitness();
  edge = await new Edge('edge').start();
});
after(async () => {
  for (const child of running) child.kill('SIGKILL');
  await until('the edges to end', () => running.size === 0);
  health.close();
  await closeWitness();
  fs.rmSync(dir, { recursive: true, force: true });
});

// --- client certificates ----------------------------------------------------------------------------------------------------------------

test('leaf and intermediates of an issuer that nobody knows reach the API, and nothing but them', async () => {
  const { json } = await edge.request('PUT', '/', { identity: device('press', 'line', 'above') });
  assert.equal(json.headers['x-idscope-client-cert'], der(pem('press')));
  const rest = Buffer.from(json.headers['x-idscope-client-chain'], 'base64');
  assert.deepEqual(rest, Buffer.concat(['line', 'above'].map((name) => Buffer.from(der(pem(name)), 'base64'))));
  const alone = (await edge.request('PUT', '/', { identity: device('alone') })).json;
  assert.equal(alone.headers['x-idscope-client-cert'], der(pem('alone')));
  assert.equal(alone.headers['x-idscope-client-chain'], undefined);
  const none = (await edge.request('PUT', '/')).json;
  assert.equal(none.headers['x-idscope-client-cert'], undefined);
});

test('a certificate is asked of every name but management, with an empty list of issuers', async () => {
  const identity = device('press', 'line');
  for (const host of [DEVICES, 'localhost', `any.dps.${DOMAIN}`, `any.hub.${DOMAIN}`, DOMAIN]) {
    assert.ok((await edge.request('GET', '/', { host, identity })).json.headers['x-idscope-client-cert'], host);
  }
  assert.equal((await edge.request('GET', '/', { host: `management.${DOMAIN}`, identity })).json.headers['x-idscope-client-cert'], undefined);
  const said = execFileSync('openssl', ['s_client', '-connect', `127.0.0.1:${edge.port}`, '-servername', DEVICES], { input: '', stdio: ['pipe', 'pipe', 'ignore'] }).toString();
  assert.match(said, /No client certificate CA names sent/);
  assert.match(said, /Requested Signature Algorithms/);
});

test('no session is resumed: the chain of the first connection would be lost', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const options = { minVersion: version, maxVersion: version, ...device('press', 'line') };
    const first = await edge.connect(options);
    let session = first.getSession();
    first.on('session', (later) => { session = later; }); // TLS 1.3 sends it after the handshake
    first.end(`GET / HTTP/1.1\r\nHost: ${DEVICES}\r\nConnection: close\r\n\r\n`);
    await new Promise((resolve) => { first.resume().on('close', resolve); });
    const second = await edge.connect({ ...options, session });
    assert.equal(second.getProtocol(), version);
    assert.equal(second.isSessionReused(), false, version);
    second.destroy();
  }
});

test('an EC certificate for most clients, an RSA one for those that know no other', async () => {
  for (const [sigalgs, bits] of [['ecdsa_secp256r1_sha256', 256], ['rsa_pss_rsae_sha256:rsa_pkcs1_sha256', 2048]]) {
    const socket = await edge.connect({ sigalgs, maxVersion: 'TLSv1.2' });
    assert.equal(socket.getPeerCertificate().bits, bits);
    socket.destroy();
  }
});

test('a chain of 12 KiB passes with a body, a larger one is refused', async () => {
  certificate('large', 'root', { ca: true, padding: 10500 });
  certificate('larger', 'root', { ca: true, padding: 12000 });
  for (const size of [100, 14000, 90000]) {
    const answer = await edge.request('PUT', '/', { identity: device('press', 'line', 'large'), body: 'x'.repeat(size) });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.size, size);
  }
  const before = seen.length;
  await ownAnswer(edge, await edge.request('PUT', '/', { identity: device('press', 'line', 'larger') }), 400);
  assert.equal(seen.length, before);
});

// --- headers ------------------------------------------------------------------------------------------------------------------------------

test('no header of ours comes in from outside', async () => {
  const headers = { 'X-Idscope-Client-Cert': 'forged', 'x-idscope-client-chain': 'forged', 'X-IDSCOPE-CLIENT-ADDRESS': '10.9.8.7', 'X-Idscope-Edge-Secret': 'forged', 'X-Idscope-Later': 'forged' };
  const { json } = await edge.request('GET', '/', { headers });
  assert.deepEqual(Object.entries(json.headers).filter(([name]) => name.startsWith('x-idscope')), [['x-idscope-client-address', '127.0.0.1']]);
});

test('the secret for a tcp listener is sent when there is one', async () => {
  const other = await new Edge('secret', { IDSCOPE_EDGE_SECRET: 'of-the-edge' }).start();
  const { json } = await other.request('GET', '/', { headers: { 'X-Idscope-Edge-Secret': 'forged' } });
  assert.equal(json.headers['x-idscope-edge-secret'], 'of-the-edge');
});

// --- when things go wrong -----------------------------------------------------------------------------------------------------------------

test('an answer that breaks off is tried again only where twice is the same as once', async () => {
  const count = (method) => seen.filter((request) => request.url.startsWith('/break') && request.method === method).length;
  await ownAnswer(edge, await edge.request('POST', '/break'), 502, '2');
  await ownAnswer(edge, await edge.request('DELETE', '/break'), 502, '2');
  assert.equal(count('POST'), 1);
  assert.equal(count('DELETE'), 1);
  await ownAnswer(edge, await edge.request('GET', '/break'), 502, '2');
  assert.ok(count('GET') > 1);
});

test('an API that is away is a 503 in JSON, and requests pass as soon as it is back', async () => {
  await closeWitness();
  await ownAnswer(edge, await edge.request('PUT', '/0ne00000000/registrations/a/register'), 503, '2');
  await openWitness();
  await until('the API to be used again', async () => (await edge.request('GET', '/')).status === 200);
});

test('a body that does not arrive is a 408', async () => {
  const socket = await edge.connect();
  let text = '';
  socket.on('data', (part) => { text += part; });
  socket.write(`PUT / HTTP/1.1\r\nHost: ${DEVICES}\r\nContent-Length: 10\r\n\r\nhalf`);
  await new Promise((resolve) => { socket.on('close', resolve); });
  assert.match(text, /^HTTP\/1\.1 408 /);
  assert.match(text, /"errorCode":408000,/);
});

test('one address has a limit of requests and of connections', async () => {
  const rate = await new Edge('rate', { IDSCOPE_EDGE_RATE_PER_ADDRESS: '20' }).start();
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  let answer;
  for (let i = 0; i < 25; i++) answer = await rate.request('GET', '/', { identity: { agent } });
  await ownAnswer(rate, answer, 429, '10');
  agent.destroy();
  const few = await new Edge('few', { IDSCOPE_EDGE_PER_ADDRESS: '5' }).start();
  const open = await Promise.all(Array.from({ length: 5 }, () => few.connect()));
  await assert.rejects(few.connect());
  open[0].destroy();
  await until('the place to be free', () => few.connect().then((socket) => { socket.destroy(); return true; }, () => false));
  for (const socket of open) socket.destroy();
});

test('a reload loses no request', async () => {
  let stop = false;
  let answered = 0;
  const client = async () => {
    while (!stop) {
      const { status } = await edge.request('GET', '/');
      assert.equal(status, 200);
      answered++;
    }
  };
  const clients = Promise.all([client(), client(), client()]);
  clients.catch(() => { stop = true; });
  for (let i = 0; i < 3 && !stop; i++) {
    const old = edge.child;
    await edge.start('-x', file('edge.sock'), '-sf', String(old.pid));
    await until('the old process to end', () => stop || old.exitCode !== null || old.signalCode !== null);
    const goal = answered + 50;
    await until('more answers', () => stop || answered >= goal);
  }
  stop = true;
  await clients;
  assert.ok(answered >= 150);
});
