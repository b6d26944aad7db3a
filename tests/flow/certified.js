// certified.js: devices of the flow suites that show a certificate, each on a connection of its own. Must never judge an answer but those of `registered`.
'use strict';

const fs = require('node:fs');
const https = require('node:https');
const { expect, idscope, until } = require('./kit');

const HOST = `global.dps.${idscope.domain}`;

// On a connection on which the device shows that certificate (and what is sent with it).
async function ask(method, idScope, path, certificate, options = {}) {
  const agent = new https.Agent({ ca: fs.readFileSync(idscope.env.IDSCOPE_CA), ...(certificate && { cert: certificate.cert, key: certificate.key }) });
  try {
    return await idscope.https.request(method, HOST, `/${idScope}/registrations/${path}?api-version=2021-06-01`, { agent, ...options });
  } finally {
    agent.destroy();
  }
}

const register = (idScope, id, certificate, options) => ask('PUT', idScope, `${id}/register`, certificate, { body: { registrationId: id }, ...options });

async function registered(idScope, id, certificate) {
  const { operationId } = expect(`register ${id}`, await register(idScope, id, certificate), 202);
  return until(`${id} to be assigned`, async () => {
    const answer = await ask('GET', idScope, `${id}/operations/${operationId}`, certificate);
    return answer.status === 200 && answer.json.registrationState;
  });
}

module.exports = { HOST, register, registered };
