// states.js [--write | moves]: the state machines of core/*state.def as they stand elsewhere: the rows of idscope.link_move in its migration, the
// diagrams in ARCHITECTURE.md. --write (make diagrams) makes those places anew; `moves` prints the rows of link_move, for tests/sql.
// Must never be where a move is said: the tables are.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');

// [from, event, to, sentence], states in lower case; ANY is '*'.
function moves(file, macro) {
  const row = new RegExp(`^${macro}\\((\\w+),\\s*(\\w+),\\s*(\\w+),\\s*"(.*)"\\)$`, 'gm');
  const word = (state) => (state === 'ANY' ? '*' : state.toLowerCase());
  return [...read(file).matchAll(row)].map(([, from, event, to, sentence]) => [word(from), event, word(to), sentence]);
}
const links = moves('core/linkstate.def', 'LINKSTATE');
const registrations = moves('core/regstate.def', 'REGSTATE');

const statesOf = (rows) => [...new Set(rows.flatMap(([from, , to]) => [from, to]))].filter((state) => state !== '*' && state !== 'absent');
// ANY spelled out.
const every = (rows) => rows.flatMap(([from, event, to]) => (from === '*' ? statesOf(rows).map((state) => [state, event, to]) : [[from, event, to]])).sort();

function rows() {
  const lines = every(links).map((move) => `    (${move.map((word) => `'${word}'`).join(', ')})`);
  return `INSERT INTO idscope.link_move (state, event, next) VALUES\n${lines.join(',\n')};\n`;
}

function diagram(of) {
  const name = (state) => (state === 'absent' ? '[*]' : state === '*' ? 'any' : state);
  const lines = of.map(([from, event, to, sentence]) => `    ${name(from)} --> ${name(to)} : ${event}, ${sentence.replace(/[:;]/g, ',')}`);
  return `\`\`\`mermaid\nstateDiagram-v2\n${lines.join('\n')}\n\`\`\`\n`;
}

const PLACES = [
  ['migrations/deploy/instances.sql', '-- Made from core/linkstate.def (make diagrams): begin\n', '-- end\n', rows()],
  ['ARCHITECTURE.md', '<!-- made from core/regstate.def (make diagrams) -->\n', '<!-- end -->\n', diagram(registrations)],
  ['ARCHITECTURE.md', '<!-- made from core/linkstate.def (make diagrams) -->\n', '<!-- end -->\n', diagram(links)],
];

// Each place with what stands there and what should.
function* places() {
  for (const [file, begin, end, wanted] of PLACES) {
    const text = read(file);
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end, from);
    if (from < begin.length || to < 0) throw new Error(`${file}: no place ${begin.trim()}`);
    yield { file, line: text.slice(0, from).split('\n').length, stands: text.slice(from, to), wanted, replaced: text.slice(0, from) + wanted + text.slice(to) };
  }
}

// A rule of source.js.
function states() {
  const bad = [...places()].filter((p) => p.stands !== p.wanted).map((p) => `${p.file}:${p.line}: is not what its .def says: make diagrams`);
  return { bad, note: `${links.length + registrations.length} moves, ${PLACES.length} places that show them` };
}

module.exports = { states };
if (require.main === module) {
  if (process.argv[2] === '--write') for (const { file, replaced } of places()) fs.writeFileSync(path.join(root, file), replaced);
  else for (const move of every(links)) console.log(move.join(' '));
}
