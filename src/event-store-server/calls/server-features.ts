import type { GrpcCall } from '../grpc/grpc-call.ts';
import { encode } from '../protobuf/protobuf-writer.ts';
import { receiveOne, reply } from './unary-call.ts';

/** The version whose behaviour is imitated. Clients choose their calls by it. */
const SERVER_VERSION = '23.10.6';

interface Service {
  name: string;
  /** Of each of its methods, in lower case as the real server lists them. */
  methods: Readonly<Record<string, readonly string[]>>;
}

const STREAM_OR_ALL = ['stream', 'all'];

/**
 * What a real node of that version lists, also what is not offered here: where a method is missing, the client goes another
 * way, over HTTP, and fails with words that help nobody. A method that is not offered says so when it is called.
 */
const SERVICES: readonly Service[] = [
  { name: 'event_store.client.redaction.redaction', methods: { geteventpositions: [], switchchunks: [] } },
  {
    name: 'event_store.client.persistent_subscriptions.persistentsubscriptions',
    methods: {
      create: STREAM_OR_ALL,
      update: STREAM_OR_ALL,
      delete: STREAM_OR_ALL,
      read: STREAM_OR_ALL,
      getinfo: STREAM_OR_ALL,
      replayparked: STREAM_OR_ALL,
      list: STREAM_OR_ALL,
      restartsubsystem: STREAM_OR_ALL,
    },
  },
  { name: 'event_store.client.users.users', methods: { create: [], update: [], delete: [], disable: [], enable: [], details: [], changepassword: [], resetpassword: [] } },
  { name: 'event_store.client.streams.streams', methods: { read: ['position', 'events'], append: [], delete: [], tombstone: [], batchappend: ['deadline_duration'] } },
  {
    name: 'event_store.client.operations.operations',
    methods: { startscavenge: [], stopscavenge: [], shutdown: [], mergeindexes: [], resignnode: [], setnodepriority: [], restartpersistentsubscriptions: [] },
  },
  { name: 'event_store.client.gossip.gossip', methods: { read: [] } },
  { name: 'event_store.client.monitoring.monitoring', methods: { stats: [] } },
  { name: 'event_store.client.server_features.serverfeatures', methods: { getsupportedmethods: [] } },
];

export function handleServerFeatures(call: GrpcCall): void {
  receiveOne(call, () => reply(call, encodeFeatures()));
}

function encodeFeatures(): Buffer {
  return encode((writer) => {
    for (const { name, methods } of SERVICES) {
      for (const [method, features] of Object.entries(methods)) {
        writer.message(1, () => {
          writer.string(1, method);
          writer.string(2, name);
          for (const feature of features) writer.string(3, feature);
        });
      }
    }
    writer.string(2, SERVER_VERSION);
  });
}
