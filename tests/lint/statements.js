// statements.js: what no statement may say, so that the data plane can be spread over several machines (migrations/README.md, "Beyond one machine").
// Rules over db/sql and migrations, which source.js runs: what is written, empty lists, keys that refer to a ledger, names in a ledger; waits; subjects of jobs; what only reads.
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

// --- subjects -------------------------------------------------------------------------------------------------------------------------

// What a job is about is a name that its cause has and its kind's function reads. In SQL it is compared, carried and stored as it is: neither
// put together from parts nor taken apart.
const PLAIN = /^(?:[\w.]+|\$\d+|' *')(?:::text)?$/;
const TEXT_OPERATOR = '\\|\\||!?~~?\\*?|\\^@|\\b(?:not\\s+)?(?:i?like|similar)\\b';
// Words before the bracket that a subject may stand in: lists of columns, conditions, and what its CHECK says of its length.
const AROUND = ['and', 'as', 'check', 'conflict', 'exists', 'in', 'key', 'length', 'lateral', 'materialized', 'not', 'or', 'select', 'where', ''];

// From the innermost bracket around a place outwards: the words before each, with the one before that.
function bracketsAround(text, at) {
  const found = [];
  for (let i = at - 1, depth = 0; i >= 0 && text[i] !== ';'; i--) {
    if (text[i] === ')') depth++;
    if (text[i] !== '(' || depth-- > 0) continue;
    depth = 0;
    found.push(/(?:(\S+)\s+)?([\w.]*)\s*$/.exec(text.slice(0, i)).slice(1, 3).map((word) => (word || '').toLowerCase()));
  }
  return found;
}

// The items of a list from a place on, to the end of its bracket or clause.
function itemsFrom(text, start) {
  const items = [''];
  for (let i = start, depth = 0; i < text.length; i++) {
    if (depth === 0 && (/[;)]/.test(text[i]) || /^\s(?:from|on|where|order|union|returning)\b/i.test(text.slice(i, i + 12)))) break;
    depth += text[i] === '(' ? 1 : text[i] === ')' ? -1 : 0;
    if (depth === 0 && text[i] === ',') items.push('');
    else items[items.length - 1] += text[i];
  }
  return items.map((item) => item.replace(/\s+/g, ' ').trim());
}

// What becomes the subject of a new job, and whatever else of its statement puts text together or takes it apart. (What is noted is no job's.)
const INSERT = /\bINSERT\s+INTO\s+idscope\.(?:tenant_)?job(?:\s+AS\s+\w+)?\s*\(([^)]*)\)\s*(?:SELECT|VALUES\s*\()/gi;
const ON_TEXT = new RegExp(`${TEXT_OPERATOR}|\\b(?:concat(?:_ws)?|format|left|right|[lr]pad|overlay|position|regexp_\\w+|repeat|replace|reverse|split_part|string_agg|strpos|substr(?:ing)?|translate)\\s*\\(`, 'gi');
const NOTED = /\bidscope\.note\((?:[^()]|\([^()]*\))*\)/gi;

function made({ file, text }) {
  return [...text.matchAll(INSERT)].map((match) => {
    const place = match[1].split(',').findIndex((name) => name.trim() === 'subject');
    const item = itemsFrom(text, match.index + match[0].length)[place] || 'nothing';
    const statement = text.slice(text.lastIndexOf(';', match.index) + 1).split(';')[0].replace(NOTED, ' ');
    return { where: `${file}:${text.slice(0, match.index).split('\n').length}`, wrong: [...(PLAIN.test(item) ? [] : [item]), ...(statement.match(ON_TEXT) || [])] };
  });
}

function subjects_are_opaque() {
  const jobs = sources.flatMap(made);
  const composed = jobs.flatMap(({ where, wrong }) => wrong.map((words) => `${where}: "${words}" where a job is made: a subject is no text to work on`));
  const SUBJECT = '(?:\\w+\\.)?\\bsubject\\b(?:::\\w+)?';
  const bad = [
    ...composed,
    ...found(new RegExp(`${SUBJECT}\\s*(?:${TEXT_OPERATOR})|(?:${TEXT_OPERATOR})\\s*${SUBJECT}`, 'gi'), (match) => `"${match[0]}": a subject is no text to work on`),
    ...found(new RegExp(`${SUBJECT}\\s*=\\s*(?:(?:[\\w.$]+|' *')(?:::\\w+)?\\s*(?:${TEXT_OPERATOR})|(?!any\\b)\\w[\\w.]*\\s*\\()`, 'gi'), (match) => `"${match[0]}": a subject is compared with what is not one`),
    ...found(/\bsubject\b/gi, (match) => {
      const wrong = bracketsAround(match.input, match.index).find(([before, word]) => !AROUND.includes(word) && before !== 'as' && !/^(?:into|on|table|.*\bjoin|update)$/.test(before));
      return wrong ? `${wrong[1]}(… subject …): a subject is no text to work on` : '';
    }),
  ];
  return { bad, note: `${jobs.length} inserts of jobs take subjects as they are, and nothing takes them apart` };
}

// --- what is read -----------------------------------------------------------------------------------------------------------------------

// A statement whose head says `reads` is run without being told until when it is wanted, so it must do nothing that matters late.
function what_reads_writes_nothing() {
  const WRITES = /\b(?:insert|update|delete|merge|call)\b|\bfor\s+(?:no\s+key\s+)?(?:update|key\s+share|share)\b|\bidscope\.(?!enrolled\b)\w+\s*\(/i;
  const statements = sources.filter(({ file }) => file.startsWith('db/sql')).flatMap(({ file }) => fs.readFileSync(path.join(root, file), 'utf8').split(/^-- name: /m).slice(1)
    .filter((one) => /\sreads\b/.test(one.split('\n')[0])).map((one) => ({ file, name: one.split(/\s/)[0], text: bare(one.slice(one.indexOf('\n'))) })));
  const bad = statements.filter(({ text }) => WRITES.test(text)).map(({ file, name, text }) => `${file}: ${name}: "${WRITES.exec(text)[0]}" in a statement that reads`);
  return { bad, note: `${statements.length} statements say so` };
}

module.exports = { rules: [writes_are_immutable, lists_are_not_empty, ledgers_are_not_referred_to, ledgers_have_no_names, waits_are_parameters, subjects_are_opaque, what_reads_writes_nothing] };
