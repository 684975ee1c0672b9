import { describe, expect, it } from 'vitest';
import { DependencyUnavailableError, MessageError } from '../../contracts/errors.ts';
import { settle, troubleOf, UNEXPECTED_ERROR, type Trouble } from './settle.ts';

const away: Trouble = { kind: 'infrastructure', cause: 'database away' };
const bad: Trouble = { kind: 'message', code: 'no-such-order', cause: 'no order', retryable: true };
const hopeless: Trouble = { ...bad, retryable: false };

it.each([
  [away, 256, 1, 'pause'],
  [away, 1, 1, 'pause'],
  [away, 1, 3, 'pause'],
  [away, 1, 1000, 'pause'],
  [bad, 256, 1, 'split'],
  [bad, 2, 3, 'split'],
  [bad, 1, 1, 'retry'],
  [bad, 1, 2, 'retry'],
  [bad, 1, 3, 'park'],
  [bad, 1, 4, 'park'],
  [hopeless, 256, 1, 'split'],
  [hopeless, 1, 1, 'park'],
] as const)('%o, %i message(s), attempt %i of 3: %s', (trouble, size, attempt, settlement) => {
  expect(settle(trouble, { size, attempt, attemptsMax: 3 })).toBe(settlement);
});

describe('an error', () => {
  const wrapped = (cause: unknown) => Object.assign(new Error('Raw query failed'), { code: 'P2010', meta: { driverAdapterError: { cause } } });

  it.each([
    ['of a dependency that is away', new DependencyUnavailableError('database', 'away')],
    ['of a deadlock', wrapped({ kind: 'postgres', code: '40P01' })],
    ['of a conflict between transactions', Object.assign(new Error('conflict'), { code: 'P2034' })],
    ['of a lock not granted in time', wrapped({ kind: 'postgres', originalCode: '55P03' })],
    ['of a transaction over its time', Object.assign(new Error('expired'), { code: 'P2028' })],
  ])('%s is infrastructure', (_case, error) => {
    expect(troubleOf(error)).toMatchObject({ kind: 'infrastructure' });
  });

  it.each([
    ['thrown on purpose', new MessageError('no-such-order', 'no order'), 'no-such-order', true],
    ['thrown on purpose and hopeless', new MessageError('bad', 'bad', { retryable: false }), 'bad', false],
    ['of a bug in a handler', new TypeError('x is undefined'), UNEXPECTED_ERROR, true],
    ['of a broken constraint', wrapped({ kind: 'postgres', code: '23514' }), UNEXPECTED_ERROR, true],
    ['that is no error at all', 'a string', UNEXPECTED_ERROR, true],
    ['that is nothing', undefined, UNEXPECTED_ERROR, true],
  ])('%s counts against the message', (_case, error, code, retryable) => {
    expect(troubleOf(error)).toMatchObject({ kind: 'message', code, retryable });
  });
});
