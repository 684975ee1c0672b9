import { pino } from 'pino';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../contracts/errors.ts';
import { isServerAway } from '../database/classify-error.ts';

/** Prisma error → adapter error → adapter payload is 3; two more for wrappers of ours. */
const DEPTH_MAX = 5;
const MESSAGE_LENGTH_MAX = 300;

interface Layer {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly severity?: unknown;
  readonly cause?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown };
}

/**
 * An error for the log. An outage is told by its message; where in the program it was noticed helps nobody, and comes with
 * every line. An error of the database is told without its values: Prisma quotes all that a call was given, PostgreSQL
 * what it could not read, and either may be a person's.
 */
export function describeError(error: unknown): object {
  if (error instanceof DependencyUnavailableError || error instanceof AppendOutcomeUnknownError) return { type: error.name, code: error.code, message: error.message };
  const layers = layersOf(error);
  if (error instanceof Error && isServerAway(error) && !layers.some(isOfDatabase)) return { type: error.name, code: (error as Layer).code, message: error.message };
  if (!(error instanceof Error) || !layers.some(isOfDatabase)) return pino.stdSerializers.err(error as Error);
  const sqlState = layers.map(sqlStateOf).find((code) => code !== null) ?? null;
  const message = isOfDatabase(error) ? withoutValues(error, sqlState) : error.message;
  const told = { type: error.name, code: (error as Layer).code, sqlState, message };
  return isServerAway(error) ? told : { ...told, stack: framesOf(error) };
}

function layersOf(error: unknown): readonly Layer[] {
  const layers: Layer[] = [];
  for (let layer = error; typeof layer === 'object' && layer !== null && layers.length < DEPTH_MAX; ) {
    const found = layer as Layer;
    layers.push(found);
    layer = found.meta?.driverAdapterError ?? found.cause;
  }
  return layers;
}

function isOfDatabase({ name, severity }: Layer): boolean {
  return (typeof name === 'string' && /^(PrismaClient|DriverAdapterError)/.test(name)) || severity !== undefined;
}

function sqlStateOf({ originalCode, code, severity }: Layer): string | null {
  const given = originalCode ?? (severity === undefined ? undefined : code);
  return typeof given === 'string' && /^[0-9A-Z]{5}$/.test(given) ? given : null;
}

/** Class 22: a value that is none, too long or out of range, and quoted. What comes without SQLSTATE was refused by Prisma, with the names of its own. */
function withoutValues({ name, message }: Error, sqlState: string | null): string {
  const said = message.trimEnd().split('\n').at(-1) ?? '';
  if (name === 'PrismaClientValidationError') return /^(Unknown (argument|field)|Argument) `[\w.]{1,64}`/.exec(said)?.[0] ?? 'the call is none that Prisma takes';
  return sqlState?.startsWith('22') === true ? 'the database refused a value' : said.slice(0, MESSAGE_LENGTH_MAX);
}

/** A stack begins with the message. */
function framesOf({ stack = '', message }: Error): string {
  const start = stack.indexOf(message);
  return start === -1 ? '' : stack.slice(start + message.length).trim();
}
