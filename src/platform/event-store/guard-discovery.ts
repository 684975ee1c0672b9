import gossip from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import { destroyChannel, type Channel } from './guard-channel.ts';

type Read = (this: unknown, ...args: unknown[]) => unknown;
type Answer = (error: Error | null, cluster?: unknown) => void;

let guarded = false;

/**
 * Repairs how client 6.2.1 asks a node for the members of its cluster:
 *
 * 1. All questions of a process to one node share a connection and its growing reconnect delay, so that a node that is
 *    back is not found. Here each has its own.
 * 2. The socket to a node that is frozen stays. Here it is destroyed with the answer, or when there was none in time.
 * 3. An answer that the client cannot read makes it throw where nobody can catch it, and the search never ends. Here it
 *    is a node that could not be asked.
 */
export function guardDiscovery(): void {
  if (guarded) return;
  guarded = true;
  const { GossipClient } = gossip;
  class GuardedGossipClient extends GossipClient {
    constructor(address: string, credentials: ConstructorParameters<typeof GossipClient>[1], options?: object) {
      super(address, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 });
    }

    override close(): void {
      destroyChannel(this.getChannel() as unknown as Channel);
    }
  }
  const asking = GossipClient.prototype as unknown as { read: Read };
  const ask = asking.read;
  const read: Read = function (...args) {
    const answer = args.pop() as Answer;
    return ask.call(this, ...args, orUnreadable(answer));
  };
  Object.assign(GuardedGossipClient.prototype, { read });
  Object.assign(gossip, { GossipClient: GuardedGossipClient });
}

function orUnreadable(answer: Answer): Answer {
  return (error, cluster) => {
    try {
      answer(error, cluster);
    } catch (unreadable) {
      answer(unreadable instanceof Error ? unreadable : new Error(String(unreadable)));
    }
  };
}
