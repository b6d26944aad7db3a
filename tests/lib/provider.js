// provider.js: OpenID providers on a loopback address of their own, one for each host name: discovery document, keys, and tokens signed with them.
//
// Responsible for: a TLS server with the certificate that it is given, which answers each host by its `manner` ("good" unless told otherwise); keys of RSA
// and P-256; tokens with any header and claims, signed as their key does or as somebody else would; what each host was asked.
// Must never know what the service makes of a token.
'use strict';

const crypto = require('node:crypto');
const { Listener } = require('./listener');

const DISCOVERY = '/.well-known/openid-configuration';
const text = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// header and claims: objects, or the JSON itself. sign: what makes the signature of the text.
function token(header, claims, sign) {
  const body = `${text(header)}.${text(claims)}`;
  return `${body}.${Buffer.from(sign(body)).toString('base64url')}`;
}

const signers = {
  RS256: (key) => (body) => crypto.sign('sha256', Buffer.from(body), key),
  ES256: (key) => (body) => crypto.sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }),
  HS256: (secret) => (body) => crypto.createHmac('sha256', secret).update(body).digest(),
  none: () => () => '',
};

class Key {
  constructor(alg, { kid = crypto.randomUUID(), curve = 'P-256' } = {}) {
    const pair = alg === 'RS256' ? crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }) : crypto.generateKeyPairSync('ec', { namedCurve: curve });
    Object.assign(this, { alg, kid, ...pair });
  }

  get jwk() {
    return { ...this.publicKey.export({ format: 'jwk' }), kid: this.kid, alg: this.alg, use: 'sig' };
  }

  get pem() {
    return this.publicKey.export({ type: 'spki', format: 'pem' });
  }

  sign(claims, header = {}) {
    return token({ alg: this.alg, typ: 'JWT', kid: this.kid, ...header }, claims, signers[this.alg](this.privateKey));
  }
}

class Issuer {
  constructor(host, keys) {
    Object.assign(this, { host, url: `https://${host}`, keys, manner: 'good', asked: [] });
  }

  get set() {
    return { keys: this.keys.map((key) => key.jwk) };
  }

  claims(more = {}) {
    const now = Math.floor(Date.now() / 1000);
    return { iss: this.url, iat: now, nbf: now, exp: now + 600, ...more };
  }

  token(more, { key = this.keys[0], header = {} } = {}) {
    return key.sign(this.claims(more), header);
  }

  // What a request gets; undefined: nothing, ever.
  answer(path) {
    const document = { issuer: this.manner === 'impostor' ? 'https://another.example' : this.url, jwks_uri: this.keysAt || `${this.url}/keys` };
    const wanted = path === DISCOVERY ? document : this.set;
    const [first] = this.set.keys;
    const as = {
      good: () => [200, wanted],
      garbage: () => [200, 'no JSON at all'],
      redirect: () => [302, '', { Location: `${this.url}/elsewhere` }],
      broken: () => [500, 'out of order'],
      huge: () => [200, { ...wanted, padding: 'x'.repeat(4 << 20) }],
      twins: () => [200, path === DISCOVERY ? document : { keys: [first, new Key('ES256', { kid: first.kid }).jwk] }],
      empty: () => [200, path === DISCOVERY ? document : { keys: [{ kty: 'oct', k: 'AAAA', kid: first.kid }] }],
      impostor: () => [200, wanted],
      silent: () => undefined,
    };
    return as[this.manner]();
  }
}

class Provider extends Listener {
  // pem: certificate and key, good for the hosts.
  constructor(address, pem) {
    super(address, pem);
    this.issuers = new Map();
  }

  issuer(host, ...algorithms) {
    const issuer = new Issuer(host, algorithms.map((alg) => new Key(alg)));
    this.issuers.set(host, issuer);
    return issuer;
  }

  take(request, response) {
    const issuer = this.issuers.get(request.headers.host.split(':')[0]);
    issuer.asked.push({ path: request.url, at: Date.now(), headers: request.headers });
    const answer = issuer.answer(request.url);
    if (!answer) return;
    const [status, body, headers = {}] = answer;
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body));
  }
}

module.exports = { Provider, Issuer, Key, token, signers, DISCOVERY };
