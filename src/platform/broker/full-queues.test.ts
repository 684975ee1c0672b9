import { expect, test } from 'vitest';
import { explainNack, fullQueues } from './full-queues.ts';

/** As rabbitmqctl 3.10 prints them. */
const bound = (destination_name: string, source_name = 'paynotify_exchange_fanout', destination_kind: 'queue' | 'exchange' = 'queue') => ({ source_name, destination_name, destination_kind });
const queue = (name: string, messages: number | '', args: Record<string, unknown>, policy = '') => ({ name, messages, policy, arguments: Object.entries(args).map(([key, value]) => [key, 'any', value] as const) });
const REJECTS = { 'x-overflow': 'reject-publish' };

test.each([
  ['a full one', [bound('a')], [queue('a', 3, { ...REJECTS, 'x-max-length': 3 })], [{ name: 'a', messages: 3, messagesMax: 3 }]],
  ['only the full one of two', [bound('a'), bound('b')], [queue('a', 3, { ...REJECTS, 'x-max-length': 3 }), queue('b', 2, { ...REJECTS, 'x-max-length': 3 })], [{ name: 'a', messages: 3, messagesMax: 3 }]],
  ['both that may be, when neither looks full', [bound('a'), bound('b')], [queue('a', 1, { ...REJECTS, 'x-max-length': 3 }), queue('b', 2, { ...REJECTS, 'x-max-length-bytes': 9 })], [{ name: 'a', messages: 1, messagesMax: 3 }, { name: 'b', messages: 2, messagesMax: null }]],
  ['one behind another exchange, and rings of exchanges', [bound('e', undefined, 'exchange'), bound('e', 'e', 'exchange'), bound('a', 'e')], [queue('a', 1, { ...REJECTS, 'x-max-length': 1 })], [{ name: 'a', messages: 1, messagesMax: 1 }]],
  ['one that is limited by a policy', [bound('a')], [queue('a', 1, {}, 'p')], [{ name: 'a', messages: 1, messagesMax: 1 }]],
  ['one whose argument rejects and whose policy limits', [bound('a')], [queue('a', 5, { 'x-overflow': 'reject-publish-dlx' }, 'limit')], [{ name: 'a', messages: 5, messagesMax: 5 }]],
  ['none that drops its oldest', [bound('a')], [queue('a', 5, { 'x-max-length': 5 })], []],
  ['none without a limit, like our own', [bound('a')], [queue('a', 5, REJECTS)], []],
  ['none that is not bound', [bound('a', 'elsewhere')], [queue('a', 5, { ...REJECTS, 'x-max-length': 1 })], []],
])('finds %s', (_name, bindings, queues, expected) => {
  const policies = [{ name: 'p', definition: '{"max-length":1,"overflow":"reject-publish"}' }, { name: 'limit', definition: '{"max-length":5}' }];
  expect(fullQueues(bindings, queues, policies)).toEqual(expected);
});

test.each([
  ['is not ours', null],
  ['does not answer', () => Promise.reject(new Error('rabbitmqctl failed'))],
  ['answers what nobody can read', async () => 'not json'],
])('names the commands where the broker %s', async (_name, tool) => {
  expect(await explainNack(tool, 'shop')).toMatch(/full and rejects.*rabbitmqctl list_queues -p 'shop' name messages arguments policy/);
});
