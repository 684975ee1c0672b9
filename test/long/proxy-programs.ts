import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const UNPACKED = resolve(import.meta.dirname, '../../.data/proxies');
const PACKAGES = ['nginx', 'haproxy', 'apache2-bin', 'caddy'];
const PLACES = ['usr/sbin', 'usr/bin'];

export const LIBRARIES = join(UNPACKED, 'usr/lib/x86_64-linux-gnu');

/**
 * Debian's servers, installed or unpacked below `.data`: installing them would start them, on ports of this machine.
 * @returns the path of a program, or null where it can neither be found nor be had.
 */
export function findProxyProgram(name: string): string | null {
  const roots = ['/', UNPACKED];
  const find = (): string | undefined => roots.flatMap((root) => PLACES.map((place) => join(root, place, name))).find((path) => existsSync(path));
  const found = find();
  if (found !== undefined || existsSync(UNPACKED)) return found ?? null;
  return unpack() ? (find() ?? null) : null;
}

/** Those packages and what this machine lacks of their libraries. */
function unpack(): boolean {
  const draft = `${UNPACKED}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  try {
    const plan = execFileSync('apt-get', ['--simulate', '--no-install-recommends', 'install', ...PACKAGES], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const wanted = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name as string);
    if (spawnSync('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', ...wanted], { cwd: draft }).status !== 0) return false;
    for (const file of readdirSync(draft).filter((one) => one.endsWith('.deb'))) {
      execFileSync('dpkg-deb', ['--extract', join(draft, file), draft]);
      rmSync(join(draft, file));
    }
    renameSync(draft, UNPACKED);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
