import { expect, it } from 'vitest';
import { stacksOf } from './complain.ts';
import { redactLine } from './platform/observe/redact.ts';

const SECRET = 'Zq7Xv9Kw3Jx8';

it('a failure that nobody foresaw is told with its causes, and without what its client was called with', () => {
  const cause = Object.assign(new TypeError('Invalid URL'), { input: `postgresql://u:${SECRET}@h`, connectionParameters: { password: SECRET } });
  const both = new AggregateError([cause, new Error(`cannot reach amqp://u:${SECRET}@mq`)], 'nothing worked');
  const told = redactLine(stacksOf(new Error('the start failed', { cause: both })));
  for (const message of ['the start failed', 'nothing worked', 'Invalid URL', 'cannot reach amqp://u:']) expect(told).toContain(message);
  expect(told).not.toContain(SECRET);
  expect(stacksOf('a word')).toBe("'a word'");
});
