import gossip from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import { Empty } from '@eventstore/db-client/generated/shared_pb.js';
import { expect, it } from 'vitest';
import { guardDiscovery } from '../../src/platform/event-store/guard-discovery.ts';
import { startLeaderlessNode } from './leaderless-node.ts';
import { grpc } from './misbehaving-event-store.ts';

it('an answer about a cluster that cannot be read is an error of the question, and not of the process', async () => {
  guardDiscovery();
  const address = /esdb:\/\/([^,]+)/.exec(await startLeaderlessNode())?.[1] ?? '';
  const client = new gossip.GossipClient(address, grpc.credentials.createInsecure() as never);
  const answers: unknown[] = [];
  await new Promise<void>((done) => {
    client.read(new Empty(), (error) => {
      answers.push(error);
      // As the client does with what it cannot read.
      if (error === null) throw new Error('no UUID');
      done();
    });
  });
  expect(answers).toEqual([null, expect.objectContaining({ message: 'no UUID' })]);
  client.close();
});
