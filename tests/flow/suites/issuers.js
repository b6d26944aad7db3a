// issuers.js: who signs in, here or with somebody else: secrets and our own signing keys; and outside issuers of access tokens, whose keys a worker
// fetches, with all that is known to be tried with tokens.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { Provider, Key, token, signers, DISCOVERY } = require('../../lib/provider');
const { assert, idscope, second, Idscope, expect, fresh, refusedArm, refused, admin, names, stack, until } = require('../kit');

const ADDRESS = '127.0.0.90';
const AUDIENCE = 'api://idscope';
const said = (...words) => stack.adminText(process.env.FLAVOR || 'asan', ...words);
const json = async (...words) => JSON.parse(await said(...words, '--json'));
const claims = (of) => JSON.parse(Buffer.from(of.split('.')[1], 'base64url'));
async function refusedWith(pattern, ...words) {
  await assert.rejects(said(...words), (error) => { assert.match(String(error.stderr || error.message), pattern); return true; });
}

let provider;
const used = [];
before(async () => {
  await idscope.signIn();
  provider = new Provider(ADDRESS, fs.readFileSync(path.join(second.stack.folder, 'tls/server.pem.ecdsa')));
  await provider.start();
});
after(async () => {
  await provider.stop(); // first: whatever fails behind it, nothing keeps the process
  used.forEach((them) => them.close());
  for (const { issuer } of await json('issuer', 'list')) await said('issuer', 'remove', issuer);
  await idscope.signIn();
});

// A tenant of a test's own, with a subscription, a group and an instance to read.
async function customer() {
  const tenant = await admin('create-tenant', fresh('customer'));
  const subscription = await admin('create-subscription', tenant.IDSCOPE_TENANT_ID, 'theirs');
  const client = await admin('create-service-principal', tenant.IDSCOPE_TENANT_ID, 'theirs', 'owner');
  const them = new Idscope({ ...idscope.env, ...tenant, ...subscription, ...client });
  used.push(them);
  await them.createGroup('theirs');
  return { them, tenant: tenant.IDSCOPE_TENANT_ID, name: (await json('tenant', 'list')).find((row) => row.tenantId === tenant.IDSCOPE_TENANT_ID).displayName };
}

// An issuer of its own host.
function issuerOf(...algorithms) {
  const host = `${fresh('idp')}.second.test`;
  names(ADDRESS, host);
  return provider.issuer(host, ...algorithms);
}
const trust = (issuer, ...options) => said('issuer', 'add', issuer.url, `--audience=${AUDIENCE}`, ...options);
async function enlist(issuer, who, subject, role = 'reader') {
  return (await json('service-principal', 'create', `--tenant=${who.tenant}`, `--name=${subject}`, `--role=${role}`, `--issuer=${issuer.url}`, `--subject=${subject}`)).clientId;
}
// A customer whose issuer is trusted for it alone, with a reader "app" whose tokens are good by now.
async function trusted(...algorithms) {
  const who = await customer();
  const issuer = issuerOf(...algorithms);
  await trust(issuer, `--tenant=${who.tenant}`);
  who.client = await enlist(issuer, who, 'app');
  await good(who, issuer.token({ aud: AUDIENCE, sub: 'app' }));
  return { who, issuer };
}

const read = (who, bearer) => who.them.arm('GET', who.them.groupPath('theirs'), { bearer: `Bearer ${bearer}` });
const good = (who, bearer) => until('the token to be good', async () => (await read(who, bearer)).status === 200, { timeoutMs: 30000, everyMs: 200 });
const bad = (who, bearer, ms = 15000) => until('the token to be refused', async () => (await read(who, bearer)).status === 401, { timeoutMs: ms, everyMs: 200 });
const refuse = async (who, bearer, words) => refusedArm(await read(who, bearer), 401, 'InvalidAuthenticationToken', words);
const shown = async (issuer) => (await json('issuer', 'list')).find((row) => row.issuer === issuer.url);

describe('issuers: tokens of others', { concurrency: 4 }, () => {
  test('RS256 and ES256, whatever the type says of an access token, aud alone or among others; on both planes that take tokens', async () => {
    const { who, issuer } = await trusted('RS256', 'ES256');
    for (const key of issuer.keys) {
      for (const typ of [undefined, 'JWT', 'at+jwt', 'application/at+jwt', 'AT+JWT']) {
        expect(`${key.alg} ${typ}`, await read(who, issuer.token({ aud: AUDIENCE, sub: 'app' }, { key, header: { typ } })), 200);
      }
      expect('among others', await read(who, issuer.token({ aud: ['https://x.example', AUDIENCE], sub: 'app', extra: { deep: [1] } }, { key })), 200);
    }
    const instance = await who.them.createInstance('theirs', fresh('dps'));
    const bearer = `Bearer ${issuer.token({ aud: AUDIENCE, sub: 'app' })}`;
    const client = (await json('service-principal', 'list', `--tenant=${who.tenant}`)).find(({ displayName }) => displayName === 'app').clientId;
    await said('role-assignment', 'create', `--client=${client}`, '--role=dataReader', '--scope=/');
    await until('the service plane to be open', async () => (await who.them.service(instance, 'POST', '/enrollments/query', { body: { query: 'SELECT * FROM enrollments' }, authorization: bearer })).status === 200);
    refusedArm(await who.them.arm('PUT', who.them.groupPath('more'), { body: { location: 'westeurope' }, bearer }), 403, 'AuthorizationFailed');
    assert.ok(issuer.asked.every(({ headers }) => !headers.authorization && !headers.cookie), 'the issuer is told nothing');
    assert.deepEqual([...new Set(issuer.asked.map(({ path: at }) => at))].sort(), [DISCOVERY, '/keys']);
  });

  test('keys come from a URL of their own, or from a file, and then nobody is asked', async () => {
    const who = await customer();
    const [at, given] = [issuerOf('ES256'), issuerOf('RS256')];
    await trust(at, `--tenant=${who.tenant}`, `--jwks-url=${at.url}/somewhere/keys.json`);
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'idscope-issuer.')), 'jwks');
    fs.writeFileSync(file, JSON.stringify(given.set));
    await trust(given, `--tenant=${who.tenant}`, `--jwks-file=${file}`);
    fs.rmSync(path.dirname(file), { recursive: true });
    for (const issuer of [at, given]) {
      await enlist(issuer, who, 'app');
      await good(who, issuer.token({ aud: AUDIENCE, sub: 'app' }));
      await refuse(who, issuer.token({ aud: AUDIENCE, sub: 'app' }, { key: new Key('ES256') }), /key that is not in use/);
    }
    assert.ok(at.asked.length > 0 && at.asked.every(({ path: asked }) => asked === '/somewhere/keys.json'));
    assert.deepEqual(given.asked, []);
  });

  test('a subject that nobody registered, one of another issuer, a client that is disabled: refused', async () => {
    const { who, issuer } = await trusted('ES256');
    const other = await trusted('ES256');
    await refuse(who, issuer.token({ aud: AUDIENCE, sub: 'stranger' }));
    await refuse(who, issuer.token({ aud: AUDIENCE }), /does not say who/);
    for (const sub of [5, '', ['app'], null]) await refuse(who, issuer.token({ aud: AUDIENCE, sub }));
    refusedArm(await read(who, other.issuer.token({ aud: AUDIENCE, sub: 'app' })), 404, 'SubscriptionNotFound');
    await said('service-principal', 'disable', who.client);
    await bad(who, issuer.token({ aud: AUDIENCE, sub: 'app' }), 4000);
    await said('service-principal', 'enable', who.client);
    await good(who, issuer.token({ aud: AUDIENCE, sub: 'app' }));
    assert.equal((await who.them.requestToken({ client_id: who.client, client_secret: 'x' })).status, 401, 'it has no secret that anybody knows');
  });

  test('the tenant that a claim names, by id or name, must be the client\'s; a token of one\'s issuer opens nothing of another\'s', async () => {
    const [a, b] = [await customer(), await customer()];
    const issuer = issuerOf('ES256');
    await trust(issuer, '--tenant-claim=org', '--subject-claim=azp');
    await enlist(issuer, a, 'app-a');
    await enlist(issuer, b, 'app-b');
    const of = (azp, org) => issuer.token({ aud: AUDIENCE, azp, org, sub: 'ignored' });
    await good(a, of('app-a', a.tenant));
    for (const org of [a.tenant, a.name]) expect('its own', await read(a, of('app-a', org)), 200);
    for (const org of [b.tenant, b.name, 'nobody', '', undefined, [a.tenant], 7, a.tenant.slice(1)]) await refuse(a, of('app-a', org));
    refusedArm(await read(a, of('app-b', b.tenant)), 404, 'SubscriptionNotFound');
    const only = await trusted('ES256');
    await refusedWith(/no issuer of this URL for this tenant/, 'service-principal', 'create', `--tenant=${b.tenant}`, '--name=x', '--role=owner', `--issuer=${only.issuer.url}`, '--subject=x');
    // Whatever the token says of tenants: its issuer is of one alone.
    const claimed = only.issuer.token({ aud: AUDIENCE, sub: 'app', tid: b.tenant, org: b.tenant, tenant: b.tenant, roles: ['owner'], appid: b.them.env.IDSCOPE_CLIENT_ID });
    refusedArm(await read(b, claimed), 404, 'SubscriptionNotFound');
    expect('it is still its own reader', await read(only.who, claimed), 200);
    refusedArm(await only.who.them.arm('PUT', only.who.them.groupPath('more'), { body: { location: 'westeurope' }, bearer: `Bearer ${claimed}` }), 403, 'AuthorizationFailed');
  });

  test('an issuer that is disabled or removed: its tokens stop within seconds, and those of others go on', async () => {
    const [one, other] = [await trusted('ES256'), await trusted('RS256')];
    const bearer = one.issuer.token({ aud: AUDIENCE, sub: 'app' });
    assert.equal((await json('issuer', 'disable', one.issuer.url)).state, 'disabled');
    await bad(one.who, bearer, 4000);
    assert.equal((await json('issuer', 'enable', one.issuer.url)).state, 'enabled');
    await good(one.who, bearer);
    await said('issuer', 'remove', one.issuer.url);
    await bad(one.who, bearer, 4000);
    assert.equal(await shown(one.issuer), undefined);
    expect('the other one\'s', await read(other.who, other.issuer.token({ aud: AUDIENCE, sub: 'app' })), 200);
    const events = await stack.sql(`SELECT string_agg(detail->>'change', ' ' ORDER BY id) FROM idscope.audit_event WHERE kind = 'issuer' AND key = '${one.issuer.url}'`);
    assert.equal(events, 'created disabled enabled deleted');
  });

  test('a new key of the issuer is picked up by its first token; one that it withdraws is good no more; the issuer is not asked for each forgery', async () => {
    const { who, issuer } = await trusted('ES256');
    const [old] = issuer.keys;
    const next = new Key('RS256');
    issuer.keys = [next, old];
    await good(who, issuer.token({ aud: AUDIENCE, sub: 'app' }));
    expect('the old one', await read(who, issuer.token({ aud: AUDIENCE, sub: 'app' }, { key: old })), 200);
    issuer.keys = [next];
    const from = Date.now();
    while (Date.now() - from < 12000) await refuse(who, issuer.token({ aud: AUDIENCE, sub: 'app' }, { key: new Key('ES256') }), /key that is not in use/);
    const asked = issuer.asked.filter(({ path: at, at: when }) => at === '/keys' && when >= from).length;
    assert.ok(asked >= 1 && asked <= 2, `${asked} fetches in 12 s`);
    await bad(who, issuer.token({ aud: AUDIENCE, sub: 'app' }, { key: old }));
    expect('the new one', await read(who, issuer.token({ aud: AUDIENCE, sub: 'app' })), 200);
  });

  test('one that is silent, broken, huge, redirects, sends garbage or two keys of one kid costs nothing but its own tokens, and the last good keys stay for a day', async () => {
    const other = await trusted('ES256');
    const { who, issuer } = await trusted('ES256');
    const bearer = () => issuer.token({ aud: AUDIENCE, sub: 'app' });
    const again = () => stack.sql(`UPDATE idscope.trusted_issuer SET next_fetch_at = now(), failure = NULL WHERE issuer = '${issuer.url}'; UPDATE idscope.tenant_job SET due_at = now() WHERE subject = '${issuer.url}'`);
    for (const [manner, words] of [['garbage', /JSON/], ['redirect', /answered 302/], ['broken', /answered 500/], ['huge', /broke|longer than/], ['twins', /same kid/], ['empty', /no key/], ['impostor', /another issuer/], ['silent', /no answer|timed out/]]) {
      issuer.manner = manner;
      await again();
      await until(`a fetch to fail (${manner})`, async () => words.test((await shown(issuer)).failure || ''), { timeoutMs: 30000 });
      expect(`the last good key (${manner})`, await read(who, bearer()), 200);
      const from = Date.now();
      expect('others', await read(other.who, other.issuer.token({ aud: AUDIENCE, sub: 'app' })), 200);
      assert.ok(Date.now() - from < 3000, 'and nobody waits');
    }
    assert.ok(issuer.asked.every(({ path: at }) => at !== '/elsewhere'), 'no redirect was followed');
    await stack.sql(`UPDATE idscope.trusted_issuer SET fetched_at = now() - interval '25 hours' WHERE issuer = '${issuer.url}'`);
    await bad(who, bearer());
    issuer.manner = 'good';
    await again();
    await good(who, bearer());
    assert.equal((await shown(issuer)).failure, undefined);
  });

  test('private addresses are not called, neither by the issuer\'s name nor where its document points', async () => {
    const who = await customer();
    const there = `${fresh('inside')}.second.test`;
    names('10.11.12.13', there);
    const [direct, indirect, odd] = [{ url: `https://${there}` }, issuerOf('ES256'), issuerOf('ES256')];
    indirect.keysAt = `https://${there}/keys`;
    odd.keysAt = `file:///etc/passwd`;
    for (const issuer of [direct, indirect, odd]) await trust(issuer, `--tenant=${who.tenant}`);
    for (const issuer of [direct, indirect]) await until('it to be refused', async () => /not allowed/.test((await shown(issuer)).failure || ''), { timeoutMs: 30000 });
    await until('it to be refused', async () => /no https URL/.test((await shown(odd)).failure || ''), { timeoutMs: 30000 });
  });
});

// What is known to be tried. Each case: how the token is made out of a good one.
function attacks(key, whole, other) {
  const header = { alg: key.alg, typ: 'JWT', kid: key.kid };
  const sign = signers[key.alg](key.privateKey);
  const with_ = (more) => key.sign({ ...whole, ...more });
  const head = (more, by = sign) => token({ ...header, ...more }, whole, by);
  const [h, p, s] = key.sign(whole).split('.');
  const raw = JSON.stringify(whole);
  const now = Math.floor(Date.now() / 1000);
  const stranger = new Key(key.alg, { kid: key.kid });
  const flipped = key.alg === 'RS256' ? 'ES256' : 'RS256';
  const wide = key.alg === 'ES256' && new Key('ES256', { kid: key.kid, curve: 'P-384' });
  return {
    'alg none': token({ ...header, alg: 'none' }, whole, signers.none()),
    'alg none with a signature': head({ alg: 'none' }),
    'alg None': head({ alg: 'nOnE' }),
    'HS256 with the public PEM': head({ alg: 'HS256' }, signers.HS256(key.pem)),
    'HS256 with the public PEM, cut': head({ alg: 'HS256' }, signers.HS256(key.pem.trim())),
    'HS256 with nothing': head({ alg: 'HS256' }, signers.HS256('')),
    'HS256 with the public DER': head({ alg: 'HS256' }, signers.HS256(key.publicKey.export({ type: 'spki', format: 'der' }))),
    'the algorithm of another kind of key': head({ alg: flipped }),
    'signed by another key of that kind': stranger.sign(whole),
    ...(wide && { 'another curve': token(header, whole, signers.ES256(wide.privateKey)) }),
    'the other issuer\'s key with this kid': token({ ...header, alg: other.alg }, whole, signers[other.alg](other.privateKey)),
    'no kid': head({ kid: undefined }),
    'a kid that is a path': head({ kid: '../../../../dev/null' }),
    'a kid that is SQL': head({ kid: '\' UNION SELECT \'x\' --' }),
    'a kid that is a number': head({ kid: 1 }),
    'a kid with NUL': head({ kid: `${key.kid}\u0000` }),
    'crit': head({ crit: ['exp'] }),
    'crit that is empty': head({ crit: [] }),
    'b64 false': head({ b64: false, crit: ['b64'] }),
    'b64 false alone': head({ b64: false }),
    'jwk of one\'s own': token({ ...header, jwk: stranger.jwk }, whole, signers[key.alg](stranger.privateKey)),
    'jku of one\'s own': token({ ...header, jku: 'https://127.0.0.1/keys' }, whole, signers[key.alg](stranger.privateKey)),
    'x5u of one\'s own': token({ ...header, x5u: 'https://127.0.0.1/cert' }, whole, signers[key.alg](stranger.privateKey)),
    'a type that is no token\'s': head({ typ: 'JWE' }),
    'two algorithms': token(`{"alg":"none","alg":"${key.alg}","kid":"${key.kid}"}`, whole, sign),
    'expired': with_({ iat: now - 700, nbf: now - 700, exp: now - 61 }),
    'not yet': with_({ nbf: now + 120 }),
    'issued in the future': with_({ iat: now + 120 }),
    'no exp': with_({ exp: undefined }),
    'exp that is a text': with_({ exp: String(whole.exp) }),
    'exp beyond numbers': token(header, raw.replace(`"exp":${whole.exp}`, '"exp":1e400'), sign),
    'another audience': with_({ aud: 'https://graph.microsoft.com' }),
    'no audience': with_({ aud: undefined }),
    'an audience that begins so': with_({ aud: `${whole.aud}.example` }),
    'audiences without ours': with_({ aud: ['x', 'y', { aud: whole.aud }] }),
    'another issuer': with_({ iss: 'https://another.example' }),
    'the issuer with a slash': with_({ iss: `${whole.iss}/` }),
    'an issuer that is a list': with_({ iss: [whole.iss] }),
    'an issuer that is a number': with_({ iss: 5 }),
    'no issuer': with_({ iss: undefined }),
    'two issuers': token(header, raw.replace('{', `{"iss":"https://another.example",`), sign),
    'two subjects': token(header, raw.replace(/}$/, `,"sub":"x"}`), sign),
    'claims that are a list': token(header, `[${raw}]`, sign),
    'claims that are no JSON': token(header, raw.slice(0, -1), sign),
    'bytes behind the claims': token(header, `${raw}x`, sign),
    'two segments': `${h}.${p}`,
    'an empty signature': `${h}.${p}.`,
    'four segments': `${h}.${p}.${s}.${s}`,
    'five segments': `${h}.${p}.${s}.${s}.${s}`,
    'padding': `${h}.${p}.${s}=`,
    'a signature cut short': `${h}.${p}.${s.slice(0, -4)}`,
    'a signature with more behind it': `${h}.${p}.${s}AAAA`,
    'a signature of zeros': `${h}.${p}.${Buffer.alloc(key.alg === 'ES256' ? 64 : 256).toString('base64url')}`,
    'the signature of other claims': `${h}.${text({ ...whole, extra: 1 })}.${s}`,
    'huge': with_({ padding: 'x'.repeat(12100) }),
  };
}
const text = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('issuers: attacks', () => {
  async function refuseAll(who, cases) {
    const list = Object.keys(cases);
    for (const name of list) {
      const answer = await read(who, cases[name]);
      if (name === 'huge') refused(answer, 400, /header fields are larger/); // the edge's bound is the tighter one
      else assert.equal(answer.status, 401, `${name}: ${answer.text}`);
    }
    return list.length;
  }

  for (const algorithm of ['RS256', 'ES256']) {
    test(`on an outside issuer, ${algorithm}`, async (t) => {
      const { who, issuer } = await trusted(algorithm);
      const other = await trusted('ES256');
      other.issuer.keys[0].kid = issuer.keys[0].kid;
      await stack.sql(`UPDATE idscope.issuer_key SET kid = '${issuer.keys[0].kid}' WHERE issuer = '${other.issuer.url}'`);
      const cases = attacks(issuer.keys[0], issuer.claims({ aud: AUDIENCE, sub: 'app' }), other.issuer.keys[0]);
      const asked = issuer.asked.length;
      t.diagnostic(`${await refuseAll(who, cases)} forgeries refused`);
      assert.ok(issuer.asked.slice(asked).every(({ path: at }) => [DISCOVERY, '/keys'].includes(at)));
      expect('a sound one', await read(who, issuer.token({ aud: AUDIENCE, sub: 'app' })), 200);
    });
  }

  test('on our own tokens, whose private key is read out of the database for it', async (t) => {
    const who = await customer();
    const own = await who.them.signIn();
    const issuer = await trusted('ES256');
    const { kid } = JSON.parse(Buffer.from(own.split('.')[0], 'base64url'));
    const { keys } = (await idscope.https.request('GET', 'localhost', '/adfs/discovery/keys')).json;
    const publicKey = crypto.createPublicKey({ key: keys.find((key) => key.kid === kid), format: 'jwk' });
    // The private key is nobody's here: what needs it is left to the unit tests, and a stranger's takes its place.
    const stranger = new Key('ES256', { kid });
    const forged = attacks(Object.assign(stranger, { publicKey }), claims(own), issuer.issuer.keys[0]);
    t.diagnostic(`${await refuseAll(who, forged)} forgeries refused`);
    const [h, p, s] = own.split('.');
    for (const broken of [`${h}.${p}`, `${h}.${p}.${s}.`, `${h}.${p}.${s}.${s}`, `${h}.${text({ ...claims(own), roles: ['owner'], tid: issuer.who.tenant })}.${s}`]) await refuse(who, broken);
    // An outside issuer's key under our name, or our key's name under its.
    await refuse(who, token({ alg: 'ES256', kid: issuer.issuer.keys[0].kid }, claims(own), signers.ES256(issuer.issuer.keys[0].privateKey)));
    await refuse(who, token({ alg: 'ES256', kid }, { ...claims(own), iss: issuer.issuer.url, aud: AUDIENCE }, signers.ES256(issuer.issuer.keys[0].privateKey)));
    expect('a sound one', await read(who, own), 200);
  });
});

describe('issuers: operators', () => {
  test('what is no issuer is refused by name, our own is none, and one is trusted once', async () => {
    const who = await customer();
    const tenant = `--tenant=${who.tenant}`;
    const audience = `--audience=${AUDIENCE}`;
    for (const url of ['http://x.example', 'https://', 'https://x.example?a=b', 'https://user@x.example', 'x.example', 'https://x.example/#', `https://x.example/${'y'.repeat(500)}`]) await refusedWith(/must be an https URL/, 'issuer', 'add', url, audience, tenant);
    await refusedWith(/our own/, 'issuer', 'add', claims(await idscope.signIn()).iss, audience, tenant);
    await refusedWith(/--audience=… must be given/, 'issuer', 'add', 'https://x.example', tenant);
    for (const rule of [[], [tenant, '--tenant-claim=tid']]) await refusedWith(/either --tenant=ID or --tenant-claim=NAME/, 'issuer', 'add', 'https://x.example', audience, ...rule);
    await refusedWith(/not both/, 'issuer', 'add', 'https://x.example', audience, tenant, '--jwks-url=https://x.example/k', '--jwks-file=/dev/null');
    await refusedWith(/There is no tenant/, 'issuer', 'add', 'https://x.example', audience, `--tenant=${crypto.randomUUID()}`);
    for (const word of ['disable', 'enable', 'remove']) await refusedWith(/There is no issuer of this URL/, 'issuer', word, 'https://nobody.example');
    const issuer = issuerOf('ES256');
    await trust(issuer, tenant);
    await refusedWith(/trusted already/, 'issuer', 'add', issuer.url, audience, tenant);
    const create = ['service-principal', 'create', tenant, '--name=app', '--role=reader', `--issuer=${issuer.url}`, '--subject=app'];
    await said(...create);
    await refusedWith(/a client already/, ...create);
    await refusedWith(/A role is one of/, ...create.map((word) => word.replace('reader', 'king')));
    const { createdDateTimeUtc, keysFetchedDateTimeUtc, failure, ...rest } = await shown(issuer);
    assert.deepEqual(rest, { issuer: issuer.url, state: 'enabled', audience: AUDIENCE, subjectClaim: 'sub', tenantId: who.tenant, keysFrom: 'discovery', subjects: 1 });
    assert.match(await said('issuer', 'list'), new RegExp(`${issuer.url}\tenabled\t${AUDIENCE}\t${who.tenant}\tdiscovery\t`));
  });

  test('a client sends its secret in the form or in the header, never in both; the database holds its hash alone; the lifetime of a token is a setting', async () => {
    const { IDSCOPE_CLIENT_ID: id, IDSCOPE_CLIENT_SECRET: secret } = idscope.env;
    const ask = (fields) => idscope.https.request('POST', 'localhost', '/adfs/oauth2/token', {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'https://management.azure.com/.default', ...fields }).toString() });
    assert.equal((await ask({})).status, 200);
    const both = await ask({ client_id: id, client_secret: secret });
    assert.equal(both.status, 400);
    assert.match(both.text, /not in both/);
    const dump = await stack.dump();
    assert.ok(!dump.includes(secret) && dump.includes(crypto.createHash('sha256').update(secret).digest('hex')));
    for (const [of, seconds] of [[idscope, 3600], [second.idscope, 7200]]) {
      const { json: answer } = await of.requestToken({});
      const { iat, exp } = claims(answer.access_token);
      assert.deepEqual([answer.expires_in, exp - iat], [seconds, seconds]);
    }
  });

  // Last: the tokens of all who signed in before end with the key.
  test('a new key signs while the old one\'s tokens are good and both are published; a retired one ends its tokens', async () => {
    const who = await customer();
    const kid = (of) => JSON.parse(Buffer.from(of.split('.')[0], 'base64url')).kid;
    const published = async () => (await idscope.https.request('GET', 'localhost', '/adfs/discovery/keys')).json.keys.map((key) => key.kid).sort();
    const old = await who.them.signIn();
    const made = (await said('new-token-key')).trim();
    await until('the new key to sign', async () => kid(await who.them.signIn()) === made, { timeoutMs: 20000 });
    await until('both to be published', async () => JSON.stringify(await published()) === JSON.stringify([kid(old), made].sort()), { timeoutMs: 20000 });
    assert.deepEqual((await json('token-key', 'list')).map((key) => [key.kid, key.use]), [[made, 'signs'], [kid(old), 'checks']]);
    for (const bearer of [old, who.them.token]) expect('good', await read(who, bearer), 200);
    await refusedWith(/the one that signs/, 'token-key', 'retire', made);
    await said('token-key', 'retire', kid(old));
    await bad(who, old);
    await until('one to be published', async () => (await published()).join() === made, { timeoutMs: 20000 });
    expect('the new one\'s', await read(who, who.them.token), 200);
    await idscope.signIn();
  });
});
