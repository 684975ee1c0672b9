import { expect, it } from 'vitest';
import type { Connection } from './connection.ts';
import type { ConnectionSlot } from './connection-slot.ts';
import { DeadlinePassedError } from './deadline.ts';
import { tryUntilDeadline } from './try-until-deadline.ts';

it('tells what the store has said, though a last attempt, which had less time, was not answered', async () => {
  const connection = { waitingSince: { any: null, append: null }, reach: async () => undefined } as unknown as Connection;
  const slot = { current: async () => connection, noteFailure: () => undefined, noteAnswer: () => undefined, replace: () => undefined, awayForMs: () => 0 } as unknown as ConnectionSlot;
  let attempts = 0;
  const attempt = async (): Promise<never> => {
    throw ++attempts === 1 ? Object.assign(new Error('the disk is full'), { type: 'timeout' }) : new DeadlinePassedError(7);
  };
  await expect(tryUntilDeadline(slot, { deadlineMs: 250, answers: 'append' }, attempt)).rejects.toThrow(/gave up after \d attempts: the disk is full/);
  expect(attempts).toBeGreaterThan(1);
});
