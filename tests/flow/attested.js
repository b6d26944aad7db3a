// attested.js: one device for each kind of attestation, which is enrolled, changed and registers by the same words: with keys, with a client certificate,
// with a TPM in software.
//
// Responsible for: what each of them stores, shows and signs with.
// Must never take what a device is told for good.
'use strict';

const { SoftTpm } = require('../lib/tpm');
const { make } = require('../lib/certificates');
const { registered } = require('./certified');
const { assert, idscope, expect, fresh, sas, until } = require('./kit');

class Device {
  constructor(made, id = fresh('device')) { Object.assign(this, { made, id }); }

  async put(more, headers = {}) {
    const body = { registrationId: this.id, attestation: this.attestation, ...more };
    return expect('put', await idscope.service(this.made.instance, 'PUT', `/enrollments/${this.id}`, { body, headers }), 200);
  }

  enroll(more) { return this.put(more); }

  change(more) { return this.put(more, { 'If-Match': '*' }); }
}

class WithKeys extends Device {
  keys = { primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
  attestation = { type: 'symmetricKey', symmetricKey: this.keys };

  register() { return this.made.register({ id: this.id, key: this.keys.primaryKey }); }
}

class WithCertificate extends Device {
  certificate = make(this.id);
  attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate: this.certificate.cert } } } };

  register() { return registered(this.made.idScope, this.id, this.certificate); }
}

let tpm; // one for all, since keys of RSA take their time

class WithTpm extends Device {
  tpm = tpm || (tpm = new SoftTpm());
  attestation = { type: 'tpm', tpm: { endorsementKey: this.tpm.endorsementKey } };

  async register() {
    const ask = (method, path, authorization) => idscope.device(method, this.made.idScope, `${this.id}/${path}`, { body: { tpm: this.tpm.shown }, authorization });
    const challenge = await ask('PUT', 'register');
    assert.equal(challenge.status, 401, challenge.text);
    const authorization = sas.forDevice(this.made.idScope, this.id, this.tpm.open(challenge.json.authenticationKey));
    const { operationId } = expect('register', await ask('PUT', 'register', authorization), 202);
    return until(`${this.id} to be told`, async () => {
      const answer = await ask('GET', `operations/${operationId}`, authorization);
      return answer.status === 200 && answer.json.registrationState;
    }, { timeoutMs: 60000 });
  }
}

module.exports = { DEVICES: { SAS: WithKeys, 'X.509': WithCertificate, TPM: WithTpm } };
