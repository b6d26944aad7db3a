// openapi.js: which answers api/openapi.yaml lists, and that no object in it is open without saying so. Rules that source.js runs.
//
// What an operation may be refused with follows from its row of api/routes.def and from core/errors.def: STATUSES says by which rule. What
// only the operation itself knows (409, 429, a 404 of its own) stands in the document beside it, and the flow tests hold both against what is
// answered: a status that is not listed fails there (tests/flow/tap.js), and so does one that is never seen.
// Reads the document as text, in the form that it is kept in: paths in two blanks, methods in four, statuses in eight.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { routes } = require('../lib/routes');

const DOCUMENT = 'api/openapi.yaml';
const text = (file) => fs.readFileSync(path.join(__dirname, '../..', file), 'utf8');

const has = (word) => (route) => route.fields.includes(word);
const takesBody = has('.body_max');
const ofManagement = has('CREDENTIAL_BEARER');
const ofInstance = has('CREDENTIAL_INSTANCE');
const readsAlone = (route) => /ROLE_READER|RIGHT_\w+_READ\b/.test(route.fields);

// [status, who can answer it, whom that is]; who is told so must list it.
const STATUSES = [
  [400, (route) => has('.api_version')(route) || takesBody(route), 'who is VERSIONED or takes a BODY'],
  [401, (route) => !has('CREDENTIAL_NONE')(route), 'who asks for a credential'],
  [403, (route) => ofInstance(route) || (ofManagement(route) && (route.path.includes('{sub}') || !has('.partial')(route))), 'whom a bearer token opens that has a role for it'],
  [404, (route) => (ofManagement(route) ? route.path.includes('{sub}') : ofInstance(route) || has('CREDENTIAL_HUB')(route)), 'who names a resource in path or host'],
  [408, takesBody, 'who takes a BODY'],
  [409, (route) => ofManagement(route) && !readsAlone(route) && route.path.includes('{sub}'), 'who writes in a subscription, which may be disabled'],
  [412, (route, operation) => /parameters\/\w*(IfMatch|MustMatch)'/.test(operation.text), 'who takes If-Match'],
  [413, () => true, 'everybody: a body over the limit, or one where none is taken'],
  [429, ofInstance, 'whose instance may have a limit of operations'],
  [500, (route) => route.kind !== 'INLINE', 'who works on a lane'],
  [503, (route) => route.kind !== 'INLINE', 'who works on a lane'],
];
const ANSWERED_BY_NONE = new Set(['405']); // what no operation answers: the path has others

// {name, line, text, statuses: Map of '404' → line} of each operation.
function operations() {
  const found = [];
  let inPaths = false;
  text(DOCUMENT).split('\n').forEach((line, i) => {
    if (/^\w/.test(line)) inPaths = line.startsWith('paths:');
    if (!inPaths) return;
    if (/^ {2,4}\S/.test(line)) found.push({ name: '', line: i + 1, text: '', statuses: new Map() });
    const last = found.at(-1);
    if (!last) return;
    last.text += `${line}\n`;
    const id = /^ {6}operationId: (\w+)/.exec(line);
    const status = /^ {8}'?(\d{3}|default)'?:/.exec(line);
    if (id) last.name = id[1];
    if (status) last.statuses.set(status[1], i + 1);
  });
  return found.filter(({ name }) => name);
}

const word = (name) => name.toLowerCase().replace(/_/g, '');

function answers() {
  const bad = [];
  const known = new Set([...text('core/errors.def').matchAll(/^ERR\(\w+,\s+(\d+),/gm)].map(([, status]) => status));
  const table = new Map(routes().map((route) => [word(route.name), route]));
  let count = 0;
  for (const operation of operations()) {
    const route = table.get(word(operation.name));
    if (!route) continue; // the rule `routes` says so
    count += operation.statuses.size;
    for (const [status, can, whom] of STATUSES) {
      if (can(route, operation) && !operation.statuses.has(String(status))) bad.push(`${DOCUMENT}:${operation.line}: ${operation.name}: '${status}' is missing, which is answered by ${whom}`);
    }
    for (const [status, line] of operation.statuses) {
      if (status === 'default') bad.push(`${DOCUMENT}:${line}: ${operation.name}: default: says nothing; list each status`);
      else if (status >= '400' && (!known.has(status) || ANSWERED_BY_NONE.has(status))) bad.push(`${DOCUMENT}:${line}: ${operation.name}: '${status}' is of no error in core/errors.def that an operation gives`);
    }
    const listed = [...operation.statuses.keys()];
    if (listed.join() !== [...listed].sort().join()) bad.push(`${DOCUMENT}:${operation.line}: ${operation.name}: statuses are not in their order`);
  }
  if (count === 0) bad.push(`${DOCUMENT}: no answer was found`);
  return { bad, note: `${count} pairs of operation and status, those that follow from routes.def among them` };
}

// A name that stands twice in the same place would leave one of the two out.
function components() {
  const bad = [];
  const seen = new Set();
  let inComponents = false;
  let section = '';
  let count = 0;
  text(DOCUMENT).split('\n').forEach((line, i) => {
    if (/^\w/.test(line)) inComponents = line.startsWith('components:');
    if (/^ {2}\w/.test(line)) section = line;
    const name = inComponents && /^ {4}(\w+):/.exec(line);
    if (!name) return;
    count++;
    if (seen.has(section + name[1])) bad.push(`${DOCUMENT}:${i + 1}: ${name[1]} stands twice in ${section.trim()}`);
    seen.add(section + name[1]);
  });
  if (count === 0) bad.push(`${DOCUMENT}: no name was found`);
  return { bad, note: `${count} components, each of a name of its own` };
}
// An object says what else it may hold: in the next line, or as the next word.
function objects() {
  const bad = [];
  const lines = text(DOCUMENT).split('\n');
  const open = new Map();
  let count = 0;
  lines.forEach((line, i) => {
    for (const at of line.matchAll(/type: object(.?)/g)) {
      count++;
      const indent = ' '.repeat(at.index);
      const rest = at[1] === '' ? lines[i + 1].replace(indent, '') : line.slice(at.index + 'type: object, '.length).replace(/^(?:maxProperties: \d+|readOnly: true), /, '');
      const said = /^additionalProperties: (\S)/.exec(rest);
      if (!said) bad.push(`${DOCUMENT}:${i + 1}: an object that does not say additionalProperties behind its type`);
      else if (said[1] === 't') open.set(i + 1, line);
    }
  });
  if (count === 0) bad.push(`${DOCUMENT}: no object was found`);
  return { bad, note: `${count} objects, ${open.size} of which may hold more than is listed` };
}

module.exports = { rules: [answers, components, objects] };
