import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { handleAppend } from './calls/append.ts';
import { serveBatchAppend } from './calls/batch-append.ts';
import { handleDelete } from './calls/delete-stream.ts';
import type { Member } from './calls/gossip.ts';
import { handleGossip } from './calls/gossip.ts';
import { handleRead } from './calls/read.ts';
import { handleServerFeatures } from './calls/server-features.ts';
import type { SubscriptionBehaviour } from './calls/subscription-behaviour.ts';
import { DEFAULT_BEHAVIOUR } from './calls/subscription-behaviour.ts';
import type { CallHandler, GrpcServer, Identity } from './grpc/grpc-server.ts';
import { listenGrpc } from './grpc/grpc-server.ts';
import { EventStore } from './store/event-store.ts';

/** Without an identity nothing here checks who is calling, so by default only this machine can. */
const DEFAULT_HOST = '127.0.0.1';

/** Paths of PEM files. */
export interface IdentityFiles {
  certificateFile: string;
  keyFile: string;
}

/** What is not said of subscriptions is as in DEFAULT_BEHAVIOUR. */
export interface EventStoreServerOptions extends Partial<SubscriptionBehaviour> {
  /** 0 lets the operating system choose. */
  port: number;
  host?: string;
  /** Where the events are kept; null keeps them in memory. */
  directory: string | null;
  /** TLS with this certificate, for those only who show the same one; without it plain, and for everybody. */
  identity?: IdentityFiles;
  /** Unix time in ms; the time stamped on events. */
  now?: () => number;
}

export interface EventStoreServer {
  port: number;
  /** Resolves if the store can no longer be written, with the reason. It then answers appends with UNAVAILABLE; close it. */
  broken: Promise<Error>;
  /** Answers what was accepted, ends open calls with UNAVAILABLE, and releases port and files. */
  close(): Promise<void>;
}

/**
 * Starts an event store in the calling thread. Rejects with StoreError when the directory is in use, foreign or
 * damaged, and with the error of `listen` when the port is taken.
 */
export async function startEventStoreServer(options: EventStoreServerOptions): Promise<EventStoreServer> {
  const now = options.now ?? Date.now;
  const host = options.host ?? DEFAULT_HOST;
  const broken = Promise.withResolvers<Error>();
  const store = new EventStore(options.directory, now, broken.resolve);
  const member = { instanceId: randomUUID(), host, port: options.port };
  let server: GrpcServer;
  try {
    const identity = options.identity === undefined ? null : readIdentity(options.identity);
    server = await listenGrpc(callHandlers(store, member, now, { ...DEFAULT_BEHAVIOUR, ...options }), host, options.port, identity);
  } catch (error) {
    store.close();
    throw error;
  }
  member.port = server.port;
  return { port: server.port, broken: broken.promise, close: () => closeOnce(store, server) };
}

function readIdentity({ certificateFile, keyFile }: IdentityFiles): Identity {
  return { certificate: readFileSync(certificateFile), key: readFileSync(keyFile) };
}

function callHandlers(store: EventStore, member: Member, now: () => number, behaviour: SubscriptionBehaviour): ReadonlyMap<string, CallHandler> {
  const streams = '/event_store.client.streams.Streams';
  return new Map<string, CallHandler>([
    [`${streams}/Read`, (call) => handleRead(store, call, behaviour)],
    [`${streams}/Append`, (call) => handleAppend(store, call, now)],
    [`${streams}/BatchAppend`, (call) => serveBatchAppend(store, call, now)],
    [`${streams}/Delete`, (call) => handleDelete(store, call, now, 'softDelete')],
    [`${streams}/Tombstone`, (call) => handleDelete(store, call, now, 'tombstone')],
    ['/event_store.client.server_features.ServerFeatures/GetSupportedMethods', handleServerFeatures],
    ['/event_store.client.gossip.Gossip/Read', (call) => handleGossip(call, member, now)],
  ]);
}

/** Calls are ended before the file is closed, since a reader may be between two pages. */
async function closeOnce(store: EventStore, server: GrpcServer): Promise<void> {
  store.flush();
  await server.close();
  store.close();
}
