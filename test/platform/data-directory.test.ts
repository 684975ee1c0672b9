import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/platform/embedded/index.ts';
import { openPorts } from '../../src/platform/embedded/ports.ts';
import { freshPath } from '../harness/services.ts';
import { application, kill, opened } from './embedded-rig.ts';

describe('the data directory', () => {
  test('refuses a second process, naming the first, and is free the moment that one is killed', async () => {
    const path = freshPath();
    const first = await application(path);
    const second = await application(path);
    expect(second).toMatchObject({ error: 'DataDirectoryInUseError' });
    expect(second.message).toContain(`process ${first.pid}`);
    await kill(first.child);
    expect((await application(path)).error).toBeUndefined();
  });

  test('goes to exactly one of six processes that start at once', async () => {
    const path = freshPath();
    const all = await Promise.all(Array.from({ length: 6 }, () => application(path)));
    const winners = all.filter(({ error }) => error === undefined);
    expect(winners).toHaveLength(1);
    for (const { message } of all.filter(({ error }) => error !== undefined)) expect(message).toContain(`process ${winners[0]?.pid}`);
  });

  test('is refused within one process, too, until it is released', async () => {
    const directory = await opened();
    await expect(openDataDirectory(directory.path)).rejects.toThrow(`process ${process.pid}`);
    directory.release();
    await opened(directory.path);
  });

  test('is closed to others, also one that was open before, with its folders and its lock', async () => {
    const path = freshPath();
    mkdirSync(join(path, 'event-store'), { recursive: true });
    writeFileSync(join(path, 'in-use.lock'), '');
    for (const [name, mode] of [['', 0o777], ['event-store', 0o755], ['in-use.lock', 0o666]] as const) chmodSync(join(path, name), mode);
    const directory = await opened(path);
    const mode = (name: string): number => statSync(join(path, name)).mode & 0o777;
    // Root lets the servers' user pass through, and neither list nor open anything.
    expect(mode('')).toBe(process.getuid?.() === 0 ? 0o711 : 0o700);
    expect(mode('in-use.lock')).toBe(0o600);
    directory.folder('event-store');
    expect(mode('event-store')).toBe(0o700);
  });

  // Only root can give a folder to somebody else.
  test.runIf(process.getuid?.() === 0)('that belongs to another user is refused, and nothing is written there', async () => {
    const path = freshPath();
    mkdirSync(path);
    chownSync(path, 54_321, 54_321);
    await expect(openDataDirectory(path)).rejects.toThrow(/belongs to another user \(uid 54321; this process runs as uid 0\).*chown -R.*PAYNOTIFY_DATA/);
    expect(readdirSync(path)).toEqual([]);
  });

  test('remembers ports, and chooses anew when a stranger sits on one', async () => {
    const file = join((await opened()).path, 'some-ports.json');
    const port = await openPorts(file).take('a');
    expect(await openPorts(file).take('a')).toBe(port);
    const stranger = createServer().listen(port, '127.0.0.1');
    await once(stranger, 'listening');
    const other = await openPorts(file).take('a');
    stranger.close();
    expect(other).not.toBe(port);
    expect(await openPorts(file).take('a')).toBe(other);
  });

  test('gives different ports to servers that ask at once, and survives a damaged file', async () => {
    const file = join((await opened()).path, 'some-ports.json');
    writeFileSync(file, '{"a": 123');
    const ports = openPorts(file);
    const chosen = await Promise.all(['a', 'b', 'c', 'd'].map((name) => ports.take(name)));
    expect(new Set(chosen).size).toBe(4);
  });
});
