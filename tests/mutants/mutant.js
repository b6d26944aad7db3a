// mutant.js: the form of a mutant file: a break of a few lines, and the test that must see it.
//
//   why: which promise is broken, in one sentence
//   test: the command that must fail
//   kill: compile                      (only when the compiler is the test, as for static asserts)
//   file: core/sas.c
//   - old lines: contiguous, whole, found exactly once
//   + new lines; none: the old ones are deleted
//
// Several `file:` blocks are made together. Must never write a file: who applies a mutant decides where.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const HEADS = ['why', 'test', 'kill'];

// One line of a mutant's text. Returns what is wrong with it, or nothing.
function read(line, mutant) {
  const file = mutant.files.at(-1);
  const head = /^(\w+): (.*)$/.exec(line);
  if (line === '' || line.startsWith('#')) return '';
  if (head && head[1] === 'file') return void mutant.files.push({ path: head[2], old: [], fresh: [] });
  if (head && HEADS.includes(head[1])) return void (mutant[head[1]] = head[2]);
  if (!file || !/^[-+]( |$)/.test(line)) return `"${line}" is none of why:, test:, kill:, file:, "- " and "+ "`;
  if (line[0] === '-' && file.fresh.length > 0) return 'old lines behind new ones: begin another block with file:';
  file[line[0] === '-' ? 'old' : 'fresh'].push(line.slice(2));
  return '';
}

function parse(name, text) {
  const mutant = { name, why: '', test: '', kill: '', files: [], wrong: [] };
  for (const line of text.split('\n')) {
    const wrong = read(line, mutant);
    if (wrong) mutant.wrong.push(wrong);
  }
  if (!mutant.why || !mutant.test) mutant.wrong.push('why: and test: are wanted');
  if (mutant.kill && mutant.kill !== 'compile') mutant.wrong.push('kill: knows only "compile"');
  if (mutant.files.length === 0) mutant.wrong.push('breaks nothing: no file:');
  return mutant;
}

// The text of a file with one block made, or why it cannot be.
function change(text, { path: file, old, fresh }) {
  const lines = (list) => list.map((line) => `${line}\n`).join('');
  const parts = `\n${text}`.split(`\n${lines(old)}`);
  if (old.length === 0) return { wrong: `${file}: no old line` };
  if (lines(old) === lines(fresh)) return { wrong: `${file}: old and new are the same` };
  if (parts.length !== 2) return { wrong: `${file}: the old lines occur ${parts.length - 1} times, not once` };
  return { text: parts.join(`\n${lines(fresh)}`).slice(1) };
}

// What the mutant makes of the tree at `root`: the texts of the files it touches, before and after, and what does not fit.
function fit(mutant, root) {
  const after = new Map();
  const before = new Map();
  const wrong = [...mutant.wrong];
  for (const block of mutant.files) {
    const where = path.join(root, block.path);
    if (!fs.existsSync(where)) { wrong.push(`${block.path}: is not there`); continue; }
    if (!before.has(block.path)) before.set(block.path, fs.readFileSync(where, 'utf8'));
    const changed = change(after.get(block.path) ?? before.get(block.path), block);
    if (changed.wrong) wrong.push(changed.wrong);
    else after.set(block.path, changed.text);
  }
  return { before, after, wrong };
}

// All mutants of a folder, by name.
function all(folder) {
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.mutant')).sort();
  return names.map((name) => parse(name.replace(/\.mutant$/, ''), fs.readFileSync(path.join(folder, name), 'utf8')));
}

module.exports = { all, fit };
