import { stat } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DeadlinePassedError, withDeadline } from './deadline.ts';

describe('a deadline', () => {
  it('passes when there is no answer', async () => {
    await expect(withDeadline(new Promise(() => undefined), 5)).rejects.toBeInstanceOf(DeadlinePassedError);
  });

  it('does not pass by an answer that is there, unread, when a process without processor time goes on', async () => {
    // Timers are what the event loop comes to next.
    await new Promise(setImmediate);
    const answer = new Promise((resolve) => stat('.', () => resolve('there')));
    const waiting = withDeadline(answer, 5);
    // The file system answers meanwhile, as a server does.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    expect(await waiting).toBe('there');
  });
});
