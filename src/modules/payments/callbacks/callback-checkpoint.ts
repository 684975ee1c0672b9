import type { Database, Transaction } from '../../../platform/database/database.ts';
import type { EventStore } from '../../../platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent, isLandmark, type Landmark, type Position } from '../../../platform/event-store/position.ts';

/** Row of the `checkpoints` table that says how far the register has taken up the log. */
const CHECKPOINT_NAME = 'callbacks';

/** What the database remembers of the event store, after the store was found to be that one. */
export interface StoreSight {
  readonly generation: bigint;
  readonly landmark: Landmark | null;
}

/** How far the log was taken up, and the last event of it by which it is known again. */
export interface Place {
  readonly position: Position;
  readonly landmark: Landmark | null;
}

/**
 * @returns from where to go on. Where the register has no place in this log, or none any more, it begins where publishing is:
 * what came before either is in it or is older than it.
 */
export async function readCallbackPlace(db: Database, store: Pick<EventStore, 'eventAt'>, { generation, landmark: published }: StoreSight): Promise<Place> {
  const beginning: Place = { position: published === null ? BEFORE_ALL : behindEvent(published.position), landmark: published };
  const row = await db.checkpoint.findUnique({ where: { name: CHECKPOINT_NAME, generation } });
  if (row?.landmarkPosition == null || row.landmarkEventId === null) return beginning;
  const landmark = { position: row.landmarkPosition, eventId: row.landmarkEventId, recordedAt: row.landmarkRecordedAt };
  if (!isLandmark(await store.eventAt(landmark.position), landmark)) return beginning;
  return { position: { commit: row.commitPosition, prepare: row.preparePosition }, landmark };
}

/** Several instances may take up the log at once: what they write is the same. Nothing is written when a later generation has begun. */
export async function storeCallbackPlace(db: Transaction, generation: bigint, { position, landmark }: Place): Promise<void> {
  await db.$executeRaw`
    INSERT INTO checkpoints AS c (name, generation, commit_position, prepare_position, landmark_position, landmark_event_id, landmark_recorded_at)
    VALUES (${CHECKPOINT_NAME}, ${generation}, ${position.commit}, ${position.prepare}, ${landmark?.position ?? null}, ${landmark?.eventId ?? null}::uuid, ${landmark?.recordedAt ?? null}::timestamptz)
    ON CONFLICT (name) DO UPDATE
    SET generation = EXCLUDED.generation, commit_position = EXCLUDED.commit_position, prepare_position = EXCLUDED.prepare_position,
        landmark_position = EXCLUDED.landmark_position, landmark_event_id = EXCLUDED.landmark_event_id, landmark_recorded_at = EXCLUDED.landmark_recorded_at, updated_at = now()
    WHERE c.generation <= EXCLUDED.generation`;
}
