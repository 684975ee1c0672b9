import { expect, it } from 'vitest';
import { deadQueueOf, MODULE_NAMES, MODULE_QUEUES } from './topology.ts';

it('gives every module a queue and a dead queue of its own', () => {
  const queues = MODULE_NAMES.flatMap((name) => [MODULE_QUEUES[name], deadQueueOf(MODULE_QUEUES[name])]);
  expect(queues).toEqual(['paynotify_queue', 'paynotify_queue.dead', 'paynotify_orders_queue', 'paynotify_orders_queue.dead']);
});
