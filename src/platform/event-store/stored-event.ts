import type { RecordedEvent } from '@eventstore/db-client';
import type { StoredEvent } from './event-store.ts';

export function toStoredEvent(event: RecordedEvent): StoredEvent {
  return {
    id: event.id,
    type: event.type,
    stream: event.streamId,
    revision: event.revision,
    position: event.position?.commit ?? -1n,
    recordedAt: event.created,
    data: event.data,
    metadata: event.metadata,
  };
}
