// stranger.js: TLS servers that are linked as hubs and are none, or poor ones: silent, slow, or with a page for whoever asks.
//
// Responsible for: a server on a loopback address of its own, whose manner is chosen by the first word of the host's name ("silent-…", "slow-…",
// "page-…", "quick-…", "keeping-…") unless `manners` says otherwise, with the certificate that it is given; what calls each host got, and how many at once;
// the identities and twins of each host, which a PUT writes whole: what it does not say is gone. The slow one answers rightly, after `delayMs`; the keeping one
// deletes nothing, the strict one refuses the 101st call in a minute once `strictFrom` is set, the throttled one and the spent one, whose quota is used up, every call but those that check a link; the single one has no bulk call, and the twinless one besides breaks off where a twin is wanted; the unlisted one refuses to be listed, for a minute.
// Must never know what the service does with such an answer.
'use strict';

const { Listener } = require('./listener');

const json = (response, status, body) => response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));

const unauthorized = { Message: 'ErrorCode:IotHubUnauthorizedAccess;Unauthorized', ExceptionMessage: '' };
const BULK_MAX = 100; // devices in one call, as a hub's reference says
const tooMany = { Message: 'ErrorCode:ArgumentInvalid;More than 100 devices', ExceptionMessage: '' };
const LISTS = /^\/devices\/query\?/;
const LIST_MAX = 1000; // devices on a page
const badPage = { Message: 'ErrorCode:ArgumentInvalid;No such page', ExceptionMessage: '' };
const notFound = { Message: 'ErrorCode:DeviceNotFound;E2E-a device that does not exist', ExceptionMessage: '' };

const found = { Message: 'ErrorCode:DeviceAlreadyExists;A device with this ID is registered', ExceptionMessage: '' };
const LINK_CHECK = /^\/(statistics|devices\/idscope-probe-|devices\/query\?)/;
const CALLS_MAX = 100; // of a strict one, in a minute
const throttled = { Message: 'ErrorCode:ThrottlingException;Too many calls', ExceptionMessage: '' };
const UNLISTED_S = '60';
const spent = { Message: 'ErrorCode:IotHubQuotaExceeded;(403002) The quota of the day is used up', ExceptionMessage: '' };
const stale = { Message: 'ErrorCode:PreconditionFailed;Precondition failed', ExceptionMessage: '' };

let etags = 0;
const put = (identities, id, identity) => identities.set(id, { ...identity, deviceId: id, etag: `e${++etags}` }).get(id);

// One device: what a hub says to PUT, GET and DELETE.
function deviceAnswer(request, id, body, response, identities) {
  const standing = identities.get(id);
  const match = request.headers['if-match'];
  if (request.method === 'PUT' && !match && standing) return json(response, 409, found);
  if ((request.method !== 'PUT' || match) && !standing) return json(response, 404, notFound);
  if (match && match !== '*' && match !== `"${standing.etag}"`) return json(response, 412, stale);
  if (request.method === 'DELETE') return identities.delete(id) && response.writeHead(204).end();
  return json(response, 200, request.method === 'PUT' ? put(identities, id, JSON.parse(body)) : standing);
}

const empty = () => ({ tags: {}, properties: { desired: {}, reported: {} } });

function twinAnswer(request, id, body, response, identities, twins) {
  if (!identities.has(id)) return json(response, 404, notFound);
  if (request.method !== 'GET') twins.set(id, { ...empty(), ...JSON.parse(body) });
  return json(response, 200, { ...empty(), ...twins.get(id), deviceId: id });
}

function bulkAnswer(items, response, identities, twins) {
  const errors = items.filter(({ id }) => identities.has(id)).map(({ id }) => ({ deviceId: id, errorCode: 409001, errorStatus: found.Message }));
  for (const { id, importMode, tags, properties, ...identity } of items) {
    if (identities.has(id)) continue;
    put(identities, id, identity);
    twins.set(id, { ...empty(), ...(tags && { tags }), ...(properties && { properties }) });
  }
  return json(response, 200, { isSuccessful: errors.length === 0, errors, warnings: [] });
}

// A page of the list: its continuation is how far it goes.
function listAnswer(request, response, identities) {
  const from = Number(request.headers['x-ms-continuation'] || 0), to = from + Number(request.headers['x-ms-max-item-count']);
  if (!(to <= from + LIST_MAX) || from > identities.size) return json(response, 400, badPage);
  if (to < identities.size) response.setHeader('x-ms-continuation', String(to));
  return json(response, 200, [...identities.keys()].slice(from, to).map((deviceId) => ({ deviceId })));
}

// What a hub says to the calls of a worker.
function hubAnswer(request, body, response, { identities, twins }) {
  const [, what, id] = /^\/(devices|twins)\/(?!query\?)([^?]+)/.exec(request.url) || [];
  if (!request.headers.authorization) return json(response, 401, unauthorized);
  if (what === 'twins') return twinAnswer(request, decodeURIComponent(id), body, response, identities, twins);
  if (id) return deviceAnswer(request, decodeURIComponent(id), body, response, identities);
  if (request.method === 'GET') return json(response, 200, { connectedDeviceCount: 0, totalDeviceCount: identities.size });
  if (LISTS.test(request.url)) return listAnswer(request, response, identities);
  const items = JSON.parse(body);
  return items.length > BULK_MAX ? json(response, 400, tooMany) : bulkAnswer(items, response, identities, twins);
}

class Stranger extends Listener {
  // pem: certificate and key. page: what the "page-…" hosts answer, {status, type, body}.
  constructor(address, pem, { delayMs = 7000, page = { status: 200, type: 'text/html', body: '<html>It works!</html>' } } = {}) {
    super(address, pem);
    Object.assign(this, { delayMs, page, calls: new Map(), open: new Map(), most: new Map(), manners: new Map(), registries: new Map() });
  }

  take(request, response) {
    const host = request.headers.host.split(':')[0];
    const parts = [];
    this.calls.set(host, [...(this.calls.get(host) || []), { method: request.method, path: request.url, ifMatch: request.headers['if-match'], continuation: request.headers['x-ms-continuation'], at: Date.now() }]);
    this.count(host, response);
    request.on('data', (part) => parts.push(part));
    request.on('end', () => this.answer(this.manners.get(host) || host.split('-')[0], request, Buffer.concat(parts).toString(), response));
  }

  count(host, response) {
    const add = (n) => this.open.set(host, (this.open.get(host) || 0) + n).get(host);
    this.most.set(host, Math.max(this.most.get(host) || 0, add(1)));
    response.on('close', () => add(-1));
  }

  registryOf(host) {
    return this.registries.get(host) || this.registries.set(host, { identities: new Map(), twins: new Map() }).get(host);
  }

  // Has a strict host had its calls of this minute?
  isFull(host) {
    const from = Math.max(Date.now() - 60000, this.strictFrom || Infinity);
    return this.calls.get(host).filter(({ at }) => at >= from).length > CALLS_MAX;
  }

  answer(manner, request, body, response) {
    const host = request.headers.host.split(':')[0];
    const asHub = () => hubAnswer(request, body, response, this.registryOf(host));
    if (manner === 'page' || (manner === 'keeping' && request.method === 'DELETE')) response.writeHead(this.page.status, { 'Content-Type': this.page.type }).end(this.page.body);
    else if (manner === 'slow') setTimeout(asHub, this.delayMs).unref();
    else if (['single', 'twinless'].includes(manner) && request.method === 'POST' && !LISTS.test(request.url)) json(response, 404, { Message: 'ErrorCode:NotFound;There is no bulk call' });
    else if (manner === 'twinless' && request.url.startsWith('/twins/')) response.destroy();
    else if (manner === 'unlisted' && LISTS.test(request.url)) response.setHeader('Retry-After', UNLISTED_S) && json(response, 429, throttled);
    else if (LINK_CHECK.test(request.url) && ['throttled', 'spent'].includes(manner)) asHub();
    else if (manner === 'spent') json(response, 403, spent);
    else if (manner === 'throttled' || (manner === 'strict' && this.isFull(host))) {
      this.refused = (this.refused || 0) + 1;
      response.setHeader('Retry-After', manner === 'strict' ? '10' : '1');
      json(response, 429, throttled);
    } else if (['quick', 'keeping', 'single', 'strict', 'twinless', 'unlisted'].includes(manner)) asHub();
  }
}

module.exports = { Stranger, LINK_CHECK };
