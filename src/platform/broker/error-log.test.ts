import { expect, it, vi } from 'vitest';
import { silentLogger } from '../observe/logger.ts';
import { createErrorLog, describeError } from './error-log.ts';

it('writes one line per second, and says how many it left out', () => {
  const warn = vi.fn();
  let nowMs = 0;
  const errors = createErrorLog({ ...silentLogger, warn } as never, 'consume', () => nowMs);
  for (let i = 0; i < 500; i++) errors.report(new Error(`ack ${i}`));
  nowMs = 1000;
  errors.report(new Error('later'));
  expect(warn.mock.calls.map(([line]) => line)).toMatchObject([
    { event: 'broker.error', connection: 'consume', error: 'ack 0', suppressed: 0 },
    { error: 'later', suppressed: 499 },
  ]);
  expect(errors.last).toBe('later');
});

it.each([
  [new Error('x'.repeat(1000)), 'x'.repeat(300)],
  [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  [Object.assign(new Error('message rejected by server'), { code: 'NACK' }), 'NACK: message rejected by server'],
  [Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }), 'connect ECONNREFUSED 127.0.0.1:1'],
  ['thrown text', 'thrown text'],
])('describes %s in few words', (error, words) => {
  expect(describeError(error)).toBe(words);
});
