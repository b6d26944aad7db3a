// front.js: a front before a service: passes each request on to where the service is, counts it, and answers in its stead, or cuts the line, as told.
//
// Responsible for: HTTPS on a loopback address of its own with the certificate that it is given; every request that came, with its time, in order.
// Must never change what it passes on. Who does not know the service's names meets it there by them (/etc/hosts).
'use strict';

const http = require('node:http');
const https = require('node:https');
const { Listener } = require('./listener');

class Front extends Listener {
  // pem: certificate and key. ca, target, targetPort: of the service behind. `instead(request, n)` is asked for each request, the n-th from 0: undefined passes it
  // on, {status, headers, body} is answered, 'cut' breaks off before the service is asked, 'lost' after it has answered.
  constructor(address, pem, ca, target, instead = () => undefined, { port = 443, targetPort = 443 } = {}) {
    super(address, pem, port);
    Object.assign(this, { target, targetPort, instead, requests: [] });
    this.agent = new https.Agent({ keepAlive: true, ca });
  }

  stop() {
    this.agent.destroy();
    return super.stop();
  }

  take(request, response) {
    const parts = [];
    const one = { method: request.method, host: request.headers.host.split(':')[0], path: request.url.split('?')[0], at: Date.now(), status: undefined };
    const said = this.instead(one, this.requests.push(one) - 1);
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      if (said === 'cut') request.socket.destroy();
      else if (said && said !== 'lost') this.say(one, response, said);
      else this.pass(one, request, Buffer.concat(parts), response, said === 'lost');
    });
  }

  say(one, response, { status, headers = {}, body = { errorCode: status * 1000 + 1, message: http.STATUS_CODES[status] } }) {
    one.status = status;
    response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', ...headers }).end(JSON.stringify(body));
  }

  pass(one, request, body, response, lost) {
    const { method, url: path, headers } = request;
    const onward = https.request({ host: this.target, port: this.targetPort, servername: one.host, method, path, headers, agent: this.agent }, (answer) => {
      one.status = answer.statusCode;
      if (lost) return request.socket.destroy();
      response.writeHead(answer.statusCode, answer.headers);
      return answer.pipe(response);
    });
    onward.on('error', () => request.socket.destroy());
    onward.end(body);
  }
}

module.exports = { Front };
