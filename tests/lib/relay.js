// relay.js: a stretch of network that can be taken away: TCP from one loopback address to another.
//
// Responsible for: passing bytes on, refusing connections (closed) or taking them and saying nothing (silent), as told.
// Must never look at what passes.
'use strict';

const net = require('node:net');

class Relay {
  constructor(address, target, port = 443) {
    Object.assign(this, { address, target, port, mode: 'closed', sockets: new Set(), server: undefined });
  }

  // 'open', 'silent' or 'closed'; what was connected before is cut off.
  async set(mode) {
    this.mode = mode;
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
    if (this.server) await new Promise((resolve) => this.server.close(resolve));
    this.server = undefined;
    if (mode === 'closed') return;
    this.server = net.createServer((near) => this.take(near));
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(this.port, this.address, resolve));
  }

  take(near) {
    this.keep(near);
    if (this.mode !== 'open') return;
    const far = this.keep(net.connect(this.port, this.target));
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }

  keep(socket) {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
    return socket;
  }
}

module.exports = { Relay };
