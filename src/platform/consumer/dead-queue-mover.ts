import { deadQueueOf, type ModuleName } from '../../contracts/topology.ts';
import type { BrokerConnection } from '../broker/connect.ts';
import { declareTopology } from '../broker/topology.ts';
import type { Database } from '../database/database.ts';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { backoffMs, pause } from '../process/backoff.ts';
import type { Worker, WorkerHealth } from '../process/worker.ts';
import { createBell } from './bell.ts';
import { toDelivery, type Delivery } from './delivery.ts';
import { ParkReason, type Parking } from './outcome.ts';
import { park } from './park.ts';
import { subscribe } from './subscription.ts';

/*
 * Order: parking row committed → acknowledge. A crash in between delivers again, and the row is recognised.
 */

/** Dead messages are rare; few at a time keep the transaction that holds the module's lock short. */
const PREFETCH = 32;

export interface MoverDependencies {
  readonly module: ModuleName;
  /** The module's own queue; its dead queue is emptied. */
  readonly queue: string;
  readonly connection: BrokerConnection;
  readonly db: Database;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * Moves what the broker gave up on from `{queue}.dead` into the table of parked messages, where a person sees it and can
 * put it right. What the ledger holds already had its effect and is only acknowledged.
 */
export function createDeadQueueMover(dependencies: MoverDependencies): Worker {
  const { module, queue, connection, db, log } = dependencies;
  let health: WorkerHealth = { status: 'starting' };

  async function move(signal: AbortSignal): Promise<void> {
    await db.$queryRaw`SELECT 1`;
    await declareTopology(connection, [queue]);
    const bell = createBell();
    let arrived: Delivery[] = [];
    const subscription = await subscribe(connection, {
      queue: deadQueueOf(queue),
      prefetch: PREFETCH,
      deliver(message) {
        arrived.push(toDelivery(message));
        bell.ring();
      },
      lost: bell.ring,
    });
    health = { status: 'ok' };
    signal.addEventListener('abort', bell.ring);
    try {
      while (!signal.aborted && !subscription.isLost) {
        const deliveries = arrived;
        arrived = [];
        if (deliveries.length === 0) await bell.wait(null);
        else subscription.acknowledge((await park(dependencies, deliveries.map(toParking))).map(({ delivery }) => delivery.tag));
      }
    } finally {
      signal.removeEventListener('abort', bell.ring);
      await subscription.close();
    }
  }

  return {
    name: `dead-queue mover ${module}`,
    health: () => (connection.trouble === null ? health : { status: health.status === 'starting' ? 'starting' : 'degraded', reason: connection.trouble }),
    async run(signal) {
      // Whatever goes wrong, the messages stay in the dead queue: there is no better place for them.
      for (let failures = 1; !signal.aborted; failures++) {
        try {
          await move(signal);
          failures = 1;
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          // That the broker is away has been said.
          if (health.reason !== reason && connection.trouble === null) log.warn({ event: 'mover.waiting', module, cause: reason });
          health = { status: 'degraded', reason };
        }
        await pause(backoffMs(failures), signal);
      }
    },
  };
}

/** It came back at least once, whatever the header of this queue says: its recorded starts are to be removed. */
function toParking(dead: Delivery): Parking {
  const delivery = { ...dead, deliveryCount: Math.max(1, dead.deliveryCount) };
  const word = dead.headers['x-first-death-reason'];
  const why = typeof word === 'string' ? word : 'unknown reason';
  return { delivery, reason: ParkReason.deliveryLimit, cause: `the broker gave up on it (${why})`, attempts: 0 };
}
