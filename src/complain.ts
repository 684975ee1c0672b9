import { inspect } from 'node:util';
import { PaynotifyError } from './contracts/errors.ts';
import { standardOutput } from './platform/observe/log-output.ts';
import { redactLine } from './platform/observe/redact.ts';

const FAILED = 1;

/** Lines that nobody takes must not keep the process; those that a slow disk takes are worth a moment. */
export const LAST_LINES_LIMIT_MS = 1_000;

/** A known failure says in its message what to do; anything else needs its stack. @returns the exit code. */
export async function complain(error: unknown): Promise<number> {
  const output = standardOutput(2);
  output.write(`${error instanceof PaynotifyError ? `paynotify: ${error.message}` : redactLine(stacksOf(error))}\n`);
  await output.drain(LAST_LINES_LIMIT_MS);
  return FAILED;
}

/** Without the other members of an error, in which clients put what they were called with. */
export function stacksOf(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  const inner = [...(error instanceof AggregateError ? (error.errors as unknown[]) : []), ...(error.cause === undefined ? [] : [error.cause])];
  return [error.stack ?? String(error), ...inner.map((one) => `because of ${stacksOf(one)}`)].join('\n');
}
