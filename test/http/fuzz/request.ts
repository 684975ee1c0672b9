import { Agent, request as send } from 'node:http';
import type { Random } from '../../harness/random.ts';
import type { Operation } from './operations.ts';
import { validValue } from './valid-value.ts';

/** A request, however wrong it may be. */
export interface FuzzRequest {
  /** What is odd about it; empty for a valid one. */
  what: string;
  method: string;
  /** Path and query, as they are sent. */
  target: string;
  headers: Record<string, string | string[]>;
  body: Buffer | null;
}

export interface FuzzAnswer {
  readonly status: number;
  readonly mediaType: string | null;
  readonly body: string;
  readonly ms: number;
}

export interface Tokens {
  readonly service: string;
  readonly admin: string;
}

/** Values that name something, by `{name} of a path`, name of a parameter, or name of a member. */
export type KnownValues = (name: string, path: string) => readonly string[];

/** A request that the document allows, and that often names what there is. */
export function validRequest(operation: Operation, random: Random, tokens: Tokens, known: KnownValues): FuzzRequest {
  const valueOf = (name: string, schema: Readonly<Record<string, unknown>>): string => {
    const values = known(name, operation.path);
    return values.length > 0 && random.chance(0.8) ? random.pick(values) : String(validValue(schema, random));
  };
  const parameters = operation.declared.parameters ?? [];
  const target = operation.path.replace(/\{(\w+)\}/g, (_part, name: string) => encodeURIComponent(valueOf(name, parameters.find((one) => one.in === 'path' && one.name === name)?.schema ?? { type: 'string' })));
  const query = parameters.filter((one) => one.in === 'query' && (one.required === true || random.chance(0.3))).map(({ name, schema }) => `${name}=${encodeURIComponent(valueOf(name, schema))}`);
  const body = operation.bodySchema === null ? null : withKnown(validValue(operation.bodySchema, random), operation, random, known);
  return {
    what: '',
    method: operation.method,
    target: query.length === 0 ? target : `${target}?${query.join('&')}`,
    headers: { ...tokenOf(operation, tokens), ...(body === null ? {} : { 'content-type': 'application/json' }) },
    body: body === null ? null : Buffer.from(JSON.stringify(body)),
  };
}

function tokenOf({ token }: Operation, tokens: Tokens): { authorization?: string } {
  if (token === null) return {};
  return { authorization: `Bearer ${token === 'adminToken' ? tokens.admin : tokens.service}` };
}

function withKnown(body: unknown, operation: Operation, random: Random, known: KnownValues): unknown {
  if (Array.isArray(body)) return body.map((item) => withKnown(item, operation, random, known));
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      const values = known(name, operation.path);
      return [name, typeof value === 'string' && values.length > 0 && random.chance(0.8) ? random.pick(values) : withKnown(value, operation, random, known)];
    }),
  );
}

/** Far beyond the time that any route has. */
export const HANG_MS = 45_000;

/** @returns null when there was no answer within HANG_MS, or the connection was closed without one. */
export function sendRequest(agent: Agent, base: string, { method, target, headers, body }: FuzzRequest): Promise<FuzzAnswer | null> {
  const { hostname, port } = new URL(base);
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const length = body === null || 'transfer-encoding' in headers ? {} : { 'content-length': String(body.length) };
    const request = send({ agent, hostname, port, method, path: target, headers: { ...length, ...headers }, signal: AbortSignal.timeout(HANG_MS) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(null));
      response.on('end', () => {
        const mediaType = response.headers['content-type']?.split(';', 1)[0]?.trim() ?? null;
        resolve({ status: response.statusCode ?? 0, mediaType, body: Buffer.concat(chunks).toString('utf8'), ms: performance.now() - startedAt });
      });
    });
    request.on('error', () => resolve(null));
    request.end(body ?? undefined);
  });
}

