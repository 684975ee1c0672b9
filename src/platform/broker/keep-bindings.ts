import type { Channel } from 'rabbitmq-client';
import { pause } from '../process/backoff.ts';
import type { BrokerConnection } from './connect.ts';
import { assertTopology } from './topology.ts';

/** A binding removed by hand is missing for at most this long, and so long a queue that was replaced is published to. */
const INTERVAL_MS = 1000;

/**
 * Binds `queues` again every second, and sees that they are what they must be, until `signal` is aborted: `mandatory` does not report a message that reached one
 * queue and missed the other. While the connection is lost or blocked nothing is asked, as nothing is published then.
 * @throws TopologyError, DependencyUnavailableError when the bindings can no longer be proven: publishing must stop.
 */
export async function keepBindings(connection: BrokerConnection, queues: readonly string[], signal: AbortSignal): Promise<void> {
  const isConnected = (): boolean => connection.state === 'connected';
  let channel: Channel | null = null;
  try {
    for (;;) {
      await pause(INTERVAL_MS, signal);
      if (signal.aborted) return;
      if (!isConnected()) continue;
      try {
        if (channel?.active !== true) channel = await connection.acquire();
        await assertTopology(channel, connection.peer, queues);
      } catch (error) {
        if (isConnected()) throw error;
      }
    }
  } finally {
    void channel?.close();
  }
}
