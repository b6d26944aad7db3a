// mute.js: a name server that takes questions and never answers.
//
// Responsible for: the UDP socket at the address that the tests' resolv.conf names, and what was asked there.
// Must never answer.
'use strict';

const dgram = require('node:dgram');

const NAME_SERVER = '127.0.0.153'; // in the resolv.conf of tests/flow/run.sh

class Mute {
  constructor() {
    this.questions = [];
  }

  start() {
    this.server = dgram.createSocket('udp4', (question) => this.questions.push(question.toString('latin1')));
    return new Promise((resolve) => this.server.bind(53, NAME_SERVER, resolve));
  }

  stop() {
    return new Promise((resolve) => this.server.close(resolve));
  }

  // Was a name asked for whose first part is this word?
  wasAsked(word) {
    return this.questions.some((question) => question.includes(word));
  }
}

module.exports = { Mute };
