import { setImmediate as turn } from 'node:timers/promises';
import { EventStoreDBClient } from '@eventstore/db-client';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { ConnectionClosedError, kindOf, NotReachedError } from './client-errors.ts';
import { withDeadline } from './deadline.ts';
import { guardAnswers } from './guard-answers.ts';
import { guardBatchAppend } from './guard-batch-append.ts';
import { guardChannel } from './guard-channel.ts';
import { guardDiscovery } from './guard-discovery.ts';
import { guardHandshake } from './guard-handshake.ts';

/** One client with a TCP connection of its own, and since when it is being waited for. */
export interface Connection {
  readonly client: EventStoreDBClient;
  /** `performance.now()` at the start of the first attempt that no answer has come after; null when none waits. */
  readonly waitingSince: { append: number | null; any: number | null };
  /** True once `close` was called: a read that ends after that was cut short and is not the whole stream. */
  readonly closed: boolean;
  /**
   * Resolves when a node is found and connected to, and takes appends. Nothing is appended before that, so that whoever
   * gets no further knows that nothing was sent. @throws NotReachedError; a bug of ours as it is.
   */
  reach(timeoutMs: number): Promise<void>;
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

/**
 * One round of asking the nodes of a cluster for their leader, each for a second, the shortest time that the client
 * takes. The caller's own attempts repeat it; the client's ten rounds would outlast every deadline, and go on after it.
 */
const DISCOVERY = ['maxDiscoverAttempts=1', 'gossipTimeout=1', 'discoveryInterval=0'];
const OWN_OPTION = /^(?:keep[-_]?alive[-_]?timeout|max[-_]?discover[-_]?attempts|gossip[-_]?timeout|discovery[-_]?interval)=/i;

export function openConnection(connectionString: string): Connection {
  guardAnswers();
  guardBatchAppend();
  guardDiscovery();
  guardHandshake();
  const client = EventStoreDBClient.connectionString(withOwnOptions(connectionString, connectionCount++));
  const channel = guardChannel(client);
  const closing = Promise.withResolvers<never>();
  closing.promise.catch(() => undefined);
  let closed = false;
  let reached = false;
  return {
    client,
    waitingSince: { append: null, any: null },
    get closed() {
      return closed;
    },
    async reach(timeoutMs) {
      if (reached && !closed) return;
      try {
        await withDeadline(Promise.race([assertTakesAppends(client), closing.promise]), timeoutMs);
        reached = true;
      } catch (error) {
        // Also what looks like a refusal: the client keeps the failure, so that only another connection can help.
        throw kindOf(error) === 'bug' ? error : new NotReachedError(error);
      }
    },
    async close() {
      closed = true;
      channel.close();
      closing.reject(new ConnectionClosedError());
      // A stream that has just begun is known to the client a few promises later.
      await turn();
      await withDeadline(client.dispose(), CLOSE_TIMEOUT_MS).catch(() => undefined);
    },
  };
}

/**
 * gRPC shares one TCP connection, and its growing reconnect delay, among all channels of a process with equal options.
 * A replacement for a dead connection would get the dead one again, so each client's options differ by a millisecond.
 */
function withOwnOptions(connectionString: string, serial: number): string {
  const [address = '', query = ''] = connectionString.trim().split('?');
  const parameters = query.split('&').filter((parameter) => parameter !== '' && !OWN_OPTION.test(parameter));
  parameters.push(`keepAliveTimeout=${KEEP_ALIVE_TIMEOUT_MS + (serial % KEEP_ALIVE_VARIANTS)}`, ...DISCOVERY);
  return `${address}?${parameters.join('&')}`;
}

/** What the client asks for itself before its first append, and remembers. */
interface Capabilities {
  readonly capabilities: Promise<{ supports(method: unknown): boolean }>;
}

/**
 * Without batch appends the client would append in another way, whose failures nobody can catch. Every supported server
 * has them; a proxy that answers in its place has nothing.
 */
async function assertTakesAppends(client: EventStoreDBClient): Promise<void> {
  const features = await (client as unknown as Capabilities).capabilities;
  if (!features.supports(StreamsService.batchAppend)) throw Object.assign(new Error('the server does not offer batch appends'), { code: UNIMPLEMENTED });
}

/** gRPC status. */
const UNIMPLEMENTED = 12;
