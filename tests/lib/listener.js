// listener.js: an HTTPS server on an address of its own, for the servers that the tests put beside the service.
//
// Responsible for: listening with the certificate that it is given, and an end that does not wait for clients that keep their connections.
// Must never answer: who extends it does, in take(request, response).
'use strict';

const https = require('node:https');

class Listener {
  // pem: certificate and key.
  constructor(address, pem, port = 443) {
    Object.assign(this, { address, port, sockets: new Set() });
    this.server = https.createServer({ cert: pem, key: pem }, (request, response) => this.take(request, response));
    this.server.on('connection', (socket) => this.sockets.add(socket.on('close', () => this.sockets.delete(socket))));
  }

  start() {
    return new Promise((resolve, reject) => this.server.once('error', reject).listen(this.port, this.address, resolve));
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

module.exports = { Listener };
