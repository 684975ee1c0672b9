import { START, streamNameFilter } from '@eventstore/db-client';
import { PAYMENT_STREAM_PREFIX } from '../../../src/contracts/payment-events.ts';
import { PAYNOTIFY_EXCHANGE } from '../../../src/contracts/topology.ts';
import { toMessage } from '../../../src/modules/projector/index.ts';
import { openConnection } from '../../../src/platform/event-store/connection.ts';
import { toStoredEvent } from '../../../src/platform/event-store/stored-event.ts';
import type { Bench } from '../setup/bench.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { expectDepth } from '../raw/queues.ts';
import { openRawConnection } from '../raw/raw-connection.ts';

/** The tutorial's way: for each event, publish and await its confirm. It leaves the messages in the queues. */
export async function naiveRepublish(bench: Bench): Promise<Measurement> {
  const running = bench.meter.start();
  await finish(publishEach(bench), 'the naive projector');
  const measurement = running.stop(bench.counts.naive);
  await expectDepth(bench.broker, bench.counts.naive);
  return measurement;
}

export async function publishEach({ servers, counts }: Bench): Promise<void> {
  const store = openConnection(servers.backlogStore.connectionString);
  const connection = openRawConnection(servers.broker.url);
  const publisher = connection.createPublisher({ confirm: true });
  try {
    const subscription = store.client.subscribeToAll({ fromPosition: START, filter: streamNameFilter({ prefixes: [PAYMENT_STREAM_PREFIX] }) });
    subscription.on('error', () => undefined);
    let published = 0;
    for await (const { event } of subscription) {
      const message = event === undefined ? null : toMessage(toStoredEvent(event), 1n);
      if (message === null) continue;
      const { messageId, type, headers, body } = message;
      await publisher.send({ exchange: PAYNOTIFY_EXCHANGE, durable: true, mandatory: true, contentType: 'application/json', contentEncoding: 'utf-8', messageId, type, headers }, body);
      if (++published === counts.naive) break;
    }
  } finally {
    await publisher.close();
    await Promise.all([connection.close(), store.close()]);
  }
}
