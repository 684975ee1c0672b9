import type { GrpcCall } from '../grpc/grpc-call.ts';
import { encode } from '../protobuf/protobuf-writer.ts';
import { receiveOne, reply } from './unary-call.ts';

/** The version whose behaviour is imitated. Clients choose their calls by it. */
const SERVER_VERSION = '23.10.6';

const STREAMS = 'event_store.client.streams.streams';

/** What is offered, in lower case as the real server lists it. A method that is missing here answers UNIMPLEMENTED. */
const METHODS: readonly { service: string; method: string; features: readonly string[] }[] = [
  { service: STREAMS, method: 'read', features: ['position', 'events'] },
  { service: STREAMS, method: 'append', features: [] },
  { service: STREAMS, method: 'delete', features: [] },
  { service: STREAMS, method: 'tombstone', features: [] },
  { service: STREAMS, method: 'batchappend', features: ['deadline_duration'] },
  { service: 'event_store.client.gossip.gossip', method: 'read', features: [] },
  { service: 'event_store.client.server_features.serverfeatures', method: 'getsupportedmethods', features: [] },
];

export function handleServerFeatures(call: GrpcCall): void {
  receiveOne(call, () => reply(call, encodeFeatures()));
}

function encodeFeatures(): Buffer {
  return encode((writer) => {
    for (const { service, method, features } of METHODS) {
      writer.message(1, () => {
        writer.string(1, method);
        writer.string(2, service);
        for (const feature of features) writer.string(3, feature);
      });
    }
    writer.string(2, SERVER_VERSION);
  });
}
