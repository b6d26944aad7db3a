// calls.js: each call gives as many parameters as its statement takes. The server's count is compared when a call is made (db/run.c), here before
// anything runs. A rule over db/*.c and db/sql, which source.js runs; it knows the forms of db/db.h and db/spec.h, and leaves types to the programs.
// Reads text alone: it must never ask a database.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const read = (folder, end) => fs.readdirSync(path.join(root, folder)).filter((name) => name.endsWith(end))
  .map((name) => ({ file: path.join(folder, name), text: fs.readFileSync(path.join(root, folder, name), 'utf8') }));
const sources = read('db', '.c');
const headers = read('db', '.h').map(({ text }) => text).join('');
const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);

// What stands in the parentheses that open at `start`, in its parts.
function parts(text, start) {
  const all = [''];
  for (let i = start + 1, depth = 0; depth > 0 || text[i] !== ')'; i++) {
    if ('({'.includes(text[i])) depth++;
    if (')}'.includes(text[i])) depth--;
    if (text[i] === ',' && depth === 0) all.push('');
    else all[all.length - 1] += text[i];
  }
  return all.map((part) => part.trim());
}

// Every use of a macro or function, with its arguments.
const uses = (text, pattern) => [...text.matchAll(pattern)].map((match) => ({ at: match.index, is: parts(text, match.index + match[0].length - 1) }));

// How many columns stand in a list; what is shared by lists is a macro of the file or of a header.
function columns(text, list) {
  const shared = (name) => new RegExp(`^#define ${name}(?:\\([^)]*\\))? ((?:.*\\\\\\n)*.*)`, 'm').exec(text + headers)[1];
  const own = list.match(/\bCOL(?:_[A-Z]+)?\(/g) ?? [];
  return own.length + sum((list.match(/\b[A-Z_]+_COLS\b/g) ?? []).map((name) => columns(text, shared(name))));
}

// A row of parameters is known in its file, one of a result everywhere.
const widths = new Map(sources.flatMap(({ file, text }) => ['ROW', 'PARAMS'].flatMap((kind) => uses(text, new RegExp(`^DB_${kind}\\(`, 'gm'))
  .map(({ is: [name, , ...cols] }) => [kind === 'ROW' ? name : `${file} ${name}`, columns(text, cols.join(','))]))));
const makers = new Map(sources.flatMap(({ file, text }) => [...text.matchAll(/\bstruct db_in (\w+)\([^]*?\n}/g)].map(([body, name]) => [name, { file, body }])));

// How many parameters a word of the list makes: those of a row, of a function that returns a row's, or one.
function made(file, word) {
  const row = /^DB_(?:MEMBERS|ARRAYS)\((\w+)/.exec(word)?.[1];
  if (row) return widths.get(`${file} ${row}`) ?? widths.get(row);
  const maker = makers.get(/^(\w+)\(/.exec(word)?.[1]);
  const given = /\breturn (DB_[^;]*);/.exec(maker?.body)?.[1];
  return given ? made(maker.file, given) : 1;
}

// The highest $n of each statement.
const takes = new Map(read('db/sql', '.sql').flatMap(({ text }) => text.split(/^-- name: /m).slice(1)
  .map((part) => [part.match(/\w+/)[0], Math.max(0, ...[...part.replace(/--.*/g, '').matchAll(/\$(\d+)/g)].map((match) => Number(match[1])))])));

function calls_fit() {
  const bad = [];
  let count = 0;
  for (const { file, text } of sources)
    for (const { at, is: [statement, ...words] } of uses(text, /\bDB_CALL\(/g)) {
      const name = /^SQL_(\w+)$/.exec(statement)?.[1].toLowerCase();
      if (!name) continue; // whichever the caller names
      count++;
      const given = sum(words.map((word) => made(file, word)));
      if (given !== takes.get(name)) bad.push(`${file}:${text.slice(0, at).split('\n').length}: ${name} takes ${takes.get(name)} parameters, is given ${given}`);
    }
  return { bad, note: `${count} calls give what their ${takes.size} statements take` };
}

module.exports = { rules: [calls_fit] };
