// doors.js: what the api's two listeners do with heads and bodies that are refused before any operation runs. Nothing that was taken for such a request may
// stay behind: the numbers of requests in flight and of the arenas that they hold come back to zero after every kind of them.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const { execFileSync, spawn } = require('node:child_process');
const { describe, test } = require('node:test');
const { assert, stack, idscope, second, expect, fresh, sas, atRest, scene, Idscope, sleep, until } = require('../kit');
const { make } = require('../../lib/certificates');
const { SoftTpm } = require('../../lib/tpm');

const PLAIN = 8080; // as run.sh says
const HOST = `management.${idscope.domain}`;
const line = (target) => `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\n`;

// Writes bytes and gives all that came back. `stay`: the service is to close, not we.
function send(socket, bytes, { stay = true, waitMs = 3000 } = {}) {
  return new Promise((resolve) => {
    let text = '';
    const end = setTimeout(() => socket.destroy(), waitMs);
    socket.on('data', (part) => { text += part.toString('latin1'); });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(end);
      resolve(text);
    });
    socket.write(bytes, 'latin1', () => { if (!stay) socket.destroy(); });
  });
}

// The edge listener takes connections only from the edge's user, so they are made by a process of that user.
const AS_EDGE = `const socket = require('node:net').connect(process.argv[1]); let text = '';
  socket.on('data', (part) => { text += part.toString('latin1'); }); socket.on('error', () => {});
  socket.on('close', () => process.stdout.write(text)); socket.setTimeout(Number(process.argv[3]), () => socket.destroy());
  socket.write(Buffer.from(process.argv[2], 'base64'), () => { if (process.argv[4]) socket.destroy(); });`;
function sendAsEdge(bytes, { stay = true, waitMs = 3000 } = {}) {
  const { uid, gid } = fs.statSync(`/proc/${stack.pid('edge')}`);
  const identity = process.getuid() === 0 ? { uid, gid } : {};
  const child = spawn(process.execPath, ['-e', AS_EDGE, stack.edgeSocket('api1'), Buffer.from(bytes, 'latin1').toString('base64'), String(waitMs), stay ? '' : 'leave'],
    { ...identity, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve) => {
    let text = '';
    child.stdout.on('data', (part) => { text += part; });
    child.on('close', () => resolve(text));
  });
}

const DOORS = { plain: (bytes, options) => send(net.connect(PLAIN, '127.0.0.1'), bytes, options), edge: sendAsEdge };

// Of each: what it is, its bytes, and where the client leaves before it gets an answer.
const REFUSED = [
  ['a thousand parameters', `${line(`/?${'a&'.repeat(1000)}`)}Connection: close\r\n\r\n`],
  ['a target of 20 kB', `${line(`/${'x'.repeat(20000)}`)}\r\n`],
  ['a header of 60 kB', `${line('/')}X: ${'x'.repeat(60000)}\r\n\r\n`],
  ['three thousand headers', `${line('/')}${'a: b\r\n'.repeat(3000)}\r\n`],
  ['a thousand cookies', `${line('/')}Cookie: ${'a=b; '.repeat(1000)}\r\n\r\n`],
  ['an unknown method', `BREW / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`],
  ['a method that is no token', `GE\x01T / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
  ['a method of 10 kB', `${'G'.repeat(10000)} / HTTP/1.1\r\n\r\n`],
  ['a version from the future', `GET / HTTP/9.9\r\nHost: ${HOST}\r\n\r\n`],
  ['a version of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ['a NUL in the target', `${line('/a\0b')}\r\n`],
  ['a NUL in a header', `${line('/')}X: a\0b\r\n\r\n`],
  ['a header without a colon', `${line('/')}nothing\r\n\r\n`],
  ['a blank before the colon', `${line('/')}Content-Length : 5\r\n\r\nhello`],
  ['a folded header', `${line('/')}X: a\r\n b\r\nConnection: close\r\n\r\n`],
  ['two hosts', `${line('/')}Host: other\r\nConnection: close\r\n\r\n`],
  ['a Content-Length that is no number', `${line('/')}Content-Length: five\r\n\r\nhello`],
  ['a negative Content-Length', `${line('/')}Content-Length: -5\r\n\r\nhello`],
  ['a Content-Length beyond 64 bits', `${line('/')}Content-Length: 99999999999999999999999\r\n\r\nhello`],
  ['two Content-Lengths', `${line('/')}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
  ['Transfer-Encoding and Content-Length', `${line('/')}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
  ['an unknown Transfer-Encoding', `${line('/')}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['a chunk size that is no number', `${line('/')}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`],
  ['a chunk longer than it says', `${line('/')}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n`],
  ['Expect: 100-continue for nothing that is there', `${line('/none')}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`],
  ['Expect: something else', `${line('/none')}Content-Length: 5\r\nExpect: a-miracle\r\n\r\n`],
  ['a good request, then a bad one, in one write', `${line('/metadata/endpoints?api-version=2015-01-01')}\r\nGET /?${'a&'.repeat(1000)} HTTP/9.9\r\n\r\n`],
  ['a client that leaves in the request line', 'GET /meta', { stay: false }],
  ['a client that leaves in the head', `${line('/')}X: `, { stay: false }],
  ['a client that leaves in the body', `POST /adfs/oauth2/token HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 500\r\n\r\ngrant`, { stay: false }],
  ['a client that leaves in a chunk', `POST /adfs/oauth2/token HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n50\r\ngrant`, { stay: false }],
  ['a client that leaves before the answer', `${line('/metadata/endpoints?api-version=2015-01-01')}\r\n`, { stay: false }],
];

// Key and certificate of a device, with so many bytes that nobody reads.
function paddedIdentity(bytes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'idscope-doors.'));
  const [key, cert] = ['key', 'cert'].map((name) => path.join(folder, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=padded', '-keyout', key, '-out', cert,
    '-addext', `1.2.3.4=ASN1:UTF8String:${'x'.repeat(bytes)}`], { stdio: 'ignore' });
  const identity = { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
  fs.rmSync(folder, { recursive: true });
  return identity;
}

describe('doors: heads', () => {
  for (const [door, through] of Object.entries(DOORS)) {
    for (const [what, bytes, options] of REFUSED) {
      test(`${door}: after ${what} nothing stays behind`, async () => {
        await atRest();
        const texts = await Promise.all(Array.from({ length: 3 }, () => through(bytes, { waitMs: 1500, ...options })));
        for (const text of texts) assert.doesNotMatch(text, /^HTTP\/1\.1 (?:50[0-4]|2(?!00 [^]*"audiences"))/, 'neither a success nor our fault');
        await atRest();
      });
    }
  }

  test('too many parameters are refused in the shape of the plane, with a tracking id that is in the log, through every door', async () => {
    const answers = [await DOORS.plain(REFUSED[0][1]), await DOORS.edge(REFUSED[0][1])];
    const through = await idscope.https.request('GET', 'localhost', `/?${'a&'.repeat(1000)}`);
    assert.equal(through.status, 400, through.text);
    for (const text of answers) assert.match(text, /^HTTP\/1\.1 400 [^]*application\/json[^]*"error":\{"code":"InvalidRequestContent","message":"The query has more than 100 parameters\./);
    const ids = answers.map((text) => ['api', /x-ms-request-id: (\S+)/.exec(text)[1]]);
    ids.push(['edge', through.headers['x-ms-request-id']]); // the first that sees it says so, and logs it
    await until('the refusals to be logged', () => ids.every(([who, id]) => stack.events(who).some((event) => event.trackingId === id && event.status === 400)), { timeoutMs: 5000 });
  });

  test('all that the edge lets pass is answered by the api and not by its HTTP library', async () => {
    const host = `global.dps.${idscope.domain}`;
    const cookie = `${'a;'.repeat(49)}${'c'.repeat(4096 - 98)}`;
    const start = `GET /portal/${'x'.repeat(7000)}?${'a=b&'.repeat(99)}a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nCookie: ${cookie}\r\n${Array.from({ length: 91 }, (_, i) => `X-${i}: y\r\n`).join('')}`;
    const largest = `${start}Z: ${'z'.repeat(17900 - start.length)}\r\n\r\n`;
    const answer = await send(tls.connect({ host: '127.0.0.1', port: 443, servername: host, ...paddedIdentity(11500) }), largest);
    assert.match(answer, /^HTTP\/1\.1 404 [^]*"errorCode":404/);
    const id = /x-ms-request-id: (\S+)/.exec(answer)[1];
    await until('its line in the log', () => stack.events('api').some((event) => event.trackingId === id && event.event === 'request'), { timeoutMs: 5000 });
    const cookies = await send(tls.connect({ host: '127.0.0.1', port: 443, servername: HOST }), `${line('/portal')}Connection: close\r\nCookie: ${'a;'.repeat(7000)}\r\n\r\n`);
    assert.match(cookies, /^HTTP\/1\.1 400 [^]*x-ms-request-id: [^]*"message":"The cookies are larger than 4 KiB/, 'the first that sees it says so');
  });

  test('what the HTTP library answers by itself is logged', async () => {
    await DOORS.plain(`${line('/')}X: ${'x'.repeat(100000)}\r\n\r\n`);
    await until('the refusal to be logged', () => stack.events('api').some((event) => event.event === 'httpRefused'), { timeoutMs: 5000 });
  });

  test('a drain waits for none of them', async () => {
    for (const [, bytes] of REFUSED) await DOORS.plain(bytes, { stay: false });
    const begun = Date.now();
    await stack.run('stop-part', 'api1');
    const tookMs = Date.now() - begun;
    await stack.run('start-part', 'api1');
    assert.ok(tookMs < 3000, `the drain took ${tookMs} ms`);
  });
});

// Through the plain listener of the second deployment, a release build, so that its memory is its own; its body_timeout_ms is 6000 (run.sh).
const SECOND = 8081;
const BODY_MS = 6000;
const KIB = 1024;
const registerLine = (length, authorization = `SharedAccessSignature sr=x&sig=${'A'.repeat(43)}%3D&se=9999999999&skn=registration`) =>
  `PUT /0ne00000000/registrations/slow/register?api-version=2021-10-01 HTTP/1.1\r\nHost: global.dps.second.test\r\nAuthorization: ${authorization}\r\nContent-Length: ${length}\r\n\r\n`;
const connect = (localAddress = '127.0.0.1') => net.connect({ port: SECOND, host: '127.0.0.1', localAddress });

async function answerOf(bytes, options) {
  const begun = Date.now();
  const text = await send(connect(), bytes, { waitMs: 20000, ...options });
  return { text, ms: Date.now() - begun, status: Number((/^HTTP\/1\.1 (\d+)/.exec(text) || [])[1]), json: text.includes('{') ? JSON.parse(text.slice(text.indexOf('{'))) : undefined };
}

describe('doors: bodies', () => {
  test('a body that does not arrive in time is answered 408 with a tracking id that is in the log, though it drips on', async () => {
    const socket = connect();
    const drip = setInterval(() => socket.write('x'), 200);
    const begun = Date.now();
    const text = await send(socket, registerLine(50000), { waitMs: 20000 });
    clearInterval(drip);
    assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n[^]*Content-Type: application\/json[^]*Connection: close/);
    assert.ok(Date.now() - begun < BODY_MS + 3000, `${Date.now() - begun} ms`);
    const { trackingId, errorCode } = JSON.parse(text.slice(text.indexOf('{')));
    assert.equal(errorCode, 408000);
    await until('the time-out to be logged', () => second.stack.events('api').some((event) => event.trackingId === trackingId && event.status === 408), { timeoutMs: 5000 });
  });

  test('what needs no body to be refused is refused for its own reason, and none of its body is kept', async () => {
    const cases = [
      [registerLine(90 * KIB).replace('/register?', '/nothing?'), 404],
      [registerLine(90 * KIB, '').replace('PUT', 'POST').replace('/register?', '?'), 401], // of a register, the body may be the credential
      [registerLine(90 * KIB).replace('0ne00000000', 'noscope'), 401],
      [registerLine(90 * KIB).replace('2021-10-01', 'never'), 400],
      [registerLine(900 * KIB), 413],
      [registerLine(90 * KIB).replace('PUT', 'DELETE'), 405],
      [`PUT /enrollments/x?api-version=2021-10-01 HTTP/1.1\r\nHost: any.dps.second.test\r\nContent-Length: 50000\r\n\r\n`, 401],
      [`PUT /enrollments/x?api-version=2021-10-01 HTTP/1.1\r\nHost: any.dps.second.test\r\nAuthorization: SharedAccessSignature sr=other&sig=AAAA&se=9999999999&skn=x\r\nContent-Length: 50000\r\n\r\n`, 401],
      [`PUT /devices/x?api-version=2021-04-12 HTTP/1.1\r\nHost: any.hub.second.test\r\nContent-Length: 5000\r\n\r\n`, 401],
      [`PUT /subscriptions/s/resourcegroups/g?api-version=2021-04-12 HTTP/1.1\r\nHost: management.second.test\r\nContent-Length: 5000\r\n\r\n`, 401],
    ];
    const whole = await Promise.all(cases.map(([head]) => answerOf(`${head}${'x'.repeat(Number(/Content-Length: (\d+)/.exec(head)[1]))}`, { waitMs: 2000 })));
    const slow = await Promise.all(cases.map(([head]) => answerOf(`${head}x`)));
    for (const [i, [head, status]] of cases.entries()) {
      assert.equal(whole[i].status, status, `${head}: ${whole[i].text}`);
      assert.equal(slow[i].status, status, `${head}: ${slow[i].text}`);
      assert.ok(slow[i].json && slow[i].ms < BODY_MS + 3000, slow[i].text);
    }
  });

  test('two thousand slow bodies from one address hold little memory, all hear of it in time, and a neighbour is served meanwhile', async (t) => {
    const made = await scene(t, { hubs: 1 }, second.idscope);
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${second.stack.pid('api1')}/status`, 'utf8'))[1]);
    const before = rss();
    const slow = Array.from({ length: 2000 }, (_, i) => answerOf(`${registerLine(95 * KIB)}${'x'.repeat(i % 2 ? 1 : 90 * KIB)}`, { waitMs: 30000 }));
    let most = before;
    const watch = setInterval(() => { most = Math.max(most, rss()); }, 100);
    await sleep(1500);

    const authorization = sas.forHost(made.instance.host, made.instance.policy, made.instance.key);
    for (let i = 0; i < 10; i++) {
      const id = fresh('neighbour');
      const body = JSON.stringify(Idscope.enrollment(id));
      const begun = Date.now();
      const text = await send(connect('127.0.0.9'), `PUT /enrollments/${id}?api-version=2021-10-01 HTTP/1.1\r\nHost: ${made.instance.host}\r\nAuthorization: ${authorization}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      assert.match(text, /^HTTP\/1\.1 200 /);
      assert.ok(Date.now() - begun < 2000, `the neighbour waited ${Date.now() - begun} ms`);
    }
    const answers = await Promise.all(slow);
    clearInterval(watch);
    const counts = answers.reduce((sofar, { status }) => ({ ...sofar, [status]: (sofar[status] || 0) + 1 }), {});
    assert.deepEqual(Object.keys(counts).sort(), ['408', '503'], JSON.stringify(counts));
    for (const { status, text } of answers) if (status === 503) assert.match(text, /\r\nRetry-After: [1-9]/);
    assert.ok(most - before < 64 * KIB, `grew by ${most - before} kB`);
    t.diagnostic(`${JSON.stringify(counts)}, ${most - before} kB at most`);
    await atRest(second.stack, 10000);
    expect('the address is served again', await second.idscope.service(made.instance, 'GET', '/enrollments/none'), 404);
  });
});

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

// Asks on one kept connection of the second deployment; gives the time, the status and the words. `shown`: through the edge, with that certificate.
function asker(t, shown) {
  const client = shown ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: 1, ...(shown && { ca: fs.readFileSync(second.idscope.env.IDSCOPE_CA), cert: shown.cert, key: shown.key }) });
  const to = shown ? { host: '127.0.0.2', port: 443, servername: 'global.dps.second.test' } : { host: '127.0.0.1', port: SECOND };
  t.after(() => agent.destroy());
  return ({ method, host, target, authorization, body = '' }) => new Promise((resolve, reject) => {
    const begun = process.hrtime.bigint();
    const request = client.request({ method, agent, ...to, path: target,
      headers: { Host: host, ...(authorization && { Authorization: authorization }), 'Content-Type': 'application/json', 'Content-Length': body.length } });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.on('data', (part) => { text += part; });
      response.on('end', () => {
        const { message, errorCode, Message } = JSON.parse(text);
        resolve({ us: Number(process.hrtime.bigint() - begun) / 1000, status: response.statusCode, words: `${errorCode} ${message} ${Message}` });
      });
    });
    request.end(body);
  });
}

// The median of each kind in us, when they are asked in turns; `said` gets what they were told.
async function timesOf(what, ask, kinds, said) {
  const times = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
  for (let i = 0; i < 300; i++) {
    for (const [kind, whom] of Object.entries(kinds)) {
      const { us, status, words } = await ask(whom(i));
      assert.equal(status, 401, `${what}, ${kind}: ${words}`);
      said.add(words);
      if (i >= 50) times[kind].push(us);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([kind, all]) => [kind, Math.round(median(all))]));
}

// All kinds are refused in the same words, and after the same time as a wrong key. What a busy machine does is not there a second time, a difference is.
async function refusedAlike(t, what, ask, kinds) {
  const said = new Set();
  let medians, different;
  for (let tries = 0; tries < 3 && !(different && different.length === 0); tries++) {
    medians = await timesOf(what, ask, kinds, said);
    t.diagnostic(`${what}, medians in us: ${JSON.stringify(medians)}`);
    different = Object.keys(medians).filter((kind) => medians[kind] / medians.wrongKey <= 0.75 || medians[kind] / medians.wrongKey >= 1.33);
  }
  assert.equal(said.size, 1, `${what}: ${[...said].join('; ')}`);
  assert.deepEqual(different, [], `${what}: in us ${JSON.stringify(medians)}`);
}

describe('doors: strangers', () => {
  // What a device may ask: method, and what follows its id in the path.
  const ASKED = { status: ['POST', ''], register: ['PUT', '/register'], poll: ['GET', '/operations/4.0123456789abcdef.01234567-89ab-4cde-8f01-23456789abcd'] };

  test('a wrong key, an unknown registration id and an unknown ID scope are refused with the same words after the same time', async (t) => {
    const made = await scene(t, { hubs: 1 }, second.idscope);
    const device = await made.enroll();
    const key = sas.newKey();
    const ask = asker(t);
    const strangers = ([method, rest]) => {
      const call = (scope, id) => ({ method, host: 'global.dps.second.test', target: `/${scope}/registrations/${id}${rest}?api-version=2021-10-01`,
        authorization: sas.forDevice(scope, id, key), body: method === 'GET' ? '' : '{}' });
      return { wrongKey: () => call(made.idScope, device.id), unknownId: (i) => call(made.idScope, `nobody-${i}`), unknownScope: () => call('0neE0000001', device.id) };
    };
    const batches = async () => (await second.stack.metrics('api1')).idscope_batch_size_count;
    for (const [what, asked] of Object.entries(ASKED)) {
      for (const [kind, whom] of Object.entries(strangers(asked))) {
        const before = await batches();
        for (let i = 0; i < 20; i++) await ask(whom(i));
        assert.equal(await batches() - before, 40, `each refusal of ${kind} asks the database in the first lanes, and for groups in the second class (${what})`);
      }
      await refusedAlike(t, what, ask, strangers(asked));
    }
  });

  test('another endorsement key is refused like an unknown registration id, in words and time, by the lanes for cheap checks', async (t) => {
    const made = await scene(t, { hubs: 1 }, second.idscope);
    const [tpm, other, id] = [new SoftTpm(), new SoftTpm(), fresh('tpm')];
    const attestation = { type: 'tpm', tpm: { endorsementKey: tpm.endorsementKey } };
    expect('enroll', await second.idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: { registrationId: id, attestation } }), 200);
    const ask = asker(t);
    const call = (whom) => ({ method: 'PUT', host: 'global.dps.second.test', target: `/${made.idScope}/registrations/${whom}/register?api-version=2021-10-01`, body: JSON.stringify({ tpm: other.shown }) });
    const dear = async () => (await second.stack.metrics('api1'))['idscope_lane_calls_total{lane="device-dear"}'];
    const before = await dear();
    await refusedAlike(t, 'TPM', ask, { wrongKey: () => call(id), unknownId: (i) => call(`nobody-${i}`) });
    assert.equal(await dear(), before);
  });

  test('a wrong certificate is refused like an unknown registration id and like one with keys, in words and time, also where CAs of groups are asked', async (t) => {
    const made = await scene(t, { hubs: 1 }, second.idscope);
    const [foreign, keyed, id] = [make('Foreign CA', { ca: true }), await made.enroll(), fresh('unit')];
    const put = async (at, body) => expect(at, await second.idscope.service(made.instance, 'PUT', at, { body }), 200);
    await put(`/enrollments/${id}`, { registrationId: id, attestation: { type: 'x509', x509: { clientCertificates: { primary: { certificate: make(id).cert } } } } });
    const leaf = make(id, { by: foreign });
    const ask = asker(t, { ...leaf, cert: leaf.cert + foreign.cert });
    const call = ([method, rest], whom) => ({ method, host: 'global.dps.second.test', target: `/${made.idScope}/registrations/${whom}${rest}?api-version=2021-10-01`, body: method === 'GET' ? '' : '{}' });
    const strangers = (asked) => ({ wrongKey: () => call(asked, keyed.id), wrongCertificate: () => call(asked, id), unknownId: (i) => call(asked, `nobody-${i}`) });
    const first = async () => (await second.stack.metrics('api1'))['idscope_lane_calls_total{lane="device"}'];
    const before = await first();
    await refusedAlike(t, 'certificate', ask, strangers(ASKED.register));
    for (let n = 0; n < 5; n++)
      await put(`/enrollmentGroups/line-${n}`, { enrollmentGroupId: `line-${n}`, attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: make(`CA ${n}`, { ca: true }).cert } } } } });
    for (const [what, asked] of Object.entries(ASKED)) await refusedAlike(t, `${what}, certificate among groups`, ask, strangers(asked));
    assert.equal(await first(), before, 'whoever shows a certificate costs the lanes for cheap checks nothing');
  });

  test('where there are enrollment groups, an unknown registration id is looked for as long as one whose key is wrong', async (t) => {
    const made = await scene(t, { hubs: 1 }, second.idscope);
    const device = await made.enroll();
    for (let n = 0; n < 20; n++) {
      const answer = await second.idscope.service(made.instance, 'PUT', `/enrollmentGroups/hall-${n}`, { body: { enrollmentGroupId: `hall-${n}`, attestation: { type: 'symmetricKey' } } });
      assert.equal(answer.status, 200, answer.text);
    }
    const key = sas.newKey();
    const ask = asker(t);
    for (const [what, [method, rest]] of Object.entries(ASKED)) {
      const call = (id) => ({ method, host: 'global.dps.second.test', target: `/${made.idScope}/registrations/${id}${rest}?api-version=2021-10-01`,
        authorization: sas.forDevice(made.idScope, id, key), body: method === 'GET' ? '' : '{}' });
      await refusedAlike(t, `${what} among groups`, ask, { wrongKey: () => call(device.id), unknownId: (i) => call(`nobody-${i}`) });
    }
  });

  test('on the service plane and at a hub, a policy that is not there is refused like a wrong key, in words and time', async (t) => {
    const made = await scene(t, { hubs: 1 }, second.idscope);
    const key = sas.newKey();
    const ask = asker(t);
    const strangers = (host, policy, target) => {
      const call = (name, signed) => ({ method: 'GET', host, target, authorization: sas.forHost(host, name, signed) });
      return { wrongKey: () => call(policy, key), unknownPolicy: (i) => call(`nobody-${i}`, key) };
    };
    await refusedAlike(t, 'service', ask, strangers(made.instance.host, made.instance.policy, '/enrollments/anybody?api-version=2021-10-01'));
    await refusedAlike(t, 'hub', ask, strangers(made.hubs[0].host, 'iothubowner', '/devices/anybody?api-version=2021-04-12'));
  });
});
