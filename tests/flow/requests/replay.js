// replay.js: sends the rows of a table of requests, one after the other, and holds each answer against what its client needs of it.
//
// A row: method, path, api-version, { headers, body, status, reads }: headers and body may be functions of what was read last, by path; `reads` are members of the answer
// by their path, with the value, a pattern, or a function that says whether it is good.
// Must never send what is not in the table, nor go on behind an answer that its client would not.
'use strict';

const assert = require('node:assert/strict');
const { isDeepStrictEqual } = require('node:util');

const member = (json, at) => at.split('.').reduce((one, name) => one?.[name], json);
const fits = (value, wanted) => (typeof wanted === 'function' ? wanted(value) : wanted instanceof RegExp ? wanted.test(value) : isDeepStrictEqual(value ?? null, wanted));

class Replay {
  constructor(idscope) {
    this.idscope = idscope;
    this.last = {};
    this.count = 0;
  }

  // Gives the answer's text.
  async send([method, path, version, { headers = {}, body, status, reads = {} }]) {
    const made = (what) => (typeof what === 'function' ? what(this.last) : what);
    const sent = { Accept: 'application/json', 'Content-Type': 'application/json; charset=utf-8', ...made(headers) };
    const answer = await this.idscope.arm(method, path, { version, body: made(body), bearer: this.bearer, headers: sent });
    const what = `${method} ${path}: ${answer.status} ${answer.text}`;
    assert.equal(answer.status, status, what);
    for (const [at, wanted] of Object.entries(reads)) assert.ok(fits(member(answer.json, at), wanted), `${at} in ${what}`);
    if (status < 300) this.last[path] = answer.json;
    this.count++;
    return answer.text;
  }

  async run(rows) {
    const texts = [];
    for (const row of rows) texts.push(await this.send(row));
    return texts;
  }
}

module.exports = { Replay };
