import { DependencyUnavailableError } from '../../contracts/errors.ts';
import { MODULE_QUEUES } from '../../contracts/topology.ts';
import { openConfirmPublisher } from '../../platform/broker/confirm-publisher.ts';
import type { BrokerConnection } from '../../platform/broker/connect.ts';
import { explainNack } from '../../platform/broker/full-queues.ts';
import { keepBindings } from '../../platform/broker/keep-bindings.ts';
import { declareTopology } from '../../platform/broker/topology.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import type { Landmark } from '../../platform/event-store/position.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import type { ReachWindow } from '../../platform/process/window.ts';
import { createCheckpointStore, livingOwner, placeCheckpoint, readCheckpoint, type StoredCheckpoint } from './checkpoint-store.ts';
import { systemClock, type Clock } from './lease.ts';
import { runProjector, type Projector, type ProjectorPorts } from './projector.ts';

export { toMessage } from './to-message.ts';
export type { Projector } from './projector.ts';
export type { StoredCheckpoint } from './checkpoint-store.ts';
export type { Place } from './confirmed-prefix.ts';

/** Row of the checkpoint table. */
export const PROJECTOR_NAME = 'payments';

export interface ProjectorDeps {
  readonly store: Pick<EventStore, 'follow'>;
  readonly verifyStore: ProjectorPorts['verifyStore'];
  readonly lookAtStore: ProjectorPorts['lookAtStore'];
  /** A connection that nothing is consumed on: the broker may block it. */
  readonly connection: BrokerConnection;
  /** See full-queues.ts; without it the broker is taken for one that is not ours. */
  readonly explainNack?: ProjectorPorts['explainNack'];
  readonly database: Database;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly reach: ReachWindow;
  readonly settings: { readonly windowSize: number; readonly confirmTimeoutMs: number };
  /** Unique per process: who holds the lease. */
  readonly instanceId: string;
  readonly clock?: Clock;
  /** Time after which a dead owner's lease is over; LEASE_TTL_MS unless a test is in a hurry. */
  readonly leaseTtlMs?: number;
  /** Time between two attempts after a nack; NACK_PAUSE_MS unless a test is in a hurry. */
  readonly nackPauseMs?: number;
}

/** The worker that publishes every payment event on the exchange, in order, from the stored checkpoint on. */
export function createProjector(deps: ProjectorDeps): Projector {
  const { connection, store, log } = deps;
  const queues = Object.values(MODULE_QUEUES);
  return runProjector({
    follow: store.follow.bind(store),
    verifyStore: deps.verifyStore,
    lookAtStore: deps.lookAtStore,
    async openPublisher(signal) {
      await connection.whenConnected(signal);
      if (signal.aborted) throw new DependencyUnavailableError('broker', 'stopped while waiting for the broker');
      await declareTopology(connection, queues);
      return openConfirmPublisher(connection, { ...deps.settings, log });
    },
    keepBindings: (signal) => keepBindings(connection, queues, signal),
    windowSize: deps.settings.windowSize,
    reach: deps.reach,
    checkpoints: createCheckpointStore(deps.database, PROJECTOR_NAME, deps.leaseTtlMs),
    brokerTrouble: () => connection.trouble,
    explainNack: deps.explainNack ?? (() => explainNack(null, '/')),
    ...(deps.nackPauseMs === undefined ? {} : { nackPauseMs: deps.nackPauseMs }),
    instanceId: deps.instanceId,
    clock: deps.clock ?? systemClock,
    metrics: deps.metrics,
    log,
  });
}

/** What is stored, as every instance may read it; null before a projector ever ran. Rejects when the database is away. */
export function readProjectorCheckpoint(database: Database): Promise<StoredCheckpoint | null> {
  return readCheckpoint(database, PROJECTOR_NAME);
}

/** @returns the instance that publishes now, if it is another one than `instanceId`. */
export function livingPublisher(database: Database, instanceId: string): Promise<string | null> {
  return livingOwner(database, PROJECTOR_NAME, instanceId);
}

/** Part of binding the database to an event store: publishing begins behind `landmark`, or from the start. */
export function publishFrom(transaction: Transaction, generation: bigint, landmark: Landmark | null): Promise<void> {
  return placeCheckpoint(transaction, PROJECTOR_NAME, generation, landmark);
}
