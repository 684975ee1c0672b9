import { ANY, NO_STREAM, jsonEvent, type AppendExpectedRevision, type EventStoreDBClient } from '@eventstore/db-client';
import { AppendOutcomeUnknownError } from '../../contracts/errors.ts';
import { assertAppendable } from './check-append.ts';
import { kindOf } from './client-errors.ts';
import type { ConnectionSlot } from './connection-slot.ts';
import { withDeadline } from './deadline.ts';
import type { AppendResult, ExpectedRevision, NewEvent } from './event-store.ts';
import { refuseTombstoned } from './read.ts';
import { GaveUpError, tryUntilDeadline, unavailable } from './try-until-deadline.ts';

/**
 * The store is told when an append is not wanted any more as a time of our clock, and refuses one that comes later by its
 * own. So this is what the two clocks may differ by; the time that we wait is measured here alone.
 */
const STORE_DEADLINE_MS = 60_000;

/**
 * The order here: check → reach a node → send → wait for the answer → only then report `appended`. An attempt without an
 * answer may have been stored, so the next one carries the same event ids at the same revision: the store compares the
 * ids and answers with the original success instead of writing twice, or with a conflict when somebody else's events
 * stand there.
 */
export async function append(slot: ConnectionSlot, stream: string, events: readonly NewEvent[], expected: ExpectedRevision, deadlineMs: number, signal?: AbortSignal): Promise<AppendResult> {
  assertAppendable(stream, events, expected);
  const batch = events.map((event) => jsonEvent({ id: event.id, type: event.type, data: toJson(event.data), metadata: toJson(event.metadata) }));
  try {
    return await tryUntilDeadline(slot, { deadlineMs, answers: 'append', signal }, async ({ client }, timeoutMs) => {
      const options = { expectedRevision: toClientRevision(expected), deadline: STORE_DEADLINE_MS };
      return toAppendResult(await withDeadline(client.appendToStream(stream, batch, options), timeoutMs));
    });
  } catch (error) {
    refuseTombstoned(stream, error);
    if (kindOf(error) === 'conflict') return { outcome: 'conflict' };
    if (error instanceof GaveUpError && error.uncertain) throw new AppendOutcomeUnknownError(`append to ${stream}: ${error.message}`, { cause: error });
    throw unavailable(`append to ${stream}`, error);
  }
}

function toAppendResult(result: Awaited<ReturnType<EventStoreDBClient['appendToStream']>>): AppendResult {
  return { outcome: 'appended', revision: result.nextExpectedRevision, position: result.position?.commit ?? -1n };
}

function toClientRevision(expected: ExpectedRevision): AppendExpectedRevision {
  if (expected === 'no-stream') return NO_STREAM;
  return expected === 'any' ? ANY : expected;
}

/** The client's type wants an index signature, which interfaces of events do not have. */
function toJson(data: object): Record<string, unknown> {
  return data as Record<string, unknown>;
}
