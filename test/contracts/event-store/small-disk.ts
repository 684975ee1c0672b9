import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAIN, startProcess } from './store-process.ts';
import type { StoreProcess } from './store-process.ts';

/**
 * A real file system of a fixed size. It is mounted in a mount namespace of its own, which a waiting process holds open.
 * The kernel ends the mount with the last process in the namespace, and the holder ends with its standard input, so that
 * neither a failed test nor a killed test run leaves a mount behind.
 */
export interface SmallDisk {
  /** Where this process sees the file system. */
  readonly seenAt: string;
  freeBytes(): Promise<number>;
  /** The store's own process, with its data in `directory` of the disk; rejects with what it says when it cannot start. */
  startStore(directory: string): Promise<StoreProcess>;
  close(): Promise<void>;
}

/** Root needs no user namespace, and does without where those are forbidden. */
const IS_ROOT = process.getuid?.() === 0;
const UNSHARE = IS_ROOT ? ['--mount'] : ['--mount', '--user', '--map-root-user'];
const ENTER = IS_ROOT ? ['--mount'] : ['--mount', '--user', '--preserve-credentials'];
const MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$0"';

/** False on other systems than Linux and in containers without the right to mount. */
export function canMountSmallDisk(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'event-store-mount-'));
  const { status } = spawnSync('unshare', [...UNSHARE, 'sh', '-c', `${MOUNT} && nsenter --version`, directory, '64k'], { stdio: 'ignore' });
  rmSync(directory, { recursive: true });
  return status === 0;
}

export async function mountSmallDisk(bytes: number): Promise<SmallDisk> {
  const directory = await mkdtemp(join(tmpdir(), 'event-store-disk-'));
  const holder = spawn('unshare', [...UNSHARE, 'sh', '-c', `${MOUNT} && echo MOUNTED && exec cat`, directory, String(bytes)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  await Promise.race([once(holder.stdout, 'data'), ended.then(() => Promise.reject(new Error('the small disk cannot be mounted')))]);
  const seenAt = join(`/proc/${holder.pid}/root`, directory);
  return {
    seenAt,
    async freeBytes() {
      const { bavail, bsize } = await statfs(seenAt);
      return bavail * bsize;
    },
    startStore: (name) => startProcess('nsenter', ['--target', String(holder.pid), ...ENTER, process.execPath, MAIN, '--port', '0', '--data', join(directory, name)]),
    async close() {
      holder.stdin.end();
      await ended;
      await rm(directory, { recursive: true });
    },
  };
}
