// once.js: what is made in one place alone: the order of texts (str_compare), the names of this deployment's hosts (core/id.c), and the bounds of
// core/limits.def, which the documents for clients repeat.
// Rules over the programs and over SQL, which source.js runs.
// Reads text alone: a loop that does the same without a word of C's library or a literal is not seen.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const ends = (folder, ...all) => fs.readdirSync(path.join(root, folder), { recursive: true }).filter((name) => all.some((end) => name.endsWith(end)))
  .map((name) => ({ file: path.join(folder, name), text: fs.readFileSync(path.join(root, folder, name), 'utf8') }));
const blank = (match) => match.replace(/[^\n]/g, ' ');
const C = ['core', 'db', 'api', 'workers', 'admin'].flatMap((folder) => ends(folder, '.c', '.h', '.def'));
const SQL = ['db/sql', 'migrations'].flatMap((folder) => ends(folder, '.sql'));
const line = (text, at) => text.slice(0, at).split('\n').length;

// Comparing for being equal is no order: what C's library answers stands beside == 0 or != 0, and nobody else sees it.
const COMPARE = /\b(?:(?:b|mem|strn?|strn?case|strvers)cmp|strcoll)\b\s*(\(?)/g;

function behind(text, open) {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '(') depth++;
    if (text[i] === ')' && --depth === 0) return text.slice(i + 1);
  }
  return '';
}

function texts_have_one_order() {
  const bad = [];
  let count = 0;
  for (const { file, text } of C) {
    if (file === 'core/arena.c') continue;
    const code = text.replace(/\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"/g, blank);
    for (const match of code.matchAll(COMPARE)) {
      count++;
      const equal = match[1] && /^\s*[=!]= 0\b/.test(behind(code, match.index + match[0].length - 1));
      if (!equal) bad.push(`${file}:${line(code, match.index)}: ${match[0].replace(/\W/g, '')} without == 0 or != 0: the order of texts is str_compare's`);
    }
  }
  return { bad, note: `${count} comparisons ask whether two are equal` };
}

// A literal that is a part of such a name, or a form to print one: what follows the label is a % or the end. `management.azure.com` is no name of ours,
// and `*.hub.D` is for people.
const LITERAL = [[C, /\/\*[^]*?\*\/|^\s*#\s*include.*/gm, /"((?:\\.|[^"\\\n])*)"/g], [SQL, /--.*/g, /'((?:''|[^'])*)'/g]];
const PART = /\.(?:hub|dps)\.?(?:%|$)|(?:^|[\/@.])(?:(?:hub|dps|management|global)\.(?:%|$)|global\.dps\b)/;

function host_names_have_one_home() {
  const bad = [];
  let count = 0;
  for (const [files, comments, literal] of LITERAL)
    for (const { file, text } of files)
      for (const match of text.replace(comments, blank).matchAll(literal)) {
        if (!PART.test(match[1])) continue;
        if (file === 'core/id.c') count++;
        else bad.push(`${file}:${line(text, match.index)}: ${match[0]}: names of hosts are made and taken apart in core/id.c`);
      }
  if (count === 0) bad.push('core/id.c: no part of a host name was found');
  return { bad, note: `${count} parts of names, all in core/id.c` };
}

// Where a document tells a bound: its row, the file, and how the least (unless it goes without saying) and the most stand there. A document has at least one.
const contract = (page) => `api/contract/${page}.md`;
const [OPENAPI, WIRE] = ['api/openapi.yaml', contract('wire')];
const TOLD = [
  ['WEIGHT', OPENAPI, /allocationWeight: \{type: integer, minimum: (?<least>\d+), maximum: (?<most>\d+)/g],
  ['WEIGHT', WIRE, /`allocationWeight` \((?<least>\d+) to (?<most>\d+)\)/g],
  ['LINKS', OPENAPI, /iotHubs: \{type: array, maxItems: (?<most>\d+)/g],
  ['LINKS', WIRE, /At most (?<most>\d+) links/g],
  ['GROUPS', WIRE, /at most (?<most>\d+) groups of an\s+attestation type/g],
  ['HUB_CAPACITY', OPENAPI, /enum: \[F1[^]*?capacity: \{type: integer, minimum: (?<least>\d+), maximum: (?<most>\d+)/g],
  ['INSTANCE_CAPACITY', OPENAPI, /\n    Instance:[^]*?capacity: \{type: integer, minimum: (?<least>\d+), maximum: (?<most>\d+)/g],
  ['KEY_BYTES', WIRE, /(?<least>\d+) to (?<most>\d+) bytes\. Reading an enrollment/g],
  ['REGISTRATION_ID', OPENAPI, /RegistrationId:\s+type: string\s+minLength: (?<least>\d+)\s+maxLength: (?<most>\d+)/g],
  ['REGISTRATION_ID', WIRE, /Registration and group ids: (?<least>\d+) to (?<most>\d+)/g],
  ['DEVICE_ID', OPENAPI, /DeviceId:\s+type: string\s+minLength: (?<least>\d+)\s+maxLength: (?<most>\d+)/g],
  ['DEVICE_ID', WIRE, /Device ids of hubs: up to (?<most>\d+)/g],
  ['SERVICE_NAME', OPENAPI, /ServiceName:\s+type: string\s+minLength: (?<least>\d+)\s+maxLength: (?<most>\d+)/g],
  ['SERVICE_NAME', WIRE, /Instances and hubs: (?<least>\d+) to (?<most>\d+)/g],
  ['GROUP_NAME', OPENAPI, /ResourceGroupName:.*minLength: (?<least>\d+), maxLength: (?<most>\d+)/g],
  ['GROUP_NAME', WIRE, /Resource groups: (?<least>\d+) to (?<most>\d+)/g],
  ['KEY_NAME', OPENAPI, /KeyName: \{type: string, minLength: (?<least>\d+), maxLength: (?<most>\d+)/g],
  ['STATUS_REASON', OPENAPI, /statusReason: \{type: string,.*?maxLength: (?<most>\d+)/g],
];

function bounds_are_told_alike() {
  const bad = [];
  let count = 0;
  const rows = fs.readFileSync(path.join(root, 'core/limits.def'), 'utf8');
  for (const [name, file, told] of TOLD) {
    const [, least, most] = new RegExp(`^LIMIT\\(${name}, +(\\d+), +(\\d+),`, 'm').exec(rows) ?? [];
    const text = fs.readFileSync(path.join(root, file), 'utf8');
    const places = [...text.matchAll(told)];
    if (places.length === 0) bad.push(`${file}: ${name} is told nowhere in the form that this rule knows`);
    for (const { groups, index } of places) {
      count++;
      if ((groups.least ?? least) !== least || groups.most !== most)
        bad.push(`${file}:${line(text, index)}: ${name} from ${groups.least ?? least} to ${groups.most}; core/limits.def says ${least} to ${most}`);
    }
  }
  return { bad, note: `${count} bounds in documents, as core/limits.def says` };
}

module.exports = { rules: [texts_have_one_order, host_names_have_one_home, bounds_are_told_alike] };
