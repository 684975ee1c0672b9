import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { WorkerHealth } from '../process/worker.ts';
import { connectBroker, type BrokerConnection } from './connect.ts';
import { createOutageLog } from './outage-log.ts';
import { readQueueDepth } from './queue-depth.ts';

/** The channels are closed by their owners before; what is left is a farewell to the broker. */
const BROKER_CLOSE_MS = 3_000;

/** Publishing and consuming have a connection each: the broker may block one that publishes, and acknowledgements must go on. */
export interface Brokers {
  open(url: string, log: Logger): void;
  /** Both connections. @throws DependencyUnavailableError before `open`. */
  opened(): { readonly publish: BrokerConnection; readonly consume: BrokerConnection };
  /** Of the URL that was opened, `/` before. */
  vhost(): string;
  queueDepth(queue: string): Promise<number | null>;
  health(): WorkerHealth;
  close(): Promise<void>;
}

/** @param privateBroker health of the broker that is started here, where there is one: why there is no URL yet. */
export function createBrokers(privateBroker: () => WorkerHealth | undefined = () => undefined): Brokers {
  let vhost = '/';
  let connections: { publish: BrokerConnection; consume: BrokerConnection } | null = null;
  return {
    open(url, log) {
      vhost = decodeURIComponent(new URL(url).pathname.slice(1)) || '/';
      const outages = createOutageLog(log);
      connections = { publish: connectBroker(url, 'publish', log, outages), consume: connectBroker(url, 'consume', log, outages) };
    },
    opened() {
      if (connections === null) throw new DependencyUnavailableError('broker', 'the broker is not started yet');
      return connections;
    },
    vhost: () => vhost,
    queueDepth: async (queue) => (connections?.consume.state === 'connected' ? readQueueDepth(connections.consume, queue) : null),
    health() {
      const started = privateBroker();
      if (started !== undefined && started.status !== 'ok') return started;
      if (connections === null) return { status: 'starting', reason: 'the broker is starting' };
      const troubles = new Set(Object.values(connections).flatMap(({ trouble }) => trouble ?? []));
      return troubles.size === 0 ? { status: 'ok' } : { status: 'degraded', reason: [...troubles].join('; ') };
    },
    async close() {
      await Promise.all(Object.values(connections ?? {}).map((connection) => connection.close(BROKER_CLOSE_MS)));
    },
  };
}
