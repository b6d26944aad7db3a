// bodies.js: the members of a request body as api/openapi.yaml describes it, nested ones included, and what can be wrong with each.
//
// Responsible for: which members a schema has, the seven cases of each, what the schema says of a case (refused, accepted, or that it has no such
// rule), and the text of the body that has it.
// Must never know an operation, nor what the service does: expectations come from the document alone.
'use strict';

const ELEMENT = 0; // a step into an array; EACH: into a map
const EACH = '*';

// What is inside a schema: [step, schema, whether it must be there].
function inside(openapi, schema) {
  if (schema.items && schema.maxItems !== 0) return [[ELEMENT, openapi.resolve(schema.items), false]];
  const named = Object.entries(schema.properties || {}).map(([name, one]) => [name, openapi.resolve(one), (schema.required || []).includes(name)]);
  return typeof schema.additionalProperties === 'object' ? [...named, [EACH, openapi.resolve(schema.additionalProperties), false]] : named;
}

// allOf is taken apart where it stands; what a request has no say in is not gone into.
function members(openapi, schema, steps = [], required = false) {
  const here = openapi.resolve(schema);
  const whole = here.allOf ? Object.assign({}, ...here.allOf.map((one) => openapi.resolve(one)), here) : here;
  const own = { steps, schema: whole, required };
  if (whole.readOnly) return [own];
  return [own, ...inside(openapi, whole).flatMap(([step, one, must]) => members(openapi, one, [...steps, step], must))];
}

// As refusals write it: properties.iotHubs[0].location. A map's name is that which a body has there.
function pathOf(steps) {
  return steps.reduce((path, step) => (typeof step === 'number' ? `${path}[${step}]` : `${path}${path && '.'}${step}`), '');
}

const isThere = (value, step) => value !== null && typeof value === 'object' && Object.hasOwn(value, step);

// The steps in one body: `*` is the first name there. undefined: the body does not go so far. `upTo`: how many must be there.
function stepsIn(body, steps, upTo = steps.length) {
  const found = [];
  let at = body;
  for (const [i, step] of steps.entries()) {
    const real = step === EACH ? Object.keys(at ?? {})[0] : step;
    if (i < upTo && !isThere(at, real)) return undefined;
    found.push(real);
    at = at?.[real];
  }
  return found;
}

// --- cases ----------------------------------------------------------------------------------------------------------------------------

const REFUSED = 'refused';
const ACCEPTED = 'accepted';
const FORMATS = { 'uuid': /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'byte': /^[A-Za-z0-9+/]*={0,2}$/, 'date-time': /^\d{4}-\d\d-\d\dT/ };
const OTHERS = { string: [7, {}, []], integer: ['1', true, {}], boolean: ['true', 1, []], object: ['x', 7, []], array: ['x', 7, {}] };
const STRANGE = ['!', 'a b', '?\u00e9', 'x;y'];

const absent = (member) => (member.required ? REFUSED : ACCEPTED);

function tooMuch({ schema }) {
  if (schema.enum) return [];
  if (schema.maxLength !== undefined) return [(schema.format === 'byte' ? 'A' : 'a').repeat(schema.maxLength + 1)];
  if (schema.maximum !== undefined) return [schema.maximum + 1];
  if (schema.maxProperties !== undefined) return [Object.fromEntries(Array.from({ length: schema.maxProperties + 1 }, (_, i) => [`t${i}`, '']))];
  if (schema['x-max-bytes'] !== undefined) return [{ big: 'x'.repeat(schema['x-max-bytes'] + 1 - '{"big":""}'.length) }];
  return [];
}

// What is one less than too much; undefined: nothing can be said of it.
function justEnough(value) {
  if (typeof value === 'string') return value.slice(1);
  if (typeof value === 'number') return value - 1;
  return value?.big && { big: value.big.slice(1) };
}

// More elements of the kind that is there.
function tooMany({ schema }, value) {
  return schema.maxItems === undefined ? [] : [Array.from({ length: schema.maxItems + 1 }, () => value[0])];
}

// Is that text of the form that a schema asks for?
function isOfForm({ pattern, format, maxLength = Infinity, enum: words }, text) {
  return (!pattern || new RegExp(pattern).test(text)) && (!FORMATS[format] || FORMATS[format].test(text)) && text.length <= maxLength && (!words || words.some((word) => word.toLowerCase() === text.toLowerCase()));
}

function otherForm({ schema }) {
  if (schema.type === 'integer') return [1.5, ...(schema.minimum === undefined ? [] : [schema.minimum - 1])];
  if (schema.enum || !(schema.pattern || FORMATS[schema.format])) return [];
  return [STRANGE.find((text) => !isOfForm(schema, text))];
}

// What is no word of the enumeration.
function outside({ schema: { enum: words, type } }) {
  if (!words) return [];
  return type === 'boolean' ? [true, false].filter((one) => !words.includes(one)) : ['another'];
}

// Each case: what it writes in the member's place (values: each must fare alike), and what is said of it. No values: the schema has no such rule.
const CASES = {
  'absent': (member) => ({ values: member.steps.length ? [undefined] : [], said: absent(member) }),
  'null': (member) => ({ values: [null], said: nulled(member) }),
  'wrong type': (member) => ({ values: OTHERS[member.schema.type] || [], said: REFUSED }),
  'too long': (member, value) => ({ values: [...tooMuch(member), ...tooMany(member, value)], said: REFUSED }),
  'wrong pattern': (member) => ({ values: otherForm(member), said: REFUSED }),
  'unknown enum': (member) => ({ values: outside(member), said: REFUSED }),
  'stands twice': (member, value) => ({ values: typeof member.steps.at(-1) === 'string' ? [value] : [], said: REFUSED, twice: true }),
};

// Null is as absent in place of a member, and no element of a list, value of a map or body.
function nulled({ steps, schema, required }) {
  if (schema.nullable || schema.type === undefined) return ACCEPTED;
  return steps.length === 0 || steps.at(-1) === ELEMENT || steps.at(-1) === EACH || required ? REFUSED : ACCEPTED;
}

// --- bodies that have one -------------------------------------------------------------------------------------------------------------

const MARK = '\u0002'; // around what is to stand in the text as it is
const RAW = (text) => `${MARK}${Buffer.from(text).toString('base64url')}${MARK}`;
const TWIN = '\u0001'; // behind the name of a second one of the same name, until it is text

// The text of `body` with `value` in place of what stands at those steps: undefined takes it out, `twice` puts it beside, under that name.
function changed(body, steps, { value, twice, name = steps.at(-1) }) {
  const copy = JSON.parse(JSON.stringify({ body })); // nothing in it is shared
  const all = ['body', ...steps];
  const last = all.pop();
  const at = all.reduce((inner, step) => inner[step], copy);
  if (twice) Object.assign(at, { [last]: value, [`${name}${TWIN}`]: value });
  else if (value === undefined && Array.isArray(at)) at.splice(last, 1);
  else if (value === undefined) delete at[last];
  else at[last] = value;
  return JSON.stringify(copy.body).replaceAll('\\u0001"', '"').replace(/"\\u0002([\w-]+)\\u0002"/, (_, raw) => Buffer.from(raw, 'base64url').toString());
}

module.exports = { CASES, justEnough, RAW, REFUSED, ACCEPTED, isOfForm, members, pathOf, stepsIn, changed };
