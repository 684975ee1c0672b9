import { createRequire } from 'node:module';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import { SupportedMethod, SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { BatchAppendResp, ReadResp, type BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import { onTestFinished } from 'vitest';

/** What the fake does with each append request; `call` is the connection's one append stream. */
export type AppendBehaviour = (call: AppendCall, request: BatchAppendReq, breakConnections: () => void) => void;

export interface AppendCall {
  write(answer: BatchAppendResp): void;
  end(): void;
  /** Stops reading, so that the client's requests pile up on its side. */
  pause(): void;
  on(event: 'data', listener: (request: BatchAppendReq) => void): void;
  on(event: 'error', listener: () => void): void;
}

interface GrpcServer {
  addService(service: object, handlers: object): void;
  bindAsync(address: string, credentials: unknown, done: (error: Error | null, port: number) => void): void;
  forceShutdown(): void;
}

/** The gRPC library that the client itself brings along. */
const grpc = createRequire(createRequire(import.meta.url).resolve('@eventstore/db-client'))('@grpc/grpc-js') as {
  Server: new () => GrpcServer;
  ServerCredentials: { createInsecure(): unknown };
};

/** What the fake does with each read or subscription. */
export type ReadBehaviour = (call: { write(answer: ReadResp): void; end(): void; destroy(error: Error): void }) => void;

/** A peer that speaks the protocol of appends and reads and breaks its rules. @returns a connection string. */
export async function startMisbehavingEventStore(onAppend: AppendBehaviour, onRead: ReadBehaviour = (call) => call.end()): Promise<string> {
  const server = new grpc.Server();
  server.addService(ServerFeaturesService, {
    getSupportedMethods: (_call: unknown, answer: (error: null, methods: SupportedMethods) => void) => {
      const method = new SupportedMethod().setServiceName('event_store.client.streams.streams').setMethodName('batchappend');
      answer(null, new SupportedMethods().setEventStoreServerVersion('23.10.0').setMethodsList([method]));
    },
  });
  server.addService(StreamsService, {
    batchAppend(call: AppendCall) {
      call.on('data', (request) => onAppend(call, request, () => server.forceShutdown()));
      call.on('error', () => undefined);
    },
    read: onRead,
  });
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return `esdb://127.0.0.1:${port}?tls=false`;
}

/** A correct success at revision 0. */
export function successFor(request: BatchAppendReq): BatchAppendResp {
  const success = new BatchAppendResp.Success().setCurrentRevision('0');
  return new BatchAppendResp().setCorrelationId(request.getCorrelationId()).setStreamIdentifier(request.getOptions()?.getStreamIdentifier()).setSuccess(success);
}

/** The first answer to a subscription: it is accepted. */
export function subscriptionConfirmation(): ReadResp {
  return new ReadResp().setConfirmation(new ReadResp.SubscriptionConfirmation().setSubscriptionId('subscription'));
}
