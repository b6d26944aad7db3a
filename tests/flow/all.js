// all.js: the flow suites in one process, one after the other, so that there is one summary and the suites that stop the database disturb nobody.
// Must never leave a suite out silently: an unknown name, or none found, is an error.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

// Those that take parts of the stack away come last; "endings", "accounted" and "openapi" look back over all others.
const ORDER = [
  'story',
  'management',
  'enrollments',
  'lists',
  'groups',
  'attestation',
  'custom',
  'methods',
  'x509',
  'certificates',
  'links',
  'tpm',
  'device',
  'members',
  'import',
  'attempts',
  'diagnosis',
  'inputs',
  'hub',
  'etags',
  'tags',
  'tenants',
  'operators',
  'limits',
  'ipfilter',
  'assignments',
  'roles',
  'strangers',
  'issuers',
  'audit',
  'changes',
  'locks',
  'az',
  'sdks',
  'terraform',
  'newest',
  'refusals',
  'malformed',
  'parameters',
  'hostile',
  'doors',
  'allocation',
  'again',
  'reprovision',
  'returning',
  'moving',
  'undelete',
  'reseal',
  'pull',
  'block',
  'existing',
  'lanes',
  'foreign',
  'neighbours',
  'distribution',
  'process',
  'faults',
  'dear',
  'frozen',
  'locked',
  'statuses',
  'endings',
  'accounted',
  'openapi',
];
const found = fs.readdirSync(path.join(__dirname, 'suites')).filter((file) => file.endsWith('.js')).map((file) => file.slice(0, -3));
const strays = [...found.filter((name) => !ORDER.includes(name)), ...ORDER.filter((name) => !found.includes(name))];
if (strays.length > 0) throw new Error(`suites and the list in all.js differ: ${strays.join(', ')}`);

const wanted = (process.env.FLOW_SUITES || '').split(/\s+/).filter(Boolean);
const unknown = wanted.filter((name) => !ORDER.includes(name));
if (unknown.length > 0) throw new Error(`no such suite: ${unknown.join(', ')}`);

// A program that died takes every wait with it: stop at once and say so, instead of waiting for all of them.
setInterval(() => {
  const dead = fs.readFileSync(path.join(process.env.FLOW_WORK, 'ends'), 'utf8').split('\n').filter((line) => /^idscope-\S+ \d+ [1-9]/.test(line));
  if (dead.length === 0) return;
  console.error(`a program died (name, pid, wait status): ${dead.join('; ')}`);
  process.exit(1);
}, 1000).unref();

for (const name of ORDER) if (wanted.length === 0 || wanted.includes(name)) require(`./suites/${name}`);
