import { deadQueueOf, type ModuleName } from '../../contracts/topology.ts';
import { openConfirmPublisher } from '../broker/confirm-publisher.ts';
import type { BrokerConnection } from '../broker/connect.ts';
import type { ConfirmPublisher } from '../broker/publisher.ts';
import { declareTopology } from '../broker/topology.ts';
import type { Database } from '../database/database.ts';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { createThrottledLog } from '../observe/throttled-log.ts';
import { backoffMs, pause } from '../process/backoff.ts';
import type { Worker, WorkerHealth } from '../process/worker.ts';
import { createBell } from './bell.ts';
import { toDeadLetter, toParking, type DeadLetter } from './dead-letter.ts';
import { park } from './park.ts';
import { subscribe } from './subscription.ts';

/*
 * Order: parking row committed → acknowledge; or: confirmed in the module's own queue → acknowledge. A crash in between
 * delivers again, and the row is recognised, or the module's ledger knows the second copy.
 */

/** Dead messages are rare; few at a time keep the transaction that holds the module's lock short. */
const PREFETCH = 32;

export interface MoverDependencies {
  readonly module: ModuleName;
  /** The module's own queue; its dead queue is emptied. */
  readonly queue: string;
  readonly connection: BrokerConnection;
  /** For what is handed back: one that nothing is consumed on, because the broker may block it. */
  readonly publishing: BrokerConnection;
  readonly confirmTimeoutMs: number;
  readonly db: Database;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * Empties `{queue}.dead`: what the broker gave up on goes into the table of parked messages, where a person sees it and can
 * put it right; what merely expired or found its queue full goes to the module's queue again (dead-letter.ts), and is
 * applied like any other. What the ledger holds already had its effect and is only acknowledged.
 */
export function createDeadQueueMover(dependencies: MoverDependencies): Worker {
  const { module, queue, connection, publishing, confirmTimeoutMs, db, log } = dependencies;
  const throttled = createThrottledLog(log);
  let health: WorkerHealth = { status: 'starting' };

  /**
   * Not while the database is away: then the module takes nothing either, and what expires in its queue would go round for
   * nothing, as fast as it expires.
   */
  async function handBack(letters: readonly DeadLetter[], publisher: ConfirmPublisher): Promise<void> {
    await db.$queryRaw`SELECT 1`;
    await Promise.all(letters.flatMap(({ back }) => (back === null ? [] : [publisher.send(back)])));
    const [{ reason }] = letters as readonly [DeadLetter];
    const meaning = `a time or length limit that is none of ours (a policy on ${queue}?) took them out of the queue; they are in it again`;
    throttled.note('warn', 'handed-back', { event: 'dead-letter.handed-back', module, count: letters.length, reason, meaning });
  }

  async function move(signal: AbortSignal): Promise<void> {
    await db.$queryRaw`SELECT 1`;
    await declareTopology(connection, [queue]);
    const bell = createBell();
    let arrived: DeadLetter[] = [];
    let publisher: ConfirmPublisher | null = null;
    const subscription = await subscribe(connection, {
      queue: deadQueueOf(queue),
      prefetch: PREFETCH,
      deliver(message) {
        arrived.push(toDeadLetter(message, queue));
        bell.ring();
      },
      lost: bell.ring,
    });
    health = { status: 'ok' };
    signal.addEventListener('abort', bell.ring);
    try {
      while (!signal.aborted && !subscription.isLost) {
        const letters = arrived;
        arrived = [];
        if (letters.length === 0) await bell.wait(null);
        const [late, bad] = [letters.filter(({ back }) => back !== null), letters.filter(({ back }) => back === null)];
        if (bad.length > 0) await park(dependencies, bad.map(toParking));
        if (late.length > 0) await handBack(late, (publisher ??= await openConfirmPublisher(publishing, { windowSize: PREFETCH, confirmTimeoutMs, log })));
        subscription.acknowledge(letters.map(({ delivery }) => delivery.tag));
      }
    } finally {
      signal.removeEventListener('abort', bell.ring);
      await Promise.all([subscription.close(), publisher?.close(0)]);
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
