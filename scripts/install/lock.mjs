import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { InstallError, say } from './report.mjs';

/** Longer than the longest installation that anybody would wait for. */
const WAIT_LIMIT_MS = 15 * 60_000;
const POLL_MS = 250;

/**
 * Runs `work` while no other installation of this clone runs; waits for one that does. The lock is a file with the
 * holder's pid, made in one step; that of a holder that is gone is moved aside. (A kernel lock would be simpler, but
 * nothing that Node 20 comes with can take one.)
 */
export async function withInstallLock(root, work) {
  const folder = join(root, '.data');
  mkdirSync(folder, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const file = join(folder, 'install.lock');
  await take(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function take(file) {
  const deadline = Date.now() + WAIT_LIMIT_MS;
  for (let told = false; !tryCreate(file); ) {
    const holder = holderOf(file);
    if (holder !== null && !isAlive(holder)) {
      moveAside(file, holder);
      continue;
    }
    if (!told) say(`another installation (process ${holder ?? 'unknown'}) is running here; waiting for it`);
    told = true;
    if (Date.now() > deadline) throw new InstallError(`gave up waiting for the installation of process ${holder}. If it does not exist any more, remove ${file}.`);
    await wait(POLL_MS);
  }
}

function tryCreate(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new InstallError(`the lock file ${file} cannot be written (${error.code}). Run as the owner of this folder.`);
  }
}

/** Null when the file is gone again, or its writer has not come to write its pid yet. */
function holderOf(file) {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || null;
  } catch {
    return null;
  }
}

/** Between reading and moving, a third process may have taken the lock: what was moved is then put back. */
function moveAside(file, deadHolder) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (holderOf(aside) === deadHolder) rmSync(aside);
  else renameSync(aside, file);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
