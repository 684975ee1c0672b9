import { pino, type Logger as PinoLogger } from 'pino';

/**
 * One structured line per unit of work: `event` is noun.verb (`payment.appended`), then ids, outcome and duration.
 * Bodies, tokens and signatures are never logged; what a header or error object may carry is redacted here.
 */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

const REDACTED = [
  'req.headers.authorization',
  'req.headers["webhook-signature"]',
  'req.headers["stripe-signature"]',
  'req.headers["wechatpay-signature"]',
  // Node quotes the text that is no URL in its error; ours hold passwords.
  'err.input',
  '*.password',
  '*.secret',
  '*.token',
];

export function createLogger(level: string): PinoLogger {
  return pino({ level, redact: { paths: REDACTED, censor: '[redacted]' }, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}

/** For tests and tools that have nobody to tell. */
export const silentLogger: PinoLogger = pino({ level: 'silent' });
