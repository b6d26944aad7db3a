// sas.js: shared access signatures and keys, as clients make them.
//
// Responsible for: tokens over a resource and an expiry (HMAC-SHA256 of both, as sent), in the spelling that is asked for.
// Must never check a token: that is the service's part, and a shared mistake would hide there.
'use strict';

const crypto = require('node:crypto');

const hmac = (key, text) => crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

// A token over `resource` exactly as given (raw or encoded: the text that is sent is the text that is signed).
function sign(resource, key, { name, expiry = inSeconds(3600), order = ['sr', 'sig', 'skn', 'se'] } = {}) {
  const sig = encodeURIComponent(hmac(key, `${resource}\n${expiry}`));
  const members = { sr: resource, sig, se: String(expiry), skn: name };
  const text = order.filter((member) => members[member] !== undefined).map((member) => `${member}=${members[member]}`);
  return `SharedAccessSignature ${text.join('&')}`;
}

// Of a policy on a host: service plane and hubs.
const forHost = (host, name, key, options = {}) => sign(encodeURIComponent(host), key, { name: encodeURIComponent(name), ...options });
// Of a device: {idScope}/registrations/{id}.
const forDevice = (idScope, id, key, options = {}) =>
  sign(encodeURIComponent(`${idScope}/registrations/${id}`), key, { name: 'registration', ...options });

const newKey = (bytes = 32) => crypto.randomBytes(bytes).toString('base64');

// The key of a group's device, which its maker derives.
const derive = (groupKey, id) => hmac(groupKey, id);

module.exports = { sign, forHost, forDevice, newKey, derive, inSeconds };
