// locked.js: what a DBA does to a database that is in use: a migration that changes the type of a column, a lock that outlasts every statement. The
// server is well all the while, so nobody may take it for lost, and nothing may fail that can be done again: nor what loses to changes of its instance.
'use strict';

const { describe, test } = require('node:test');
const { assert, stack, idscope, expect, refused, sas, scene, sleep, until } = require('../kit');

const LOCK_S = 33; // longer than a statement may take in the worker
const LANES = 16;

async function ready(part) {
  const response = await fetch(`http://${stack.health(part)}/readyz`, { signal: AbortSignal.timeout(5000) });
  return `${response.status} ${(await response.text()).trim()}`;
}

const several = (work) => Promise.all(Array.from({ length: LANES }, work));

describe('locked: a migration beside the running service', () => {
  test('after a column has changed its type every statement is prepared anew: no request fails, neither a read nor a write', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const place = idscope.instancePath(made.group, made.instance.name);
    const read = () => idscope.arm('GET', place);
    const group = () => idscope.arm('GET', idscope.groupPath(made.group));
    const migrate = (type) => stack.sql(`alter table idscope.resource_group alter location type ${type}; alter table idscope.instance alter location type ${type}`);
    for (const type of ['varchar(90)', 'text']) {
      for (const answer of [...await several(read), ...await several(group)]) expect('before', answer, 200); // each lane has them prepared
      await migrate(type);
      for (const answer of [...await several(read), ...await several(group)]) expect(`with ${type}`, answer, 200);
      const policy = type === 'text' ? 'Hashed' : 'GeoLatency';
      await several(() => made.put({ allocationPolicy: policy }));
      assert.equal(expect('read', await read(), 200).properties.allocationPolicy, policy);
    }
  });
});

describe('locked: an instance that changes while a device registers', () => {
  const waiting = (mode, who) => `(SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.relation = 'idscope.registration'::regclass AND NOT l.granted AND l.mode = '${mode}' AND a.application_name LIKE '${who}%') > 0`;
  const write = waiting('RowExclusiveLock', 'idscope-api');
  const nextChange = waiting('ShareRowExclusiveLock', 'psql');
  const seen = (what, condition) => until(what, async () => (await stack.sql(`SELECT ${condition}`)) === 't');

  // A change that is committed once it stands between a look-up and its write, and the next change behind both.
  const change = (made, isLast) => stack.sql(`BEGIN; LOCK TABLE idscope.registration IN SHARE ROW EXCLUSIVE MODE;
    UPDATE idscope.scope SET version = version + 1 WHERE id_scope = '${made.idScope.toLowerCase()}';
    DO $$ BEGIN WHILE NOT (${isLast ? write : `${write} AND ${nextChange}`}) LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END $$; COMMIT`);

  test('a register that loses three times in a row is written by its fourth try, not sent away', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.enroll();
    const changes = [change(made, false)];
    await seen('the first change to hold the table', "EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'idscope.registration'::regclass AND mode = 'ShareRowExclusiveLock' AND granted)");
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    const answer = idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization });
    for (const isLast of [false, true]) {
      await seen('the write to be held up', write);
      changes.push(change(made, isLast));
      await changes.at(-2);
    }
    await changes.at(-1);
    assert.equal((await answer).status, 202);
    assert.equal((await made.register(device)).status, 'assigned');
  });
});

describe('locked: a lock that outlasts the statement time-out', () => {
  test('the worker stays ready and the api too; what meets the lock is 503 in time; then all goes on', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const device = await made.enroll();
    const since = new Date().toISOString();
    let over = false;
    const holder = stack.sql(`begin; lock table idscope.job in access exclusive mode; select pg_sleep(${LOCK_S}); commit`).finally(() => { over = true; });
    await until('the lock to be held', async () => (await stack.sql("select count(*) from pg_locks where relation = 'idscope.job'::regclass and mode = 'AccessExclusiveLock' and granted")) === '1');
    const authorization = sas.forDevice(made.idScope, device.id, device.key);
    const met = idscope.device('PUT', made.idScope, `${device.id}/register`, { body: {}, authorization });
    while (!over) {
      for (const part of ['api1', 'worker1']) assert.match(await ready(part), /^200 /, part);
      await sleep(500);
    }
    await holder;
    refused(await met, 503);
    assert.deepEqual(stack.events('worker').filter((event) => event.time > since && event.event === 'databaseLost'), []);
    assert.equal((await made.register(device)).status, 'assigned');
  });
});
