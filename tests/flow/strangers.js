// strangers.js: a stranger (lib/stranger.js) beside a suite, and hubs on it that an instance can link.
//
// Responsible for: its start and end with the describe that asks for it; hosts of its own, for which the second deployment's certificate is good.
// Must never say how a hub answers: the host's first word does, or the stranger's `manners`.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { before, after } = require('node:test');
const { Stranger } = require('../lib/stranger');
const { second, fresh, names, sas } = require('./kit');

// What links a hub that is not built in.
function foreignHub(host, key = sas.newKey()) {
  return { host, location: 'westeurope', key, connectionString: `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=${key}` };
}

class Beside extends Stranger {
  constructor(address) {
    super(address, fs.readFileSync(path.join(second.stack.folder, 'tls/server.pem.ecdsa')));
    before(() => this.start());
    after(() => this.stop());
  }

  // A new one, of the manner that its host's first word says.
  hub(manner = 'quick') {
    const host = `${fresh(manner)}.second.test`;
    names(this.address, host);
    return foreignHub(host);
  }
}

module.exports = { Beside, foreignHub };
