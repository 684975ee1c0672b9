import { openConfirmPublisher, type ConfirmPublisherOptions } from './confirm-publisher.ts';
import type { BrokerConnection } from './connect.ts';
import { keepBindings } from './keep-bindings.ts';
import type { ConfirmPublisher } from './publisher.ts';
import { declareTopology } from './topology.ts';

/**
 * A confirm publisher that is closed when the topology of `queues` is no longer what it must be: what is in flight then
 * rejects, and whoever opens the next is told why there is none.
 * @throws TopologyError, DependencyUnavailableError as declareTopology does.
 */
export async function openCheckedPublisher(connection: BrokerConnection, queues: readonly string[], options: ConfirmPublisherOptions): Promise<ConfirmPublisher> {
  await declareTopology(connection, queues);
  const publisher = await openConfirmPublisher(connection, options);
  const over = new AbortController();
  void publisher.broken.then(() => over.abort());
  keepBindings(connection, queues, over.signal).catch(() => publisher.close(0));
  return publisher;
}
