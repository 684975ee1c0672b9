import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../contracts/errors.ts';
import { pino, type Logger as PinoLogger, type LoggerOptions } from 'pino';
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
  const options: LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: describeError }, hooks: { streamWrite: (line) => show(redactLine(line)) } };
  return pino(options, output);
}

/** An outage is told by its message; where in the program it was noticed helps nobody, and comes with every line. */
function describeError(error: unknown): object {
  const isOutage = error instanceof DependencyUnavailableError || error instanceof AppendOutcomeUnknownError;
  return isOutage ? { type: error.name, code: error.code, message: error.message } : pino.stdSerializers.err(error as Error);
}

/** For tests and tools that have nobody to tell. */
export const silentLogger: PinoLogger = pino({ level: 'silent' });
