// hostile.js: what no well-behaved client sends, and what many well-behaved ones send at the same moment. Each is answered, in the shape of its plane, with
// field and rule; none is an internal error (the suite "endings" looks for those), a reset connection, or a change of what it had no right to change.
'use strict';

const tls = require('node:tls');
const { describe, test, before, after } = require('node:test');
const { assert, stack, idscope, Idscope, expect, fresh, refused, refusedArm, refusedHub, sas, sharedScene, until } = require('../kit');

const MIB = 1024 * 1024;
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));
const statuses = (answers) => answers.reduce((counts, { status }) => ({ ...counts, [status]: (counts[status] || 0) + 1 }), {});

// Bytes as they are, over TLS; gives all that came back until the service closed or `done` says that it is enough.
function raw(bytes, done = (text) => /\r\n\r\n[^]/.test(text), servername = 'localhost') {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port: 443, servername }, () => socket.write(bytes));
    let text = '';
    socket.setTimeout(40000, () => socket.destroy(new Error(`no answer; so far: ${text}`)));
    socket.on('data', (part) => {
      text += part.toString('latin1');
      if (done(text)) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

describe('hostile: heads and bodies', { concurrency: 4 }, () => {
  const made = sharedScene({ before, after });
  const put = (id, options) => idscope.service(made.instance, 'PUT', `/enrollments/${id}`, options);

  test('a Host header that is no host is refused in the shape of its plane', async () => {
    for (const name of ['\xff\xfe', 'a b', '<x>', 'me@x', 'a/b']) {
      refused(await idscope.service(made.instance, 'GET', '/enrollments/x', { headers: { Host: `${name}.dps.${idscope.domain}` } }), 400, /Host/);
      refusedHub(await idscope.hub(made.hubs[0], 'GET', '/devices/x', { headers: { Host: `${name}.hub.${idscope.domain}` } }), 400, 'ArgumentInvalid', /Host/);
      refusedArm(await idscope.arm('GET', '/subscriptions', { headers: { Host: `${name}.example` } }), 400, 'InvalidRequestContent', /Host/);
    }
  });

  test('without a Host header the management plane answers, and its URLs have a host', async () => {
    const text = await raw('GET /metadata/endpoints?api-version=2015-01-01 HTTP/1.1\r\n\r\n', (sofar) => sofar.includes('audiences'));
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(text.includes(`"https://management.${idscope.domain}/adfs"`), text);
  });

  test('a body over the limit is answered, however it is sent, and the connection serves the next request', async () => {
    const host = made.instance.host;
    const authorization = sas.forHost(host, made.instance.policy, made.instance.key);
    const head = `PUT /enrollments/x?api-version=2021-10-01 HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${authorization}\r\n`;
    const next = `GET /enrollments/none?api-version=2021-10-01 HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`;
    for (const size of [MIB / 2, 2 * MIB, 5 * MIB]) {
      const body = 'a'.repeat(size);
      for (const sent of [`Content-Length: ${size}\r\n\r\n${body}`, `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`]) {
        const text = await raw(head + sent + next, () => false, host);
        assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 413', 'HTTP/1.1 404'], `${size} bytes`);
      }
    }
  });

  test('what the edge itself refuses has a tracking id that is in the edge\'s log', async () => {
    const text = await raw(`PUT /enrollments/x?api-version=2021-10-01 HTTP/1.1\r\nHost: ${made.instance.host}\r\nContent-Length: 500\r\n\r\n{`);
    assert.match(text, /^HTTP\/1\.1 408 /);
    const { trackingId } = JSON.parse(text.slice(text.indexOf('{')));
    await until('the refusal to be logged', () => stack.events('edge').some((event) => event.trackingId === trackingId && event.status === 408), { timeoutMs: 5000 });
  });

  test('numbers of any size are stored, shown, and can be written back', async () => {
    for (const number of ['1e20', '12345678901234567890', '1e308', '-9223372036854775808', '5']) {
      const id = fresh('number');
      const text = `{"registrationId":"${id}","attestation":{"type":"symmetricKey"},"initialTwin":{"tags":{"n":${number},"one":1}}}`;
      expect('create', await put(id, { body: text }), 200);
      const read = await idscope.service(made.instance, 'GET', `/enrollments/${id}`);
      assert.deepEqual(read.json.initialTwin, { tags: { n: Number(number), one: 1 } });
      for (const body of [read.text, JSON.stringify(read.json)]) {
        assert.deepEqual(expect(`write back ${number}`, await put(id, { body, headers: { 'If-Match': '*' } }), 200).initialTwin, read.json.initialTwin);
      }
    }
    const huge = fresh('number');
    expect('create', await put(huge, { body: `{"registrationId":"${huge}","attestation":{"type":"symmetricKey"},"initialTwin":{"tags":{"n":1e400}}}` }), 200);
    assert.match((await idscope.service(made.instance, 'GET', `/enrollments/${huge}`)).text, /"initialTwin":\{"tags":\{"n":1e400\}\}/);
    const { json } = refused(await put(fresh('nul'), { body: '{"registrationId":"\\u0000"}' }), 400, /\\u0000 is not allowed/);
    assert.doesNotMatch(json.message, /JSON_/);
  });

  test('an empty etag is not any etag; a weak one counts', async () => {
    const device = fresh('device');
    const change = (match) => idscope.hub(made.hubs[0], 'PUT', `/devices/${device}`, { body: { deviceId: device }, headers: { 'If-Match': match } });
    const { etag } = expect('create', await idscope.hub(made.hubs[0], 'PUT', `/devices/${device}`, { body: { deviceId: device } }), 200);
    refusedHub(await change('""'), 412, 'PreconditionFailed');
    refusedHub(await idscope.hub(made.hubs[0], 'DELETE', `/devices/${device}`, { headers: { 'If-Match': '""' } }), 412, 'PreconditionFailed');
    expect('weak', await change(`W/"${etag}"`), 200);
    refusedHub(await change(`W/"${etag}"`), 412, 'PreconditionFailed');
  });

  test('clients that go away in the middle of a request harm nobody', async () => {
    const line = `GET /enrollments/none?api-version=2021-10-01 HTTP/1.1\r\nHost: ${made.instance.host}\r\n\r\n`;
    await many(60, (i) => new Promise((resolve) => {
      const socket = tls.connect({ host: '127.0.0.1', port: 443, servername: made.instance.host }, () => {
        socket.write(i % 2 ? line.repeat(5) : line.slice(0, i));
        socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', resolve);
    }));
    refused(await idscope.service(made.instance, 'GET', '/enrollments/none'), 404, /./, 404201);
  });
});

describe('hostile: fifty at the same moment', () => {
  const made = sharedScene({ before, after });
  const body = { location: 'westeurope', sku: { name: 'S1', capacity: 1 }, properties: {} };

  test('an instance is created once and changed by the others; of those with its etag one wins', async () => {
    const path = idscope.instancePath(made.group, fresh('dps'));
    assert.deepEqual(statuses(await many(50, () => idscope.arm('PUT', path, { body }))), { 200: 49, 201: 1 });
    const { etag } = (await idscope.arm('GET', path)).json;
    assert.deepEqual(statuses(await many(50, (i) => idscope.arm('PUT', path, { body: { ...body, tags: { i: String(i) } }, headers: { 'If-Match': `"${etag}"` } }))), { 200: 1, 412: 49 });
  });

  test('an enrollment is created once; of those with its etag one wins; all may overwrite', async () => {
    const id = fresh('device');
    const put = (match) => idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: Idscope.enrollment(id), headers: { 'If-Match': match } });
    assert.deepEqual(statuses(await many(50, () => put())), { 200: 1, 409: 49 });
    const { etag } = (await idscope.service(made.instance, 'GET', `/enrollments/${id}`)).json;
    assert.deepEqual(statuses(await many(50, () => put(etag))), { 200: 1, 412: 49 });
    assert.deepEqual(statuses(await many(50, () => put('*'))), { 200: 50 });
  });
});
