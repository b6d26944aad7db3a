// openapi.js: every answer of this run, whoever asked (tests, packages, az), against api/openapi.yaml: tap.js saw them all between edge and api.
// Must never ask for an answer itself: what no other suite provokes is not seen.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Openapi } = require('../openapi');
const { assert, work } = require('../kit');

describe('openapi', () => {
  const openapi = new Openapi();
  const found = () => fs.readFileSync(path.join(work, 'answers'), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));

  test('every answer has a status that its operation lists, and no other members, types and headers than the document says', () => {
    assert.deepEqual(found().filter(({ wrong }) => wrong), []);
    assert.deepEqual(found().filter(({ lost }) => lost), [], 'connections that could not be read');
  });

  test('every status of every operation was seen', () => {
    const seen = new Set(found().flatMap(({ pair }) => pair || []));
    const all = openapi.pairs();
    const missing = all.filter((pair) => !seen.has(pair));
    console.log(`openapi: ${all.length - missing.length} of ${all.length} pairs of operation and status were seen`);
    if (process.env.FLOW_SUITES.trim() === '') assert.deepEqual(missing, []);
  });

  test('the judge refuses a renamed member, one too many, one that is missing, another type, another status, a missing header', () => {
    const good = { id: '/tenants/x', tenantId: '9f6b3c1e-0000-4000-8000-000000000001' };
    const answer = (one, status = 200, more = {}) => openapi.answered({ method: 'GET', host: 'management.x', target: '/tenants?api-version=2022-12-01', status,
      headers: { 'content-type': 'application/json; charset=utf-8' }, text: JSON.stringify({ value: [one] }), ...more });
    assert.deepEqual(answer(good), { pair: 'tenant_list 200', wrong: undefined });
    assert.match(answer({ id: good.id, tenantID: good.tenantId }).wrong, /additional properties: tenantID; .*required property 'tenantId'/);
    assert.match(answer({ ...good, more: 1 }).wrong, /additional properties: more/);
    assert.match(answer({ ...good, id: 1 }).wrong, /id must be string/);
    assert.match(answer(good, 404).wrong, /tenant_list 404 is not listed/);
    assert.match(answer(good, 503, { text: '{"error":{"code":"ServiceUnavailable","message":"x"}}' }).wrong, /Retry-After is missing/);
    assert.match(answer(good, 200, { text: '' }).wrong, /no JSON/);
  });
});
