// certified.js: devices of the flow suites that show a certificate, each on a connection of its own. Must never judge an answer but those of `registered`.
'use strict';

const { askCertified } = require('../lib/attested');
const { expect, idscope, until } = require('./kit');

const HOST = `global.dps.${idscope.domain}`;

// of: the deployment that is asked.
const ask = (method, idScope, path, certificate, { of = idscope, ...options } = {}) => askCertified(of, method, idScope, path, certificate, options);
const register = (idScope, id, certificate, options) => ask('PUT', idScope, `${id}/register`, certificate, { body: { registrationId: id }, ...options });

async function registered(idScope, id, certificate, of = idscope) {
  const { operationId } = expect(`register ${id}`, await register(idScope, id, certificate, { of }), 202);
  return until(`${id} to be assigned`, async () => {
    const answer = await ask('GET', idScope, `${id}/operations/${operationId}`, certificate, { of });
    return answer.status === 200 && answer.json.registrationState;
  });
}

module.exports = { HOST, register, registered };
