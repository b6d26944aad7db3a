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
// Always, or as often as the query says.
const breaks = ({ url }) => /\/break/.test(url) && seen.filter((one) => one.url === url).length <= Number(/times=(\d+)/.exec(url)?.[1] ?? Infinity);
let witness;
let health;

const openWitness = () => new Promise((resolve) => {
  fs.rmSync(file('api.sock'), { force: true });
  witness = http.createServer({ maxHeaderSize: 65536 }, (request, response) => {
    let size = 0;
    request.on('data', (part) => { size += part.length; });
    request.on('end', () => {
      seen.push(request);
      const page = /^\/library\/(\d+)/.exec(request.url); // as an HTTP library answers what it does not hand on
      if (breaks(request)) request.socket.destroy();
      else if (page) response.writeHead(page[1], { 'Content-Type': 'text/html' }).end('<html>no</html>');
      else response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, size }));
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
    const env = { PATH: `${process.env.PATH}:/usr/sbin`, OPENSSL_CONF: path.join(root, 'docker/edge/openssl.cnf'), IDSCOPE_EDGE_BIND: `127.0.0.1:${this.port}`, IDSCOPE_EDGE_TLS: file('tls'), IDSCOPE_EDGE_TLS_PROFILE: 'modern', IDSCOPE_EDGE_ADMIN: file(`${this.name}.sock`),
      IDSCOPE_EDGE_PER_ADDRESS: '1000', IDSCOPE_EDGE_RATE_PER_ADDRESS: '100000', IDSCOPE_API_1: `unix@${file('api.sock')}`, IDSCOPE_API_1_HEALTH: String(health.address().port), ...this.settings };
    const child = spawn('haproxy', ['-q', '-db', '-f', path.join(root, 'docker/edge/haproxy.cfg'), ...takeOver], { env, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
    child.stdio[3].on('data', (part) => { this.log += part; });
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

  // Bytes as they are, over a connection of its own: what came back until the edge closed it.
  async raw(...parts) {
    const socket = await this.connect();
    let text = '';
    socket.setEncoding('latin1').on('data', (part) => { text += part; }).on('error', () => {});
    const closed = new Promise((resolve) => { socket.on('close', resolve); });
    for (const part of parts) {
      const before = text.length;
      socket.write(Buffer.from(part, 'latin1'));
      if (part !== parts.at(-1)) await until('an answer', () => text.length > before);
    }
    await closed;
    return text;
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

// The one answer in the text of a connection.
function parsed(text) {
  const [, status, head, rest] = /^HTTP\/1\.1 (\d+) [^\r]*\r\n([^]*?)\r\n\r\n([^]*)$/.exec(text) || assert.fail(`no answer: ${text.slice(0, 300)}`);
  const headers = Object.fromEntries(head.split('\r\n').map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]));
  return { status: Number(status), headers, text: rest, json: JSON.parse(rest) };
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

test('no session is resumed, and no ticket sent for one: the chain of the first connection would be lost', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const options = { minVersion: version, maxVersion: version, ...device('press', 'line') };
    const first = await edge.connect(options);
    let session = first.getSession();
    let tickets = 0;
    first.on('session', (later) => { session = later; tickets++; }); // TLS 1.3 sends them after the handshake
    first.end(`GET / HTTP/1.1\r\nHost: ${DEVICES}\r\nConnection: close\r\n\r\n`);
    await new Promise((resolve) => { first.resume().on('close', resolve); });
    if (version === 'TLSv1.3') assert.equal(tickets, 0);
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
  const ours = (all) => Object.entries(all).filter(([name]) => name.startsWith('x-idscope'));
  assert.deepEqual(ours(json.headers), [['x-idscope-client-address', '127.0.0.1']]);
  // The one that is a client's to send, and what it may say (decisions.md 31).
  const asked = async (value) => ours((await edge.request('GET', '/', { headers: { 'x-idscope-extensions': value } })).json.headers).map(([, said]) => said).sort();
  assert.deepEqual([await asked('1'), await asked('2'), await asked('1, 1')], [['1', '127.0.0.1'], ['127.0.0.1'], ['127.0.0.1']]);
});

test('a cookie reaches the portal and nothing else', async () => {
  for (const [url, passes] of [['/portal', true], ['/portal/x', true], ['/portal?a=b', true], ['/', false], ['/portals', false], ['/x/portal', false], ['//portal', false], ['/PORTAL', false]]) {
    const { json } = await edge.request('GET', url, { headers: { Cookie: 'a=b' } });
    assert.equal(json.headers.cookie, passes ? 'a=b' : undefined, url);
  }
  const { json } = await edge.request('GET', '/', { headers: { Cookie: Array(1000).fill('a=b').join('; ') } });
  assert.equal(json.headers.cookie, undefined);
});

test('cookies of the portal have bounds, with an answer of ours beyond them', async () => {
  const ask = (cookie, target = '/portal') => edge.request('GET', target, { headers: { Cookie: cookie } });
  for (const cookie of ['x'.repeat(4096), Array(50).fill('a=b').join('; ')]) assert.equal((await ask(cookie)).json.headers.cookie, cookie);
  const before = seen.length;
  for (const cookie of ['x'.repeat(4097), Array(51).fill('a=b').join('; '), Array(51).fill('a=b').join(','), ';'.repeat(2000)]) {
    const answer = await ask(cookie);
    await ownAnswer(edge, answer, 400);
    assert.match(answer.json.message, /^The cookies are larger than 4 KiB or more than 50 or in two fields\.$/);
  }
  assert.equal(seen.length, before);
  await ask('x'.repeat(4097), '/'); // dropped
});

test('the secret for a tcp listener is sent when there is one', async () => {
  const other = await new Edge('secret', { IDSCOPE_EDGE_SECRET: 'of-the-edge' }).start();
  const { json } = await other.request('GET', '/', { headers: { 'X-Idscope-Edge-Secret': 'forged' } });
  assert.equal(json.headers['x-idscope-edge-secret'], 'of-the-edge');
});

// --- bytes -------------------------------------------------------------------------------------------------------------------------------

const HEAD = `Host: ${DEVICES}\r\nConnection: close\r\n`;
const get = (more = '', target = '/') => `GET ${target} HTTP/1.1\r\n${HEAD}${more}\r\n`;
const put = (more, body) => `PUT / HTTP/1.1\r\n${HEAD}${more}\r\n${body}`;
const pad = (size, head) => head.replace('PAD', 'x'.repeat(size - head.length + 3));

// What HAProxy's parser refuses: on a fresh connection with an answer, later on without a word.
const noRequests = {
  'no HTTP': 'hello world\r\n\r\n',
  'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
  'a PROXY header': `PROXY TCP4 10.9.8.7 127.0.0.1 1 443\r\n${get()}`,
  'HTTP/0.9': 'GET /\r\n\r\n',
  'HTTP/2 by prior knowledge': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a head of 20 KiB': get(`X: ${'x'.repeat(20000)}\r\n`),
  'a head of 200 KB': get(`X: ${'x'.repeat(200000)}\r\n`),
  '110 header fields': get('X: y\r\n'.repeat(110)),
  'a blank before the colon': get('X : y\r\n'),
  'a field without a name': get(': y\r\n'),
  'a NUL in a name': get('X\0Y: y\r\n'),
  'a NUL in the target': get('', '/a\0b'),
  'control bytes in the target': get('', '/a\tb\x1b'),
  'a target that is not ASCII': get('', '/\xff\xfe"'),
  'two hosts': get('Host: other\r\n'),
  'a target for another host': get('', 'https://other.example/'),
  'Transfer-Encoding gzip, chunked': put('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
  'Transfer-Encoding identity': put('Transfer-Encoding: identity\r\n', ''),
  'Transfer-Encoding xchunked': put('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
  'Transfer-Encoding twice': put('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'Transfer-Encoding without a value': put('Transfer-Encoding: \r\n', '0\r\n\r\n'),
  'two lengths': put('Content-Length: 3\r\nContent-Length: 4\r\n', 'abcd'),
  'a length that is no number': put('Content-Length: 3a\r\n', 'abc'),
  'a negative length': put('Content-Length: -1\r\n', ''),
  'a GET with a body in HTTP/1.0': get('Content-Length: 3\r\n').replace('1.1', '1.0') + 'abc',
  'a GET with chunks in HTTP/1.0': get('Transfer-Encoding: chunked\r\n').replace('1.1', '1.0') + '0\r\n\r\n',
  'a head of 18 KiB in 90 fields': get(`X: ${'x'.repeat(196)}\r\n`.repeat(90)),
  'a head of 18 KiB, fields and target within theirs': get(`X: ${'x'.repeat(170)}\r\n`.repeat(90), `/${'x'.repeat(2200)}`),
  'an upgrade to WebSocket with half a key': get('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBs\r\n'),
  'an upgrade to WebSocket without a key': get('Connection: Upgrade\r\nUpgrade: websocket\r\n'),
};

// What is HTTP, and refused by a rule: with an answer whenever it comes.
const refused = {
  'two fields of cookies for the portal': get('Cookie: a=b\r\nCookie: c=d\r\n', '/portal'),
  'HTTP/3.0': get().replace('1.1', '3.0'),
  'HTTP/1.2': get().replace('1.1', '1.2'),
  '101 parameters': get('', `/?${'a&'.repeat(100)}a`),
  '800 parameters': get('', `/?${'a&'.repeat(800)}`),
  '4,000 empty parameters': get('', `/?${'&'.repeat(4000)}`),
  'a target of 8,193 bytes': get('', `/${'x'.repeat(8192)}`),
  'a head of 17 KiB': get(`X: ${'x'.repeat(17000)}\r\n`),
  'a NUL in a value': get('X: a\0b\r\n'),
  CONNECT: `CONNECT ${DEVICES}:443 HTTP/1.1\r\n${HEAD.replace(DEVICES, `${DEVICES}:443`)}\r\n`,
};

// What passes, and what the API sees of it.
const passing = {
  'a target of 8 KiB': [get('', `/${'x'.repeat(8191)}`), ({ url }) => url.length === 8192],
  '100 parameters': [get('', `/?${'a&'.repeat(99)}a`), ({ url }) => url.length === 201],
  'a head of 16 KiB': [pad(16300, get('X: PAD\r\n')), ({ headers }) => headers.x.length > 16000],
  'a head of 17 KiB, target and fields within theirs': [get(`X: ${'x'.repeat(15000)}\r\n`, `/${'x'.repeat(2300)}`), ({ headers }) => headers.x.length === 15000],
  '90 header fields': [get('X: y\r\n'.repeat(87)), ({ headers }) => headers.x.split(',').length === 87],
  'an absolute target, in its short form': [get('', `https://${DEVICES}/a?b=c`), ({ url }) => url === '/a?b=c'],
  'one host twice': [get(`Host: ${DEVICES}\r\n`), ({ headers }) => headers.host === DEVICES],
  'empty lines before': [`\r\n\r\n${get()}`, ({ url }) => url === '/'],
  'lines that end with LF alone': [get().replaceAll('\r', ''), ({ url }) => url === '/'],
  'HTTP/1.0': [get().replace('1.1', '1.0'), ({ url }) => url === '/'],
  'HTTP/1.0 with a body of nothing': [get('Content-Length: 0\r\n').replace('1.1', '1.0'), ({ size }) => size === 0],
  'an upgrade to WebSocket, not handed on': [get('Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n').replace('close', 'close, Upgrade'), ({ headers }) => headers.upgrade === undefined],
  'a folded field, as one line': [get('X: a\r\n b\r\n'), ({ headers }) => /^a +b$/.test(headers.x)],
  'underscores that are none of ours': [get('X_Idscope_Client_Cert: forged\r\n'), ({ headers }) => headers['x-idscope-client-cert'] === undefined],
  'an offer of h2c, not handed on': [get('Upgrade: h2c\r\nHTTP2-Settings: AAA\r\n'), ({ headers }) => headers.upgrade === undefined],
  'length and chunks: the chunks count': [put('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '1\r\na\r\n0\r\n\r\n'), ({ headers, size }) => size === 1 && headers['content-length'] === undefined],
  'OPTIONS *': [get('', '*').replace('GET', 'OPTIONS'), ({ url }) => url === '*'],
};

test('what is no request has an answer in JSON and reaches nobody', async () => {
  const before = seen.length;
  for (const [what, bytes] of Object.entries(noRequests)) {
    const answer = parsed(await edge.raw(bytes));
    await ownAnswer(edge, answer, 400).catch((error) => assert.fail(`${what}: ${error.message}`));
  }
  assert.equal(seen.length, before);
});

test('what is no request and follows one ends the connection without a word, and is logged', async () => {
  for (const [what, bytes] of Object.entries(noRequests)) {
    const before = seen.length;
    const lines = edge.log.split('\n').length;
    const text = await edge.raw(get().replace('Connection: close\r\n', ''), bytes);
    assert.equal(seen.length, before + 1, what);
    assert.equal(parsed(text).status, 200, what); // the first one's answer, and not a byte behind it
    await until(`the log line of ${what}`, () => edge.log.split('\n').length > lines);
  }
});

test('a request beyond the limits is refused in JSON, first or later, and reaches nobody', async () => {
  for (const [what, bytes] of Object.entries(refused)) {
    const before = seen.length;
    await ownAnswer(edge, parsed(await edge.raw(bytes)), 400).catch((error) => assert.fail(`${what}: ${error.message}`));
    assert.equal(seen.length, before, what);
    const later = await edge.raw(get().replace('Connection: close\r\n', ''), bytes);
    await ownAnswer(edge, parsed(later.slice(later.indexOf('HTTP/1.1 400'))), 400);
    assert.equal(seen.length, before + 1, what);
  }
});

test('what is odd and allowed passes in one shape', async () => {
  for (const [what, [bytes, holds]] of Object.entries(passing)) {
    const answer = parsed(await edge.raw(bytes));
    assert.equal(answer.status, 200, what);
    assert.ok(holds(answer.json), `${what}: ${JSON.stringify(answer.json).slice(0, 400)}`);
  }
});

test('two requests in one packet have two answers in their order', async () => {
  const text = await edge.raw(get('', '/1').replace('Connection: close\r\n', '') + get('', '/2'));
  assert.deepEqual(text.match(/"url":"[^"]*"/g), ['"url":"/1"', '"url":"/2"']);
});

test('a body whose chunks are broken has an answer in JSON or none, never a page', async () => {
  for (const body of ['zz\r\n', '1\r\nab\r\n', '-1\r\n', 'fffffffffffffffff\r\n']) {
    const before = seen.length;
    const text = await edge.raw(put('Transfer-Encoding: chunked\r\n', body));
    if (text !== '') await ownAnswer(edge, parsed(text), 400);
    assert.equal(seen.length, before);
  }
});

test('a page of the HTTP library behind the edge becomes JSON', async () => {
  for (const [status, ours] of [[400, 400], [413, 400], [414, 400], [431, 400], [500, 500], [501, 500], [505, 500]]) {
    await ownAnswer(edge, await edge.request('GET', `/library/${status}`), ours);
  }
});

test('whatever a client sends, its line in the log is whole', async () => {
  const hostile = ['/?"}{"&'.repeat(900), `/${'%00%0a%22'.repeat(800)}?${'&'.repeat(101)}`, `/${'\\'.repeat(8000)}?${'&'.repeat(101)}`, `/"\\u0000?${'&'.repeat(101)}`];
  for (const target of hostile) {
    const answer = parsed(await edge.raw(get('', target)));
    await ownAnswer(edge, answer, 400);
    const line = edge.log.split('\n').find((text) => text.includes(answer.json.trackingId));
    assert.equal(JSON.parse(line).path, target.split('?')[0].slice(0, 800));
  }
  await ownAnswer(edge, parsed(await edge.raw(get('', `/?${'&'.repeat(101)}`).replace('GET', `"\\${'M'.repeat(5000)}`))), 400).catch(() => {});
});

// --- TLS --------------------------------------------------------------------------------------------------------------------------------

test('each TLS profile takes the clients that it is for, and no other', async () => {
  const compatible = await new Edge('compatible', { IDSCOPE_EDGE_TLS_PROFILE: 'compatible' }).start();
  const old = { maxVersion: 'TLSv1.2' };
  const clients = [ // who, and whether modern and compatible take it
    ['TLS 1.3', { minVersion: 'TLSv1.3' }, true, true],
    ['TLS 1.3, P-384 alone', { minVersion: 'TLSv1.3', ecdhCurve: 'P-384' }, true, true],
    ['TLS 1.3, X25519 alone', { minVersion: 'TLSv1.3', ecdhCurve: 'X25519' }, true, true],
    ['TLS 1.2', old, true, true],
    ['TLS 1.2, ECDSA alone', { ...old, sigalgs: 'ecdsa_secp256r1_sha256' }, true, false],
    ['TLS 1.2, RSA alone, P-384 alone', { ...old, sigalgs: 'rsa_pkcs1_sha256', ecdhCurve: 'P-384' }, true, true],
    ['TLS 1.2, P-384 alone', { ...old, ecdhCurve: 'P-384' }, false, true],
    ['TLS 1.2, X25519 alone', { ...old, ecdhCurve: 'X25519' }, false, true],
    ['TLS 1.2, AES-CBC with SHA-384', { ...old, ciphers: 'ECDHE-RSA-AES256-SHA384' }, false, true],
    ['TLS 1.2, AES-CBC with SHA-256', { ...old, ciphers: 'ECDHE-RSA-AES128-SHA256' }, false, true],
    ['TLS 1.2, ChaCha20', { ...old, ciphers: 'ECDHE-RSA-CHACHA20-POLY1305' }, true, true],
    ['TLS 1.2, AES-CBC with SHA-1', { ...old, ciphers: 'ECDHE-RSA-AES128-SHA' }, false, false],
    ['TLS 1.2, no ECDHE', { ...old, ciphers: 'AES128-GCM-SHA256' }, false, false],
    ['TLS 1.2, DHE', { ...old, ciphers: 'DHE-RSA-AES128-GCM-SHA256' }, false, false],
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, false, false],
  ];
  for (const [who, options, ...takes] of clients) {
    for (const [i, at] of [edge, compatible].entries()) {
      const reached = await at.connect(options).then((socket) => { socket.destroy(); return true; }, () => false);
      assert.equal(reached, takes[i], `${who}, ${at.name}`);
    }
  }
  const identity = device('press', 'line');
  assert.ok((await compatible.request('GET', '/', { identity })).json.headers['x-idscope-client-cert']);
  assert.equal((await compatible.request('GET', '/', { host: `management.${DOMAIN}`, identity })).json.headers['x-idscope-client-cert'], undefined);
  assert.equal((await compatible.request('GET', '/')).status, 200);
});

// --- when things go wrong -----------------------------------------------------------------------------------------------------------------

test('an answer that breaks off is tried again only where twice is the same as once', async () => {
  const count = (method) => seen.filter((request) => request.url.startsWith('/break') && request.method === method).length;
  await ownAnswer(edge, await edge.request('POST', '/break'), 502, '2');
  await ownAnswer(edge, await edge.request('DELETE', '/break'), 502, '2');
  assert.equal(count('POST'), 1);
  assert.equal(count('DELETE'), 1);
  await ownAnswer(edge, await edge.request('GET', '/break'), 502, '2');
  assert.equal(count('GET'), 4);
});

test('a register that breaks off is tried again three times; when the last one breaks off, too, it is a 502 that says when to come again', async () => {
  const register = (times) => edge.request('PUT', `/0ne00000000/registrations/break/register?times=${times}`, { body: '{}' });
  const tried = (times) => seen.filter(({ url }) => url.endsWith(`?times=${times}`)).length;
  assert.equal((await register(1)).status, 200);
  assert.equal((await register(3)).status, 200);
  await ownAnswer(edge, await register(4), 502, '2');
  assert.deepEqual([1, 3, 4].map(tried), [2, 4, 4]);
});

test('an API that is away is a 503 in JSON, and requests pass as soon as it is back', async () => {
  await closeWitness();
  await ownAnswer(edge, await edge.request('PUT', '/0ne00000000/registrations/a/register'), 503, '2');
  await openWitness();
  await until('the API to be used again', async () => (await edge.request('GET', '/')).status === 200);
});

test('a head or a body that does not arrive is a 408; without a byte, silence', async () => {
  const [body, head, later, nothing] = await Promise.all([
    edge.raw(`PUT / HTTP/1.1\r\nHost: ${DEVICES}\r\nContent-Length: 10\r\n\r\nhalf`),
    edge.raw(`PUT / HTTP/1.1\r\nHost: ${DEVICES}\r\nContent-Le`),
    edge.raw(get().replace('Connection: close\r\n', ''), 'PUT / HTTP/1.1\r\nHo'),
    edge.raw(''),
  ]);
  await ownAnswer(edge, parsed(body), 408);
  await ownAnswer(edge, parsed(head), 408);
  assert.equal(parsed(later).status, 200);
  assert.equal(nothing, '');
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

test('all that was logged, also over reloads and while the API was away, is one JSON object a line', async () => {
  const bad = await edge.connect({ ciphers: 'AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }).then(() => assert.fail(), (error) => error);
  assert.ok(bad);
  await until('the connection that failed', () => edge.log.includes('"event":"connection"'));
  const lines = edge.log.split('\n').slice(0, -1);
  assert.ok(lines.length > 100);
  for (const line of lines) assert.equal(JSON.parse(line).program, 'edge', line);
});
