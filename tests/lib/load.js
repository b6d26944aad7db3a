// load.js: the two C programs of tests/load as functions: enrollments straight into a stack's database, and the load client.
//
// Responsible for: the programs' arguments, and that a program that fails is an error. Both agree on the fleet (tests/load/fleet.h): device n of
// every scope has the id dev-1000000 + n and keys that follow from n.
// Must never change an answer: what the client counted is what the caller gets.
'use strict';

const path = require('node:path');
const { spawn } = require('node:child_process');
const { ROOT, run } = require('./stack');

const PROGRAMS = path.join(ROOT, 'build/release/tests/load');

// The whole fleet for each scope of the file, sealed with the stack's own keys: a PUT for each would take too long.
async function seed(stack, scopesFile, size) {
  const program = path.join(PROGRAMS, 'seed');
  const copy = (await run(program, ['copy'])).trim();
  await run('bash', ['-c', 'set -o pipefail; "$0" "$1" "$2" "$3" | "$4" psql -q -v ON_ERROR_STOP=1 -c "$5"',
    program, path.join(stack.dir, 'keys/ring'), scopesFile, String(size), path.join(ROOT, 'docker/local/stack.sh'), copy],
  { env: { ...process.env, ...stack.settings } });
}

// options: as the head of tests/load/client.c describes them. Gives the client's account. `onLine` is called when that has been printed, while the
// client still holds its connections.
function loadClient(options, onLine) {
  const args = Object.entries(options).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`);
  const child = spawn(path.join(PROGRAMS, 'client'), args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (part) => {
      text += part;
      if (onLine && text.endsWith('\n')) Promise.resolve(onLine()).then(() => child.stdin.end(), reject);
    });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`the load client ended with ${code}`))));
  });
}

module.exports = { seed, loadClient };
