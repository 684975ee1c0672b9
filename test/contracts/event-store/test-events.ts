import { randomUUID } from 'node:crypto';
import { binaryEvent, jsonEvent } from '@eventstore/db-client';
import type { EventData, JSONEventData, ResolvedEvent } from '@eventstore/db-client';

/** Streams of different tests never meet, not even on a server that is used twice. */
export function newStream(label: string): string {
  return `${label}-${randomUUID()}`;
}

export function events(count: number, type = 'TestHappened'): JSONEventData[] {
  return Array.from({ length: count }, (_, index) => jsonEvent({ id: randomUUID(), type, data: { index } }));
}

/** Large enough that a few hundred fill every buffer between the store and a client that does not read. */
export function largeEvents(count: number): JSONEventData[] {
  return Array.from({ length: count }, () => jsonEvent({ type: 'LargeHappened', data: { text: 'x'.repeat(1_000) } }));
}

/** An event that stands for another one, named as `revision@stream`. */
export function linkTo(target: string, metadata?: Record<string, unknown>): EventData {
  return binaryEvent({ type: '$>', data: Buffer.from(target), ...(metadata === undefined ? {} : { metadata }) });
}

export async function collect(read: AsyncIterable<ResolvedEvent>): Promise<ResolvedEvent[]> {
  const collected: ResolvedEvent[] = [];
  for await (const event of read) collected.push(event);
  return collected;
}

/** The `index` written by `events`, of each event. */
export function indexes(resolved: readonly ResolvedEvent[]): unknown[] {
  return resolved.map(({ event }) => (event?.data as { index?: unknown } | undefined)?.index);
}

export function revisions(resolved: readonly ResolvedEvent[]): (bigint | undefined)[] {
  return resolved.map(({ event }) => event?.revision);
}
