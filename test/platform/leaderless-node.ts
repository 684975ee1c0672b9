import { GossipService } from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import { ClusterInfo, EndPoint, MemberInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { grpc, isSubscription, listen, subscriptionConfirmation, type ReadBehaviour } from './misbehaving-event-store.ts';

/** UNAVAILABLE, as a node without a quorum answers. */
const NOT_READY = { code: 14, details: 'Server Is Not Ready' };

type ReadCall = Parameters<ReadBehaviour>[0];

/**
 * The node of a cluster that loses its leader with the first read: reads are put off from then on, gossip knows of no
 * leader, and the subscription that was taken before is dropped when the caller is next heard of.
 * @returns a connection string that names it and a node that was never there.
 */
export async function startLeaderlessNode(): Promise<string> {
  const server = new grpc.Server();
  let port = 0;
  let hasLeader = true;
  let subscription: ReadCall | null = null;
  const drop = (): void => {
    subscription?.emit('error', Object.assign(new Error(NOT_READY.details), NOT_READY));
    subscription = null;
  };
  server.addService(GossipService, {
    read(_call: unknown, answer: (error: null, cluster: ClusterInfo) => void) {
      const { LEADER, UNKNOWN } = MemberInfo.VNodeState;
      const member = new MemberInfo().setIsAlive(true).setState(hasLeader ? LEADER : UNKNOWN).setHttpEndPoint(new EndPoint().setAddress('127.0.0.1').setPort(port));
      answer(null, new ClusterInfo().setMembersList([member]));
      if (!hasLeader) drop();
    },
  });
  server.addService(StreamsService, {
    read(call: ReadCall) {
      if (isSubscription(call.request)) {
        subscription = call;
        call.write(subscriptionConfirmation());
        return;
      }
      if (!hasLeader) drop();
      hasLeader = false;
      call.emit('error', Object.assign(new Error(NOT_READY.details), NOT_READY));
    },
  });
  port = await listen(server);
  return `esdb://127.0.0.1:${port},127.0.0.1:1?tls=false`;
}
