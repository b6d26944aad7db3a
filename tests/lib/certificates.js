// certificates.js: keys and certificates for tests, made by the openssl program: a sound one, or one with the flaw that is asked for.
// Must never leave a file behind, and never read the system's openssl.cnf.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const EXTENSIONS = `[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
`;

const stamp = (days) => `${new Date(Date.now() + days * 86400000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;

// cn: the subject's CN. by: who signs, itself made here; absent: itself. from, to: days from now. Gives {cert, key} as PEM, {der} and the thumbprint.
function make(cn, { by, ca = false, from = -1, to = 365 } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'idscope-certificates.'));
  const at = (name) => path.join(folder, name);
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, OPENSSL_CONF: at('extensions') } });
  try {
    fs.writeFileSync(at('extensions'), `${EXTENSIONS}[req]\ndistinguished_name = dn\n[dn]\n[ca_default]\nx = y\n`);
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'key');
    openssl('req', '-new', '-config', 'extensions', '-key', 'key', '-subj', `/CN=${cn}`, '-out', 'request');
    if (by) for (const name of ['cert', 'key']) fs.writeFileSync(at(`by.${name}`), by[name]);
    sign(openssl, at, { by, ca, from, to });
    const cert = fs.readFileSync(at('cert'), 'utf8');
    const { raw } = new crypto.X509Certificate(cert);
    return { cert, key: fs.readFileSync(at('key'), 'utf8'), der: raw, thumbprint: crypto.createHash('sha256').update(raw).digest('hex').toUpperCase() };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

// The only command of OpenSSL 3.0 that takes both dates is `ca`.
function sign(openssl, at, { by, ca, from, to }) {
  fs.writeFileSync(at('index'), '');
  fs.writeFileSync(at('authority'), `[ca]\ndefault_ca = it\n[it]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n`);
  openssl('ca', '-batch', '-notext', '-config', 'authority', '-in', 'request', '-out', 'cert', '-startdate', stamp(from), '-enddate', stamp(to), '-extfile', 'extensions',
    '-extensions', ca ? 'ca' : 'leaf', ...(by ? ['-cert', 'by.cert', '-keyfile', 'by.key'] : ['-selfsign', '-keyfile', 'key']));
}

// A CRL of `by` with that number, which revokes certificates that were made here; as PEM and as DER.
function revoke(by, revoked, number) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'idscope-certificates.'));
  const at = (name) => path.join(folder, name);
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, OPENSSL_CONF: at('authority') } });
  try {
    for (const name of ['cert', 'key']) fs.writeFileSync(at(`by.${name}`), by[name]);
    fs.writeFileSync(at('authority'), '[ca]\ndefault_ca = it\n[it]\ndatabase = index\ncrlnumber = number\ndefault_md = sha256\ndefault_crl_days = 30\ncrl_extensions = crl\n[crl]\nauthorityKeyIdentifier = keyid\n');
    fs.writeFileSync(at('number'), `${number.toString(16).padStart(2, '0')}\n`);
    fs.writeFileSync(at('index'), revoked.map(({ cert }) => {
      const { serialNumber } = new crypto.X509Certificate(cert);
      return `R\t350101000000Z\t250101000000Z\t${serialNumber}\tunknown\t/CN=x\n`;
    }).join(''));
    openssl('ca', '-gencrl', '-config', 'authority', '-cert', 'by.cert', '-keyfile', 'by.key', '-out', 'crl');
    const pem = fs.readFileSync(at('crl'), 'utf8');
    return { pem, der: execFileSync('openssl', ['crl', '-outform', 'DER'], { input: pem }) };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

module.exports = { make, revoke };
