import { StoreMismatchError } from '../../contracts/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent, StoreReader } from '../../platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent, earlierOf, type Landmark, type Position } from '../../platform/event-store/position.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import { backoffMs, pause } from '../../platform/process/backoff.ts';
import type { Worker } from '../../platform/process/worker.ts';
import { NOTIFICATION_EVENT_TYPES, projectNotification, readNotificationCheckpoint, storeNotificationCheckpoint, type OpenWorkItem } from './notification-rows.ts';

export interface NotificationRegisterDeps {
  readonly db: Database;
  readonly store: Pick<EventStore, 'follow'>;
  /** Looks whether the store is the one that the database remembers. @throws StoreMismatchError */
  readonly lookAtStore: () => Promise<{ readonly storeId: string; readonly generation: bigint; readonly landmark: Landmark | null }>;
  /** The same over the connection that is followed. @throws StoreMismatchError */
  readonly verifyStore: (reader: StoreReader, bound: { readonly storeId: string }, from: { readonly landmark: Landmark | null }) => Promise<void>;
  /** A person has to see to something; in the transaction that says so. */
  readonly openWorkItem: OpenWorkItem;
  readonly log: Logger;
}

/** How often the checkpoint is stored when there was nothing for us: costs one row, saves a scan at the next start. */
const IDLE_CHECKPOINT_INTERVAL_MS = 5_000;

/** Follows the log and keeps the table of waiting notifications up to date. Order: the store is the bound one → row and checkpoint in one transaction. */
export function createNotificationRegister({ db, store, lookAtStore, verifyStore, openWorkItem, log }: NotificationRegisterDeps): Worker {
  let trouble: string | null = null;

  /** One that is passed over stays in the event store: the table can be thrown away and built anew by a later release. */
  async function project(event: StoredEvent, generation: bigint): Promise<void> {
    if ((await projectNotification(db, event, generation, openWorkItem)) === 'projected') return;
    log.error({ event: 'notification-register.unreadable', notificationEventId: event.id, type: event.type, stream: event.stream, position: event.position.toString() });
  }

  async function follow(signal: AbortSignal): Promise<void> {
    let storedAt = 0;
    const sight = await lookAtStore();
    const { generation, landmark } = sight;
    const onCheckpoint = async (position: Position): Promise<void> => {
      if (performance.now() - storedAt < IDLE_CHECKPOINT_INTERVAL_MS) return;
      await storeNotificationCheckpoint(db, generation, position);
      storedAt = performance.now();
      trouble = null;
    };
    // A place behind the landmark is only known by its number, which another state of the log may have too.
    const known = landmark === null ? BEFORE_ALL : behindEvent(landmark.position);
    const from = earlierOf(await readNotificationCheckpoint(db, generation), known);
    const handlers = { verify: (reader: StoreReader) => verifyStore(reader, sight, sight), onEvent: (event: StoredEvent) => project(event, generation), onCheckpoint, onCaughtUp: () => void (trouble = null) };
    await store.follow(from, { eventTypes: NOTIFICATION_EVENT_TYPES }, handlers, signal);
  }

  return {
    name: 'notification-register',
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        const startedAt = performance.now();
        try {
          await follow(signal);
        } catch (error) {
          const cause = error instanceof Error ? error.message : String(error);
          // A wrong event store is told once, by the binding.
          if (trouble !== cause && !(error instanceof StoreMismatchError)) log.warn({ event: 'notification-register.waiting', err: error });
          trouble = cause;
          failures = performance.now() - startedAt > IDLE_CHECKPOINT_INTERVAL_MS ? 1 : failures + 1;
          await pause(backoffMs(failures), signal);
        }
      }
    },
    health: () => (trouble === null ? { status: 'ok' } : { status: 'degraded', reason: trouble }),
  };
}
