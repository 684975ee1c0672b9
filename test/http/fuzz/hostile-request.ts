import type { Random } from '../../harness/random.ts';
import type { Operation } from './operations.ts';
import type { FuzzRequest, Tokens } from './request.ts';

/** Marks that must be in no log: what somebody's mistake would send of a buyer. */
export const PERSON = { name: 'Wang-Marker-Xiaoming', phoneNumber: '+86-138-MARKER-0001', idCard: '11010519-MARKER-31002X' } as const;

const LONG = 60_000;
const NAMES = ['orderId', 'lineNo', 'quantity', 'recipient', 'OR', 'AND', 'NOT', 'id', '', 'a/b~c', 'constructor', 'toString', '__proto__', 'x'.repeat(LONG), '𝄞'.repeat(100)];
const TIMES = ['0001-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '1969-12-31T23:59:59Z', '2026-06-30T23:59:60Z', '2026-02-30T00:00:00.000Z', '2026-02-30', '9999-12-31T23:59:59.999Z', '10000-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '2026-01-01T24:00:00Z', '2026-01-01T00:00:00+23:59', '2026-01-01t00:00:00z', `2026-01-01T00:00:00.${'9'.repeat(500)}Z`];
const NUMBERS = ['-1', '-0', '0', '00', '1.5', '1e3', '0x10', '9007199254740993', '9223372036854775807', '9223372036854775808', '9'.repeat(19), '9'.repeat(40), 'NaN', 'Infinity'];
const TEXTS = [...TIMES, ...NUMBERS, '', ' ', 'null', 'true', '[]', '../..', '%00', '\u0000', 'a\u0000b', '\ud800', 'x'.repeat(LONG), '𝄞'.repeat(300), "' OR 1=1 --", 'urn:uuid:00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'];
const VALUES: readonly unknown[] = [null, true, false, 0, -1, 1.5, 1e21, 2 ** 53, [], {}, [[]], [null], { $ne: 1 }, { contains: '' }, { not: null }, { set: 1 }, PERSON];

type Mutate = (request: FuzzRequest, operation: Operation, random: Random, tokens: Tokens) => void;

const anyText = (random: Random): string => random.pick(TEXTS);
const anyValue = (random: Random): unknown => (random.chance(0.5) ? anyText(random) : random.pick(VALUES));

/** Often what is odd for just this kind of value: the edge of it, and not merely another kind. */
function oddFor(value: unknown, random: Random): unknown {
  if (typeof value === 'string' && random.chance(0.7)) {
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return random.pick(TIMES);
    if (/^\d+$/.test(value)) return random.pick(NUMBERS);
  }
  return anyValue(random);
}

/** @returns every object and list of a value, itself included. */
function holdersIn(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(holdersIn)];
}

function changeBody(request: FuzzRequest, change: (body: unknown) => unknown): void {
  const body: unknown = request.body === null ? {} : JSON.parse(request.body.toString('utf8'));
  setText(request, JSON.stringify(change(body)));
}

function setText(request: FuzzRequest, text: string | Buffer): void {
  request.body = Buffer.from(text as string);
  request.headers['content-type'] ??= 'application/json';
}

const nested = (depth: number, inner: string): string => `${'['.repeat(depth)}${inner}${']'.repeat(depth)}`;

/** What a mistake sends as well as malice. */
const MEMBERS: Readonly<Record<string, Mutate>> = {
  'an undeclared member': (request, _operation, random) =>
    changeBody(request, (body) => {
      const holder = random.pick([...holdersIn(body), {}]);
      Object.defineProperty(holder, random.pick(NAMES), { value: random.pick([1, 'x', PERSON]), enumerable: true, configurable: true });
      return body;
    }),
  'a member less': (request, _operation, random) =>
    changeBody(request, (body) => {
      const holder = random.pick([...holdersIn(body), {}]);
      Reflect.deleteProperty(holder, random.pick([...Object.keys(holder), '']));
      return body;
    }),
  'another value': (request, _operation, random) =>
    changeBody(request, (body) => {
      const holder = random.pick([...holdersIn(body), {}]);
      const name = random.pick([...Object.keys(holder), 'x']);
      holder[name] = oddFor(holder[name], random);
      return body;
    }),
};

const BODIES: Readonly<Record<string, Mutate>> = {
  'something else as a whole': (request, _operation, random) => setText(request, JSON.stringify(anyValue(random))),
  'a list around it': (request) => changeBody(request, (body) => [body]),
  'every member twice': (request) => setText(request, (request.body ?? Buffer.from('{}')).toString('utf8').replace(/^\{(.+)\}$/s, '{$1,$1}')),
  'no end inwards': (request, _operation, random) => setText(request, random.pick([nested(20_000, '"\\u0000"'), `{"items":${nested(20_000, '')}}`, '['.repeat(60_000), `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`, nested(33, ''), nested(31, '1')])),
  'a number without end': (request, _operation, random) => changeBodyText(request, random, random.pick(['9'.repeat(50_000), '1e999', '-1e999', '1e-999', '-0', '0.1', '9007199254740993'])),
  'JSON that is none': (request, _operation, random) => {
    const text = (request.body ?? Buffer.from('{"a":1}')).toString('utf8');
    setText(request, random.pick([text.slice(0, random.below(text.length + 1)), `\ufeff${text}`, `${text},`, `${text}${text}`, `// ${text}`, "{'a':1}", '{"a":NaN}', '{"a":undefined}', '\u0000', ' ', '']));
  },
  'bytes that are none of UTF-8': (request, _operation, random) => setText(request, Buffer.concat([Buffer.from('{"name":"'), random.bytes(20), Buffer.from('"}')])),
  'surrogates and NUL as escapes': (request, _operation, random) => changeBodyText(request, random, random.pick(['"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '{"\\u0000":1}', '{"\\ud83d":1}', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":{}}}', '{"\\u005f_proto__":1}'])),
  'more than there is room for': (request, _operation, random) => setText(request, `{"note":"${'x'.repeat(random.pick([65_500, 65_536, 70_000, 300_000]))}"}`),
  'in one piece without a length': (request) => void (request.body !== null && (request.headers['transfer-encoding'] = 'chunked')),
};

function changeBodyText(request: FuzzRequest, random: Random, json: string): void {
  const text = (request.body ?? Buffer.from('{"a":1}')).toString('utf8');
  const values = [...text.matchAll(/:("(?:[^"\\]|\\.)*"|\d+)/g)];
  const chosen = values.length === 0 ? null : random.pick(values);
  setText(request, chosen === null ? json : `${text.slice(0, chosen.index)}:${json}${text.slice(chosen.index + chosen[0].length)}`);
}

function addQuery(request: FuzzRequest, text: string): void {
  request.target += `${request.target.includes('?') ? '&' : '?'}${text}`;
}

/** As `encodeURIComponent`, for what it refuses too. */
const encoded = (text: string): string => encodeURIComponent(text.toWellFormed()).slice(0, 9_000);

const URLS: Readonly<Record<string, Mutate>> = {
  'an undeclared parameter': (request, _operation, random) => addQuery(request, `${encoded(random.pick([...NAMES, '_', 'foo']).slice(0, 200))}=${random.pick(['1', '', 'a'])}`),
  'a parameter twice, or as a list': (request, { declared }, random) => {
    const name = random.pick([...(declared.parameters ?? []).filter((one) => one.in === 'query').map((one) => one.name), 'limit']);
    addQuery(request, random.pick([`${name}=1&${name}=2`, `${name}=1&${name}=1`, `${name}[]=1`, `${name}[$ne]=1`, `${name}.x=1`, name]));
  },
  'an odd value of a parameter': (request, { declared }, random) => {
    const name = random.pick([...(declared.parameters ?? []).filter((one) => one.in === 'query').map((one) => one.name), 'before']);
    request.target = `${request.target.split('?')[0]}?${name}=${encoded(anyText(random))}`;
  },
  'an odd query': (request, _operation, random) => addQuery(request, random.pick(['%', '%zz', '%00', '%ED%A0%80', '&&&', ';', '=', '=1', '?', '??a=b', '+', '\u00ff', 'a=b#c', 'x'.repeat(9_000), 'a&'.repeat(2_000)])),
  'an odd part of the path': (request, { path }, random) => {
    const odd = random.pick([...TEXTS.map(encoded), '%00', '%2F', '%2e%2e', '..', '.', '%zz', '%', '%ED%A0%80', '%ff', "'", '*', ':id', '{id}', '9'.repeat(128), '9'.repeat(129), '']);
    const parts = request.target.split('/');
    const places = path.split('/').flatMap((part, index) => (part.startsWith('{') ? [index] : []));
    parts[places.length === 0 ? parts.length - 1 : random.pick(places)] = odd;
    request.target = parts.join('/');
  },
  'an odd path': (request, _operation, random) => void (request.target = random.pick([`${request.target}/`, `/${request.target}`, `${request.target}/..`, `${request.target}/x`, request.target.toUpperCase(), request.target.replace('/', '/./'), `http://h${request.target}`, '*', '/', `/${'x'.repeat(5_000)}`, '/webhooks', '/admin'])),
};

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'LINK'];
const TYPES = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'multipart/form-data', 'application/jsonx', 'application/json; charset=utf-16', 'application/json;', 'APPLICATION/JSON', 'application/problem+json', '*/*', '', ';', 'a'.repeat(5_000)];

const HEADERS: Readonly<Record<string, Mutate>> = {
  'another method': (request, _operation, random) => void (request.method = random.pick(METHODS)),
  'another content type': (request, _operation, random) => {
    request.body ??= Buffer.from('{}');
    request.headers['content-type'] = random.pick(TYPES);
  },
  'no content type': (request) => {
    request.body ??= Buffer.from('{}');
    delete request.headers['content-type'];
  },
  'another token': (request, operation, random, tokens) => {
    const { authorization, ...others } = request.headers;
    const other = operation.token === 'adminToken' ? tokens.service : tokens.admin;
    const odd = random.pick([null, `Bearer ${other}`, `Bearer ${other}x`, 'Bearer ', 'Bearer', `Basic ${other}`, `Bearer ${'x'.repeat(9_000)}`, 'Bearer \u00ff', String(authorization).toLowerCase(), ` ${String(authorization)}`]);
    request.headers = { ...others, ...(odd === null ? {} : { authorization: odd }) };
  },
  'an odd header': (request, _operation, random) =>
    void Object.assign(request.headers, random.pick([{ traceparent: '00-0-0-0' }, { traceparent: 'x'.repeat(5_000) }, { expect: '100-maybe' }, { 'content-encoding': 'gzip' }, { accept: 'text/html' }, { 'x-forwarded-for': '1.2.3.4, x' }, { cookie: 'a'.repeat(9_000) }, { range: 'bytes=0-1' }, { 'if-none-match': '*' }, { connection: 'close' }, { upgrade: 'h2c', connection: 'upgrade' }, { 'x-http-method-override': 'DELETE' }, { host: 'x y' }])),
};

/** Makes a valid request wrong in one way, now and then in two. */
export function makeHostile(request: FuzzRequest, operation: Operation, random: Random, tokens: Tokens): void {
  for (let n = random.chance(0.2) ? 2 : 1; n > 0; n--) {
    const kinds = Object.entries(random.pick([...(operation.method === 'GET' ? [URLS, URLS] : [MEMBERS, MEMBERS, MEMBERS, BODIES, BODIES, URLS]), HEADERS]));
    const [what, mutate] = random.pick(kinds);
    try {
      mutate(request, operation, random, tokens);
      request.what += `${request.what === '' ? '' : ' and '}${what}`;
    } catch (error) {
      // The first change has left nothing that the second one could read, or walk through.
      if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    }
  }
}
