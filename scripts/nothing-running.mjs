/**
 * Fails when a process still works in this project's data directory after everything was stopped.
 *
 *     node scripts/nothing-running.mjs
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const WAIT_MAX_MS = 20_000;
const data = resolve(import.meta.dirname, '..', process.env.PAYNOTIFY_DATA || '.data');

/** Embedded servers and their guardians run inside the folder of their data. */
function processesInData() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const folder = readlinkSync(`/proc/${pid}/cwd`);
        return folder === data || folder.startsWith(data + sep);
      } catch {
        return false; // ended meanwhile, or not ours to look at
      }
    });
}

for (let waitedMs = 0; processesInData().length > 0 && waitedMs < WAIT_MAX_MS; waitedMs += 100) await wait(100);
const left = processesInData();
console.log(left.length === 0 ? 'nothing is left running' : `still running: ${left.join(', ')}`);
process.exitCode = left.length === 0 ? 0 : 1;
