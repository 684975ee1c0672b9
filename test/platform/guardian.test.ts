import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startGuarded, type Guarded } from '../../src/platform/embedded/guardian.ts';
import { openServerLog } from '../../src/platform/embedded/server-log.ts';
import { freshPath } from '../harness/services.ts';
import { processesIn, undo } from './embedded-rig.ts';

/*
 * What is certain: when a guardian's end is told, guardian, watcher and server are gone. What is not: in which order the
 * system runs guardian and watcher, so what depends on it is tried often enough to see each order.
 */
const ENDS_WITHIN_MS = 3_000;
const TRIES = 60;

function placed() {
  const folder = freshPath();
  mkdirSync(folder, { recursive: true });
  const log = openServerLog(join(folder, 'server.log'));
  undo.push(() => log.close());
  const run = async (command: readonly [string, ...string[]]): Promise<Guarded> => {
    const guarded = await startGuarded({ command, folder, log, environment: { PATH: '/usr/bin:/bin' }, stopSignal: 'TERM', stopLimitMs: 1_000, user: null });
    undo.push(() => guarded.stop());
    return guarded;
  };
  return { folder, log, run };
}

/** The end of it in words, or that it did not come in time. */
const endOf = ({ exited }: Guarded): Promise<string> => Promise.race([exited, wait(ENDS_WITHIN_MS, 'did not end', { ref: false })]);

const groupOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2]);

describe('a guardian', () => {
  test.each([
    ['a program that does not exist', ['/no/such/program'], 'ended with code 127'],
    ['a server that ends at once', ['/bin/sh', '-c', 'exit 3'], 'ended with code 3'],
  ] as const)(`ends with %s, ${TRIES} times at once`, async (_, command, reason) => {
    const { folder, run } = placed();
    const all = await Promise.all(Array.from({ length: TRIES }, () => run(command)));
    expect(await Promise.all(all.map(endOf))).toEqual(Array<string>(TRIES).fill(reason));
    expect(processesIn(folder)).toEqual([]);
  });

  test('leaves the reason in the log of the server, and nothing of its own', async () => {
    const { log, run } = placed();
    await endOf(await run(['/no/such/program']));
    expect(log.text().trim().split('\n')).toEqual([expect.stringMatching(/\/no\/such\/program: not found$/)]);
  });

  test('still stops its server after a signal to the whole group', async () => {
    const { folder, run } = placed();
    const guarded = await run(['/bin/sh', '-c', 'trap "" HUP; exec sleep 60']);
    await expect.poll(() => readFileSync(`/proc/${guarded.pid}/comm`, 'utf8').trim()).toBe('sleep');
    process.kill(-groupOf(guarded.pid), 'SIGHUP');
    // The group's signal has reached everybody when a process that does not ignore it would have ended.
    await wait(200);
    void guarded.stop();
    expect(await endOf(guarded)).toBe('was ended by signal 15');
    expect(processesIn(folder)).toEqual([]);
  });
});
