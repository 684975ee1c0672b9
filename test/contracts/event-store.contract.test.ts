import { describe } from 'vitest';
import { appendContract } from './event-store/append-contract.ts';
import { checkpointContract } from './event-store/checkpoint-contract.ts';
import { connectionContract } from './event-store/connection-contract.ts';
import { positionContract } from './event-store/position-contract.ts';
import { readContract } from './event-store/read-contract.ts';
import { refusalContract } from './event-store/refusal-contract.ts';
import { serversUnderTest, useServer } from './event-store/server-under-test.ts';
import { streamLifecycleContract } from './event-store/stream-lifecycle-contract.ts';
import { subscriptionContract } from './event-store/subscription-contract.ts';
import { subscriptionStreamContract } from './event-store/subscription-stream-contract.ts';
import { systemStreamsContract } from './event-store/system-streams-contract.ts';

/**
 * What the application may rely on, written against the official client alone. The same file runs against the
 * embedded store and, with EVENTSTORE_URL, against a real EventStoreDB or KurrentDB node.
 */
describe.each(serversUnderTest())('$name', (server) => {
  const fixture = useServer(server);
  connectionContract(fixture);
  appendContract(fixture);
  readContract(fixture);
  positionContract(fixture);
  refusalContract(fixture);
  streamLifecycleContract(fixture);
  subscriptionContract(fixture);
  checkpointContract(fixture);
  subscriptionStreamContract(fixture);
  systemStreamsContract(fixture);
});
