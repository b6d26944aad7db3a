// malformed.js: each member of each request body, nested ones included, through seven cases: absent, null, of a wrong type, too long, of a wrong
// pattern, no word of its enumeration, there twice. What api/openapi.yaml does not allow is refused with 400 in the shape of the plane, by the name
// of the member, and nothing is written; what it allows is taken. Besides, members as long as they may be, members that nobody lists, and whatever
// strangers may send in a member's or the body's place.
// Must never pass an operation over: one with a body and no sample fails, and so does a member that stands in no sample.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, admin, each, expect, fresh, idscope, refused, refusedArm, refusedHub, sas, sharedScene, until, VERSION } = require('../kit');
const { make } = require('../../lib/certificates');
const { SoftTpm } = require('../../lib/tpm');
const { CASES, justEnough, RAW, REFUSED, ACCEPTED, members, pathOf, stepsIn, changed } = require('../bodies');
const { Openapi, IN_REQUESTS } = require('../openapi');
const samplesOf = require('../requests/samples');
const { settled, unchanged } = require('../rows');

const FORM = 'application/x-www-form-urlencoded';
const LINES = 'application/x-ndjson';
const WIDTH = 12;
// Texts and numbers that are JSON, or nearly, and bodies that are none: some are taken, none is an internal error.
const ODD = ["' OR ''='", '\u007f\u0001', '\uffff\u202e\ufeff', 'é😀'.repeat(40), '%00%ff', '${x}', RAW('"\\u0000"'), RAW('"\\ud800"'), RAW('1e999999'), RAW('-0.0e-99999'), RAW('[[[[{"":[]}]]]]'), RAW('{"$a.b ":{"\\u0001":1e400}}')];
const NO_JSON = ['', ' ', 'null', 'true', '[]', '{}', '"x"', '1e999999', '{', '{"a":1,}', '{"":{}}', '\0', '\ud800', `${'['.repeat(40)}${']'.repeat(40)}`, '[{}]', '{"properties":[]}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])];
const IN_ONE_CASE = /^properties\.idscope$/; // in another it is the ID scope that clients send back
const MERGED = /^hub_twin_patch$/; // with what is there it is longer
const WITHOUT_MEMBERS = ['certificate_crl_put']; // bytes

// --- what is said besides -----------------------------------------------------------------------------------------------------------------

const UNKNOWN = { said: REFUSED, status: 401, named: /Unauthorized/ };
// Where the document cannot say it: operation, member, case, what is so, and why.
const LAWFUL = [
  [/^(instance_put|linked_hub_put)$/, /allocationWeight$/, /wrong pattern/, { values: [1.5, -1] }, '0 is read as unset'],
  [/_name_check$/, /^name$/, /too long/, { status: 413, named: /over the limit/ }, 'a name may be as long as the body'],
  [/^register$/, /^tpm\.endorsementKey$/, /absent|null|wrong pattern/, UNKNOWN, 'a stranger is not told what is wrong with a key'],
  [/^register$/, /^tpm\.storageRootKey$/, /wrong pattern/, UNKNOWN, 'the same'],
  [/^registration_status$/, /^tpm\./, /absent|null|wrong pattern/, { said: ACCEPTED }, 'a look-up is proved by its token alone'],
  [/^token/, /^client_/, /absent|too long|wrong pattern/, { said: REFUSED, status: 401, named: /client id or the client secret/ }, 'who is not known is not told why'],
  [/^token/, /^(scope|resource)$/, /absent|too long/, { said: REFUSED, status: 401, named: /scope/ }, 'clients keep a 400 and replay it'],
];
const met = new Set();
function besides({ operationId }, path, name) {
  const row = LAWFUL.find(([of, member, when]) => of.test(operationId) && member.test(path) && when.test(name));
  met.add(row);
  return row?.[3];
}

// --- what a refusal says ------------------------------------------------------------------------------------------------------------------

const SENTENCE = {
  // The provider has a shape of its own for SKUs.
  'management': (answer, status) => (answer.json.error ? refusedArm(answer, status, answer.json.error.code).json.error.message : answer.json.message),
  'sign-in': (answer, status) => { assert.equal(answer.status, status, answer.text); return answer.json.error_description; },
  'service': (answer, status) => refused(answer, status).json.message,
  'device': (answer, status) => refused(answer, status).json.message,
  'hub': (answer, status) => refusedHub(answer, status, answer.headers['iothub-errorcode']).json.Message,
};

// Of one entry that is refused alone.
function sentenceAlone({ status, json, text }) {
  assert.equal(status, 200, text);
  assert.deepEqual([json.isSuccessful, json.errors.length, Math.floor(json.errors[0]?.errorCode / 1000)], [false, 1, 400], text);
  return json.errors[0].errorStatus;
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const isAlone = ({ path, twice, sample: { alone } }) => alone && !twice && path.startsWith(alone);

// A member stands as refusals write it. What the parser finds twice is told by its own name and its place in the text.
function nameOf(one) {
  if (one.named) return one.named;
  if (one.twice) return new RegExp(`\\b${escaped(one.steps.at(-1))} stands twice \\(line 1, column \\d+\\)|stands twice in the form`);
  const own = isAlone(one) ? one.path.slice(one.sample.alone.length).replace(/^\./, '') : one.path;
  return own ? new RegExp(`(^|[\\s;])${escaped(own)}[\\s:]`) : /(body|row|enrollment) .*must (be|have)/i;
}

function checkSentence(one, value, sentence) {
  const what = `${one.operation.operationId} ${one.path}, ${one.name}, ${JSON.stringify(value)?.slice(0, 30)}`;
  assert.match(sentence, nameOf(one), what);
  const most = /at most (\d+) bytes/.exec(sentence);
  if (one.name === 'too long' && most && typeof value === 'string') assert.equal(value.length - 1, Number(most[1]), `${what}: the document has another limit`);
}

// --- the walk -----------------------------------------------------------------------------------------------------------------------------

const mediaOf = (operation) => Object.keys(operation.requestBody.content)[0];
const isForm = (operation) => mediaOf(operation) === FORM;
const isLines = (operation) => mediaOf(operation) === LINES;
const schemaOf = (operation) => { const { schema } = operation.requestBody.content[mediaOf(operation)]; return schema['x-lines'] || schema; };
const whole = (operation, body) => (isForm(operation) ? new URLSearchParams(body).toString() : JSON.stringify(body));

// A form has texts alone.
const isOf = (operation, name) => !isForm(operation) || (name !== 'null' && name !== 'wrong type');

function textOf({ operation, steps, twice, capitals }, sample, sent) {
  const value = typeof sent === 'function' ? sent(steps.reduce((at, step) => at[step], sample.body)) : sent;
  if (!isForm(operation)) return changed(sample.body, steps, { value, twice, name: capitals ? steps.at(-1).toUpperCase() : undefined });
  const pairs = Object.entries(sample.body).filter(([name]) => twice || name !== steps[0]);
  return new URLSearchParams(value === undefined ? pairs : [...pairs, [steps[0], value]]).toString();
}

describe('malformed', () => {
  const openapi = new Openapi(IN_REQUESTS);
  const withBody = openapi.operations.filter(({ requestBody, operationId }) => requestBody && !WITHOUT_MEMBERS.includes(operationId));
  const made = sharedScene({ before, after }, { hubs: 2 });
  const walked = { hub: fresh('hub'), instance: fresh('dps'), linking: fresh('dps'), lock: fresh('lock'), tpm: fresh('tpm'), device: fresh('device'), group: fresh('group') };
  const ca = make('Plant Root', { ca: true });
  const tpm = new SoftTpm();
  let samples;

  const service = (method, path, body) => idscope.service(made.instance, method, path, { body });
  const certificateAt = (name, rest = '') => `${idscope.instancePath(made.group, made.instance.name)}/certificates/${name}${rest}`;
  const hubCertificateAt = (name, rest = '') => `${idscope.hubPath(made.group, walked.hub)}/certificates/${name}${rest}`;
  const codeOf = (at) => async () => expect('code', await idscope.arm('POST', at('proved', '/generateVerificationCode'), { headers: { 'If-Match': '*' } }), 200).properties.verificationCode;

  // The token of a device that its TPM proved.
  async function proven() {
    expect('tpm', await service('PUT', `/enrollments/${walked.tpm}`, { registrationId: walked.tpm, attestation: { type: 'tpm', tpm: tpm.shown } }), 200);
    const ask = (authorization) => idscope.device('PUT', made.idScope, `${walked.tpm}/register`, { body: { registrationId: walked.tpm, tpm: tpm.shown }, authorization });
    const authorization = sas.forDevice(made.idScope, walked.tpm, tpm.open(refused(await ask(), 401).json.authenticationKey));
    expect('register', await ask(authorization), 202);
    return authorization;
  }

  before(async () => {
    const [principal] = await Promise.all([admin('create-service-principal', idscope.env.IDSCOPE_TENANT_ID, fresh('walk'), 'reader'), idscope.createHub(made.group, walked.hub),
      idscope.putInstance(made.group, walked.instance), idscope.putInstance(made.group, walked.linking)]);
    for (const name of ['trusted', 'proved']) expect('certificate', await idscope.arm('PUT', certificateAt(name), { body: { certificate: ca.cert, isVerified: true } }), 200);
    expect('hub certificate', await idscope.arm('PUT', hubCertificateAt('proved'), { body: { certificate: ca.cert, isVerified: true } }), 200);
    expect('group', await service('PUT', `/enrollmentGroups/${walked.group}`, { enrollmentGroupId: walked.group, attestation: { type: 'symmetricKey' } }), 200);
    expect('device', await idscope.hub(made.hubs[0], 'PUT', `/devices/${walked.device}`, { body: { deviceId: walked.device } }), 200);
    samples = samplesOf({ env: idscope.env, hubs: made.hubs, otherId: idscope.hubPath(made.group, made.hubs[1].name), ca, tpm, principal: principal.IDSCOPE_CLIENT_ID, hubName: walked.hub, trusted: 'trusted', proving: 'proved',
      code: codeOf(certificateAt), hubCode: codeOf(hubCertificateAt), groupId: walked.group, idScope: made.idScope, device: await made.registered(), proven: { id: walked.tpm, authorization: await proven() }, deviceId: walked.device, erase: (path) => service('DELETE', path), fresh });
  });

  // --- how it is sent ---------------------------------------------------------------------------------------------------------------------

  const instanceOf = ({ operationId }) => (operationId.startsWith('linked') ? walked.linking : operationId.startsWith('certificate') ? made.instance.name : walked.instance);
  const wordsOf = (operation) => ({ subscriptionId: idscope.subscription, resourceGroupName: made.group, hubName: walked.hub, instanceName: instanceOf(operation), lockName: walked.lock });
  const pathIn = (operation, { at }) => operation.at.replace(/\{(\w+)\}/g, (_, word) => encodeURIComponent({ ...wordsOf(operation), ...at }[word]));
  const SEND = {
    'management': (...call) => idscope.arm(...call),
    'sign-in': (method, path, { body }) => idscope.https.request(method, idscope.managementHost, path, { body, headers: { 'Content-Type': FORM } }),
    'service': (...call) => idscope.service(made.instance, ...call),
    'device': (method, path, { body, headers, authorization }) => idscope.https.request(method, idscope.deviceHost, `${path}?api-version=${VERSION.device}`, { body, headers: { ...headers, Authorization: authorization } }),
    'hub': (...call) => idscope.hub(made.hubs[0], ...call),
  };
  const send = (operation, sample, body) => SEND[operation.plane](operation.method, pathIn(operation, sample), { body, headers: { 'Content-Type': mediaOf(operation), ...sample.headers }, authorization: sample.authorization });

  const undo = (operation, sample) => (sample.undo === true ? SEND[operation.plane]('DELETE', pathIn(operation, sample), { headers: {} }) : sample.undo?.());

  async function isTaken(operation, sample, text) {
    const answer = await send(operation, sample, text(sample));
    assert.ok((sample.accepted || [200, 201, 202]).includes(answer.status), answer.text);
    if (sample.alone) assert.deepEqual(answer.json.errors, [], answer.text);
    await undo(operation, sample);
  }

  // One import of all rows, which are looked at and not written.
  async function importOf(operation, rows) {
    const answer = await SEND.service('POST', `${operation.at}?dryRun=true`, { body: rows.join('\n'), headers: { 'Content-Type': LINES } });
    expect(operation.operationId, answer, 202);
    return until('the import to end', async () => {
      const now = expect('import', await service('GET', new URL(answer.headers['operation-location']).pathname), 200);
      return !['receiving', 'running', 'writing'].includes(now.status) && now;
    });
  }

  // --- what is expected -------------------------------------------------------------------------------------------------------------------

  // The first sample that goes as far as the member does, and the steps in it.
  function sampleOf(operation, { steps, schema }) {
    const upTo = schema.readOnly ? steps.length - 1 : steps.length;
    const found = samples[operation.operationId].find((sample) => stepsIn(sample().body, steps, upTo));
    assert.ok(found, `${operation.operationId}: no sample has ${pathOf(steps)}`);
    return { sampled: found, sample: found(), steps: stepsIn(found().body, steps, upTo) };
  }

  function caseOf(operation, member, name) {
    const { sampled, sample, steps } = sampleOf(operation, member);
    const path = pathOf(steps);
    const value = steps.reduce((at, step) => at?.[step], sample.body) ?? 'x';
    const one = { operation, sampled, sample, steps, path, name, schema: member.schema, ...(isOf(operation, name) ? CASES[name](member, value) : { values: [] }) };
    if (member.schema.readOnly && !one.twice) one.said = ACCEPTED;
    if (path in (sample.needs || {}) && (name === 'absent' || name === 'null')) Object.assign(one, { said: REFUSED, named: sample.needs[path] });
    return one.values.length > 0 ? Object.assign(one, besides(operation, path, name)) : one;
  }

  const membersOf = (operation) => members(openapi, schemaOf(operation));
  const walk = (operation) => membersOf(operation).flatMap((member) => Object.keys(CASES).map((name) => caseOf(operation, member, name)));
  const toSend = (operations, said) => operations.flatMap(walk).filter((one) => one.values.length > 0 && one.said === said);

  // All that fare otherwise, so that one look tells what is wrong.
  const tally = { refused: 0, longest: 0, odd: 0, capitals: 0, unlisted: 0, accepted: 0 };
  async function allFare(said, cases, width, check) {
    const wrong = [];
    await each(cases, width, (one) => check(one).catch((error) => wrong.push(`${one.operation.operationId} ${one.path || 'body'}, ${one.name}: ${error.message.slice(0, 300)}`)));
    tally[said] += cases.length - wrong.length;
    assert.ok(wrong.length === 0, `${wrong.length} fare otherwise:\n${wrong.sort().join('\n')}`);
  }

  async function isRefused(one) {
    for (const value of one.values) {
      const sample = one.sampled();
      const answer = await send(one.operation, sample, textOf(one, sample, value));
      checkSentence(one, value, isAlone(one) ? sentenceAlone(answer) : SENTENCE[one.operation.plane](answer, one.status || 400));
    }
  }

  // It may be refused for another reason, as its form.
  async function isNotTooLong(one) {
    const sample = one.sampled();
    const answer = await send(one.operation, sample, textOf(one, sample, justEnough(one.values[0])));
    assert.ok(answer.status < 500 && !/at most|longer than|larger than \d+ bytes|whole number/.test(answer.text), answer.text);
    await undo(one.operation, sample);
  }

  async function isAnswered(one) {
    for (const value of one.values) {
      const sample = one.sampled();
      const answer = await send(one.operation, sample, textOf(one, sample, value));
      assert.ok(answer.status < 500, `${JSON.stringify(value)}: ${answer.text}`);
      if (answer.json?.errors) assert.ok(answer.json.errors.every(({ errorCode }) => errorCode < 500000), `${JSON.stringify(value)}: ${answer.text}`);
      await undo(one.operation, sample);
    }
  }

  async function isAccepted(one) {
    for (const value of one.values) {
      const sample = one.sampled();
      await sample.prepare?.(sample);
      await isTaken(one.operation, sample, () => textOf(one, sample, value));
    }
  }

  // --- the tests --------------------------------------------------------------------------------------------------------------------------

  test('every operation that takes a body has samples, and no other', () => {
    assert.deepEqual(Object.keys(samples).sort(), withBody.map(({ operationId }) => operationId).sort());
  });

  for (const plane of ['sign-in', 'management', 'service', 'device', 'hub']) {
    const operations = withBody.filter((operation) => operation.plane === plane && !isLines(operation));
    const width = plane === 'management' ? 1 : WIDTH; // writers of one resource go one after the other

    test(`${plane}: every sample is accepted`, () => each(operations.flatMap((operation) => samples[operation.operationId].map((sampled) => [operation, sampled()])), width, async ([operation, sample]) => {
      await sample.prepare?.(sample);
      await isTaken(operation, sample, ({ body }) => whole(operation, body));
    }));

    test(`${plane}: what the document does not allow is refused by the member's name, and nothing is written`, async () => {
      await settled(made.idScope.toLowerCase());
      await unchanged(() => allFare('refused', toSend(operations, REFUSED), WIDTH, isRefused));
    });

    test(`${plane}: what is as long as the document allows is not too long`, async () => {
      const cases = toSend(operations, REFUSED).filter(({ operation, name, values: [value], status }) => name === 'too long' && justEnough(value) !== undefined && !status && !MERGED.test(operation.operationId));
      await allFare('longest', cases, width, isNotTooLong);
    });

    test(`${plane}: nothing that is sent in a member's place is an internal error`, async () => {
      const cases = operations.flatMap(walk).filter(({ name, steps }) => name === 'null' && steps.length > 0).map((one) => ({ ...one, values: ODD, twice: false }));
      await allFare('odd', cases, width, isAnswered);
    });

    test(`${plane}: nor is anything that is sent for a body`, () => each(operations.flatMap((operation) => NO_JSON.map((body) => [operation, body])), width, async ([operation, body]) => {
      const sample = samples[operation.operationId][0]();
      const answer = await send(operation, sample, body);
      assert.ok(answer.status < 500, `${operation.operationId}: ${body}: ${answer.text}`);
      await undo(operation, sample);
    }));

    if (plane === 'management') {
      test('management: a member that stands twice, in capitals once more, is refused by its name', async () => {
        const named = operations.flatMap(walk).filter(({ name, twice, values, schema, path }) => name === 'stands twice' && twice && values.length > 0 && !schema.readOnly && !IN_ONE_CASE.test(path));
        await unchanged(() => allFare('capitals', named.map((one) => ({ ...one, capitals: true, named: new RegExp(`(^|\\s)${escaped(pathOf(one.steps))} stands twice`, 'i') })), WIDTH, isRefused));
      });
    }

    test(`${plane}: what an object does not list is ignored`, async () => {
      const objects = operations.filter((operation) => !isForm(operation)).flatMap(walk).filter(({ name, schema }) => name === 'null' && schema.type === 'object' && schema.additionalProperties === false && !schema.readOnly);
      await allFare('unlisted', objects.map((one) => ({ ...one, values: [(body) => ({ ...body, unlisted: { deep: [1] } })] })), width, isAccepted);
    });

    test(`${plane}: what it allows is taken`, () => allFare('accepted', toSend(operations, ACCEPTED), width, isAccepted));
  }

  for (const operation of withBody.filter(isLines)) {
    const rowsOf = (cases) => cases.flatMap((one) => one.values.map((value) => ({ one, value, text: textOf(one, one.sampled(), value) })));

    test(`${operation.operationId}: a row is refused by the member's name`, async () => {
      const cases = toSend([operation], REFUSED);
      const rows = rowsOf(cases);
      const { received, refused: count, errors } = await importOf(operation, rows.map(({ text }) => text));
      assert.deepEqual([received, count], [rows.length, rows.length]);
      const messages = new Map(errors.map(({ line, message }) => [rows[line - 1], message]));
      await allFare('refused', cases, 1, async (one) => rows.filter((row) => row.one === one).forEach((row) => checkSentence(one, row.value, messages.get(row))));
    });

    test(`${operation.operationId}: what the document allows is taken`, async () => {
      const cases = toSend([operation], ACCEPTED);
      const rows = [...samples[operation.operationId].map((sampled) => JSON.stringify(sampled().body)), ...rowsOf(cases).map(({ text }) => text)];
      const { received, refused: count, errors } = await importOf(operation, rows);
      assert.deepEqual([received, count, errors], [rows.length, 0, []]);
      tally.accepted += cases.length;
    });
  }

  const isBounded = ({ enum: words, type, format, maxLength, maximum, minimum, maxItems, 'x-max-bytes': most }) => words || most !== undefined ||
    { boolean: true, object: true, string: maxLength !== undefined || ['uuid', 'date-time'].includes(format), integer: maximum !== undefined && minimum !== undefined, array: maxItems !== undefined }[type];
  test('the document says of every text, number and list how much it may be', () => {
    const open = withBody.flatMap((operation) => membersOf(operation).filter(({ schema }) => !schema.readOnly && !isBounded(schema)).map(({ steps }) => `${operation.operationId} ${pathOf(steps)}`));
    assert.deepEqual(open, []);
  });

  test('every member went through every case', () => {
    const all = withBody.flatMap(walk);
    const none = all.filter(({ values }) => values.length === 0).length;
    const done = tally.refused + tally.accepted + none;
    console.log(`malformed: ${withBody.length} bodies, ${all.length / Object.keys(CASES).length} members × ${Object.keys(CASES).length} cases, ${done} of ${all.length}: ${tally.refused} refused by name, ${tally.accepted} taken, ${none} of which there is no rule; besides ${tally.longest} as long as they may be, ${tally.unlisted} with what is not listed, ${tally.capitals} there twice in capitals, ${tally.odd} × ${ODD.length} odd; without members: ${WITHOUT_MEMBERS}`);
    assert.equal(done, all.length);
    assert.deepEqual(LAWFUL.filter((row) => !met.has(row)), [], 'exceptions that nothing needs');
  });
});
