// https.js: one small HTTPS client for the demo and the tests.
//
// Responsible for: requests over kept-alive connections to the edge, whatever name they are for (only some resolvers know
// *.localhost), with the private CA checked; answers with status, headers, text and JSON.
// Must never retry, follow a redirect, or relax a certificate check: what the service says is what the caller sees.
'use strict';

const https = require('node:https');
const net = require('node:net');

class Https {
  // ca: PEM text. address, port: where every connection goes; name, SNI and certificate check stay those of the request's host.
  constructor({ ca, address, port, sockets = 32 }) {
    this.port = port;
    // localhost is loopback by definition, whatever the resolver of this machine knows.
    this.address = /(^|\.)localhost$/.test(address) ? '127.0.0.1' : address;
    this.agent = new https.Agent({ keepAlive: true, maxSockets: sockets, ca });
  }

  close() {
    this.agent.destroy();
  }

  // body: undefined, text or Buffer as it is, or anything else as JSON.
  request(method, host, path, { headers = {}, body, timeoutMs = 60000, agent = this.agent } = {}) {
    const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const all = { Host: this.port === 443 ? host : `${host}:${this.port}`, Accept: 'application/json', ...headers };
    if (payload !== undefined) {
      if (all['Content-Type'] === undefined) all['Content-Type'] = 'application/json; charset=utf-8';
      all['Content-Length'] = Buffer.byteLength(payload);
    } else if (method !== 'GET' && method !== 'HEAD' && method !== 'DELETE') {
      all['Content-Length'] = 0;
    }
    for (const name of Object.keys(all)) if (all[name] === undefined || all[name] === null) delete all[name];
    return new Promise((resolve, reject) => {
      const request = https.request({ method, path, agent, host: this.address, port: this.port, servername: net.isIP(host) ? '' : host, headers: all });
      request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms: ${method} ${host}${path}`)));
      request.on('error', reject);
      request.on('response', (response) => {
        const parts = [];
        response.on('error', reject);
        response.on('data', (part) => parts.push(part));
        response.on('end', () => resolve(answer(response, Buffer.concat(parts).toString('utf8'))));
      });
      request.end(payload);
    });
  }
}

function answer(response, text) {
  const ret = { status: response.statusCode, headers: response.headers, text, json: undefined };
  if (text !== '' && /\/json/.test(response.headers['content-type'] || '')) ret.json = JSON.parse(text);
  return ret;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Runs `work` for each item, at most `width` at a time; the first failure ends it.
async function each(items, width, work) {
  const results = new Array(items.length);
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, run));
  return results;
}

// Asks again and again until `probe` gives something; says what it waited for when the time is over.
async function until(what, probe, { timeoutMs = 60000, everyMs = 100 } = {}) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await sleep(everyMs);
  }
}

module.exports = { Https, each, sleep, until };
