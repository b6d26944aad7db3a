// openapi.js: api/openapi.yaml as the judge of answers: which operation a request meets, and whether what it was answered is what the document says.
//
// Responsible for: finding operations as the router does (hosts decide the plane, words of a path ignore case), and holding status, headers and body
// against them by Ajv. An answer has no member that is only written. What meets no operation is refused in the shape of its plane.
// Must never let pass what the document does not list.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const Ajv = require('ajv').default;
const formats = require('ajv-formats').default;
const YAML = require('yaml');

const DOCUMENT = path.join(__dirname, '../../api/openapi.yaml');
const METHODS = ['get', 'head', 'put', 'post', 'patch', 'delete'];
const SHAPES = { management: 'Arm', 'sign-in': 'Arm', service: 'Service', device: 'Service', hub: 'Hub' };

// The dialect of OpenAPI 3.0 that JSON Schema does not know: null beside an enumeration, and members that requests alone (never: false) or
// answers alone (in requests they are ignored: true) have.
function plain(schema, { writeOnly, readOnly }) {
  if (Array.isArray(schema)) return schema.map((one) => plain(one, { writeOnly, readOnly }));
  if (typeof schema !== 'object' || schema === null) return schema;
  if (schema.writeOnly === true && writeOnly !== undefined) return writeOnly;
  if (schema.readOnly === true && readOnly !== undefined) return readOnly;
  const made = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, name === 'example' || name === 'default' ? value : plain(value, { writeOnly, readOnly })]));
  if (made.nullable && made.enum) made.enum = [...made.enum, null];
  return made;
}
const IN_ANSWERS = { writeOnly: false };
const IN_REQUESTS = { readOnly: true };

// What kind of host answers: a hub, an instance or the host of devices, or all the rest (core/id.c, api/planes.def).
function kindOf(host) {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  if (/^[^.]+\.hub\./.test(name)) return 'hub';
  return /^[^.]+\.dps\./.test(name) ? 'service' : 'management';
}
const SERVED = { hub: ['hub'], service: ['service', 'device'], management: ['management', 'sign-in', 'device'] };

// A scope that comes as one segment before locks (api/router.c).
const opened = (path) => path.replace(/^\/%2f([^/]*)(?=\/providers\/Microsoft\.Authorization\/locks(\/|$))/i, (all) => all.replace(/%2f/gi, '/').replace(/^\/+/, '/'));

// A path that holds no text meets no operation (api/router.c).
function isText(path) {
  try {
    return !decodeURIComponent(path).includes('\0');
  } catch {
    return false;
  }
}

class Openapi {
  // direction: of the bodies that are judged, IN_ANSWERS or IN_REQUESTS.
  constructor(direction = IN_ANSWERS, text = fs.readFileSync(DOCUMENT, 'utf8')) {
    this.direction = direction;
    this.document = YAML.parse(text, { merge: true });
    this.ajv = new Ajv({ strict: false, allErrors: true });
    formats(this.ajv);
    this.ajv.addFormat('byte', /^[A-Za-z0-9+/]*={0,2}$/);
    this.ajv.addSchema({ $id: 'openapi', components: plain(this.document.components, direction) });
    this.operations = Object.entries(this.document.paths).flatMap(([at, item]) => METHODS.filter((method) => item[method])
      .map((method) => ({ ...item[method], item, at, method: method.toUpperCase(), words: at.split('/').slice(1), plane: item[method].tags[0] })));
    this.judges = new Map();
  }

  resolve(node) {
    return node && node.$ref ? node.$ref.slice(2).split('/').reduce((at, name) => at[name], this.document) : node;
  }

  // Every (operation, status) of the document: ['group_get 200', …].
  pairs() {
    return this.operations.flatMap(({ operationId, responses }) => Object.keys(responses).map((status) => `${operationId} ${status}`));
  }

  // What a schema asks for at least: its example, or a value for each member that must be there.
  least(schema) {
    const one = this.resolve(schema);
    if (one.example !== undefined) return one.example;
    if (one.enum) return one.enum[0];
    if (one.type === 'object') return Object.fromEntries((one.required || []).map((name) => [name, this.least(one.properties[name])]));
    return { array: [], integer: one.minimum ?? 1, number: 1, boolean: true, string: 'x' }[one.type] ?? null;
  }

  // The operation that `method host target` meets, or undefined, and the planes that are served at that host.
  find(method, host, target) {
    const served = SERVED[kindOf(host)];
    const words = opened(target.split('?')[0]).split('/').slice(1);
    // The management plane skips what is empty; elsewhere a path may end with a slash.
    const told = words.filter((word, i) => word !== '' || (!served.includes('management') && i < words.length - 1));
    const fits = this.operations.filter((one) => isText(told.join('/')) && one.method === method && served.includes(one.plane) && one.words.length === told.length &&
      one.words.every((word, i) => (word.startsWith('{') ? told[i] !== '' : word.toLowerCase() === told[i].toLowerCase())));
    const literals = (one) => one.words.map((word) => (word.startsWith('{') ? '1' : '0')).join('');
    return { operation: fits.sort((a, b) => (literals(a) < literals(b) ? -1 : 1))[0], plane: served[0], scoped: served.includes('device') && /^\/0ne[0-9a-f]{8}\/registrations(\/|$)/i.test(target.split('?')[0]) };
  }

  judge(key, schema) {
    if (!this.judges.has(key)) this.judges.set(key, this.ajv.compile(JSON.parse(JSON.stringify(plain(schema, this.direction)).replaceAll('"#/components', '"openapi#/components'))));
    return this.judges.get(key);
  }

  // What is wrong with an answer {status, headers, text}, or undefined. `who` names the pair for the judge that is kept.
  wrong(who, response, { headers, text }) {
    for (const [name, header] of Object.entries(response.headers || {})) {
      if (this.resolve(header).required && headers[name.toLowerCase()] === undefined) return `the header ${name} is missing`;
    }
    const [type, content] = Object.entries(response.content || {})[0] || [];
    if (!type) return text === '' ? undefined : 'there is a body, and none is listed';
    if (!(headers['content-type'] || '').startsWith(type)) return `the media type is ${headers['content-type']} and not ${type}`;
    if (type !== 'application/json') return undefined;
    let body;
    try {
      body = JSON.parse(text);
    } catch {
      return 'the body is no JSON';
    }
    const judge = this.judge(who, content.schema);
    if (judge(body)) return undefined;
    return judge.errors.slice(0, 5).map(({ instancePath, message, params }) => `${instancePath || '/'} ${message}${params.additionalProperty ? `: ${params.additionalProperty}` : ''}`).sort().join('; ');
  }

  // {pair, wrong}: the pair that an answer belongs to (undefined where no operation was met), and what is wrong with it.
  answered({ method, host, target, status, headers, text }) {
    const { operation, plane, scoped } = this.find(method, host, target);
    if (!operation) {
      if (status < 400) return { wrong: `${method} ${target} meets no operation, and is answered ${status}` };
      const shape = scoped ? 'Service' : SHAPES[plane];
      const wrong = method === 'HEAD' ? undefined : this.wrong(`no operation: ${shape}`, this.document.components.responses[`${shape}Refused`], { headers, text });
      return { wrong: wrong && `${method} ${target} meets no operation: ${wrong}` };
    }
    const pair = `${operation.operationId} ${status}`;
    const response = this.resolve(operation.responses[status]);
    if (!response) return { pair, wrong: `${pair} is not listed` };
    const wrong = this.wrong(pair, response, { headers, text });
    return { pair, wrong: wrong && `${pair}: ${wrong}` };
  }
}

module.exports = { Openapi, IN_ANSWERS, IN_REQUESTS };
