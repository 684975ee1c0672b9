import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { readProviderAccounts } from '../../src/modules/payments/index.ts';
import { hashToken } from '../../src/platform/http/token-check.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';

/*
 * The document that the whole application serves, against the routes that Fastify says were added. Nothing else of the
 * program is needed for that: HTTP is served while every server is away.
 */
interface Operation {
  readonly summary?: string;
  readonly operationId?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: object }>> }>>;
}

interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly components: { readonly securitySchemes: object };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const NOWHERE = '127.0.0.1:9';
const SECRET = `whsec_${Buffer.alloc(32).toString('base64')}`;

const WEBHOOK = 'post /webhooks/{provider}/{account}';
/** Whoever calls them may add to a request what we do not know. */
const OPEN: readonly string[] = [WEBHOOK, 'get /health/live', 'get /health/ready', 'get /metrics'];
const TOKENS = { serviceToken: 'service-token-of-the-test', adminToken: 'admin-token-of-the-test' };

const routes: string[] = [];
let app: App;
let document: OpenApiDocument;
let operations: { readonly name: string; readonly method: string; readonly path: string; readonly operation: Operation }[];

beforeAll(async () => {
  const watch = (message: unknown): void => void (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', noteRoute);
  subscribe('fastify.initialization', watch);
  app = await startApp({
    config: readConfig({ PORT: '0', PAYNOTIFY_SHUTDOWN_TIMEOUT_MS: '200' }),
    eventStoreUrl: `esdb://${NOWHERE}?tls=false`,
    databaseUrl: `postgresql://u:p@${NOWHERE}/x`,
    rabbitMqUrl: `amqp://${NOWHERE}`,
    accounts: readProviderAccounts(JSON.stringify({ accounts: [{ provider: 'standard', account: 'a', keys: [{ id: 'k', secret: SECRET }] }] })),
    tokens: { admin: new Map([['a', hashToken(TOKENS.adminToken)]]), service: new Map([['s', hashToken(TOKENS.serviceToken)]]) },
    log: silentLogger,
  });
  unsubscribe('fastify.initialization', watch);
  document = (await (await fetch(`${app.url}/docs/json`)).json()) as OpenApiDocument;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, method, path, operation })),
  );
});
afterAll(() => app.stop());

/** The page itself and what a browser needs for it are not part of the API, and HEAD goes without saying. */
function noteRoute({ method, url }: RouteOptions): void {
  if (url.startsWith('/docs')) return;
  for (const one of [method].flat().filter((name) => name !== 'HEAD')) routes.push(`${one.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`);
}

describe('the OpenAPI document', () => {
  it('is of version 3.1 and names every route that there is, and no other', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info).toMatchObject({ title: 'paynotify', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(routes.length).toBeGreaterThan(15);
    expect(operations.map(({ name }) => name).sort()).toEqual([...routes].sort());
  });

  it('says in words what each route is for, and under no id twice', () => {
    expect(operations.filter(({ operation }) => !((operation.summary ?? '').length > 10)).map(({ name }) => name)).toEqual([]);
    const ids = operations.flatMap(({ operation }) => operation.operationId ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has for each route an answer of success, and the refusals as problem documents', () => {
    for (const { name, operation: { responses } } of operations) {
      expect([name, Object.keys(responses).filter((code) => /^2\d\d$/.test(code)).length > 0]).toEqual([name, true]);
      expect([name, Object.keys(responses).filter((code) => !/^([1-5](\d\d|XX)|default)$/.test(code))]).toEqual([name, []]);
      expect([name, Object.values(responses).every(({ description }) => description.length > 0)]).toEqual([name, true]);
      const problems = ['4XX', '5XX'].map((code) => Object.keys(responses[code]?.content ?? {}));
      // An answer of 500 is none that a provider understands: it is told to send again.
      expect([name, problems]).toEqual([name, [['application/problem+json'], name === WEBHOOK ? [] : ['application/problem+json']]]);
    }
  });

  it('describes every part of a path, as required', () => {
    for (const { name, path, operation } of operations) {
      const parts = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
      const described = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path' && parameter.required === true);
      expect([name, described.map((parameter) => parameter.name).sort()]).toEqual([name, parts]);
      expect(new Set((operation.parameters ?? []).map((parameter) => `${parameter.in} ${parameter.name}`)).size).toBe((operation.parameters ?? []).length);
    }
  });

  it('has only schemas of JSON Schema 2020-12, which OpenAPI 3.1 uses, without a misspelt keyword', () => {
    const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: true });
    formats.default(ajv);
    const schemas = operations.flatMap(({ name, operation: { parameters, requestBody, responses } }) => [
      ...(parameters ?? []).map((parameter) => [`${name} ${parameter.name}`, parameter.schema] as const),
      ...[requestBody, ...Object.values(responses)].flatMap((part) => Object.values(part?.content ?? {}).map(({ schema }) => [name, schema] as const)),
    ]);
    expect(schemas.length).toBeGreaterThan(50);
    for (const [name, schema] of schemas) expect(() => ajv.compile(schema), name).not.toThrow();
  });

  it('lets no request of the shop or an operator hold more than it declares, at any depth', async () => {
    const open = (schema: unknown): boolean => typeof schema === 'object' && schema !== null && (((schema as { type?: unknown }).type === 'object' && (schema as { additionalProperties?: unknown }).additionalProperties !== false) || Object.values(schema).some(open));
    const closed = operations.filter(({ name }) => !OPEN.includes(name));
    expect(closed.length).toBe(routes.length - OPEN.length);
    expect(closed.filter(({ operation }) => open(operation.requestBody)).map(({ name }) => name)).toEqual([]);
    for (const { name, method, path, operation: { security = [] } } of closed) {
      const [scheme] = security.flatMap((entry) => Object.keys(entry) as (keyof typeof TOKENS)[]);
      const headers = { authorization: `Bearer ${TOKENS[scheme!]}`, ...(method === 'get' ? {} : { 'content-type': 'application/json' }) };
      // An id of each form that there is; the value is nothing that an answer may repeat.
      const url = `${app.url}${path.replace(/\{id\}/g, path.includes('/notifications/') ? '00000000-0000-4000-8000-000000000000' : '1').replace(/\{\w+\}/g, '1')}`;
      const pointersOf = async (query: string, body: object) => {
        const answer = await fetch(`${url}${query}`, { method: method.toUpperCase(), headers, ...(method === 'get' ? {} : { body: JSON.stringify(body) }) });
        const text = await answer.text();
        expect([name, answer.status, text.includes('the-value')]).toEqual([name, 400, false]);
        return (JSON.parse(text) as { errors: { in: string; pointer: string; detail: string }[] }).errors.filter(({ detail }) => detail === 'is not known here').map((error) => `${error.in}${error.pointer}`);
      };
      if (method !== 'get') expect([name, await pointersOf('', { undeclared: 'the-value' })]).toEqual([name, ['body#/undeclared']]);
      else expect([name, await pointersOf('?undeclared=the-value', {})]).toEqual([name, ['query#/undeclared']]);
    }
  });

  it('has no reference that leads nowhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
    const resolve = (reference: string): unknown => reference.replace('#/', '').split('/').reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], document);
    expect(references.filter((reference) => resolve(reference) === undefined)).toEqual([]);
  });

  it('says for each route which token it takes, and no other route asks for one', async () => {
    const known = Object.keys(document.components.securitySchemes);
    for (const { name, method, path, operation: { security = [] } } of operations) {
      expect([name, security.flatMap((scheme) => Object.keys(scheme)).filter((scheme) => !known.includes(scheme))]).toEqual([name, []]);
      const { headers, status } = await fetch(`${app.url}${path.replace(/\{\w+\}/g, '1')}`, { method: method.toUpperCase() });
      // After twenty refusals an address is told to wait.
      const asksForToken = headers.has('www-authenticate') || status === 429;
      expect([name, asksForToken]).toEqual([name, security.length > 0]);
    }
  });
});
