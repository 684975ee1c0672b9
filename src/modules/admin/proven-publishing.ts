import { DependencyUnavailableError, TopologyError } from '../../contracts/errors.ts';
import { PublishFailure, type ConfirmPublisher, type OutgoingMessage } from '../../platform/broker/publisher.ts';
import { backoffMs, pause } from '../../platform/process/backoff.ts';

/** Opens a publisher on a channel of its own, with the topology declared. */
export type OpenPublisher = () => Promise<ConfirmPublisher>;

/** Publishes until it is proven, over as many channels as it takes; live traffic has a channel of its own. */
export interface ProvenPublishing {
  /**
   * Resolves to true when every message is confirmed. After each failure `goOn` is asked whether to try again; false
   * ends it, and some of the messages may have been delivered.
   */
  publish(messages: readonly OutgoingMessage[], goOn: (failure: Error) => Promise<boolean>, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

/** Confirms that are on their way get this long when the owner stops. */
const DRAIN_MS = 1000;

export function createProvenPublishing(openPublisher: OpenPublisher): ProvenPublishing {
  let publisher: ConfirmPublisher | null = null;
  async function close(): Promise<void> {
    const closing = publisher;
    publisher = null;
    await closing?.close(DRAIN_MS);
  }
  return {
    close,
    async publish(messages, goOn, signal) {
      if (messages.length === 0) return true;
      for (let attempt = 1; ; attempt++) {
        try {
          publisher ??= await openPublisher();
          await sendAll(publisher, messages);
          return true;
        } catch (error) {
          if (!isPassing(error)) throw error;
          await close();
          if (!(await goOn(error))) return false;
          await pause(backoffMs(attempt), signal);
          if (signal.aborted) return false;
        }
      }
    },
  };
}

async function sendAll(publisher: ConfirmPublisher, messages: readonly OutgoingMessage[]): Promise<void> {
  const sent: Promise<void>[] = [];
  try {
    for (const message of messages) {
      await publisher.room();
      sent.push(publisher.send(message));
    }
    await Promise.all(sent);
  } finally {
    // When the publisher breaks, every message in flight rejects; each rejection must have been looked at.
    await Promise.allSettled(sent);
  }
}

function isPassing(error: unknown): error is Error {
  return error instanceof PublishFailure || error instanceof DependencyUnavailableError || error instanceof TopologyError;
}
