// groups.js: what the benchmark needs for devices that enrollment groups admit: two instances, a chain of three certificates, HAProxy alone.
//
// Responsible for: setting them up through the service's own planes. Every device of the first instance has a leaf of an authority under the group's
// CA, every device of the second a key that derives from the group's; none has an enrollment of its own.
// Must never write into the database.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { make } = require('../lib/certificates');
const { ROOT, freePort, isFree } = require('../lib/stack');
const { Idscope } = require('../lib/idscope');
const { until } = require('../lib/https');

const GROUP_ID = 'fleet';

class Groups {
  constructor(site, resourceGroup) {
    this.site = site;
    this.resourceGroup = resourceGroup;
  }

  file(name, text) {
    const file = path.join(this.site.dir, name);
    fs.writeFileSync(file, text);
    return file;
  }

  async open() {
    const root = make('bench root', { ca: true });
    const region = make('bench region', { ca: true, by: root });
    const leaf = make('bench device', { by: region });
    this.chain = this.file('authority.pem', region.key + region.cert + root.cert);
    this.leaf = { cert: this.file('leaf.pem', leaf.cert), key: this.file('leaf.key', leaf.key), above: this.file('above.pem', region.cert + root.cert) };
    this.key = crypto.randomBytes(32).toString('base64');
    this.certified = await this.instance('certified', { type: 'x509', x509: { signingCertificates: { primary: { certificate: root.cert } } } });
    this.derived = await this.instance('derived', { type: 'symmetricKey', symmetricKey: { primaryKey: this.key, secondaryKey: this.key } });
    await this.startAlone();
  }

  // The ID scope of a new instance with one enrollment group, as rows.js reads it.
  async instance(name, attestation) {
    const { service, hubs } = this.site;
    const made = await service.createInstance(this.resourceGroup, `bench-${name}`, { allocationPolicy: 'Hashed', iotHubs: hubs.slice(0, 2).map((hub) => Idscope.link(hub)) });
    const answer = await service.service(made, 'PUT', `/enrollmentGroups/${GROUP_ID}`, { body: { enrollmentGroupId: GROUP_ID, attestation } });
    if (answer.status !== 200) throw new Error(`the enrollment group of ${name}: ${answer.status} ${answer.text}`);
    const scopes = [made.idScope];
    scopes.file = this.file(`${name}.scopes`, `${made.idScope}\n`);
    return scopes;
  }

  // The edge's way to ask for a certificate, in front of nothing.
  async startAlone() {
    const tls = path.join(this.site.a.dir, 'tls');
    this.port = await freePort();
    const config = this.file('alone.cfg', `global
    crt-base ${tls}
    ca-base ${tls}
    tune.ssl.cachesize 0
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
defaults
    mode http
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend alone
    bind 127.0.0.1:${this.port} ssl crt-list ${tls}/modern.crtlist ca-file ca.pem verify optional ca-ignore-err all crt-ignore-err all no-ca-names
    http-request return status 200 content-type application/json string {}
`);
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, OPENSSL_CONF: path.join(ROOT, 'docker/edge/openssl.cnf') };
    this.alone = spawn('haproxy', ['-q', '-db', '-f', config], { stdio: ['ignore', 'ignore', 'inherit'], env });
    await until('HAProxy alone', async () => !await isFree(this.port), { timeoutMs: 10000, everyMs: 50 });
  }

  close() {
    if (this.alone) this.alone.kill();
  }
}

module.exports = { Groups };
