// statements.js: what no statement may say, so that the data plane can be spread over several machines (migrations/README.md, "Beyond one machine").
// Rules over db/sql and migrations, which source.js runs: what is written, empty lists, keys that refer to a ledger, names in a ledger; and waits.
// Reads text alone: it must never ask a database, and knows of SQL no more than these rules need.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const FOLDERS = ['db/sql', 'migrations/deploy', 'migrations/revert', 'migrations/verify'];
// Tables that would be spread, and that tables of the management plane, which would not, must not refer to.
const LEDGERS = ['scope', 'hub_registry'];
// Functions whose answer depends on their arguments alone (IMMUTABLE). What is not listed is taken for one that does not.
const IMMUTABLE = ['array_agg', 'coalesce', 'greatest', 'idscope.keys_joined', 'least', 'left', 'lower', 'nullif', 'unnest'];
// Words before a parenthesis that call nothing.
const WORDS = ['and', 'else', 'from', 'in', 'on', 'or', 'select', 'set', 'then', 'when', 'where'];

// Comments, strings and the quotes of function bodies become blanks; every character keeps its place.
const bare = (text) => text.replace(/--[^\n]*|'(?:''|[^'])*'|\$\$/g, (match) => match.replace(/[^\n']/g, ' '));
// The length of an interval in words is kept.
const LENGTH = /(?<=\binterval\s+)'([^']*)'/gi;
const sources = FOLDERS.flatMap((folder) => fs.readdirSync(path.join(root, folder)).filter((name) => name.endsWith('.sql')).map((name) => {
  const file = path.join(folder, name);
  return { file, text: bare(fs.readFileSync(path.join(root, file), 'utf8').replace(LENGTH, ' $1 ')) };
}));

// Where a pattern is met, with what is to be said of it; nothing to say: no offence.
function found(pattern, say, among = sources) {
  return among.flatMap(({ file, text }) => [...text.matchAll(pattern)].flatMap((match) => {
    const words = say(match);
    return words ? [`${file}:${text.slice(0, match.index).split('\n').length}: ${words}`] : [];
  }));
}

// --- what is written ------------------------------------------------------------------------------------------------------------------

// From behind SET or RETURNING to what ends the clause: a word or a bracket that stands in no bracket and no CASE of the clause's own.
function clauseFrom(text, start) {
  const token = /\(|\)|;|\b(?:case|end|is\s+(?:not\s+)?distinct\s+from|from|where|returning)\b/gi;
  token.lastIndex = start;
  let depth = 0;
  for (let match; (match = token.exec(text));) {
    const word = match[0].toLowerCase();
    if (depth === 0 && /^(?:\)|;|from|where|returning)$/.test(word)) return text.slice(start, match.index);
    if (word === '(' || word === 'case') depth++;
    if (word === ')' || word === 'end') depth--;
  }
  return text.slice(start);
}

const clauses = sources.flatMap(({ file, text }) => [...text.matchAll(/\bUPDATE(?:\s+[\w.]+(?:\s+(?:AS\s+)?\w+)?)?\s+SET\b|\bRETURNING\b/gi)].map((match) => {
  const start = match.index + match[0].length;
  return { file, text: text.slice(0, start).replace(/[^\n]/g, ' ') + clauseFrom(text, start) };
}));

// Each with the words that say what is wrong. `interval`: a time and an interval are added by an operator that is STABLE. Behind AS stand columns.
const CALL = /(?<!\bAS\s+)\b([a-z_][\w.]*)\s*\(/gi;
const CLOCK = /\b(?:interval|current_(?:timestamp|date|time|user|role)|local(?:time|timestamp)|session_user)\b/gi;

function writes_are_immutable() {
  const fine = new Set([...IMMUTABLE, ...WORDS]);
  const bad = clauses.flatMap((clause) => [
    ...found(CALL, (match) => (fine.has(match[1].toLowerCase()) ? '' : `${match[1]}() in SET or RETURNING: make it in a select list`), [clause]),
    ...found(CLOCK, (match) => `${match[0]} in SET or RETURNING: make it in a select list`, [clause]),
  ]);
  return { bad, note: `${clauses.length} SET and RETURNING clauses of columns, parameters and immutable functions` };
}

// --- the others -----------------------------------------------------------------------------------------------------------------------

function lists_are_not_empty() {
  const bad = found(/\b(SELECT|PERFORM)\s+(?=FROM\b|WHERE\b|\)|;)/gi, (match) => `an empty list behind ${match[1]}: write ${match[1]} 1`);
  return { bad, note: `${sources.length} files` };
}

function ledgers_are_not_referred_to() {
  let count = 0;
  const bad = found(/\bREFERENCES\s+(?:idscope\.)?(\w+)/gi, (match) => {
    count++;
    return LEDGERS.includes(match[1].toLowerCase()) ? `a foreign key to ${match[1]}, which is a ledger` : '';
  });
  return { bad, note: `${count} foreign keys, none to ${LEDGERS.join(' or ')}` };
}

// Global names are unique in the tables of the management plane; a ledger knows its rows by their id, the first column of its own.
function ledgers_have_no_names() {
  const tables = LEDGERS.map((name) => new RegExp(`(?:CREATE|ALTER)\\s+TABLE\\s+idscope\\.${name}\\s[^;]*|CREATE\\s+UNIQUE\\s+INDEX\\s+\\w+\\s+ON\\s+idscope\\.${name}\\b`, 'gi'));
  const bad = tables.flatMap((pattern) => found(pattern, ([statement]) => (/\bUNIQUE\b|,[^]*\bPRIMARY\s+KEY\b/i.test(statement) ? 'a ledger has no unique column but its id' : '')));
  return { bad, note: `${LEDGERS.join(' and ')} know rows by their id alone` };
}

// How long something is waited for, or kept, is said in core/jobs.def and core/cfg.def. SQL multiplies what it is given by a unit.
const WAITS = [
  [/\binterval +(?!1 (?:milli)?second\b)(\w[\w ]*?) *(?=\W)/gi, 'a wait'],
  [/(?<![$\w.])\d+(?:::\w+)? *\* *interval\b|\binterval +1 \w+ *\* *\d+/gi, 'a wait as a number'],
  [/\bDEFAULT\b[^,;]*\binterval\b/gi, 'a wait as a default'],
  [/\bmake_interval *\(/gi, 'a wait in another form'],
];
function waits_are_parameters() {
  const bad = WAITS.flatMap(([pattern, what]) => found(pattern, (match) => `${match[0].trim()}: ${what}: make it a parameter`));
  return { bad, note: `${sources.length} files multiply an interval of one` };
}

module.exports = { rules: [writes_are_immutable, lists_are_not_empty, ledgers_are_not_referred_to, ledgers_have_no_names, waits_are_parameters] };
