import { ReadStream } from '@eventstore/db-client/dist/streams/utils/ReadStream.js';
import { Subscription } from '@eventstore/db-client/dist/streams/utils/Subscription.js';
import commandErrors from '@eventstore/db-client/dist/utils/CommandError.js';

type Next = (error?: Error | null, value?: unknown) => void;
type Transform = (answer: unknown, encoding: string, next: Next) => unknown;

/** gRPC status UNKNOWN. */
const UNKNOWN = 2;

let guarded = false;

/**
 * Makes of answers that client 6.2.1 cannot read errors of their call. It looks into them in handlers of events and in
 * functions whose promise nobody holds, so that what it throws there ends the process:
 *
 * 1. an error of gRPC without the trailers or the text that its name promises;
 * 2. an event of a read, or anything of a subscription, that is not whole.
 */
export function guardAnswers(): void {
  if (guarded) return;
  guarded = true;
  const { convertToCommandError, UnknownError } = commandErrors;
  const convert: typeof convertToCommandError = (error) => {
    try {
      return convertToCommandError(error);
    } catch {
      return new UnknownError(error as ConstructorParameters<typeof UnknownError>[0]);
    }
  };
  Object.assign(commandErrors, { convertToCommandError: convert });
  for (const { prototype } of [ReadStream, Subscription] as unknown as { prototype: { _transform: Transform } }[]) {
    prototype._transform = guardTransform(prototype._transform);
  }
}

function guardTransform(transform: Transform): Transform {
  return async function (this: unknown, answer, encoding, next) {
    try {
      await transform.call(this, answer, encoding, next);
    } catch (error) {
      next(error instanceof Error ? error : Object.assign(new Error(`an answer that cannot be read: ${String(error)}`), { code: UNKNOWN }));
    }
  };
}
