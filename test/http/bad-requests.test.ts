import { connect, type AddressInfo } from 'node:net';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppendOutcomeUnknownError, DependencyUnavailableError, RequestError } from '../../src/contracts/errors.ts';
import { createAuthentication } from '../../src/platform/http/authenticate.ts';
import { BODY_SIZE_MAX, buildServer, type Server } from '../../src/platform/http/build-server.ts';
import { FAILURES_MAX } from '../../src/platform/http/failed-attempts.ts';
import { problemResponses } from '../../src/platform/http/schemas.ts';
import { createTokenCheck, hashToken } from '../../src/platform/http/token-check.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';
import { until } from '../harness/until.ts';

const ADMIN = 'a'.repeat(43);
const SERVICE = 's'.repeat(43);
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';

let app: Server;
let port: number;

beforeAll(async () => {
  app = buildServer({ log: silentLogger, metrics: createMetrics(), version: '0.0.0' });
  app.register(async (scope) => routes(scope as Server));
  await app.listen({ port: 0, host: '127.0.0.1' });
  port = (app.server.address() as AddressInfo).port;
});
afterAll(() => app.close());

const Body = Type.Object(
  {
    name: Type.String({ minLength: 2 }),
    count: Type.Integer({ minimum: 1 }),
    kind: Type.Optional(Type.Union([Type.Literal('course'), Type.Literal('book')])),
    items: Type.Optional(Type.Array(Type.Object({ price: Type.String() }))),
  },
  { additionalProperties: false },
);

async function routes(scope: Server): Promise<void> {
  const check = createTokenCheck({ admin: new Map([['alice', hashToken(ADMIN)]]), service: new Map([['shop', hashToken(SERVICE)]]) });
  const authentication = createAuthentication(check, createMetrics());
  scope.post('/things', { schema: { body: Body, response: { 200: Body, ...problemResponses } } }, async (request) => request.body);
  scope.get('/things/:id', { schema: { params: Type.Object({ id: Type.Integer() }), querystring: Type.Object({ page: Type.Integer({ minimum: 1, default: 1 }) }) } }, async (request) => ({
    id: request.params.id,
    page: request.query.page,
  }));
  scope.post('/things/:id/touch', { schema: { params: Type.Object({ id: Type.Integer() }) } }, async () => ({ touched: true }));
  scope.get('/whoami', { onRequest: authentication.requireToken('admin') }, async (request) => ({ actor: request.actor }));
  scope.get('/any', { onRequest: authentication.requireToken('any') }, async (request) => ({ actor: request.actor }));
  scope.get('/bug', async () => {
    throw new Error('password of the database is hunter2');
  });
  scope.get('/store-away', async () => {
    throw new DependencyUnavailableError('event-store', 'connect ECONNREFUSED 10.0.0.7:2113');
  });
  scope.get('/unknown-outcome', async () => {
    throw new AppendOutcomeUnknownError('deadline of 3000 ms is over');
  });
  scope.get('/conflict', async () => {
    throw new RequestError(409, 'order-paid', 'The order is paid already.', { orderId: 'o-1' });
  });
  scope.get('/slow', { config: { deadlineMs: 50 } }, () => new Promise(() => undefined));
}

interface Expected {
  readonly status: number;
  readonly code: string;
  readonly headers?: Record<string, string>;
  readonly more?: Record<string, unknown>;
}
type Request = { method?: 'GET' | 'POST' | 'PUT' | 'DELETE'; url: string; headers?: Record<string, string>; payload?: string | Buffer };

const json = (payload: string | Buffer): Request => ({ method: 'POST', url: '/things', headers: { 'content-type': 'application/json' }, payload });
const failures = (...errors: [string, string][]) => ({ errors: errors.map(([pointer, detail]) => ({ in: 'body', pointer, detail })) });

const TABLE: [string, Request, Expected][] = [
  ['an unknown path', { url: '/nothing' }, { status: 404, code: 'route-unknown' }],
  ['a known path with another method', { method: 'DELETE', url: '/things/1?x=1' }, { status: 405, code: 'method-not-allowed', headers: { allow: 'GET, HEAD' } }],
  ['a malformed percent escape', { url: '/things/%zz' }, { status: 400, code: 'url-invalid' }],
  ['a NUL in the path', { url: '/things/%00' }, { status: 400, code: 'url-invalid' }],
  ['an over-long path part', { url: `/things/${'1'.repeat(200)}` }, { status: 414, code: 'url-too-long' }],
  ['a path parameter of the wrong type', { url: '/things/abc' }, { status: 400, code: 'validation-failed', more: { errors: [{ in: 'path', pointer: '#/id', detail: 'must be integer' }] } }],
  ['a query out of range', { url: '/things/1?page=0' }, { status: 400, code: 'validation-failed', more: { errors: [{ in: 'query', pointer: '#/page', detail: 'must be >= 1' }] } }],
  ['JSON that does not parse', json('{"name":'), { status: 400, code: 'json-invalid' }],
  ['an empty JSON body', json(''), { status: 400, code: 'body-missing' }],
  ['no body at all', { method: 'POST', url: '/things' }, { status: 400, code: 'validation-failed', more: failures(['#', 'must be object']) }],
  ['bytes that are not UTF-8', json(Buffer.from([0x22, 0xff, 0xfe, 0x22])), { status: 400, code: 'json-invalid' }],
  ['a key that reaches the prototype', json('{"__proto__":{"x":1},"name":"ab","count":1}'), { status: 400, code: 'json-invalid' }],
  ['a key that reaches the constructor', json('{"constructor":{"prototype":{"x":1}},"name":"ab","count":1}'), { status: 400, code: 'json-invalid' }],
  ['a NUL in a text', json('{"name":"a\\u0000b","count":1}'), { status: 400, code: 'json-invalid' }],
  ['half of a surrogate pair in a text', json('{"name":"a\\uD83Db","count":1}'), { status: 400, code: 'json-invalid' }],
  ['another media type', { method: 'POST', url: '/things', headers: { 'content-type': 'text/plain' }, payload: 'x' }, { status: 415, code: 'media-type-unsupported' }],
  ['a form', { method: 'POST', url: '/things', headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: 'name=x' }, { status: 415, code: 'media-type-unsupported' }],
  ['a body over the limit', json(`{"name":"${'x'.repeat(BODY_SIZE_MAX)}"}`), { status: 413, code: 'body-too-large' }],
  ['missing properties', json('{}'), { status: 400, code: 'validation-failed', more: failures(['#/name', 'is required'], ['#/count', 'is required']) }],
  ['a superfluous property', json('{"name":"ab","count":1,"a/b":2}'), { status: 400, code: 'validation-failed', more: failures(['#/a~1b', 'is not known here']) }],
  ['a number sent as text', json('{"name":"ab","count":"1"}'), { status: 400, code: 'validation-failed', more: failures(['#/count', 'must be integer']) }],
  ['a word outside a list', json('{"name":"ab","count":1,"kind":"car"}'), { status: 400, code: 'validation-failed', more: failures(['#/kind', 'must be "course" or "book"']) }],
  ['an undeclared property deep in an array', json('{"name":"ab","count":1,"items":[{"price":"1","idCard":"110105194912310021"}]}'), { status: 400, code: 'validation-failed', more: failures(['#/items/0/idCard', 'is not known here']) }],
  ['a property with a name without end', json(`{"name":"ab","count":1,"items":[{"price":"1","${'𝄞'.repeat(15_000)}":1}]}`), { status: 400, code: 'validation-failed', more: failures([`#/items/0/${encodeURIComponent('𝄞'.repeat(32))}${encodeURIComponent('…')}`, 'is not known here']) }],
  ['a body without end inwards', json(`{"name":${'['.repeat(20_000)}"\\u0000"${']'.repeat(20_000)}}`), { status: 400, code: 'json-too-deep' }],
  ['a property where no body is declared', { ...json('{"x":1}'), url: '/things/1/touch' }, { status: 400, code: 'validation-failed', more: failures(['#/x', 'is not known here']) }],
  ['a list where no body is declared', { ...json('[]'), url: '/things/1/touch' }, { status: 400, code: 'validation-failed', more: failures(['#', 'is not known here']) }],
  ['an undeclared parameter', { url: '/things/1?page=1&OR=1' }, { status: 400, code: 'validation-failed', more: { errors: [{ in: 'query', pointer: '#/OR', detail: 'is not known here' }] } }],
  ['an undeclared parameter where none is declared', { ...json('{}'), url: '/things/1/touch?_=1' }, { status: 400, code: 'validation-failed', more: { errors: [{ in: 'query', pointer: '#/_', detail: 'is not known here' }] } }],
  ['a parameter that reaches the prototype', { url: '/things/1?__proto__=1' }, { status: 400, code: 'validation-failed', more: { errors: [{ in: 'query', pointer: '#/__proto__', detail: 'is not known here' }] } }],
  ...['page=1&page=2', 'page=true', 'page=1.5', 'page=', 'page=0x1', 'page=%201', 'page=1e1'].map((query): [string, Request, Expected] => [
    `a number written as ${query}`, { url: `/things/1?${query}` }, { status: 400, code: 'validation-failed', more: { errors: [{ in: 'query', pointer: '#/page', detail: 'must be integer' }] } },
  ]),
  ['a fault deep in an array', json('{"name":"ab","count":1,"items":[{"price":"1"},{"price":2}]}'), { status: 400, code: 'validation-failed', more: failures(['#/items/1/price', 'must be string']) }],
  ['no token', { url: '/whoami' }, { status: 401, code: 'token-invalid', headers: { 'www-authenticate': 'Bearer realm="paynotify"' } }],
  ['an unknown token', { url: '/whoami', headers: { authorization: `Bearer ${'x'.repeat(43)}` } }, { status: 401, code: 'token-invalid' }],
  ['another scheme', { url: '/whoami', headers: { authorization: `Basic ${ADMIN}` } }, { status: 401, code: 'token-invalid' }],
  ['the hash instead of the token', { url: '/whoami', headers: { authorization: `Bearer ${hashToken(ADMIN)}` } }, { status: 401, code: 'token-invalid' }],
  ['a token of the other kind', { url: '/whoami', headers: { authorization: `Bearer ${SERVICE}` } }, { status: 403, code: 'token-kind-wrong' }],
  ['a refusal with extra members', { url: '/conflict' }, { status: 409, code: 'order-paid', more: { detail: 'The order is paid already.', orderId: 'o-1' } }],
  ['a dependency that is away', { url: '/store-away' }, { status: 503, code: 'dependency-unavailable', headers: { 'retry-after': '2' }, more: { dependency: 'event-store', detail: 'The event store is not reachable just now.' } }],
  ['an append of unknown outcome', { url: '/unknown-outcome' }, { status: 503, code: 'append-outcome-unknown', headers: { 'retry-after': '2' } }],
  ['a handler that never answers', { url: '/slow' }, { status: 503, code: 'timed-out' }],
];

describe('every refusal is a problem document', () => {
  test.each(TABLE)('%s', async (_name, request, expected) => {
    const { headers = {}, ...rest } = request;
    const answer = await app.inject({ ...rest, headers: { traceparent: TRACEPARENT, ...headers } });
    expect(answer.statusCode).toBe(expected.status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', ...expected.headers });
    expect(answer.json()).toMatchObject({ type: `urn:paynotify:problem:${expected.code}`, status: expected.status, traceId: TRACE_ID, ...expected.more });
  });

  test('a bug is answered without a word of its message', async () => {
    const answer = await app.inject({ url: '/bug', headers: { traceparent: TRACEPARENT } });
    expect(answer.json()).toEqual({ type: 'urn:paynotify:problem:internal', title: 'Internal Server Error', status: 500, traceId: TRACE_ID });
  });

  test('only the first failures are listed, however many there are', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`x${n}`, 1]));
    const answer = await app.inject({ method: 'POST', url: '/things', payload: { name: 'ab', count: 1, ...unknown } });
    expect(answer.json().errors).toHaveLength(8);
    expect(answer.json().errors[0]).toEqual({ in: 'body', pointer: '#/x0', detail: 'is not known here' });
  });
});

describe('what is right passes', () => {
  test('a valid body comes back, defaults and converted parameters arrive', async () => {
    const posted = await app.inject({ method: 'POST', url: '/things', payload: { name: 'ab', count: 1, kind: 'book' } });
    expect([posted.statusCode, posted.json()]).toEqual([200, { name: 'ab', count: 1, kind: 'book' }]);
    expect((await app.inject({ url: '/things/7' })).json()).toEqual({ id: 7, page: 1 });
    for (const touch of [{ method: 'POST' as const, url: '/things/7/touch' }, { ...json('{}'), url: '/things/7/touch' }]) expect((await app.inject(touch)).json()).toEqual({ touched: true });
  });

  test('an escaped backslash before u0000 is not a NUL', async () => {
    const answer = await app.inject(json('{"name":"a\\\\u0000b","count":1}'));
    expect(answer.statusCode).toBe(200);
  });

  test('the actor is the name of the token; a route for any token takes both kinds', async () => {
    const as = (token: string, url: string) => app.inject({ url, headers: { authorization: `Bearer ${token}` } });
    expect((await as(ADMIN, '/whoami')).json()).toEqual({ actor: 'alice' });
    expect((await as(ADMIN, '/any')).json()).toEqual({ actor: 'alice' });
    expect((await as(SERVICE, '/any')).json()).toEqual({ actor: 'shop' });
  });

  test('the OpenAPI document describes the routes and is 3.1', async () => {
    const document = (await app.inject({ url: '/docs/json' })).json<{ openapi: string; paths: object }>();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/things', '/things/{id}']));
    expect((await app.inject({ url: '/docs/' })).statusCode).toBe(200);
  });
});

describe('on a real connection', () => {
  /** Sends `text` and reads until the server closes the connection. */
  function exchange(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text));
      let answer = '';
      socket.on('data', (data) => (answer += String(data)));
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });
  }

  test('what is not HTTP is answered with a problem document', async () => {
    const answer = await exchange('GARBAGE\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json/);
    expect(answer).toContain('urn:paynotify:problem:http-malformed');
  });

  test('over-large headers are refused', async () => {
    const answer = await exchange(`GET /things/1 HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('headers that never end are cut off in time', async () => {
    const startedAt = performance.now();
    const answer = await exchange('GET /things/1 HTTP/1.1\r\nHost: x\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  }, 15_000);

  test.each(['/things', '/nothing'])('one that is reset within its body is nobody else’s failure: %s', async (path) => {
    const lines: unknown[] = [];
    const write = (line: unknown): void => void lines.push(line);
    const server = buildServer({ log: { ...silentLogger, debug: () => undefined, info: write, warn: write, error: write } as never, metrics: createMetrics(), version: '0.0.0' });
    let [begun, ended] = [0, 0];
    server.addHook('onRequest', async () => void begun++);
    server.addHook('onRequestAbort', async (_request) => void ended++);
    server.register(async (scope) => routes(scope as Server));
    await server.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"n`);
    await until('the request', 5_000, () => (begun === 1 ? true : null));
    socket.resetAndDestroy();
    await until('its end', 5_000, () => (ended === 1 ? true : null));
    await server.close();
    expect(lines).toEqual([]);
  });

  test('a body that never ends has a time of its own, and the connection is cut', async () => {
    const startedAt = performance.now();
    const answer = await exchange('POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"na');
    expect(performance.now() - startedAt).toBeLessThan(6_000);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('urn:paynotify:problem:request-too-slow');
  }, 20_000);
});

test('after twenty failures an address gets 429, and a valid token still passes', async () => {
  const wrong = () => app.inject({ url: '/whoami', remoteAddress: '10.9.8.7', headers: { authorization: 'Bearer wrong' } });
  for (let n = 0; n < FAILURES_MAX; n++) expect((await wrong()).statusCode).toBe(401);
  const refused = await wrong();
  expect([refused.statusCode, refused.json().type]).toEqual([429, 'urn:paynotify:problem:too-many-failures']);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  const right = await app.inject({ url: '/whoami', remoteAddress: '10.9.8.7', headers: { authorization: `Bearer ${ADMIN}` } });
  expect(right.statusCode).toBe(200);
  expect((await app.inject({ url: '/whoami', remoteAddress: '10.9.8.6', headers: { authorization: 'Bearer wrong' } })).statusCode).toBe(401);
});

test('while closing, a request on an open connection is refused with 503 and may be sent again', async () => {
  const closing = buildServer({ log: silentLogger, metrics: createMetrics(), version: '0.0.0' });
  const entered = Promise.withResolvers<undefined>();
  const release = Promise.withResolvers<undefined>();
  closing.register(async (scope) => {
    scope.get('/held', async () => {
      entered.resolve(undefined);
      await release.promise;
      return { held: true };
    });
  });
  await closing.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((closing.server.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => (answer += String(data)));
  const ended = new Promise((resolve) => socket.on('close', resolve));
  // Two pipelined requests: the first is being answered when the server begins to close, the second comes after.
  socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  await entered.promise;
  const closed = closing.close();
  socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  setTimeout(() => release.resolve(undefined), 50);
  await ended;
  await closed;
  expect(answer).toContain('{"held":true}');
  expect(answer).toContain('HTTP/1.1 503 ');
  expect(answer).toContain('urn:paynotify:problem:shutting-down');
});
