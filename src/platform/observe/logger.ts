import { pino, type LogFn, type Logger as PinoLogger, type LoggerOptions } from 'pino';
import { describeError } from './describe-error.ts';
import type { LogOutput } from './log-output.ts';
import { asJson, type ShowLine } from './readable-line.ts';
import { redactLine } from './redact.ts';

/**
 * One structured line per unit of work: `event` is noun.verb (`payment.appended`), then ids, outcome and duration.
 * Bodies, tokens, signatures and what is told of a buyer are never logged; redact.ts is for what slips in.
 */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** @param show how a line is written once it is finished and redacted. */
export function createLogger(level: string, output: Pick<LogOutput, 'write'>, show: ShowLine = asJson): PinoLogger {
  const options: LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: asDescribed }, hooks: { logMethod: describeFirst, streamWrite: (line) => show(redactLine(line)) } };
  return pino(options, output);
}

/** Before Pino sees the error, and not as its serializer: its message would be the line's as well, as it came. */
function describeFirst(this: PinoLogger, [line, ...others]: Parameters<LogFn>, method: LogFn): void {
  const given: unknown = line;
  const isOfError = typeof given === 'object' && given !== null && 'err' in given;
  method.apply(this, [isOfError ? { ...given, err: describeError(given.err) } : line, ...others]);
}

/** Pino's own serializer would make an error of what has a message. */
function asDescribed(error: unknown): unknown {
  return error instanceof Error ? describeError(error) : error;
}

/** For tests and tools that have nobody to tell. */
export const silentLogger: PinoLogger = pino({ level: 'silent' });
