// source.js: rules of this project that no compiler knows: layers, calls that have one home, what is declared and never used, function
// length, head comments, the route table against openapi.yaml, the demo's independence, suppressions with reasons, where waits stand, what comments cite,
// mutants that still fit, state machines that are shown as they are, what no statement says (statements.js), how many parameters a call
// gives (calls.js), what is made in one place alone (once.js), and which answers openapi.yaml lists (openapi.js).
// Prints one line per rule, and each offence as FILE:LINE. Must never change a file, and has no list of files that are let off:
// an exception stands on its own line of the source, with its reason, and is counted.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { routes: tableOfRoutes } = require('../lib/routes');
const mutant = require('../mutants/mutant.js');
const { states } = require('./states.js');
const { tenant_jobs } = require('./tenant_jobs.js');
const statements = require('./statements.js');
const calls = require('./calls.js');
const once = require('./once.js');
const openapi = require('./openapi.js');

const root = path.join(__dirname, '../..');
const FUNCTION_LINES = 60;
const SKIPPED = new Set(['node_modules', 'build', 'var', 'out', '.git', 'corpus']);

function walk(folder) {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(name);
    return entry.isFile() ? [name] : [];
  });
}

const files = walk('.');
const read = new Map();
const text = (file) => {
  if (!read.has(file)) read.set(file, fs.readFileSync(path.join(root, file), 'utf8'));
  return read.get(file);
};
const lines = (file) => text(file).split('\n');
const ending = (...ends) => files.filter((file) => ends.some((end) => file.endsWith(end)));
const programs = ending('.c', '.h').filter((file) => /^(core|db|api|workers|admin)\//.test(file));

// The text without comments, strings and characters, line by line, so that words in them do not count.
function code(file) {
  const bare = text(file).replace(/\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (match) => match.replace(/[^\n]/g, ' '));
  return bare.split('\n');
}

// --- layers -------------------------------------------------------------------------------------------------------------------------

// Rows from the ground up; a file includes from its own row or below. `beside`: folders of a row that do not know each other.
const ROWS = [[/^core\/(?!process\/)/], [/^core\/process\//], [/^db\//], [/^api\//, /^workers\//, /^admin\//], [/^(api|workers|admin)\/main\.c$/]];
const rowOf = (file) => ROWS.findLastIndex((row) => row.some((pattern) => pattern.test(file)));

function layers() {
  const bad = [];
  let count = 0;
  for (const file of programs) {
    lines(file).forEach((line, i) => {
      const include = /^\s*#\s*include\s+"([^"]+)"/.exec(line);
      if (!include) return;
      const target = [path.join(path.dirname(file), include[1]), include[1]].find((name) => read.has(name) || fs.existsSync(path.join(root, name)));
      if (!target) {
        if (!/^(sql_gen|gen\/)/.test(include[1])) bad.push(`${file}:${i + 1}: "${include[1]}" is not in this tree`);
        return;
      }
      count++;
      const up = rowOf(target) > rowOf(file) || /\.c$/.test(target);
      const across = file.split('/')[0] !== target.split('/')[0] && rowOf(file) === rowOf(target);
      if (up || across) bad.push(`${file}:${i + 1}: includes ${target}, which is not below it`);
    });
  }
  return { bad, note: `${count} includes go down or stay in their row` };
}

// --- calls that are banned, or have one home -----------------------------------------------------------------------------------------

const HOMES = [
  [/\b(?:strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gmtime|localtime|alloca|gets|system|popen|tmpnam|asctime|ctime|rand|srand|setenv|putenv|setlocale|localeconv|strsignal|getpwnam|getpwuid|gethostbyname|inet_ntoa)\s*\(/, null, 'banned'],
  [/\b(?:malloc|calloc|realloc|free|strdup|strndup|asprintf|vasprintf)\s*\(/, /^core\/arena\.c$/, 'memory is core/arena.c\'s'],
  [/\bPQ[a-z]\w*\s*\(/, /^db\//, 'libpq is db/\'s'],
  [/\bMHD_\w+\s*\(/, /^api\/(server|peer)\.c$|^core\/process\/health\.c$/, 'libmicrohttpd is api/server.c\'s and core/process/health.c\'s'],
  [/\bcurl_\w+\s*\(/, /^(workers\/hub_client|admin\/service)\.c$/, 'libcurl is workers/hub_client.c\'s and admin/service.c\'s'],
  [/\bjwt_(?:new|decode|encode|add|set|get|free|del)\w*\s*\(/, /^core\/jwt\.c$/, 'libjwt is core/jwt.c\'s'],
  [/\b(?:clock_gettime|gettimeofday|time|socket|connect|bind|listen|accept|poll|epoll_wait|recv|send|getaddrinfo|nanosleep|usleep|sleep)\s*\(/, /^(db|api|workers|admin|core\/process)\/|^core\/killpoint\.c$/, 'core has no clock and no sockets'],
];
// The exception of one line: `free(text); /* from jwt_encode_str */` for what a library handed over, `/* allowed: why */` for the rest.
const EXCUSE = /\/\*\s*(?:from\s+\w+|allowed:\s+\S.{5,})/;
let excuses = 0;

function homes() {
  const bad = [];
  for (const file of programs) {
    const source = lines(file);
    code(file).forEach((line, i) => {
      for (const [words, home, rule] of HOMES) {
        const call = words.exec(line);
        if (!call || (home && home.test(file)) || /^\s*#/.test(line)) continue;
        if (EXCUSE.test(source[i])) excuses++;
        else bad.push(`${file}:${i + 1}: ${call[0].replace(/\s*\($/, '')}: ${rule}`);
      }
    });
  }
  return { bad, note: `${HOMES.length} rules, ${excuses} lines excused with a reason` };
}

// --- what is declared is used -------------------------------------------------------------------------------------------------------------

// A function of a header is called by the programs, or its address is taken, in a line that is no declaration: those stand in column 0. A name
// that a macro puts together (`op_##name`) is used when its second half is an argument of a macro. An error is given by somebody, a setting is
// read. What is there before its first user says why on its line: `/* allowed: why */`.
function used() {
  const bad = [];
  const bare = new Map([...programs, ...ending('.def')].map((file) => [file, code(file)]));
  const inside = [...bare].flatMap(([file, rows]) => rows.filter((line) => file.endsWith('.def') || /^[\s#}]/.test(line)));
  const wordsOf = (some) => new Set(some.join('\n').replace(/\b(?:enum|struct|union) \w+/g, '').match(/\w+/g));
  const words = wordsOf(inside);
  const given = wordsOf(inside.filter((line) => /^\s*[A-Z]\w*\(/.test(line)));
  const halves = [...new Set(inside.join('\n').match(/\b[a-z]\w*_(?=##)/g))];
  const known = (name) => words.has(name) || halves.some((half) => name.startsWith(half) && given.has(name.slice(half.length)));
  const says = (pattern) => inside.some((line) => new RegExp(pattern).test(line));
  const headers = programs.filter((file) => file.endsWith('.h')).map((file) => [file, /^(?!typedef)[a-z][\w *]*?\b(\w+)\((?=[^{}]*?;)/gm, known, 'no program calls it']);
  const tables = [
    ['core/errors.def', /^ERR\((\w+)/gm, (name) => says(`\\bE\\(${name}\\)`), 'nobody gives this error'],
    ['core/cfg.def', /^CFG\((\w+)/gm, (name) => says(`(?:->|\\.)${name}\\b`), 'nobody reads this setting'],
  ];
  let count = 0;
  let early = 0;
  for (const [file, pattern, isUsed, what] of [...headers, ...tables]) {
    const whole = bare.get(file).join('\n');
    for (const match of whole.matchAll(pattern)) {
      const line = whole.slice(0, match.index).split('\n').length;
      count++;
      if (isUsed(match[1])) continue;
      if (EXCUSE.test(lines(file)[line - 1])) early++;
      else bad.push(`${file}:${line}: ${match[1]}: ${what}`);
    }
  }
  return { bad, note: `${count} functions, errors and settings; ${early} before its first user, with a reason` };
}

// --- words of the log and of /metrics ---------------------------------------------------------------------------------------------------

// One style for the names of events and of their fields; and the format of /metrics has one writer.
const LOGGED = /\blog_(?:event|fields)\(([^;]*?)(?:,\s*L_|,\s*\(const|\);)/g;
const FIELD = /\bL_(?:TEXT|CSTR|NUM)\(\s*("[^"]*")/g;

function names() {
  const bad = [];
  let count = 0;
  for (const file of programs) {
    const at = (index) => text(file).slice(0, index).split('\n').length;
    for (const [pattern, what] of [[LOGGED, 'event'], [FIELD, 'field']]) {
      for (const match of text(file).matchAll(pattern)) {
        for (const [name] of match[1].matchAll(/"[^"]*"/g)) {
          count++;
          if (!/^"[a-z][a-zA-Z0-9]*"$/.test(name)) bad.push(`${file}:${at(match.index)}: ${what} ${name}: names of the log are camelCase`);
        }
      }
    }
    for (const match of text(file).matchAll(/# (?:HELP|TYPE) /g)) {
      if (file !== 'core/process/metric.c') bad.push(`${file}:${at(match.index)}: the format of /metrics is core/process/metric.c's`);
    }
  }
  return { bad, note: `${count} names of events and their fields` };
}

// --- function length ------------------------------------------------------------------------------------------------------------------

// Functions begin in column 0 and their braces stand there alone (.clang-format). Blank lines and comments count.
function functions() {
  const bad = [];
  const lengths = [];
  for (const file of ending('.c').filter((name) => !name.startsWith('.'))) {
    const bare = code(file);
    let head = -1;
    let open = -1;
    bare.forEach((line, i) => {
      if (open < 0 && /^[A-Za-z_].*\(/.test(line) && !/;\s*$/.test(line)) head = i;
      if (open < 0 && head >= 0 && line === '{') open = head;
      if (open >= 0 && line.startsWith('}')) {
        const length = i - open + 1;
        lengths.push(length);
        if (length > FUNCTION_LINES) bad.push(`${file}:${open + 1}: ${length} lines, ${FUNCTION_LINES} at most`);
        open = head = -1;
      }
    });
  }
  lengths.sort((a, b) => a - b);
  if (lengths.length === 0) bad.push('no function was found');
  return { bad, note: `${lengths.length} functions, median ${lengths[lengths.length >> 1]} lines, longest ${lengths.at(-1)}` };
}

// --- sections -------------------------------------------------------------------------------------------------------------------------

// clang-format breaks a rule that is too long over two lines, and says nothing.
function sections() {
  const bad = [];
  let count = 0;
  for (const file of ending('.c', '.h')) {
    lines(file).forEach((line, i) => {
      if (!line.startsWith('/* ---')) return;
      count++;
      if (!/^\/\* --- .* -+ \*\/$/.test(line)) bad.push(`${file}:${i + 1}: the rule of a section stands on one line`);
    });
  }
  return { bad, note: `${count} rules of sections stand on one line` };
}

// --- head comments --------------------------------------------------------------------------------------------------------------------

const HEADS = [[['.c', '.h', '.def'], /^\/\*/], [['.js'], /^\/\//], [['.sql'], /^--/], [['.sh', '.mk', '.awk', '.pl', '.cfg', '.yml', '.yaml', 'Makefile', 'Dockerfile', '.ci/run', '.clang-tidy'], /^#|^--/]];

function heads() {
  const bad = [];
  let count = 0;
  for (const [ends, head] of HEADS) {
    for (const file of ending(...ends)) {
      count++;
      const [first, second = ''] = lines(file).filter((line) => !/^#!|^---$/.test(line));
      if (!head.test(first) || `${first} ${second}`.replace(/[^A-Za-z]/g, '').length < 20) bad.push(`${file}:1: no head comment that says what it is for`);
    }
  }
  return { bad, note: `${count} files say what they are for` };
}

// --- routes against openapi.yaml --------------------------------------------------------------------------------------------------------

const neutral = (route) => route.toLowerCase().replace(/\{[^}]*\}/g, '{}');

function routesOfTable() {
  return new Map(tableOfRoutes().map((route) => [`${route.method} ${neutral(route.path)}`, route.name]));
}

// The paths of the document: keys in two blanks, methods in four, operationId in six. Anything that breaks this form is an offence.
function routesOfDocument(bad) {
  const found = new Map();
  let section = '';
  let where = '';
  let method = '';
  lines('api/openapi.yaml').forEach((line, i) => {
    if (/\t/.test(line)) bad.push(`api/openapi.yaml:${i + 1}: a tab`);
    const top = /^(\w+):/.exec(line);
    if (top) section = top[1];
    if (section !== 'paths') return;
    const address = /^ {2}['"]?(\/[^'":]*)['"]?:\s*$/.exec(line);
    const verb = /^ {4}(get|put|post|delete|head|patch|options):\s*$/.exec(line);
    const id = /^ {6}operationId:\s*(\w+)\s*$/.exec(line);
    if (address) where = address[1];
    if (verb) method = verb[1].toUpperCase();
    if (!id) return;
    const key = `${method} ${neutral(where)}`;
    if (found.has(key)) bad.push(`api/openapi.yaml:${i + 1}: ${key} stands twice`);
    found.set(key, id[1]);
  });
  return found;
}

function routes() {
  const bad = [];
  if (!files.includes('api/openapi.yaml')) return { bad: ['api/openapi.yaml: is not there'], note: '' };
  const table = routesOfTable();
  const document = routesOfDocument(bad);
  for (const [route, name] of table) {
    if (!document.has(route)) bad.push(`api/openapi.yaml: ${route} (${name}) is missing`);
    else if (document.get(route).toLowerCase().replace(/_/g, '') !== name.replace(/_/g, '')) bad.push(`api/openapi.yaml: ${route} is ${document.get(route)} there and ${name} in routes.def`);
  }
  for (const route of document.keys()) if (!table.has(route)) bad.push(`api/openapi.yaml: ${route} is not in routes.def`);
  if (table.size === 0) bad.push('api/routes.def: no route was found');
  return { bad, note: `${table.size} operations, the same in both` };
}

// --- the demo is a client ---------------------------------------------------------------------------------------------------------------

function demo() {
  const mine = [...ending('.js').filter((file) => file.startsWith('tests/demo/')), 'tests/lib/https.js', 'tests/lib/sas.js', 'tests/lib/idscope.js'];
  const words = /\bpsql\b|\bPG[A-Z]+\b|postgres|libpq|child_process|\.sock\b|stack\.(sh|js|env)/;
  const bad = mine.flatMap((file) => code(file).flatMap((line, i) => (words.test(line) || words.test(lines(file)[i].replace(/^\s*\/\/.*/, '')) ? [`${file}:${i + 1}: ${words.exec(lines(file)[i])[0]}`] : [])));
  for (const file of mine) for (const match of text(file).matchAll(/require\('([^.][^']*)'\)/g)) if (!match[1].startsWith('node:')) bad.push(`${file}: needs the package ${match[1]}`);
  return { bad, note: `${mine.length} files, no database, no package, no process` };
}

// --- suppressions -----------------------------------------------------------------------------------------------------------------------

// Each kind with the form of its reason: words behind the suppression on the same line, or the comment line before it.
const SUPPRESSIONS = [['NOLINT', /NOLINT\w*(?:\([^)]*\))?/], ['cppcheck', /cppcheck-suppress\s+\[?[\w, ]+\]?/], ['shellcheck', /shellcheck disable=[\w,]+/], ['sanitizer', /no_sanitize\w*/], ['pragma', /#\s*pragma (?:GCC|clang) diagnostic ignored/], ['coverage', /(?:LCOV|GCOVR)_EXCL_\w+/]];

function suppressions() {
  const bad = [];
  const counts = {};
  for (const file of ending('.c', '.h', '.sh', '.mk', '.ci/run').filter((name) => name !== 'tests/lint/source.js')) {
    lines(file).forEach((line, i) => {
      for (const [kind, pattern] of SUPPRESSIONS) {
        const match = pattern.exec(line);
        if (!match) continue;
        counts[kind] = (counts[kind] || 0) + 1;
        const behind = line.slice(match.index + match[0].length).replace(/[^A-Za-z]/g, '');
        const before = /^\s*(?:\/\*|\/\/|#|\*)/.test(lines(file)[i - 1] || '') ? lines(file)[i - 1].replace(/[^A-Za-z]/g, '') : '';
        if (behind.length < 5 && before.length < 20) bad.push(`${file}:${i + 1}: ${kind} suppression without a reason`);
      }
    });
  }
  const total = Object.entries(counts).map(([kind, n]) => `${n} ${kind}`).join(', ') || 'none';
  return { bad, note: `${total}; each with a reason` };
}

// --- how long is waited -----------------------------------------------------------------------------------------------------------------

// The worker's schedules, back-offs and bounds stand in core/jobs.def. What is none (a slice of a longer wait) stands where it is used, and says
// on its line why it is none.
const NUMBER_OF_MS = /\b\w*_m?s\s*=\s*\(?\d{2,}/i;
const NO_SCHEDULE = /\/\*\s*no schedule:\s+\S.{10,}\*\//;

function schedules() {
  const bad = [];
  let excused = 0;
  for (const file of programs.filter((name) => name.startsWith('workers/'))) {
    code(file).forEach((line, i) => {
      if (!NUMBER_OF_MS.test(line)) return;
      if (NO_SCHEDULE.test(lines(file)[i])) excused++;
      else bad.push(`${file}:${i + 1}: ${NUMBER_OF_MS.exec(line)[0]}: how long the worker waits stands in core/jobs.def`);
    });
  }
  return { bad, note: `core/jobs.def says them; ${excused} lengths of time are none, and say why` };
}

// --- citations --------------------------------------------------------------------------------------------------------------------------

// What a file says for people. Pages are that from end to end.
const COMMENTS = [[/\.(c|h|def)$/, /\/\*[^]*?\*\//g], [/\.js$/, /^\s*\/\/.*$/gm], [/\.sql$/, /--.*$/gm], [/\.(sh|mk|awk|cfg|yml)$|(Make|Docker)file$/, /^\s*#.*$/gm], [/\.md$/, /[^]+/g]];
const NAMED = /(?<![\w$*.<])[\w./-]*\w\.(?:c|h|def|sql|js|sh|awk|mk|cfg|yml|yaml|md)\b(?!\.|>)/g;
const PAGES = 'api/contract/';
// `wire.md 3.2, A4` and `decisions.md 20 to 24`: a page of the contract, cited by the numbers of its headings.
const NUMBER = /[A-Z]?\d+(?:\.\d+)?/;
const CITED = new RegExp(`\\b(\\w+\\.md)((?:\\s+|,\\s+|\\s+(?:and|to)\\s+)${NUMBER.source}(?:(?:,\\s+|\\s+(?:and|to)\\s+)${NUMBER.source})*)?`, 'g');

const there = (file, name) => [name, path.join(path.dirname(file), name)].some((at) => files.includes(at)) || files.some((at) => at.endsWith(`/${name}`));
// Line breaks within a comment and its margin become blanks, so that a list may be wrapped; every character keeps its place.
const unwrapped = (words) => words.replace(/\n[ \t]*(?:\*|\/\/|#|--)?/g, (gap) => ' '.repeat(gap.length));

function citations() {
  const bad = [];
  const headings = new Map(files.filter((file) => file.startsWith(PAGES) && file.endsWith('.md')).map((page) => [path.basename(page), new Set([...text(page).matchAll(/^#+ ([A-Z]?\d+(?:\.\d+)?) /gm)].map((match) => match[1]))]));
  let count = 0;
  for (const file of files) {
    const pattern = (COMMENTS.find(([name]) => name.test(file)) || [])[1];
    if (!pattern) continue;
    const line = (at) => text(file).slice(0, at).split('\n').length;
    for (const comment of text(file).matchAll(pattern)) {
      for (const name of comment[0].matchAll(NAMED)) if (!there(file, name[0])) bad.push(`${file}:${line(comment.index + name.index)}: ${name[0]} is not in this tree`);
    }
    for (const { index, 1: page, 2: numbers } of unwrapped(text(file)).matchAll(CITED)) {
      if (!headings.has(page) || (!numbers && file.endsWith('.md'))) continue;
      const wanted = [...(numbers || '').matchAll(new RegExp(NUMBER.source, 'g'))].map((match) => match[0]);
      count += wanted.length;
      const missing = wanted.filter((number) => !headings.get(page).has(number));
      if (missing.length > 0) bad.push(`${file}:${line(index)}: ${page} has no heading ${missing.join(', ')}`);
      if (wanted.length === 0) bad.push(`${file}:${line(index)}: ${page} is cited without a heading`);
    }
  }
  if (count === 0) bad.push(`${PAGES}: nothing cites it`);
  return { bad, note: `${count} headings and every file that a comment names are there` };
}

// --- mutants ----------------------------------------------------------------------------------------------------------------------------

// A planted break that no longer fits its file tests nothing: who changes the line mends the mutant.
function mutants() {
  const all = mutant.all(path.join(root, 'tests/mutants'));
  const bad = all.flatMap((one) => mutant.fit(one, root).wrong.map((wrong) => `tests/mutants/${one.name}.mutant:1: ${wrong}`));
  return { bad, note: `${all.length} planted breaks fit` };
}

let failed = false;
for (const rule of [layers, homes, used, names, functions, sections, heads, routes, demo, suppressions, schedules, citations, mutants, states, tenant_jobs, ...statements.rules, ...calls.rules, ...once.rules, ...openapi.rules]) {
  const { bad, note } = rule();
  for (const offence of bad) console.log(`  ${offence}`);
  console.log(`lint: ${rule.name}: ${bad.length === 0 ? `ok (${note})` : `${bad.length} offences`}`);
  if (bad.length > 0) failed = true;
}
process.exit(failed ? 1 : 0);
