import { MODULE_QUEUES } from '../../../src/contracts/topology.ts';
import type { BrokerConnection } from '../../../src/platform/broker/connect.ts';
import { readQueueDepth } from '../../../src/platform/broker/queue-depth.ts';
import { pause } from '../../../src/platform/process/backoff.ts';

export const QUEUES: readonly string[] = Object.values(MODULE_QUEUES);
const DEPTH_POLL_MS = 50;
const DEPTH_WAIT_MS = 10_000;

export async function emptyQueues(broker: BrokerConnection): Promise<void> {
  const channel = await broker.acquire();
  for (const queue of QUEUES) await channel.queuePurge({ queue });
  await channel.close();
}

/** The broker counts a little behind its confirms and acknowledgements. @throws Error when it stays another number. */
export async function expectDepth(broker: BrokerConnection, expected: number): Promise<void> {
  const endsAt = performance.now() + DEPTH_WAIT_MS;
  for (const queue of QUEUES) {
    let depth = await readQueueDepth(broker, queue);
    for (; depth !== expected && performance.now() < endsAt; depth = await readQueueDepth(broker, queue)) await pause(DEPTH_POLL_MS);
    if (depth !== expected) throw new Error(`queue ${queue} holds ${depth} messages instead of ${expected}`);
  }
}
