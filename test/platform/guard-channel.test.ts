import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startLeaderlessNode } from './leaderless-node.ts';

const ENTRY = resolve(import.meta.dirname, 'outage-reader.ts');
/** The client asks ten times, a tenth of a second apart, before the rejection; and a busy machine. */
const ENDS_WITHIN_MS = 5_000;

/** What came of reading, in a process of its own, from a cluster that has just lost its leader. */
async function readLeaderless(how: 'bare' | 'guarded') {
  const child = fork(ENTRY, [await startLeaderlessNode(), how], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const written: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => written.push(chunk));
  const heard: string[] = [];
  child.on('message', (message: string) => heard.push(message));
  const ended = once(child, 'exit').then(([code]) => code as number);
  // A process that has nothing more to do would end by itself, were it not for its parent.
  const code = await Promise.race([ended, new Promise<'runs on'>((done) => setTimeout(done, ENDS_WITHIN_MS, 'runs on'))]);
  return { code, heard, errors: Buffer.concat(written).toString() };
}

it('a cluster that loses its leader ends the process of the bare client, and not ours', { timeout: 4 * ENDS_WITHIN_MS }, async () => {
  // When this part fails, the client has changed, and the guard may go.
  const bare = await readLeaderless('bare');
  expect(bare.code).toBe(1);
  expect(bare.errors).toContain('Failed to discover after 10 attempts');
  expect(bare.heard).toHaveLength(3);

  const guarded = await readLeaderless('guarded');
  expect(guarded.errors).toBe('');
  expect(guarded.code).toBe('runs on');
  expect(guarded.heard).toHaveLength(3);
  for (const message of guarded.heard) expect(message).toMatch(/Server Is Not Ready/);
});
