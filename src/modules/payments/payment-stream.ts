import { upcastEvent, versionOf, type VersionedEventType } from '../../contracts/event-versions.ts';
import { paymentStream, type PaymentEvent, type PaymentEventMetadata } from '../../contracts/payment-events.ts';
import { DamagedStreamError } from '../../contracts/errors.ts';
import { nameBasedId, paymentEventId } from './event-id.ts';
import { fold, type FoldedEvent, type PaymentState } from './payment-state.ts';
import type { EventStore, ExpectedRevision, NewEvent, StoredEvent } from '../../platform/event-store/event-store.ts';

/** What a payment's events add up to, and the revision they were read at. */
export interface PaymentHistory {
  readonly state: PaymentState;
  readonly revision: ExpectedRevision;
  /** How many events there are. */
  readonly length: number;
}

/** @throws DependencyUnavailableError; DamagedStreamError when events of it are gone: what is left says nothing certain. */
export async function readPayment(store: Pick<EventStore, 'readStream'>, payNo: string, deadlineMs?: number): Promise<PaymentHistory> {
  const stream = paymentStream(payNo);
  const stored = await store.readStream(stream, deadlineMs);
  const [first] = stored;
  if (first !== undefined && first.revision > 0n) throw new DamagedStreamError(stream, `its events in front of revision ${first.revision} are gone (truncated)`);
  return { state: fold(stored.map(toPaymentEvent)), revision: stored.at(-1)?.revision ?? 'no-stream', length: stored.length };
}

/** Older versions are brought up to the current one. Types of a later version pass through; the state ignores what it does not know. */
function toPaymentEvent(event: StoredEvent): FoldedEvent {
  return { id: event.id, type: event.type, data: upcastEvent(event) } as FoldedEvent;
}

export interface Cause {
  /** What made us append: a notification's id, or the id of a request. */
  readonly causationId: string;
  /** 32 hex digits, when the request that caused it is traced. */
  readonly traceId?: string;
}

export function toNewEvent(event: PaymentEvent, cause: Cause): NewEvent {
  return { id: paymentEventId(event), type: event.type, data: event.data, metadata: toMetadata(event.type, event.data.payNo, cause) };
}

const TRACE_ID = /^[0-9a-f]{32}$/;

/** @param correlationId number of the payment; where none is known, that of the trade. */
export function toMetadata(type: VersionedEventType, correlationId: string, { causationId, traceId }: Cause): PaymentEventMetadata {
  const version = versionOf(type);
  const metadata = { $correlationId: correlationId, $causationId: causationId, ...(version > 1 ? { schemaVersion: version } : {}) };
  if (traceId === undefined || !TRACE_ID.test(traceId)) return metadata;
  // The span has no recorder of its own; its id only has to differ from that of other causes in the trace.
  const spanId = nameBasedId([traceId, causationId]).replaceAll('-', '').slice(-16);
  return { ...metadata, traceparent: `00-${traceId}-${spanId}-01` };
}
