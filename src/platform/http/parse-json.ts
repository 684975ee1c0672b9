import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import secureJson from 'secure-json-parse';
import { RequestError } from '../../contracts/errors.ts';

const NUL = '\u0000';
/** Our own bodies are three levels deep; deep enough, one fills the stack of whatever walks through it. */
export const JSON_DEPTH_MAX = 32;
/** How JSON may write a NUL or half of a surrogate pair; bytes in UTF-8 cannot hold the latter. */
const SUSPICIOUS = /\\u(?:0000|d[89a-f])/i;

/**
 * JSON bodies for every route that does not bring a parser of its own. Refused beside plain syntax errors: bytes that
 * are not UTF-8 (they would be stored as replacement characters), keys that reach an object's prototype, depth, and NUL
 * characters and halves of surrogate pairs (PostgreSQL cannot store them; without this they would come out as a 500 from
 * the depth).
 */
export function addJsonParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) => parse(body));
  app.addHook('onRequest', async (request) => {
    if (request.url.includes('%00')) throw new RequestError(400, 'url-invalid', 'The URL holds a NUL character.');
  });
}

function parse(body: Buffer): unknown {
  if (body.length === 0) throw new RequestError(400, 'body-missing', 'The body is empty although Content-Type says JSON.');
  if (!isUtf8(body)) throw new RequestError(400, 'json-invalid', 'The body is not UTF-8.');
  const text = body.toString('utf8');
  const value = parseSecurely(text);
  if (isTooDeep(value)) throw new RequestError(400, 'json-too-deep', `The body is nested more than ${JSON_DEPTH_MAX} levels deep.`);
  if (SUSPICIOUS.test(text) && holdsUnstorable(value)) throw new RequestError(400, 'json-invalid', 'A text in the body holds a NUL character or half of a surrogate pair.');
  return value;
}

function parseSecurely(text: string): unknown {
  try {
    return secureJson.parse(text, undefined, { protoAction: 'error', constructorAction: 'error' });
  } catch {
    throw new RequestError(400, 'json-invalid', 'The body is not a JSON document this server takes.');
  }
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Level by level and not by calls of calls, for which a hostile body leaves no room. */
function isTooDeep(value: unknown): boolean {
  let level = isNested(value) ? [value] : [];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > JSON_DEPTH_MAX) return true;
    level = level.flatMap((outer) => Object.values(outer) as unknown[]).filter(isNested);
  }
  return false;
}

/** Only of what is not too deep. */
function holdsUnstorable(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(NUL) || !value.isWellFormed();
  if (!isNested(value)) return false;
  return Object.entries(value).some(([key, inner]) => holdsUnstorable(key) || holdsUnstorable(inner));
}
