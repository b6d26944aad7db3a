// tpm.js: a TPM 2.0 as devices use it to register: one in software, by the recipe of the protocol (wire.md 4.6), and what a client needs to talk to
// Debian's swtpm.
//
// Responsible for: public areas of an endorsement key and a storage root key, taking in what was wrapped for them, the ports of an swtpm.
// Must never share code with the service: a shared mistake would hide there.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const { spawn } = require('node:child_process');

const ALG = { rsa: '0001', sha256: '000b' };
const PARAMETERS = '0006' + '0080' + '0043' + '0010' + '0800' + '00000000';
// The policy of the default endorsement key: TPM2_PolicySecret(TPM_RH_ENDORSEMENT).
const POLICY = '837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa';
const ZEROS = Buffer.alloc(16);

const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest();
const hmac = (key, ...parts) => crypto.createHmac('sha256', key).update(Buffer.concat(parts)).digest();
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const sized = (b) => Buffer.concat([Buffer.from([b.length >> 8, b.length & 0xff]), b]);
const nameOf = (area) => Buffer.concat([Buffer.from(ALG.sha256, 'hex'), sha256(area)]);
const kdfa = (seed, label, context, bits) => hmac(seed, u32(1), Buffer.from(`${label}\0`), context, u32(bits)).subarray(0, bits / 8);

// TPM2B after TPM2B.
class Reader {
  constructor(bytes) {
    this.rest = bytes;
  }

  sized() {
    const n = this.rest.readUInt16BE();
    if (this.rest.length < 2 + n) throw new Error('the blob is cut short');
    const taken = this.rest.subarray(2, 2 + n);
    this.rest = this.rest.subarray(2 + n);
    return taken;
  }

  end() {
    if (this.rest.length) throw new Error(`${this.rest.length} bytes are left`);
  }
}

const decrypted = (key, bytes) => crypto.createDecipheriv('aes-128-cfb', key, ZEROS).update(bytes);

// Takes the outer wrap off: HMAC, then what was encrypted, for the object of that name.
function unprotected(seed, name, bytes) {
  const reader = new Reader(bytes);
  const mac = reader.sized();
  if (!mac.equals(hmac(kdfa(seed, 'INTEGRITY', Buffer.alloc(0), 256), reader.rest, name))) throw new Error('TPM_RC_INTEGRITY');
  return decrypted(kdfa(seed, 'STORAGE', name, 128), reader.rest);
}

class SoftTpm {
  constructor() {
    const pair = () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.endorsement = pair();
    this.root = pair();
    this.endorsementArea = SoftTpm.area(this.endorsement.publicKey, '000300b2', POLICY);
    this.rootArea = SoftTpm.area(this.root.publicKey, '00030472', '');
  }

  static area(key, attributes, policy) {
    const modulus = Buffer.from(key.export({ format: 'jwk' }).n, 'base64url');
    const head = Buffer.from(ALG.rsa + ALG.sha256 + attributes, 'hex');
    return Buffer.concat([head, sized(Buffer.from(policy, 'hex')), Buffer.from(PARAMETERS, 'hex'), sized(modulus)]);
  }

  get endorsementKey() { return sized(this.endorsementArea).toString('base64'); }
  get storageRootKey() { return sized(this.rootArea).toString('base64'); }
  get shown() { return { endorsementKey: this.endorsementKey, storageRootKey: this.storageRootKey }; }

  // The same TPM after its owner was cleared.
  cleared() {
    return Object.assign(Object.create(SoftTpm.prototype), new SoftTpm(), { endorsement: this.endorsement, endorsementArea: this.endorsementArea });
  }

  static seed({ privateKey }, label, secret) {
    const padding = crypto.constants.RSA_PKCS1_OAEP_PADDING;
    return crypto.privateDecrypt({ key: privateKey, padding, oaepHash: 'sha256', oaepLabel: Buffer.from(`${label}\0`) }, secret);
  }

  // ActivateCredential and Import: the key in base64. Throws when it is not for this TPM.
  open(authenticationKey) {
    const blob = new Reader(Buffer.from(authenticationKey, 'base64'));
    const [credential, credentialSecret, duplicate, duplicateSecret, area, text] = Array.from({ length: 6 }, () => blob.sized());
    blob.end();
    if (text.length) throw new Error('there is a text');
    const inner = new Reader(unprotected(SoftTpm.seed(this.endorsement, 'IDENTITY', credentialSecret), nameOf(this.rootArea), credential));
    const innerKey = inner.sized();
    inner.end();
    const wrapped = unprotected(SoftTpm.seed(this.root, 'DUPLICATE', duplicateSecret), nameOf(area), duplicate);
    const opened = new Reader(decrypted(innerKey, wrapped));
    const integrity = opened.sized();
    if (!integrity.equals(sha256(opened.rest, nameOf(area)))) throw new Error('TPM_RC_INTEGRITY (inner)');
    return SoftTpm.keyIn(opened, area).toString('base64');
  }

  // Out of TPM2B_SENSITIVE, when it belongs to the public area.
  static keyIn(opened, area) {
    const sensitive = new Reader(opened.sized());
    opened.end();
    if (sensitive.rest.readUInt16BE() !== 8) throw new Error('not a keyed hash');
    sensitive.rest = sensitive.rest.subarray(2);
    const [auth, obfuscation, key] = [sensitive.sized(), sensitive.sized(), sensitive.sized()];
    sensitive.end();
    if (auth.length) throw new Error('the key has a password');
    const unique = new Reader(area.subarray(14)).sized();
    if (!unique.equals(sha256(obfuscation, key))) throw new Error('TPM_RC_BINDING');
    return key;
  }
}

// --- swtpm ----------------------------------------------------------------------------------------------------------------------------

// An swtpm of its own, new and started up; resolves when it takes commands. It must be there: a machine without it fails.
async function startSwtpm(folder, port) {
  fs.mkdirSync(folder, { recursive: true });
  const child = spawn('swtpm', ['socket', '--tpm2', '--tpmstate', `dir=${folder}`, '--server', `type=tcp,port=${port},bindaddr=127.0.0.1`,
    '--ctrl', `type=unixio,path=${folder}/ctrl`, '--flags', 'not-need-init,startup-clear'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (part) => { words += part; });
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`swtpm ended with ${code}: ${words}`)));
    const wait = setInterval(() => {
      if (!fs.existsSync(`${folder}/ctrl`)) return;
      clearInterval(wait);
      resolve();
    }, 20);
  });
  child.removeAllListeners('exit');
  return { port, stop: () => new Promise((resolve) => { child.once('exit', resolve); child.kill(); }) };
}

// What the client's TPM library asks of a device, over the plain socket of an swtpm: one command, one answer (its length stands in bytes 2 to 5).
class SwtpmDevice {
  constructor(port) {
    this.port = port;
  }

  connect(done) {
    this.socket = net.connect(this.port, '127.0.0.1', () => done(null));
    this.socket.once('error', done);
  }

  dispatchCommand(command, done) {
    let answer = Buffer.alloc(0);
    const take = (part) => {
      answer = Buffer.concat([answer, part]);
      if (answer.length < 6 || answer.length < answer.readUInt32BE(2)) return;
      this.socket.removeListener('data', take);
      done(null, answer);
    };
    this.socket.on('data', take);
    this.socket.write(command);
  }

  close(done) {
    this.socket.end();
    if (done) done(null);
  }
}

module.exports = { SoftTpm, startSwtpm, SwtpmDevice };
