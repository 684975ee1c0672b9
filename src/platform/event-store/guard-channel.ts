import type { EventStoreDBClient } from '@eventstore/db-client';
import { ConnectionClosedError } from './client-errors.ts';

export interface ChannelGuard {
  /** Ends every call and every socket of the client's channel at once. The client opens no other. */
  close(): void;
}

/** A client of gRPC, and its channel; what is looked into is private, of grpc-js 1.14. */
export interface Channel {
  close(): void;
  readonly internalChannel: { readonly wrappedSubchannels: Iterable<{ readonly child: Subchannel }> };
}

interface Subchannel {
  stopBackoff(): void;
  readonly transport: { readonly session: Session } | null;
  readonly connector: { readonly session: Session | null };
}

interface Session {
  destroy(): void;
}

interface Internals {
  createChannel: () => Promise<Channel>;
  handleError: (grpcClient: unknown, error: Error) => Promise<void>;
}

/**
 * Takes the keeping of its channel away from client 6.2.1, which would rather:
 *
 * 1. close it when a call has failed, under everybody else's calls, and look for a node again with nobody to wait for the
 *    outcome: `handleError` is called without an await, itself awaits a search that others began, and where that fails
 *    (no quorum, nobody there) the rejection ends the process. Here a failure closes nothing: whoever sees it gives up
 *    the whole connection (connection-slot.ts). Only the way to the leader that a follower names is left to the client.
 * 2. open another for a call that was still waiting when the connection was given up: a socket that nobody knows.
 * 3. close it politely, so that a peer that is frozen holds the socket for as long as it is.
 */
export function guardChannel(client: EventStoreDBClient): ChannelGuard {
  const internals = client as unknown as Internals;
  const { createChannel, handleError } = internals;
  let channel: Channel | null = null;
  let closed = false;
  const isClosed = (): boolean => closed;
  const close = (): void => {
    closed = true;
    if (channel !== null) destroyChannel(channel);
  };
  internals.createChannel = async () => {
    if (isClosed()) throw new ConnectionClosedError();
    const created = (channel = await createChannel());
    if (!isClosed()) return created;
    close();
    throw new ConnectionClosedError();
  };
  internals.handleError = async (grpcClient, error) => {
    // What it rejects with is the failure of a search whose caller gets it, too.
    if (namesLeader(error)) await handleError(grpcClient, error).catch(() => undefined);
  };
  return { close };
}

/**
 * Closing alone would wait for a socket whose peer has accepted it and says nothing, and a connection that was refused
 * would be tried again after its delay, for nobody, and then stay.
 */
export function destroyChannel(channel: Channel): void {
  const subchannels = [...channel.internalChannel.wrappedSubchannels].map(({ child }) => child);
  channel.close();
  for (const subchannel of subchannels) {
    subchannel.stopBackoff();
    subchannel.transport?.session.destroy();
    subchannel.connector.session?.destroy();
  }
}

function namesLeader(error: Error): boolean {
  const { type, metadata } = error as { type?: string; metadata?: { get?(key: string): unknown[] } };
  return type === 'not-leader' || metadata?.get?.('exception')[0] === 'not-leader';
}
