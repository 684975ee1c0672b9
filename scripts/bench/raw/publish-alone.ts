import type { Envelope } from 'rabbitmq-client';
import { toMessage } from '../../../src/modules/projector/index.ts';
import { PAYNOTIFY_EXCHANGE } from '../../../src/contracts/topology.ts';
import { BACKLOG, type Bench } from '../setup/bench.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { succeededEvent } from '../setup/payments.ts';
import { expectDepth } from './queues.ts';
import { openRawConnection } from './raw-connection.ts';

/**
 * rabbitmq-client alone: a message as the projector makes it, prepared beforehand, published to both queues with as many
 * unconfirmed as the projector may have. It leaves the queues full, for `consumeAlone`.
 */
export async function publishAlone({ servers, broker, meter, counts, config }: Bench): Promise<Measurement> {
  const connection = openRawConnection(servers.broker.url);
  try {
    const channel = await connection.acquire();
    await channel.confirmSelect();
    const { envelope, body } = preparedMessage();
    const confirmed = Promise.withResolvers<void>();
    let [sent, done] = [0, 0];
    const publish = (): void => {
      for (; sent < counts.backlog && sent - done < config.projector.windowSize; sent++) channel.basicPublish(envelope, body).then(onConfirm, confirmed.reject);
    };
    const onConfirm = (): void => {
      if (++done === counts.backlog) confirmed.resolve();
      else publish();
    };
    const running = meter.start();
    publish();
    await finish(confirmed.promise, 'publishing', () => `${done} messages were confirmed.`);
    const measurement = running.stop(counts.backlog);
    await channel.close();
    await expectDepth(broker, counts.backlog);
    return measurement;
  } finally {
    await connection.close();
  }
}

function preparedMessage(): { envelope: Envelope; body: Buffer } {
  const event = succeededEvent(BACKLOG, 0);
  const message = toMessage({ ...event, stream: `payment-${BACKLOG}`, revision: 1n, position: 1_000_000n, recordedAt: new Date() }, 1n);
  if (message === null) throw new Error('a success is always published');
  const { messageId, type, headers, timestampSeconds: timestamp } = message;
  return {
    envelope: { exchange: PAYNOTIFY_EXCHANGE, routingKey: '', mandatory: true, durable: true, contentType: 'application/json', contentEncoding: 'utf-8', messageId, type, timestamp, headers },
    body: message.body,
  };
}
