// stranger.js: TLS servers that are linked as hubs and are none, or poor ones: silent, slow, or with a page for whoever asks.
//
// Responsible for: a server on a loopback address of its own, whose manner is chosen by the first word of the host's name ("silent-…", "slow-…",
// "page-…", "quick-…") unless `manners` says otherwise, with the certificate that it is given; what calls each host got, and how many at once. The slow one answers rightly, after `delayMs`.
// Must never know what the service does with such an answer.
'use strict';

const https = require('node:https');

const json = (response, status, body) => response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));

const unauthorized = { Message: 'ErrorCode:IotHubUnauthorizedAccess;Unauthorized', ExceptionMessage: '' };
const BULK_MAX = 100; // devices in one call, as a hub's reference says
const tooMany = { Message: 'ErrorCode:ArgumentInvalid;More than 100 devices', ExceptionMessage: '' };
const notFound = { Message: 'ErrorCode:DeviceNotFound;E2E-a device that does not exist', ExceptionMessage: '' };

// What a hub says to the calls of a worker.
function hubAnswer(request, body, response) {
  if (!request.headers.authorization) return json(response, 401, unauthorized);
  if (request.method === 'GET') return json(response, 200, { connectedDeviceCount: 0 });
  if (request.method === 'DELETE') return json(response, 404, notFound);
  if (request.method === 'POST' && JSON.parse(body).length > BULK_MAX) return json(response, 400, tooMany);
  if (request.method === 'POST') return json(response, 200, { isSuccessful: true, errors: [], warnings: [] });
  return json(response, 200, JSON.parse(body));
}

class Stranger {
  // pem: certificate and key. page: what the "page-…" hosts answer, {status, type, body}.
  constructor(address, pem, { delayMs = 7000, page = { status: 200, type: 'text/html', body: '<html>It works!</html>' } } = {}) {
    Object.assign(this, { address, delayMs, page, calls: new Map(), open: new Map(), most: new Map(), manners: new Map() });
    this.server = https.createServer({ cert: pem, key: pem }, (request, response) => this.take(request, response));
    this.sockets = new Set();
    this.server.on('connection', (socket) => this.sockets.add(socket.on('close', () => this.sockets.delete(socket))));
  }

  start() {
    return new Promise((resolve, reject) => this.server.once('error', reject).listen(443, this.address, resolve));
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }

  take(request, response) {
    const host = request.headers.host.split(':')[0];
    const parts = [];
    this.calls.set(host, [...(this.calls.get(host) || []), { method: request.method, path: request.url, at: Date.now() }]);
    this.count(host, response);
    request.on('data', (part) => parts.push(part));
    request.on('end', () => this.answer(this.manners.get(host) || host.split('-')[0], request, Buffer.concat(parts).toString(), response));
  }

  count(host, response) {
    const add = (n) => this.open.set(host, (this.open.get(host) || 0) + n).get(host);
    this.most.set(host, Math.max(this.most.get(host) || 0, add(1)));
    response.on('close', () => add(-1));
  }

  answer(manner, request, body, response) {
    if (manner === 'page') response.writeHead(this.page.status, { 'Content-Type': this.page.type }).end(this.page.body);
    if (manner === 'slow') setTimeout(() => hubAnswer(request, body, response), this.delayMs).unref();
    if (manner === 'quick') hubAnswer(request, body, response);
  }
}

module.exports = { Stranger };
