import { PositionUnknownError, StoreMismatchError } from '../../contracts/errors.ts';
import { FIRST_GENERATION } from '../../contracts/store-events.ts';
import { describeError } from '../../platform/broker/error-log.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import type { EventStore, StoreReader } from '../../platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent, comparePositions, type Landmark, type Position } from '../../platform/event-store/position.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { pause } from '../../platform/process/backoff.ts';
import type { Worker, WorkerHealth } from '../../platform/process/worker.ts';
import { adopt, catchUpGeneration, planAdoption, type AdoptionPlan } from './adopt.ts';
import { bindDatabase } from './bind-database.ts';
import { readBinding, type BeginAgain, type Binding } from './binding-row.ts';
import { firstPayments } from './first-payment.ts';
import { identify, readIdentity } from './identity.ts';
import { lastSharedEvent } from './last-shared-event.ts';
import { verifyStore } from './verify-store.ts';

/** What the database remembers of the event store, after the store was found to be that one. */
export interface StoreSight {
  readonly storeId: string;
  /** Positions compare only within one; messages carry it. */
  readonly generation: bigint;
  /** How far publishing is proven. */
  readonly checkpoint: Position;
  /** The last event in front of it that was dealt with; every published event up to here was confirmed. */
  readonly landmark: Landmark | null;
}

export interface StoreBindingDeps {
  readonly db: Database;
  readonly store: EventStore;
  readonly readCheckpoint: () => Promise<Pick<StoreSight, 'checkpoint' | 'landmark'> | null>;
  readonly knowsPayments: (payNos: readonly string[]) => Promise<boolean>;
  /** The other instance that publishes now; null when there is none. */
  readonly livingPublisher: () => Promise<string | null>;
  readonly beginAgain: readonly BeginAgain[];
  readonly now: () => Date;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface StoreBinding {
  /** Looks every few seconds, on every instance, also on one that does not publish. */
  readonly worker: Worker;
  /** Resolves when the database is bound to some event store, or `signal` is aborted: before that, nothing in it may be acted on. */
  whenBound(signal: AbortSignal): Promise<void>;
  /** Looks now. @throws StoreMismatchError; whatever database and store throw when they are away. */
  look(): Promise<StoreSight>;
  /** Like `look`, for whoever knows what the database would say, over a connection of its own. @throws StoreMismatchError, DependencyUnavailableError */
  verifyStore(reader: StoreReader, bound: Pick<Binding, 'storeId'>, from: { readonly landmark: Landmark | null }): Promise<void>;
  /** The last event of which database and event store say the same; null = none. */
  lastSharedEvent(): Promise<Landmark | null>;
  /** @returns what an adoption would do; null when the store is the bound one. */
  plan(): Promise<AdoptionPlan | null>;
  /** @param record puts it on record within the transaction that binds the database. */
  adopt(plan: AdoptionPlan, adoptedBy: string, record?: (transaction: Transaction) => Promise<void>): Promise<void>;
}

/** A person waits for the verdict, and a look costs two reads. */
const INTERVAL_MS = 2_000;

export function createStoreBinding(deps: StoreBindingDeps): StoreBinding {
  const { db, store, log, metrics } = deps;
  const bound = Promise.withResolvers<undefined>();
  let looking: Promise<StoreSight> | null = null;
  let verdict: 'unknown' | 'bound' | StoreMismatchError = 'unknown';

  async function lookOnce(): Promise<StoreSight> {
    const binding = (await readBinding(db)) ?? (await bindDatabase(adoptDeps));
    bound.resolve(undefined);
    const { checkpoint, landmark } = (await deps.readCheckpoint()) ?? { checkpoint: BEFORE_ALL, landmark: null };
    const identity = await verifyStore(store, binding, landmark);
    if (identity.generation > binding.generation) {
      await catchUpGeneration(adoptDeps, binding, identity, landmark);
      return lookOnce();
    }
    return { storeId: binding.storeId, generation: binding.generation, checkpoint: await knownPlace(checkpoint, landmark), landmark };
  }

  /** A checkpoint behind its landmark is only a number, which an older state of the log may not have, or not any more. */
  async function knownPlace(checkpoint: Position, landmark: Landmark | null): Promise<Position> {
    const known = landmark === null ? BEFORE_ALL : behindEvent(landmark.position);
    if (comparePositions(checkpoint, known) <= 0 || (await store.headPosition()) < checkpoint.commit) return known;
    return store.readAll(checkpoint, [], 1).then(() => checkpoint, (error: unknown) => (error instanceof PositionUnknownError ? known : Promise.reject(error as Error)));
  }

  async function look(): Promise<StoreSight> {
    try {
      const sight = await lookOnce();
      note('bound');
      return sight;
    } catch (error) {
      if (!(error instanceof StoreMismatchError)) throw error;
      if (await nameNewStore()) return look();
      note(error);
      throw error;
    }
  }

  /** One that was emptied, or just begun, gets its identity, so that a person can tell the two apart. @returns true when it got it now. */
  async function nameNewStore(): Promise<boolean> {
    if ((await readIdentity(store)) !== null || (await firstPayments(store)).length > 0) return false;
    await identify(store, deps.now);
    return true;
  }

  /** One line for each change. */
  function note(next: 'bound' | StoreMismatchError): void {
    const [before, after] = [wordOf(verdict), wordOf(next)];
    verdict = next;
    metrics.storeMismatch.set(next === 'bound' ? 0 : 1);
    if (before === after) return;
    if (next !== 'bound') log.error({ event: 'event-store.mismatch', kind: next.kind, reason: next.message });
    else if (before !== 'unknown') log.info({ event: 'event-store.matches' });
  }

  async function checkpointCommit(): Promise<bigint> {
    return (await deps.readCheckpoint())?.checkpoint.commit ?? -1n;
  }

  const adoptDeps = { ...deps, checkpointCommit, readLandmark: async () => (await deps.readCheckpoint())?.landmark ?? null };

  /** Whoever asks meanwhile shares one look. */
  const shared = (): Promise<StoreSight> => (looking ??= look().finally(() => void (looking = null)));

  return {
    worker: {
      name: 'event-store-binding',
      async run(signal) {
        let trouble: string | null = null;
        while (!signal.aborted) {
          const cause = await shared().then(() => null, causeOf);
          if (cause !== null && cause !== trouble) log.warn({ event: 'event-store-binding.waiting', reason: cause });
          trouble = cause;
          await pause(INTERVAL_MS, signal);
        }
      },
      health: () => healthOf(verdict),
    },
    async whenBound(signal) {
      const aborted = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
      await Promise.race([bound.promise, aborted]);
    },
    look: shared,
    async verifyStore(reader, binding, { landmark }) {
      await verifyStore(reader, binding, landmark);
    },
    async lastSharedEvent() {
      return lastSharedEvent(db, store, (await readBinding(db))?.generation ?? FIRST_GENERATION, await checkpointCommit());
    },
    plan: () => planAdoption(adoptDeps),
    async adopt(plan, adoptedBy, record = async () => undefined) {
      await adopt(adoptDeps, plan, adoptedBy, record);
      // Nobody should have to wait for the next look to see that it is right.
      await look().catch(() => undefined);
    },
  };
}

/** Null for a mismatch, which is told where it is found. */
function causeOf(error: unknown): string | null {
  return error instanceof StoreMismatchError ? null : describeError(error);
}

function wordOf(verdict: 'unknown' | 'bound' | StoreMismatchError): string {
  return typeof verdict === 'string' ? verdict : verdict.kind;
}

function healthOf(verdict: 'unknown' | 'bound' | StoreMismatchError): WorkerHealth {
  if (verdict === 'bound') return { status: 'ok' };
  if (verdict === 'unknown') return { status: 'starting', reason: 'the event store was not compared with the database yet' };
  return { status: 'degraded', reason: verdict.message, detail: { mismatch: verdict.kind } };
}
