import { createRequire } from 'node:module';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import { SupportedMethod, SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import { Code } from '@eventstore/db-client/generated/code_pb.js';
import { Status } from '@eventstore/db-client/generated/status_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb.js';
import { BatchAppendResp, ReadResp, type BatchAppendReq, type ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { onTestFinished } from 'vitest';

/** What the fake does with each append request; `call` is the connection's one append stream. */
export type AppendBehaviour = (call: AppendCall, request: BatchAppendReq, breakConnections: () => void) => void;

export interface AppendCall {
  write(answer: BatchAppendResp): void;
  end(): void;
  /** Ends the call with a status of gRPC. */
  emit(event: 'error', status: object): void;
  /** Stops reading, so that the client's requests pile up on its side. */
  pause(): void;
  on(event: 'data', listener: (request: BatchAppendReq) => void): void;
  on(event: 'error', listener: () => void): void;
}

export interface GrpcServer {
  addService(service: object, handlers: object): void;
  bindAsync(address: string, credentials: unknown, done: (error: Error | null, port: number) => void): void;
  forceShutdown(): void;
}

/** Libraries that the client itself brings along. */
const requireAsClient = createRequire(createRequire(import.meta.url).resolve('@eventstore/db-client'));
export const grpc = requireAsClient('@grpc/grpc-js') as {
  Server: new () => GrpcServer;
  Metadata: new () => { set(key: string, value: string): void };
  ServerCredentials: { createInsecure(): unknown };
  credentials: { createInsecure(): unknown };
};
const { Any } = requireAsClient('google-protobuf/google/protobuf/any_pb.js') as { Any: new () => PackedAny };
type PackedAny = NonNullable<Parameters<Status['setDetails']>[0]>;

/** What the fake does with each read or subscription. */
export type ReadBehaviour = (call: { readonly request: ReadReq; write(answer: ReadResp): void; end(): void; emit(event: 'error', error: Error): void }) => void;

/** What the fake does when it is asked what it can do; `answer` says that it takes batch appends. */
export type FeaturesBehaviour = (answer: () => void) => void;

/** A peer that speaks the protocol of appends and reads and breaks its rules. @returns a connection string. */
export async function startMisbehavingEventStore(
  onAppend: AppendBehaviour,
  onRead: ReadBehaviour = (call) => call.end(),
  onFeatures: FeaturesBehaviour = (answer) => answer(),
): Promise<string> {
  const server = new grpc.Server();
  server.addService(ServerFeaturesService, {
    getSupportedMethods: (_call: unknown, answer: (error: null, methods: SupportedMethods) => void) => {
      const method = new SupportedMethod().setServiceName('event_store.client.streams.streams').setMethodName('batchappend');
      onFeatures(() => answer(null, new SupportedMethods().setEventStoreServerVersion('23.10.0').setMethodsList([method])));
    },
  });
  server.addService(StreamsService, {
    batchAppend(call: AppendCall) {
      call.on('data', (request) => onAppend(call, request, () => server.forceShutdown()));
      call.on('error', () => undefined);
    },
    read: onRead,
  });
  return `esdb://127.0.0.1:${await listen(server)}?tls=false`;
}

/** Until the test is finished. @returns the port. */
export function listen(server: GrpcServer): Promise<number> {
  onTestFinished(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
}

/** A correct success at revision 0. */
export function successFor(request: BatchAppendReq): BatchAppendResp {
  const success = new BatchAppendResp.Success().setCurrentRevision('0');
  return new BatchAppendResp().setCorrelationId(request.getCorrelationId()).setStreamIdentifier(request.getOptions()?.getStreamIdentifier()).setSuccess(success);
}

/** The answer that nothing was stored, for a reason of the server's own. */
export function refusalFor(request: BatchAppendReq, reason: string): BatchAppendResp {
  const details = new Any();
  details.setTypeUrl('type.googleapis.com/google.rpc.DebugInfo');
  const error = new Status().setCode(Code.UNKNOWN).setMessage(reason).setDetails(details);
  return new BatchAppendResp().setCorrelationId(request.getCorrelationId()).setStreamIdentifier(request.getOptions()?.getStreamIdentifier()).setError(error);
}

/** The first answer to a subscription: it is accepted. */
export function subscriptionConfirmation(): ReadResp {
  return new ReadResp().setConfirmation(new ReadResp.SubscriptionConfirmation().setSubscriptionId('subscription'));
}

/** Whether the call is a subscription, and not a read of a number of events. */
export function isSubscription(request: ReadReq): boolean {
  return request.getOptions()?.hasSubscription() === true;
}

/** The first event of a stream, at a position of the log. */
export function readEvent(stream: string, id: string, position: string): ReadResp {
  const recorded = new ReadResp.ReadEvent.RecordedEvent()
    .setId(new UUID().setString(id))
    .setStreamIdentifier(new StreamIdentifier().setStreamName(Buffer.from(stream)))
    .setStreamRevision('0')
    .setPreparePosition(position)
    .setCommitPosition(position)
    .setData(Buffer.from('{}'));
  recorded.getMetadataMap().set('type', 'Happened').set('content-type', 'application/json').set('created', '17000000000000000');
  return new ReadResp().setEvent(new ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position));
}
