// attested.js: one device for each kind of attestation, which is enrolled, changed and registers by the same words: with keys, with a client certificate,
// with a TPM in software.
//
// Responsible for: what each of them stores, shows and signs with, at whatever instance it is: `made` says which service (`of`), instance and ID scope.
// Must never take what a device is told for good.
'use strict';

const fs = require('node:fs');
const https = require('node:https');
const { make } = require('./certificates');
const { until } = require('./https');
const { expect } = require('./idscope');
const { SoftTpm } = require('./tpm');
const sas = require('./sas');

// One call of the device plane, on a connection of its own on which the device shows that certificate (and what is sent with it).
async function askCertified(service, method, idScope, path, certificate, options = {}) {
  const agent = new https.Agent({ ca: fs.readFileSync(service.env.IDSCOPE_CA), ...(certificate && { cert: certificate.cert, key: certificate.key }) });
  try {
    return await service.device(method, idScope, path, { agent, ...options });
  } finally {
    agent.destroy();
  }
}

class Device {
  constructor(made, id) { Object.assign(this, { made, id }); }

  // The same device, with the same proof, at another instance.
  at(made) { return Object.assign(Object.create(Object.getPrototypeOf(this)), this, { made }); }

  async put(more, headers = {}) {
    const body = { registrationId: this.id, attestation: this.attestation, ...more };
    return expect('put', await this.made.of.service(this.made.instance, 'PUT', `/enrollments/${this.id}`, { body, headers }), 200);
  }

  enroll(more) { return this.put(more); }

  change(more) { return this.put(more, { 'If-Match': '*' }); }

  ask(method, path, options) { return this.made.of.device(method, this.made.idScope, `${this.id}/${path}`, options); }

  // What is sent along with each call of a registration.
  async proof() { return {}; }

  // Begins a registration. Gives what asks how it stands: the state, once it has ended.
  async begin() {
    const proof = await this.proof();
    const { operationId } = expect(`register ${this.id}`, await this.ask('PUT', 'register', { body: { registrationId: this.id }, ...proof }), 202);
    return async () => {
      const answer = await this.ask('GET', `operations/${operationId}`, proof);
      expect(`poll ${this.id}`, answer, 200, 202);
      return answer.status === 200 && answer.json.registrationState;
    };
  }

  async register() { return until(`${this.id} to be told`, await this.begin(), { timeoutMs: 180000 }); }
}

class WithKeys extends Device {
  keys = { primaryKey: sas.newKey(), secondaryKey: sas.newKey() };
  attestation = { type: 'symmetricKey', symmetricKey: this.keys };

  async proof() { return { authorization: sas.forDevice(this.made.idScope, this.id, this.keys.primaryKey) }; }
}

class WithCertificate extends Device {
  certificate = make(this.id);
  attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate: this.certificate.cert } } } };

  ask(method, path, options) { return askCertified(this.made.of, method, this.made.idScope, `${this.id}/${path}`, this.certificate, options); }
}

let tpm; // one for all, since keys of RSA take their time

class WithTpm extends Device {
  tpm = tpm || (tpm = new SoftTpm());
  attestation = { type: 'tpm', tpm: { endorsementKey: this.tpm.endorsementKey } };

  async proof() {
    const body = { tpm: this.tpm.shown };
    const { authenticationKey } = expect(`challenge ${this.id}`, await this.ask('PUT', 'register', { body }), 401);
    return { body, authorization: sas.forDevice(this.made.idScope, this.id, this.tpm.open(authenticationKey)) };
  }
}

module.exports = { DEVICES: { SAS: WithKeys, 'X.509': WithCertificate, TPM: WithTpm }, askCertified };
