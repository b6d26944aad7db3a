// routes.js: the table of routes as the programs have it: api/routes.def, expanded by the C preprocessor, since a row of it may stand for many operations.
// Must never read it in any other way, or what tests believe and what the programs do would drift apart.
'use strict';

const path = require('node:path');
const { execFileSync } = require('node:child_process');

const ROOT = path.join(__dirname, '../..');

// [{kind: 'OP', name: 'group_get', method: 'GET', path: '/subscriptions/{sub}/resourcegroups/{rg}', fields: '.plane = PLANE_MANAGEMENT, …'}, …]
function routes() {
  const reader = '#define ROUTE(kind, name, method, path, ...) @#kind name method path|__VA_ARGS__@\n#include "api/routes.def"\n';
  const text = execFileSync('gcc', ['-E', '-P', '-x', 'c', '-I', ROOT, '-'], { input: reader, encoding: 'utf8' }).replace(/\s+/g, ' ');
  return [...text.matchAll(/@ ?"(\w+)" (\w+) (\w+) ((?:"[^"]*" ?)+)\|([^@]*)@/g)].map(([, kind, name, method, pieces, fields]) => ({ kind, name, method, path: pieces.replace(/" ?"?/g, ''), fields }));
}

module.exports = { routes };
