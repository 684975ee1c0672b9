import type { Bench } from '../setup/bench.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { expectDepth, QUEUES } from './queues.ts';
import { openRawConnection } from './raw-connection.ts';

/** The best of the batches measured for this client: a quarter of the window, so that the broker never waits for us. */
const ACKNOWLEDGED_SHARE = 4;

/** rabbitmq-client alone: takes from both queues at once what `publishAlone` left, acknowledges, and does nothing else. */
export async function consumeAlone({ servers, broker, meter, counts, config }: Bench): Promise<Measurement> {
  const connection = openRawConnection(servers.broker.url);
  try {
    const { prefetch } = config.consumer;
    const batch = Math.max(1, Math.floor(prefetch / ACKNOWLEDGED_SHARE));
    const channels = await Promise.all(QUEUES.map(() => connection.acquire()));
    const running = meter.start();
    const emptied = channels.map(async (channel, index) => {
      const all = Promise.withResolvers<void>();
      await channel.basicQos({ prefetchCount: prefetch });
      await channel.basicConsume({ queue: QUEUES[index] as string }, ({ deliveryTag }) => {
        if (deliveryTag % batch === 0 || deliveryTag === counts.backlog) channel.basicAck({ deliveryTag, multiple: true });
        if (deliveryTag === counts.backlog) all.resolve();
      });
      await all.promise;
    });
    await finish(Promise.all(emptied), 'consuming');
    const measurement = running.stop(counts.backlog);
    await expectDepth(broker, 0);
    await Promise.all(channels.map((channel) => channel.close()));
    return measurement;
  } finally {
    await connection.close();
  }
}
