import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { postgresBinaries } from '../../src/platform/embedded/postgres-binaries.ts';
import { asUser, serverUser } from '../../src/platform/embedded/server-user.ts';
import { applicationUnder, IN_A_CONTAINER, query, undo, within } from './embedded-rig.ts';

/**
 * PostgreSQL started by root, who may go everywhere, as a user who may not. Certain: what this machine's kernel and
 * setpriv do, also with the rights of a container taken away. Not certain: what other sandboxes take away besides.
 */
const CLOSED = 0o700;

function place(...folders: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'paynotify-user-'));
  undo.push(() => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o755);
  for (const count of folders.keys()) mkdirSync(join(root, ...folders.slice(0, count + 1)), { mode: CLOSED });
  return join(root, ...folders);
}

/** The same programs somewhere else. */
function copyOf(programs: string, target: string): string {
  cpSync(programs, target, { recursive: true, verbatimSymlinks: true });
  return target;
}

/** umask 077 of whoever installed them. */
function closeAll(folder: string): string {
  spawnSync('chmod', ['-R', 'go=', folder]);
  return folder;
}

// Nobody else can start a server as another user.
describe.runIf(process.getuid?.() === 0)('PostgreSQL started by root', () => {
  let programs: string;
  beforeAll(async () => {
    programs = dirname(dirname((await postgresBinaries()).initdb));
  });

  it.each([
    ['nothing', () => ({ data: place(), native: copyOf(programs, join(place(), 'native')) })],
    ['its data', () => ({ data: place('a', 'b'), native: copyOf(programs, join(place(), 'native')) })],
    ['its programs', () => ({ data: place(), native: copyOf(programs, join(place('a', 'b'), 'native')) })],
    ['both, several folders up', () => ({ data: place('a', 'b', 'c'), native: copyOf(programs, join(place('a', 'b', 'c'), 'native')) })],
    ['every file of its programs', () => ({ data: place('a'), native: closeAll(copyOf(programs, join(place('a'), 'native'))) })],
  ])('works as another user to whom %s is closed', (_what, make) => {
    const { data, native } = make();
    const folder = join(data, 'postgres');
    mkdirSync(folder, { mode: CLOSED });
    const initdb = join(native, 'bin/initdb');
    const user = serverUser('PostgreSQL', folder, [initdb, '--show', '-D', join(folder, 'data')]);
    const { program, arguments: rest, identity } = asUser(user, ['/bin/sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', folder, initdb, '-D', join(folder, 'data'), '--no-sync', '--locale=C']);
    const result = spawnSync(program, rest, { ...identity, cwd: '/', env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' });
    expect(`${result.stderr}${result.status}`).toMatch(/0$/);
    expect(statSync(join(folder, 'data/PG_VERSION')).uid).toBe(user?.uid);
    expect(user?.uid).not.toBe(0);
  });

  it('runs below a closed folder with the rights of a container', async () => {
    const { running, message } = await applicationUnder(within(IN_A_CONTAINER), join(place('closed'), 'data'), 'postgres');
    expect(message).toBeUndefined();
    expect(await query(running[0]?.url ?? '', 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('names the closed folder and what to do where a right to pass it cannot be lent', async () => {
    const closed = place('closed');
    const { message } = await applicationUnder(within(IN_A_CONTAINER.filter((right) => right !== 'setpcap')), join(closed, 'data'), 'postgres');
    expect(message).toMatch(/closed to the user "\w+".* cannot lend that user the right to pass .* Move the clone and PAYNOTIFY_DATA .* or run as an ordinary user\.$/);
    // The topmost one: that of the test, unless the whole clone is below one.
    expect(message).toMatch(new RegExp(`(?:${closed}|${foldersAbove(programs)}) is closed`));
  });

  it('says so where root may not share a folder with another user', async () => {
    const { message } = await applicationUnder(within(IN_A_CONTAINER.filter((right) => right !== 'chown')), join(place(), 'data'), 'postgres');
    expect(message).toMatch(/cannot be shared with the user "\w+" .*EPERM.* Set PAYNOTIFY_DATA to a folder where root may do so, or run as an ordinary user\.$/);
  });
});

function foldersAbove(path: string): string {
  return path === '/' ? '/' : `${path}|${foldersAbove(dirname(path))}`;
}
