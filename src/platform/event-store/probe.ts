import { jsonEvent } from '@eventstore/db-client';
import type { ConnectionSlot } from './connection-slot.ts';
import { withDeadline } from './deadline.ts';
import { tryUntilDeadline, unavailable } from './try-until-deadline.ts';

/** Holds one event at a time, so that it does not grow. Nobody reads it. */
export const PROBE_STREAM = 'paynotify-probe';
const PROBE_EVENT_TYPE = 'AppendProbed';

/** Resolves when the store has taken an event of no meaning. @throws DependencyUnavailableError when it has not, or has not said so. */
export async function probe(slot: ConnectionSlot, deadlineMs: number): Promise<void> {
  try {
    await tryUntilDeadline(slot, { deadlineMs, answers: 'append' }, async ({ client }, timeoutMs) => {
      const { metadata } = await withDeadline(client.getStreamMetadata(PROBE_STREAM), timeoutMs);
      if (metadata?.maxCount !== 1) await withDeadline(client.setStreamMetadata(PROBE_STREAM, { maxCount: 1 }), timeoutMs);
      await withDeadline(client.appendToStream(PROBE_STREAM, jsonEvent({ type: PROBE_EVENT_TYPE, data: {} })), timeoutMs);
    });
  } catch (error) {
    throw unavailable('a probe of the event store', error);
  }
}
