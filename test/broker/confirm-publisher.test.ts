import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openConfirmPublisher } from '../../src/platform/broker/confirm-publisher.ts';
import { connectBroker, type BrokerConnection } from '../../src/platform/broker/connect.ts';
import type { ConfirmPublisher, OutgoingMessage, PublishFailure } from '../../src/platform/broker/publisher.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createTestVhost, type TestVhost } from '../harness/services.ts';
import { openQueueReader, type QueueReader } from './queue-reader.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/*
 * What the client gets wrong, and the publisher must get right all the same. Certain in each test: what a queue of a
 * real broker holds. Not certain: whether a message that was in flight when something broke is in a queue.
 */
const QUEUE = 'publisher-test';
const NOWHERE = 'no-such-queue';

let vhost: TestVhost;
let proxy: TcpProxy;
let reader: QueueReader;
let connection: BrokerConnection;
let publisher: ConfirmPublisher;

beforeAll(async () => {
  vhost = await createTestVhost('empty');
  proxy = await startTcpProxy(vhost.url);
  reader = openQueueReader(vhost.url);
  await reader.client.queueDeclare({ queue: QUEUE, durable: true, arguments: { 'x-queue-type': 'quorum' } });
  connection = connectBroker(proxy.url, 'test', silentLogger);
});
afterAll(async () => {
  await connection.close(1000);
  await reader.close();
  await proxy.close();
  await vhost.delete();
});

beforeEach(async () => {
  publisher = await open();
});
afterEach(async () => {
  await publisher.close(1000);
  await reader.client.queuePurge(QUEUE);
});

function open(settings: { windowSize?: number; confirmTimeoutMs?: number } = {}): Promise<ConfirmPublisher> {
  return openConfirmPublisher(connection, { windowSize: 512, confirmTimeoutMs: 15_000, log: silentLogger, ...settings });
}

function message(messageId: string, routingKey = QUEUE, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { exchange: '', routingKey, body: Buffer.from('{}'), messageId, type: 'PaymentSucceeded', timestampSeconds: 1, headers: {}, ...more };
}

/** Sends all without waiting. @returns what became of each: `proven`, or the reason of its rejection. */
async function outcomes(sent: readonly Promise<void>[]): Promise<string[]> {
  const settled = await Promise.allSettled(sent);
  return settled.map((result) => (result.status === 'fulfilled' ? 'proven' : (result.reason as PublishFailure).reason));
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describe('a confirm publisher', () => {
  it('proves what a queue holds, in the order of the calls, persistent and with all properties', async () => {
    const ids = numbered(1000);
    expect(new Set(await outcomes(ids.map((id) => publisher.send(message(id)))))).toEqual(new Set(['proven']));
    expect(publisher.inFlight).toBe(0);
    await publisher.send(message('last', QUEUE, { correlationId: 'c', headers: { traceparent: 't' }, body: Buffer.from('{"a":1}') }));
    const taken = await reader.takeAll(QUEUE);
    expect(taken).toEqual([...ids, 'last']);
    await publisher.send(message('last', QUEUE, { correlationId: 'c', headers: { traceparent: 't' }, body: Buffer.from('{"a":1}') }));
    expect(await reader.client.basicGet({ queue: QUEUE, noAck: true })).toMatchObject({
      durable: true,
      messageId: 'last',
      type: 'PaymentSucceeded',
      timestamp: 1,
      appId: 'paynotify',
      contentType: 'application/json',
      correlationId: 'c',
      headers: { traceparent: 't' },
      body: Buffer.from('{"a":1}'),
    });
  });

  it('is needed, because the client reports a confirm before the return that belongs to it', async () => {
    const channel = await reader.client.acquire();
    await channel.confirmSelect();
    let isReturned = false;
    channel.on('basic.return', () => (isReturned = true));
    await channel.basicPublish({ routingKey: NOWHERE, mandatory: true }, 'x');
    expect(isReturned).toBe(false);
    await new Promise(setImmediate);
    expect(isReturned).toBe(true);
    await channel.close();
  });

  it('never takes an unroutable message for proven, however its confirm is bundled with others', async () => {
    const bundles = numbered(80);
    for (const bundle of bundles) {
      const each = await open();
      const before = numbered(24).map((id) => each.send(message(id)));
      const lost = each.send(message(`lost-${bundle}`, NOWHERE));
      const after = numbered(24).map((id) => each.send(message(id, NOWHERE)));
      const [outcome, ...others] = await outcomes([lost, ...before, ...after]);
      expect(outcome, `bundle ${bundle}`).toBe('returned');
      expect(others.slice(24)).not.toContain('proven');
      expect(each.failure?.message).toContain(`lost-${bundle}`);
      await each.close(0);
    }
  });

  it('breaks on a nack, and takes nothing more', async () => {
    await reader.client.queueDeclare({ queue: 'full', durable: true, arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
    const [first, ...rest] = await outcomes(numbered(20).map((id) => publisher.send(message(id, 'full'))));
    expect(['proven', 'nacked']).toContain(first);
    expect(rest.at(-1)).toBe('nacked');
    await expect(publisher.send(message('later'))).rejects.toMatchObject({ reason: 'nacked' });
    await expect(publisher.room()).rejects.toMatchObject({ reason: 'nacked' });
    expect(publisher.inFlight).toBe(0);
  });

  it('breaks when the exchange does not exist, and says which', async () => {
    const sent = numbered(20).map((id) => publisher.send(message(id, '', { exchange: 'no-such-exchange' })));
    expect(new Set(await outcomes(sent))).toEqual(new Set(['channel-lost']));
    expect(publisher.failure?.message).toContain('no-such-exchange');
  });

  it('refuses a message that cannot be encoded by itself, where the client would fail everything in flight', async () => {
    const before = numbered(50).map((id) => publisher.send(message(id)));
    const tooLarge = publisher.send(message('large', QUEUE, { headers: { big: 'x'.repeat(200_000) } }));
    const noId = publisher.send(message('i'.repeat(256)));
    const after = numbered(50).map((id) => publisher.send(message(id)));
    await expect(tooLarge).rejects.toBeInstanceOf(RangeError);
    await expect(noId).rejects.toBeInstanceOf(RangeError);
    expect(new Set(await outcomes([...before, ...after]))).toEqual(new Set(['proven']));
    expect(publisher.failure).toBeNull();
  });

  it('publishes a body larger than a frame', async () => {
    await publisher.send(message('large', QUEUE, { body: Buffer.alloc(400_000, 'x') }));
    expect(await reader.takeAll(QUEUE)).toEqual(['large']);
  });

  it('closes after the confirms in flight have come, where the client would give them up', async () => {
    const sent = outcomes(numbered(500).map((id) => publisher.send(message(id))));
    await publisher.close(5000);
    expect(new Set(await sent)).toEqual(new Set(['proven']));
    await expect(publisher.send(message('late'))).rejects.toMatchObject({ reason: 'closed' });
  });

  it('gives up what is not confirmed within the time to drain', async () => {
    proxy.swallowAnswers = true;
    const sent = outcomes(numbered(10).map((id) => publisher.send(message(id))));
    const startedAtMs = performance.now();
    const closed = publisher.close(200);
    expect(new Set(await sent)).toEqual(new Set(['closed']));
    expect(performance.now() - startedAtMs).toBeLessThan(5000);
    proxy.swallowAnswers = false;
    proxy.cut();
    await closed;
  });

  it('breaks at once when the connection is lost in mid window, and proved only what a queue holds', async () => {
    const [first = '', ...others] = numbered(2000);
    const ids = [first, ...others];
    const proven = publisher.send(message(first));
    await proven;
    // A part of what is sent at once.
    proxy.cutAfter = 100_000;
    const sent = [proven, ...others.map((id) => publisher.send(message(id)))];
    const startedAtMs = performance.now();
    const became = await outcomes(sent);
    expect(performance.now() - startedAtMs).toBeLessThan(5000);
    expect(became).toContain('channel-lost');
    const held = new Set(await reader.takeAll(QUEUE));
    expect(ids.filter((id, i) => became[i] === 'proven' && !held.has(id))).toEqual([]);
    const next = await open();
    await next.send(message('again'));
    await next.close(1000);
  });

  it('knows that its channel is lost although nothing is in flight', async () => {
    await publisher.send(message('0'));
    proxy.cut();
    expect(await publisher.broken).toMatchObject({ reason: 'channel-lost' });
    expect(publisher.failure).toBe(await publisher.broken);
    await expect(publisher.room()).rejects.toMatchObject({ reason: 'channel-lost' });
  });

  it('breaks when a confirm never comes, and not before its time', async () => {
    const impatient = await open({ confirmTimeoutMs: 400 });
    await impatient.send(message('0'));
    proxy.swallowAnswers = true;
    const startedAtMs = performance.now();
    const became = await outcomes([impatient.send(message('1')), impatient.send(message('2'))]);
    const lastedMs = performance.now() - startedAtMs;
    expect(became).toEqual(['confirm-timeout', 'confirm-timeout']);
    expect(lastedMs).toBeGreaterThan(350);
    expect(lastedMs).toBeLessThan(5000);
    proxy.swallowAnswers = false;
    proxy.cut();
  });

  it('makes the sender wait while the window is full', async () => {
    const narrow = await open({ windowSize: 4 });
    proxy.swallowAnswers = true;
    const sent = outcomes(numbered(4).map((id) => narrow.send(message(id))));
    let isThrough = false;
    const room = narrow.room().then(
      () => (isThrough = true),
      (error: unknown) => error,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([isThrough, narrow.inFlight]).toEqual([false, 4]);
    proxy.cut();
    proxy.swallowAnswers = false;
    expect(await room).toMatchObject({ reason: 'channel-lost' });
    await sent;

    const next = await open({ windowSize: 4 });
    let inFlightMax = 0;
    const all: Promise<void>[] = [];
    for (const id of numbered(100)) {
      await next.room();
      all.push(next.send(message(id)));
      inFlightMax = Math.max(inFlightMax, next.inFlight);
    }
    expect(new Set(await outcomes(all))).toEqual(new Set(['proven']));
    expect(inFlightMax).toBe(4);
    await next.close(1000);
  });
});
