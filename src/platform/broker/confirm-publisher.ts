import { AMQPError, type Channel, type Envelope } from 'rabbitmq-client';
import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { BrokerConnection } from './connect.ts';
import { describeError } from './error-log.ts';
import { shellWord, type Peer } from './peer.ts';
import { PublishFailure, type ConfirmPublisher, type OutgoingMessage, type PublishFailureReason } from './publisher.ts';
import { withinMs } from '../process/time-limit.ts';
import { startWatchdog } from './confirm-watchdog.ts';
import { gatherWrites } from './gather-writes.ts';
import { explainRefusal } from './topology-refusal.ts';

/*
 * Order, per message: write out → broker confirms → two turns of the event loop → proven.
 *
 * An unroutable message is returned *and* confirmed. The broker sends the return first, but the client reports the
 * confirm at once and the return one turn (setImmediate) later, so a confirm alone proves nothing. Confirms are gathered
 * and settled together; a return may have been queued after the gathering began, so the gathered ones wait for a second
 * turn: `staged` → turn → `batch` → turn → settled. Every return that belongs to the batch has been reported by then.
 *
 * The first failure breaks the publisher: whatever is in flight, confirmed or not, is rejected and must be sent again.
 * Some of it is in some queues already, which its event id makes harmless.
 */

/** Answers to the opening and closing of a channel; a blocked connection never gives them. */
const CHANNEL_TIMEOUT_MS = 5000;
/** A short string of the protocol. The client cuts a longer one silently, and a return could not be recognised. */
const MESSAGE_ID_BYTES_MAX = 255;
/**
 * All headers of a message must fit into one frame (131,072 bytes). The client notices too late: it closes the channel
 * and fails everything in flight.
 */
const HEADERS_BYTES_MAX = 65_536;
export interface ConfirmPublisherOptions {
  /** Messages in flight at which `room()` begins to wait. */
  readonly windowSize: number;
  /** Age of the oldest missing confirm at which the publisher breaks; time on a blocked connection does not count. */
  readonly confirmTimeoutMs: number;
  readonly log: Logger;
}

interface InFlight {
  resolve(): void;
  reject(failure: PublishFailure): void;
  /** Reading of the watchdog's own clock. */
  readonly writtenAtMs: number;
}

interface Waiter {
  resolve(): void;
  reject(failure: PublishFailure): void;
}

const ROOM: Promise<void> = Promise.resolve();
const CLOSING = 'the publisher is closing';

/** @throws DependencyUnavailableError when no confirm channel can be opened in time. */
export async function openConfirmPublisher(connection: BrokerConnection, options: ConfirmPublisherOptions): Promise<ConfirmPublisher> {
  const channel = await connection.acquire();
  try {
    await withinMs(CHANNEL_TIMEOUT_MS, channel.confirmSelect());
  } catch (error) {
    void channel.close();
    throw new DependencyUnavailableError('broker', `no confirms on a channel: ${describeError(error)}`, { cause: error });
  }
  return publishOn(channel, connection, options);
}

function publishOn(channel: Channel, connection: BrokerConnection, { windowSize, confirmTimeoutMs, log }: ConfirmPublisherOptions): ConfirmPublisher {
  const inFlight = new Set<InFlight>();
  let waiters: Waiter[] = [];
  let staged: InFlight[] = [];
  let failure: PublishFailure | null = null;
  const broken = Promise.withResolvers<PublishFailure>();
  let closing = false;
  let drained: (() => void) | null = null;
  let channelClosed: Promise<void> = Promise.resolve();
  const gather = gatherWrites(channel);
  const watchdog = startWatchdog(confirmTimeoutMs, () => connection.state === 'connected', oldestWrittenAtMs, (ageMs) =>
    fail('confirm-timeout', `no confirm for ${ageMs} ms (limit ${confirmTimeoutMs} ms), ${inFlight.size} in flight`),
  );

  channel.on('basic.return', (message) => fail('returned', `message ${message.messageId ?? '(no id)'} reached no queue: ${message.replyText}`));
  // The rejections of what was in flight come first and know the cause; this one is for an idle channel, and for a
  // publish whose promise the client forgets when the loss falls between writing and waiting for the confirm.
  channel.once('close', () => void setImmediate(() => fail('channel-lost', connection.lastError ?? 'the channel was closed')));

  function fail(reason: PublishFailureReason, message: string, cause?: unknown): void {
    if (failure !== null) return;
    failure = new PublishFailure(reason, message, { cause });
    watchdog.stop();
    // That the connection is away has been said.
    if (reason !== 'closed') log[connection.trouble === null ? 'warn' : 'debug']({ event: 'publisher.broken', reason, detail: message, inFlight: inFlight.size });
    for (const message of inFlight) message.reject(failure);
    for (const waiter of waiters) waiter.reject(failure);
    inFlight.clear();
    waiters = [];
    drained?.();
    broken.resolve(failure);
    channelClosed = channel.close();
  }

  /** A set iterates in the order of insertion. */
  function oldestWrittenAtMs(): number | null {
    for (const message of inFlight) return message.writtenAtMs;
    return null;
  }

  function stage(message: InFlight): void {
    if (staged.push(message) === 1) setImmediate(takeStaged);
  }

  function takeStaged(): void {
    setImmediate(settle, staged);
    staged = [];
  }

  function settle(batch: readonly InFlight[]): void {
    if (failure !== null) return;
    for (const message of batch) {
      inFlight.delete(message);
      message.resolve();
    }
    for (const waiter of waiters.splice(0, windowSize - inFlight.size)) waiter.resolve();
    if (inFlight.size === 0) drained?.();
  }

  return {
    get inFlight() {
      return inFlight.size;
    },
    get failure() {
      return failure;
    },
    broken: broken.promise,
    room() {
      if (failure !== null || closing) return Promise.reject(failure ?? new PublishFailure('closed', CLOSING));
      if (inFlight.size < windowSize) return ROOM;
      return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
    },
    send(message) {
      if (failure !== null || closing) return Promise.reject(failure ?? new PublishFailure('closed', CLOSING));
      const problem = whyNotEncodable(message);
      if (problem !== null) return Promise.reject(new RangeError(problem));
      return new Promise((resolve, reject) => {
        const entry = { resolve, reject, writtenAtMs: watchdog.nowMs };
        inFlight.add(entry);
        gather();
        channel.basicPublish(toEnvelope(message), message.body).then(
          () => stage(entry),
          (error: unknown) => fail(isNack(error) ? 'nacked' : 'channel-lost', refusalOf(error, message, connection.peer), error),
        );
      });
    },
    async close(drainMs) {
      // A broken one has given up its channel already, and the broker may never answer about it.
      if (failure !== null) return;
      closing = true;
      for (const waiter of waiters.splice(0)) waiter.reject(new PublishFailure('closed', CLOSING));
      if (inFlight.size > 0) {
        const empty = new Promise<void>((resolve) => (drained = resolve));
        await withinMs(drainMs, empty).catch(() => undefined);
      }
      fail('closed', `closed with ${inFlight.size} in flight`);
      await withinMs(CHANNEL_TIMEOUT_MS, channelClosed).catch(() => undefined);
    },
  };
}

function toEnvelope(message: OutgoingMessage): Envelope {
  const envelope: Envelope = {
    exchange: message.exchange,
    routingKey: message.routingKey,
    mandatory: true,
    durable: true,
    messageId: message.messageId,
    type: message.type,
    timestamp: message.timestampSeconds,
    appId: 'paynotify',
    contentType: 'application/json',
    // With an encoding named, the client hands consumers the bytes as they are instead of parsing them itself.
    contentEncoding: 'utf-8',
    headers: message.headers,
  };
  if (message.correlationId !== undefined) envelope.correlationId = message.correlationId;
  return envelope;
}

function whyNotEncodable(message: OutgoingMessage): string | null {
  if (Buffer.byteLength(message.messageId) > MESSAGE_ID_BYTES_MAX) return `message id is longer than ${MESSAGE_ID_BYTES_MAX} bytes`;
  let headersBytes = 0;
  for (const name in message.headers) headersBytes += name.length + Buffer.byteLength(message.headers[name] ?? '');
  return headersBytes > HEADERS_BYTES_MAX ? `headers of ${message.messageId} are ${headersBytes} bytes, more than ${HEADERS_BYTES_MAX}` : null;
}

/** What the broker says of a message it does not take, with what helps. Which of the queues refused, it does not say. */
function refusalOf(error: unknown, { exchange, routingKey }: OutgoingMessage, peer: Peer): string {
  if (isNack(error)) {
    const where = exchange === '' ? `queue "${routingKey}"` : `a queue that is bound to exchange "${exchange}"`;
    return (
      `${describeError(error)}: ${where} is full (a max-length of its own or of a policy, with reject-publish) or has no leader. ` +
      `Which one, this shows: rabbitmqctl list_queues -p ${shellWord(peer.vhost)} name state messages policy arguments`
    );
  }
  if (error instanceof AMQPError && REFUSED.includes(error.code)) return explainRefusal(error, exchange === '' ? { kind: 'queue', name: routingKey } : { kind: 'exchange', name: exchange }, peer).message;
  return describeError(error);
}

/** The broker's answers to a publish that close the channel. */
const REFUSED = ['ACCESS_REFUSED', 'NOT_FOUND'];

function isNack(error: unknown): boolean {
  return error instanceof AMQPError && error.code === 'NACK';
}
