// newest.js: the requests that the newest az would send, replayed from a table (requests/az.js), since an older one is installed.
// States that each is answered as that az needs it, with read-only members sent back and keys masked.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, idscope, fresh, sas, sharedScene, until } = require('../kit');
const { make } = require('../../lib/certificates');
const { Replay } = require('../requests/replay');
const requests = require('../requests/az');

describe('the newest az, replayed', () => {
  const replay = new Replay(idscope);
  const other = sharedScene({ before, after }, { hubs: 1 });
  const root = make('Plant Root', { ca: true });
  const base64 = (pem) => Buffer.from(pem).toString('base64');
  const names = { subscription: idscope.subscription, group: fresh('newest'), hub: fresh('hub'), instance: fresh('dps'), ca: base64(root.cert), leaf: (code) => base64(make(code, { by: root }).cert),
    own: 'HostName=own', foreign: `HostName=elsewhere.example.test;SharedAccessKeyName=iothubowner;SharedAccessKey=${sas.newKey()}` };

  before(async () => {
    await idscope.createGroup(names.group, 'westus');
    Object.assign(names, { own: other.hubs[0].connectionString, host: other.hubs[0].host });
  });
  after(async () => {
    await idscope.deleteGroup(names.group);
    console.log(`the newest az: ${replay.count} requests`);
  });

  for (const command of Object.keys(requests(names))) test(`az ${command}`, async () => {
    await replay.run(requests(names)[command]);
    if (command !== 'iot dps linked-hub update') return;
    await until('the link to hold, with the key that was masked in between', async () => (await idscope.linkedHubs(names.group, names.instance)).find((link) => link.name === names.host).properties.state === 'valid', { timeoutMs: 60000 });
    assert.equal((await idscope.getInstance(names.group, names.instance)).properties.iotHubs.length, 2);
  });
});
