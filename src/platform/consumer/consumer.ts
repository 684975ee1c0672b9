import type { BrokerConnection } from '../broker/connect.ts';
import { declareTopology } from '../broker/topology.ts';
import type { Database } from '../database/database.ts';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { backoffMs, pause } from '../process/backoff.ts';
import { passWindow, type ReachWindow } from '../process/window.ts';
import type { Worker, WorkerHealth } from '../process/worker.ts';
import { lonelyDelayMs } from './lonely-failures.ts';
import type { ModuleHandler } from './module-handler.ts';
import { refreshParkedGauge } from './park.ts';
import { runSession } from './session.ts';
import type { ConsumerSettings, Consuming, SessionState } from './session-state.ts';
import { createStartedExecutions } from './started-executions.ts';

/** Well below the half hour after which the broker closes a channel that holds an unacknowledged delivery. */
const KEEP_DELIVERIES_MS = 10 * 60_000;
/** A session that lasted this long was well: the next failure starts over with the first delay. */
const WELL_AFTER_MS = 10_000;

export interface ConsumerDependencies {
  /** Durable queue of the module; it is declared and bound before consuming. */
  readonly queue: string;
  readonly handler: ModuleHandler;
  /** The connection for consuming: one of its own, because a blocked connection holds back acknowledgements. */
  readonly connection: BrokerConnection;
  readonly db: Database;
  readonly settings: ConsumerSettings;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly reach?: ReachWindow;
  /** Monotonic clock in ms. */
  readonly nowMs?: () => number;
  readonly keepDeliveriesMs?: number;
  readonly lonelyDelayMs?: (failures: number) => number;
}

/**
 * Applies every message of one module's queue exactly once in effect. It never gives up: a dependency that is away is
 * waited for (health says which), and a lost channel is opened again with nothing remembered of the old one.
 */
export function createConsumer(dependencies: ConsumerDependencies): Worker {
  const { queue, handler, connection, db, log } = dependencies;
  const { module } = handler;
  const starts = createStartedExecutions(db, module);
  let trouble: string | null = 'not connected yet';
  let isStarting = true;
  let state: () => SessionState = () => ({ unacknowledged: 0, ready: 0, heldPayments: 0 });
  const consuming: Consuming = {
    reach: passWindow,
    nowMs: () => performance.now(),
    keepDeliveriesMs: KEEP_DELIVERIES_MS,
    lonelyDelayMs,
    ...dependencies,
    module,
    starts,
    report(cause) {
      trouble = cause;
      isStarting &&= cause !== null;
    },
  };

  /** Nothing is taken from the broker while it could not be applied: each return would count as a delivery. */
  async function session(signal: AbortSignal): Promise<void> {
    await db.$queryRaw`SELECT 1`;
    await declareTopology(connection, [queue]);
    await refreshParkedGauge(consuming);
    if (!signal.aborted) await runSession(consuming, signal, (observed) => (state = observed));
  }

  return {
    name: `consumer ${module}`,
    health: () => healthOf(connection.trouble ?? trouble, isStarting, state()),
    async run(signal) {
      for (let failures = 1; !signal.aborted; failures++) {
        const startedAtMs = consuming.nowMs();
        try {
          await session(signal);
        } catch (error) {
          const cause = error instanceof Error ? error.message : String(error);
          // That the broker is away has been said.
          if (trouble !== cause && connection.trouble === null) log.warn({ event: 'consumer.waiting', module, cause });
          consuming.report(cause);
        }
        if (consuming.nowMs() - startedAtMs > WELL_AFTER_MS) failures = 1;
        await pause(backoffMs(failures), signal);
      }
      // Best effort: without it, three orderly restarts in the middle of a message would look like three crashes.
      await starts.takeBack().catch(() => undefined);
    },
  };
}

function healthOf(trouble: string | null, isStarting: boolean, state: SessionState): WorkerHealth {
  const detail = { ...state };
  if (trouble === null) return { status: 'ok', detail };
  return { status: isStarting ? 'starting' : 'degraded', reason: trouble, detail };
}
