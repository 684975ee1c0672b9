import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Channel } from 'rabbitmq-client';
import { expect, it } from 'vitest';
import { gatherWrites } from './gather-writes.ts';

function fakeChannel(calls: string[]): Channel {
  return { _conn: { _socket: { cork: () => calls.push('cork'), uncork: () => calls.push('uncork') } } } as unknown as Channel;
}

it('holds the socket back once per turn, however many messages it sends, and lets it go at the end of each', async () => {
  const calls: string[] = [];
  const gather = gatherWrites(fakeChannel(calls));
  gather();
  gather();
  expect(calls).toEqual(['cork']);
  await nextTurn();
  expect(calls).toEqual(['cork', 'uncork']);
  gather();
  await nextTurn();
  expect(calls).toEqual(['cork', 'uncork', 'cork', 'uncork']);
});

it('does nothing where the client keeps its socket elsewhere', () => {
  const nothing: unknown = {};
  expect(() => gatherWrites(nothing as Channel)()).not.toThrow();
  expect(() => gatherWrites({ _conn: { _socket: {} } } as unknown as Channel)()).not.toThrow();
});
