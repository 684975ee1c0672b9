import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import { GUARDIAN_NAME } from './guardian.ts';

/**
 * Servers of an application that was killed: found, and gone before a new one starts on the same folder.
 *
 * A living guardian is already stopping its server, so it is only waited for. A server without one (both were killed)
 * gets the stop signal from here. What is still there after the time limit is killed.
 * A server is known by its program and by a working directory inside the folder, and both are read from the living
 * process: unlike a pid file, that cannot be stale, and a stranger with a reused pid is never touched. A guardian is known by
 * its arguments: the root of a container may mostly not look at the working directory of another user's process.
 */
export interface Leftovers {
  /** Programs (base names) that count as ours when they run inside the folder. */
  readonly programs: readonly string[];
  readonly stopSignal: 'SIGINT' | 'SIGTERM';
  readonly stopLimitMs: number;
}

interface Process {
  readonly pid: number;
  readonly parentPid: number;
  readonly isGuardian: boolean;
}

const POLL_MS = 50;
/** How long a killed process may take to vanish; only an unresponsive disk makes it last. */
const KILL_LIMIT_MS = 10_000;

/** @throws EmbeddedServiceError when a leftover does not even end when it is killed. */
export async function clearLeftovers(folder: string, kind: Leftovers, log: Logger): Promise<void> {
  const found = leftoversIn(folder, kind.programs);
  if (found.length === 0) return;
  log.info({ event: 'embedded.leftover', folder, pids: found.map(({ pid }) => pid) }, 'a server of the former run is still ending; waiting for it');
  if (!found.some(({ isGuardian }) => isGuardian)) signalTopmost(found, kind.stopSignal);
  if (await isGone(folder, kind.programs, kind.stopLimitMs)) return;
  for (const { pid } of leftoversIn(folder, kind.programs)) send(pid, 'SIGKILL');
  if (await isGone(folder, kind.programs, KILL_LIMIT_MS)) return;
  const pids = leftoversIn(folder, kind.programs).map(({ pid }) => pid);
  throw new EmbeddedServiceError(`A server left over in ${folder} (process ${pids.join(', ')}) does not end, not even by kill -9. Is its disk unresponsive?`);
}

/** Whether no process of ours is left in the folder, waiting up to `limitMs` for it. */
export async function isGone(folder: string, programs: readonly string[], limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    if (leftoversIn(folder, programs).length === 0) return true;
    await wait(POLL_MS);
  }
  return false;
}

/** Only the servers themselves: their own children are theirs to stop. */
function signalTopmost(processes: readonly Process[], signal: NodeJS.Signals): void {
  const pids = new Set(processes.map(({ pid }) => pid));
  for (const { pid, parentPid } of processes) if (!pids.has(parentPid)) send(pid, signal);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between, which is what was wanted.
  }
}

/**
 * The processes of a folder. Where the system has no /proc nothing is found: the guardian still ends its server within
 * the time limit, and until then the servers' own locks make a start fail, which is tried again.
 */
function leftoversIn(folder: string, programs: readonly string[]): readonly Process[] {
  if (!existsSync('/proc/self/stat')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => inspect(Number(name), folder, programs))
    .filter((process) => process !== null);
}

function inspect(pid: number, folder: string, programs: readonly string[]): Process | null {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (words.includes(GUARDIAN_NAME) && words.includes(folder)) return { pid, parentPid: parentOf(pid), isGuardian: true };
    const directory = readlinkSync(`/proc/${pid}/cwd`);
    if (directory !== folder && !directory.startsWith(`${folder}/`)) return null;
    const program = basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
    return programs.includes(program) ? { pid, parentPid: parentOf(pid), isGuardian: false } : null;
  } catch {
    // It ended while being looked at, or belongs to another user and so is none of ours.
    return null;
  }
}

/** The program name in this line stands in brackets and may itself contain brackets and spaces. */
function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
