import { EventStoreDBClient } from '@eventstore/db-client';
import { withDeadline } from './deadline.ts';
import { guardBatchAppend } from './guard-batch-append.ts';

/** One client with a TCP connection of its own, and when it last answered. */
export interface Connection {
  readonly client: EventStoreDBClient;
  /** `performance.now()` of the last answer to an append, and to anything. */
  answered: { append: number; any: number };
  /** True once `close` was called: a read that ends after that was cut short and is not the whole stream. */
  readonly closed: boolean;
  /** Cancels everything in flight and lets the connection go; never throws and takes at most CLOSE_TIMEOUT_MS. */
  close(): Promise<void>;
}

/** The client waits for all its streams to end, and for some of them for ever. */
const CLOSE_TIMEOUT_MS = 500;

/**
 * A dead peer is noticed after interval + timeout at the latest, also when nobody is waiting for an answer. 10 s is
 * the shortest interval the client accepts silently; servers count more frequent pings as abuse.
 */
const KEEP_ALIVE_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_VARIANTS = 1_000;
let connectionCount = 0;

export function openConnection(connectionString: string): Connection {
  guardBatchAppend();
  const client = EventStoreDBClient.connectionString(withOwnConnection(connectionString, connectionCount++));
  let closed = false;
  return {
    client,
    answered: { append: 0, any: 0 },
    get closed() {
      return closed;
    },
    async close() {
      closed = true;
      await withDeadline(client.dispose(), CLOSE_TIMEOUT_MS).catch(() => undefined);
      closeChannel(client);
    },
  };
}

/**
 * gRPC shares one TCP connection, and its growing reconnect delay, among all channels of a process with equal options.
 * A replacement for a dead connection would get the dead one again, so each client's options differ by a millisecond.
 */
function withOwnConnection(connectionString: string, serial: number): string {
  const [address = '', query = ''] = connectionString.trim().split('?');
  const parameters = query.split('&').filter((parameter) => parameter !== '' && !/^keep[-_]?alive[-_]?timeout=/i.test(parameter));
  parameters.push(`keepAliveTimeout=${KEEP_ALIVE_TIMEOUT_MS + (serial % KEEP_ALIVE_VARIANTS)}`);
  return `${address}?${parameters.join('&')}`;
}

/** `dispose` leaves the channel open; without this the socket would stay for the life of the process. */
function closeChannel(client: EventStoreDBClient): void {
  const { getChannel } = client as unknown as { getChannel: () => Promise<{ close(): void }> };
  getChannel().then(
    (channel) => channel.close(),
    () => undefined,
  );
}
