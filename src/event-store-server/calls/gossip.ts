import type { GrpcCall } from '../grpc/grpc-call.ts';
import { encode } from '../protobuf/protobuf-writer.ts';
import { encodeUuid } from '../wire/uuid.ts';
import { receiveOne, reply } from './unary-call.ts';

const VNODE_STATE_LEADER = 8;
const TICKS_PER_MS = 10_000;

/** This node as the only member of its cluster. */
export interface Member {
  instanceId: string;
  host: string;
  port: number;
}

/** Gossip.Read: a cluster of one leader, which is what `esdb+discover` needs. */
export function handleGossip(call: GrpcCall, member: Member, now: () => number): void {
  receiveOne(call, () => reply(call, encodeCluster(member, now())));
}

function encodeCluster(member: Member, nowMs: number): Buffer {
  return encode((writer) =>
    writer.message(1, () => {
      encodeUuid(writer, 1, member.instanceId, true);
      writer.varint(2, nowMs * TICKS_PER_MS);
      writer.varint(3, VNODE_STATE_LEADER);
      writer.varint(4, 1);
      writer.message(5, () => {
        writer.string(1, member.host);
        writer.varint(2, member.port);
      });
    }),
  );
}
