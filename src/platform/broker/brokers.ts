import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { WorkerHealth } from '../process/worker.ts';
import { connectBroker, type BrokerConnection } from './connect.ts';
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

export function createBrokers(): Brokers {
  let vhost = '/';
  let connections: { publish: BrokerConnection; consume: BrokerConnection } | null = null;
  return {
    open(url, log) {
      vhost = decodeURIComponent(new URL(url).pathname.slice(1)) || '/';
      connections = { publish: connectBroker(url, 'publish', log), consume: connectBroker(url, 'consume', log) };
    },
    opened() {
      if (connections === null) throw new DependencyUnavailableError('broker', 'the broker is not started yet');
      return connections;
    },
    vhost: () => vhost,
    queueDepth: async (queue) => (connections?.consume.state === 'connected' ? readQueueDepth(connections.consume, queue) : null),
    health() {
      if (connections === null) return { status: 'starting', reason: 'the broker is starting' };
      const states = Object.values(connections).map((connection) => connection.state);
      return states.every((state) => state === 'connected') ? { status: 'ok' } : { status: 'degraded', reason: `broker connections: ${states.join(', ')}` };
    },
    async close() {
      await Promise.all(Object.values(connections ?? {}).map((connection) => connection.close(BROKER_CLOSE_MS)));
    },
  };
}
