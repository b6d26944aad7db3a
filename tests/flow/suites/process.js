// process.js: what every program is, whatever its work: a log that nobody reads holds nothing up, exit codes say whether starting again helps,
// root is given up. The programs are started here, beside those of the deployment, on its database.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { execFileSync, spawn } = require('node:child_process');
const { Mute } = require('../../lib/mute');
const { SoftTpm } = require('../../lib/tpm');
const { assert, expect, idscope, sas, stack, scene, until, each, fresh, names, work } = require('../kit');

const BUILD = path.join(__dirname, '../../../build', process.env.FLAVOR || 'asan');
const RING = path.join(stack.folder, 'keys/ring');
const SOON_MS = 15000; // generous: a busy machine, sanitizers

async function freeAddress() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

function get(address, target, agent) {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path: target, agent, timeout: SOON_MS }, (response) => {
      let text = '';
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer: ${address}${target}`)));
    request.on('error', reject);
  });
}

function put(address, host, target, body, authorization) {
  const [hostname, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const headers = { Host: host, 'Content-Type': 'application/json', ...(authorization && { Authorization: authorization }) };
    const request = http.request({ host: hostname, port, path: target, method: 'PUT', timeout: SOON_MS, headers }, (response) => {
      let text = '';
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, json: JSON.parse(text) }));
    });
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

// A pipe that nobody reads, until `lines` does. `full`: not even one line fits any more.
class Pipe {
  constructor({ full = false } = {}) {
    this.path = path.join(work, fresh('stderr'));
    execFileSync('mkfifo', [this.path]);
    this.fd = fs.openSync(this.path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    if (full) this.fill();
    this.forChild = fs.openSync(this.path, 'r+'); // its own description: this one blocks
  }

  fill() {
    for (const size of [4096, 1]) {
      try {
        for (;;) fs.writeSync(this.fd, ' '.repeat(size - 1) + '\n');
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    }
  }

  // What has been written by now.
  read() {
    const parts = [];
    const part = Buffer.alloc(65536);
    try {
      for (;;) parts.push(Buffer.from(part.subarray(0, fs.readSync(this.fd, part, 0, part.length))));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
    return Buffer.concat(parts).toString();
  }

  close() {
    fs.closeSync(this.fd);
    fs.closeSync(this.forChild);
    fs.rmSync(this.path);
  }
}

// A program of this build. stderr: a descriptor, or its text is kept. `ended` gives its exit code.
function start(name, args, stderr = 'pipe') {
  const child = spawn(path.join(BUILD, `idscope-${name}`), args, { stdio: ['ignore', 'ignore', stderr], env: { PATH: process.env.PATH, TZ: 'UTC', ASAN_OPTIONS: process.env.ASAN_OPTIONS || '' } });
  const program = { child, said: '', code: undefined };
  if (child.stderr) child.stderr.on('data', (part) => { program.said += part; });
  program.ended = new Promise((resolve) => child.on('close', (code, signal) => {
    program.code = code ?? signal;
    resolve(program.code);
  }));
  return program;
}

const within = (what, program) => until(what, () => program.code !== undefined, { timeoutMs: SOON_MS, everyMs: 20 }).then(() => program.code);

const common = (name, health) => [`--database-url=${stack.databaseUrl(`idscope_${name}`)}`, `--key-ring-file=${RING}`, `--domain=${stack.env.IDSCOPE_DOMAIN}`, `--health-listen=${health}`];

async function startApi(t, { stderr, more = [] } = {}) {
  const [health, plain] = [await freeAddress(), await freeAddress()];
  const program = start('api', [...common('api', health), `--plain-listen=${plain}`, ...more], stderr);
  t.after(() => program.child.kill('SIGKILL'));
  return Object.assign(program, { health, plain });
}

async function startWorker(t, { stderr, more = [] } = {}) {
  const health = await freeAddress();
  const program = start('worker', [...common('worker', health), '--edge-address=127.0.0.1:443', `--ca-file=${work}/ca.pem`, '--outgoing-allow=127.0.0.0/8', ...more], stderr);
  t.after(() => program.child.kill('SIGKILL'));
  return Object.assign(program, { health });
}

const isReady = (program) => get(program.health, '/readyz').then(({ status }) => status === 200, () => false);
const ready = (program) => until('the program to be ready', () => {
  assert.equal(program.code, undefined, `ended with ${program.code}: ${program.said}`);
  return isReady(program);
}, { timeoutMs: 60000 });
const lost = async (program) => Number(/^idscope_log_lines_lost_total (\d+)$/m.exec((await get(program.health, '/metrics')).text)[1]);

// The program ends with this code, and its log says why in these words.
async function ends(t, name, more, code, ...words) {
  const program = await (name === 'api' ? startApi : startWorker)(t, { more });
  assert.equal(await within(`the ${name} to end`, program), code, program.said);
  const lines = program.said.trimEnd().split('\n').map((line) => JSON.parse(line));
  const said = lines.find((line) => line.event === (code === 78 ? 'badConfiguration' : 'startFailed'));
  assert.ok(said, program.said);
  for (const word of words) assert.ok(said.detail.includes(word), `${said.detail} does not say ${word}`);
}

describe('process: an api keeps nothing', () => {
  test('a challenge that one api gave is met at another, once, after the first has ended', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const [tpm, id] = [new SoftTpm(), fresh('tpm')];
    const attestation = { type: 'tpm', tpm: { endorsementKey: tpm.endorsementKey } };
    expect('enroll', await idscope.service(made.instance, 'PUT', `/enrollments/${id}`, { body: { registrationId: id, attestation } }), 200);
    const apis = await Promise.all([startApi(t), startApi(t), startApi(t)]);
    await Promise.all(apis.map(ready));
    const ask = (api, authorization) => put(api.plain, idscope.deviceHost, `/${made.idScope}/registrations/${id}/register?api-version=2021-10-01`, { tpm: tpm.shown }, authorization);
    const challenge = await ask(apis[0]);
    assert.equal(challenge.status, 401);
    apis[0].child.kill('SIGKILL');
    const authorization = sas.forDevice(made.idScope, id, tpm.open(challenge.json.authenticationKey));
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(apis[1 + i % 2], authorization)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, ...Array(19).fill(401)]);
  });
});

describe('process: a log that nobody reads', () => {
  const REQUESTS = 6000; // more lines than pipe and ring hold

  function pipe(t, options) {
    const made = new Pipe(options);
    t.after(() => made.close());
    return made;
  }

  async function storm(api) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    const answers = await each(Array.from({ length: REQUESTS }), 16, () => get(api.plain, '/nothing-here', agent));
    agent.destroy();
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [404]);
  }

  test('the api answers all, says how many lines are lost, and ends when it is asked to', async (t) => {
    const stderr = pipe(t);
    const api = await startApi(t, { stderr: stderr.forChild });
    await ready(api);
    await storm(api);
    assert.ok(await isReady(api));
    assert.ok(await lost(api) > 0);
    api.child.kill('SIGTERM');
    assert.equal(await within('the api to end', api), 0);
  });

  test('the log says how many lines were lost once it is read again, and every line is whole', async (t) => {
    const stderr = pipe(t);
    const api = await startApi(t, { stderr: stderr.forChild });
    await ready(api);
    await storm(api);
    let text = '';
    await until('the loss to be said', () => {
      text += stderr.read();
      return text.includes('logLinesLost');
    }, { timeoutMs: SOON_MS, everyMs: 20 });
    const number = await lost(api);
    api.child.kill('SIGTERM');
    await until('the api to end', () => {
      text += stderr.read();
      return api.code !== undefined;
    }, { timeoutMs: SOON_MS, everyMs: 20 });
    text += stderr.read();
    const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line));
    const count = (event) => lines.filter((line) => line.event === event);
    assert.equal(count('logLinesLost').reduce((sum, line) => sum + line.lines, 0), number);
    assert.equal(count('request').length + number, REQUESTS);
    assert.deepEqual(lines.slice(-1).map((line) => [line.event, line.code]), [['stopped', 0]], 'the last lines are there');
  });

  test('the worker works, and ends when it is asked to', async (t) => {
    const made = await scene(t, { hubs: 1 });
    const stderr = pipe(t, { full: true });
    await stack.run('stop-part', 'worker');
    try {
      const worker = await startWorker(t, { stderr: stderr.forChild });
      await ready(worker);
      await made.registered();
      worker.child.kill('SIGTERM');
      assert.equal(await within('the worker to end', worker), 0);
    } finally {
      await stack.run('start-part', 'worker');
    }
  });

  test('idscope-admin ends with its exit code', async (t) => {
    const stderr = pipe(t, { full: true });
    const usage = start('admin', ['no-such-command'], stderr.forChild);
    t.after(() => usage.child.kill('SIGKILL'));
    assert.equal(await within('idscope-admin to end', usage), 2);
    const setting = start('admin', ['check'], stderr.forChild);
    t.after(() => setting.child.kill('SIGKILL'));
    assert.equal(await within('idscope-admin to end', setting), 78);
  });
});

describe('process: exit codes', () => {
  let taken;
  let holder;
  before(async () => {
    taken = await freeAddress();
    holder = net.createServer();
    await new Promise((resolve) => holder.listen(Number(taken.split(':')[1]), '127.0.0.1', resolve));
  });
  after(() => holder.close());

  test('1, start me again, for what may pass by itself; the sentence names it', async (t) => {
    const held = path.join(fs.readFileSync(path.join(stack.folder, 'run/sockets'), 'utf8'), 'edge/api1.sock');
    await ends(t, 'api', [`--health-listen=${taken}`], 1, taken, 'in use');
    await ends(t, 'worker', [`--health-listen=${taken}`], 1, taken, 'in use');
    await ends(t, 'api', [`--plain-listen=${taken}`], 1, taken, 'in use');
    await ends(t, 'api', [`--edge-listen=unix:${held}`], 1, held, 'in use');
    await ends(t, 'api', ['--health-listen=192.0.2.1:9000'], 1, '192.0.2.1:9000');
    await ends(t, 'worker', ['--health-listen=192.0.2.1:9000'], 1, '192.0.2.1:9000');
  });

  test('78, change a setting, for what no second start mends; the sentence names the setting', async (t) => {
    const empty = path.join(work, fresh('empty'));
    fs.writeFileSync(empty, '');
    for (const name of ['api', 'worker']) {
      await ends(t, name, ['--health-listen=nowhere'], 78, 'nowhere', 'ADDRESS:PORT');
      await ends(t, name, ['--key-ring-file=/no/such/ring'], 78, 'key_ring_file', '/no/such/ring', 'No such file');
      await ends(t, name, [`--key-ring-file=${stack.folder}`], 78, 'key_ring_file', stack.folder);
      await ends(t, name, ['--run-as=no-such-user'], 78, 'run_as', 'no-such-user');
      await ends(t, name, ['--log-level=loud'], 78, 'log_level');
      await ends(t, name, ['--database-url=host=x prot=1'], 78, 'database_url');
    }
    await ends(t, 'api', ['--edge-listen=unix:/no/such/folder/api.sock'], 78, '/no/such/folder/api.sock');
    await ends(t, 'api', ['--edge-listen=tcp:127.0.0.1:0', '--edge-secret-file=/no/such/secret'], 78, 'edge_secret_file', '/no/such/secret');
    await ends(t, 'api', ['--edge-listen=tcp:127.0.0.1:0', `--edge-secret-file=${stack.folder}`], 78, 'edge_secret_file', stack.folder);
    await ends(t, 'worker', ['--ca-file=/no/such/ca.pem'], 78, 'ca_file', '/no/such/ca.pem');
    await ends(t, 'worker', [`--ca-file=${empty}`], 78, 'ca_file', 'no certificate');
    await ends(t, 'worker', ['--outgoing-allow=everything'], 78, 'everything');
  });

  test('idscope-admin: 2 for a command that is none, 78 for a setting, 1 for the rest', async (t) => {
    const run = async (code, ...args) => {
      const program = start('admin', args);
      t.after(() => program.child.kill('SIGKILL'));
      assert.equal(await within('idscope-admin to end', program), code, program.said);
      return program.said;
    };
    const settings = [`--database-url=${stack.databaseUrl('idscope_admin')}`, `--key-ring-file=${RING}`];
    assert.match(await run(2, 'no-such-command'), /^usage: idscope-admin /);
    assert.match(await run(78, 'check', settings[0], '--key-ring-file=/no/such/ring'), /key_ring_file \/no\/such\/ring/);
    assert.match(await run(78, 'check', '--database-url=prot=1', settings[1]), /database_url/);
    assert.match(await run(1, 'check', '--database-url=host=/no/such/folder', settings[1]), /\/no\/such\/folder/);
    assert.equal(await run(0, 'check', ...settings), '');
  });
});

describe('process: a database that does not fit the program', () => {
  const named = (database, role) => stack.databaseUrl(role).replace(/\/idscope(?=\?|$)/, `/${database}`);
  const psql = (database, ...more) => execFileSync('psql', ['-q', '-v', 'ON_ERROR_STOP=1', named(database, 'postgres'), ...more], { input: '' });
  const whole = fresh('whole').replace(/\W/g, '_');
  before(async () => {
    const text = await stack.dump();
    await stack.sql(`create database ${whole}`);
    execFileSync('psql', ['-q', '-v', 'ON_ERROR_STOP=1', named(whole, 'postgres')], { input: Buffer.from(text, 'latin1'), stdio: ['pipe', 'ignore', 'inherit'] });
  });
  after(() => stack.sql(`drop database ${whole}`));

  // Each program ends at its start, and says which statement does not fit, and what of it.
  async function stops(t, change, ...words) {
    const changed = fresh('changed').replace(/\W/g, '_');
    await stack.sql(`create database ${changed} template ${whole}`);
    t.after(() => stack.sql(`drop database ${changed} with (force)`));
    psql(changed, '-c', change);
    for (const name of ['api', 'worker']) await ends(t, name, [`--database-url=${named(changed, `idscope_${name}`)}`], 1, ...words);
    const admin = start('admin', ['check', `--database-url=${named(changed, 'idscope_admin')}`, `--key-ring-file=${RING}`]);
    t.after(() => admin.child.kill('SIGKILL'));
    assert.equal(await within('idscope-admin to end', admin), 1, admin.said);
    for (const word of words) assert.ok(admin.said.includes(word), `${admin.said} does not say ${word}`);
  }

  test('one that is as it was is taken', async (t) => {
    const api = await startApi(t, { more: [`--database-url=${named(whole, 'idscope_api')}`] });
    await ready(api);
    api.child.kill('SIGTERM');
    assert.equal(await within('the api to end', api), 0, api.said);
  });

  test('a column of a result that has another type stops api, worker and idscope-admin, which name statement, column and row', (t) =>
    stops(t, 'alter table idscope.registration alter region type bytea using convert_to(region, $$UTF8$$)', 'assign_look', 'column "region" is of the type with oid 17', 'assign_found takes text'));

  test('a column that has another name', (t) =>
    stops(t, 'alter table idscope.registration rename region to area', 'assign_look', '"region" does not exist', 'at character'));

  test('a function that takes another number of parameters', (t) =>
    stops(t, 'drop function idscope.purge_retired_hubs; create function idscope.purge_retired_hubs(int, int) returns bigint language sql return 0', 'sweep_retired_hubs', 'idscope.purge_retired_hubs'));

  test('a parameter of a type that it is never given', (t) =>
    stops(t, 'alter table idscope.tenant drop constraint tenant_name_check, alter name type numeric using hashtext(name)', 'admin_tenant_by_name', 'parameter $1 is of the type with oid 1700'));
});

describe('process: a database whose name nobody answers for', () => {
  const DRAIN_MS = 5000;
  const ADDRESS = '127.0.0.154';
  const OPEN_MS = 5500; // what a program waits for a connection
  const programs = [['api', startApi], ['worker', startWorker]];
  const server = new Mute();

  before(() => server.start());
  after(() => server.stop());

  const urlOf = (name, host) => `--database-url=postgresql://idscope_${name}@${host}/idscope`;
  const stopped = async (name, program) => {
    const began = Date.now();
    program.child.kill('SIGTERM');
    assert.equal(await within(`the ${name} to end`, program), 0, program.said);
    return Date.now() - began;
  };

  // The database at a name of /etc/hosts, until it is lost: cut off, and its name forgotten.
  async function databaseByName(t) {
    const host = `${fresh('db')}.example.test`;
    const [, socket] = /host=([^&]*)/.exec(stack.databaseUrl('x'));
    const ends = new Set();
    const relay = net.createServer((near) => {
      const far = net.connect(path.join(decodeURIComponent(socket), '.s.PGSQL.5432'));
      for (const [one, other] of [[near, far], [far, near]]) ends.add(one.pipe(other).on('error', () => {}));
    });
    await new Promise((resolve) => relay.listen(5432, ADDRESS, resolve));
    names(ADDRESS, host);
    const lose = async () => {
      fs.writeFileSync('/etc/hosts', fs.readFileSync('/etc/hosts', 'utf8').replace(`${ADDRESS} ${host}\n`, ''));
      for (const end of ends) end.destroy();
      await new Promise((resolve) => relay.close(resolve));
    };
    t.after(() => { for (const end of ends) end.destroy(); relay.close(); });
    return { host, lose };
  }

  for (const [name, begin] of programs) {
    test(`${name}: one that starts so waits for it, and ends soon when it is asked to`, async (t) => {
      const host = `${fresh('mute')}.example.test`;
      const program = await begin(t, { more: [urlOf(name, host)] });
      await until('the name to be asked for', () => server.wasAsked(host.split('.')[0]), { timeoutMs: SOON_MS });
      assert.equal(program.code, undefined, program.said);
      const took = await stopped(name, program);
      assert.ok(took < OPEN_MS + 1000, `${took} ms`);
    });

    test(`${name}: one that loses it so says within five seconds that it is not ready, and ends within its drain`, async (t) => {
      const { host, lose } = await databaseByName(t);
      const program = await begin(t, { more: [urlOf(name, host)] });
      await ready(program);
      await lose();
      const lostAt = Date.now();
      await until('the program to be unready', async () => !(await isReady(program)), { timeoutMs: SOON_MS, everyMs: 50 });
      assert.ok(Date.now() - lostAt < 5000, `${Date.now() - lostAt} ms`);
      await until('the name to be asked for', () => server.wasAsked(host.split('.')[0]), { timeoutMs: SOON_MS });
      const took = await stopped(name, program);
      assert.ok(took < DRAIN_MS, `${took} ms`);
    });
  }
});

describe('process: privileges', () => {
  const RUN_AS = '10001';
  const identity = (pid) => Object.fromEntries(fs.readFileSync(`/proc/${pid}/status`, 'utf8').split('\n').map((line) => line.split(/:\s*/)));

  for (const [name, begin] of [['api', startApi], ['worker', startWorker]]) {
    test(`a ${name} that root starts is somebody else before it answers; nobody else may start it so`, async (t) => {
      const program = await begin(t, { more: [`--run-as=${RUN_AS}`] });
      if (process.getuid() !== 0) {
        assert.equal(await within(`the ${name} to end`, program), 78);
        assert.match(program.said, /only root may become the user 10001/);
        return;
      }
      await until('the first answer', () => get(program.health, '/healthz').then(() => true, () => false), { timeoutMs: 60000, everyMs: 20 });
      const { Uid, Gid, Groups, CapEff, CapPrm, NoNewPrivs } = identity(program.child.pid);
      const all = [RUN_AS, RUN_AS, RUN_AS, RUN_AS].join('\t');
      assert.deepEqual({ Uid, Gid, Groups: Groups.trim(), CapEff, CapPrm, NoNewPrivs }, { Uid: all, Gid: all, Groups: '', CapEff: '0'.repeat(16), CapPrm: '0'.repeat(16), NoNewPrivs: '1' });
      program.child.kill('SIGTERM');
      assert.equal(await within(`the ${name} to end`, program), 0, program.said);
    });
  }

  test('no api and no worker of the deployment is root', () => {
    const names = fs.readdirSync(path.join(stack.folder, 'run')).filter((file) => /^(api|worker)\d+\.pid$/.test(file));
    assert.equal(names.length, 2);
    for (const file of names) {
      const { Uid, Gid, CapEff } = identity(fs.readFileSync(path.join(stack.folder, 'run', file), 'utf8').trim());
      for (const id of [...Uid.split('\t'), ...Gid.split('\t')]) assert.notEqual(id, '0', `${file}: ${Uid} ${Gid}`);
      assert.equal(CapEff, '0'.repeat(16), file);
    }
  });
});
