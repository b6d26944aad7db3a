// frozen.js: the database is there and says nothing: all its processes are stopped for a while. Everybody is told so in time, by a thread that waits for
// nothing; nothing that was refused runs afterwards; and when the database goes on, so does the service, by itself.
'use strict';

const { execFileSync } = require('node:child_process');
const { describe, test } = require('node:test');
const { assert, stack, idscope, Idscope, expect, sas, fresh, refused, refusedArm, refusedHub, scene, sleep, until } = require('../kit');

const ANSWER_MS = 13000; // request_timeout_ms is 10000
const UNREADY_MS = 6000;
const SERVICE_LANES = 2;

async function ready(part) {
  const response = await fetch(`http://${stack.health(part)}/readyz`, { signal: AbortSignal.timeout(3000) });
  return response.status === 200;
}

// The server's processes of this moment: the first one stops first, so that it starts no others.
async function whileFrozen(work) {
  const first = stack.pid('postgres');
  process.kill(first, 'SIGSTOP');
  const all = [first, ...execFileSync('pgrep', ['-P', String(first)], { encoding: 'utf8' }).trim().split('\n').map(Number)];
  try {
    for (const pid of all) process.kill(pid, 'SIGSTOP');
    return await work();
  } finally {
    for (const pid of all.reverse()) process.kill(pid, 'SIGCONT');
  }
}

async function timed(work) {
  const begun = Date.now();
  const answer = await work();
  return { answer, ms: Date.now() - begun };
}

describe('frozen: PostgreSQL is stopped', () => {
  test('every plane answers 503 in time, the api is not ready, what was refused is not done later, and all is well again', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.registered();
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    const ids = Array.from({ length: 20 }, () => fresh('late'));
    const put = (id) => idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: Idscope.enrollment(id) });

    await whileFrozen(async () => {
      const begun = Date.now();
      const unready = until('the api to be unready', async () => !(await ready('api1')), { timeoutMs: 30000, everyMs: 100 }).then(() => Date.now() - begun);
      const [puts, register, poll, list, get] = await Promise.all([
        Promise.all(ids.map((id) => timed(() => put(id)))),
        timed(() => idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization })),
        timed(() => idscope.device('POST', made.idScope, device.id, { body: {}, authorization })),
        timed(() => idscope.hub(made.hubs[0], 'GET', '/devices')),
        timed(() => idscope.arm('GET', idscope.instancePath(made.group, made.instance.name))),
      ]);
      for (const { answer } of puts) refused(answer, 503);
      for (const { answer } of [register, poll]) refused(answer, 503);
      refusedHub(list.answer, 503, 'ServiceUnavailable');
      refusedArm(get.answer, 503, 'ServiceUnavailable');
      for (const { answer, ms } of [...puts, register, poll, list, get]) {
        assert.ok(ms < ANSWER_MS, `an answer took ${ms} ms`);
        assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
      }
      const unreadyMs = await unready;
      assert.ok(unreadyMs < UNREADY_MS, `unready after ${unreadyMs} ms`);
    });

    await until('every plane to be back', async () => {
      const answers = await Promise.all([idscope.arm('GET', idscope.instancePath(made.group, made.instance.name)), idscope.service(made.instance, 'GET', `/enrollments/${device.id}`),
        idscope.hub(made.hubs[0], 'GET', '/devices'), made.poll(device, 'none')]);
      return (await ready('api1')) && answers.every((answer) => answer.status < 500);
    }, { timeoutMs: 30000 });

    // What had reached the database when it stopped may be done, as with every answer that is lost; what waited may not.
    await sleep(1000);
    const found = await Promise.all(ids.map((id) => idscope.service(made.instance, 'GET', `/enrollments/${id}`)));
    const done = found.filter((answer) => answer.status === 200).length;
    assert.ok(done <= SERVICE_LANES, `${done} of the refused were done afterwards`);
    for (const answer of found) assert.ok([200, 404].includes(answer.status), answer.text);

    for (const [i, id] of ids.entries()) if (found[i].status === 404) expect('again', await put(id), 200);
    assert.equal((await made.register(device)).status, 'assigned');
    await until('nothing to be left of the calls that were given up', async () => {
      const { idscope_requests_in_flight: requests, idscope_arenas: arenas } = await stack.metrics('api1');
      return requests === 0 && arenas === 0;
    }, { timeoutMs: 15000 });
  });
});
