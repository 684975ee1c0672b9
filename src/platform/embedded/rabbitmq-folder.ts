import { existsSync, globSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../observe/logger.ts';

/*
 * A private broker's data is only ever a copy: what was published stands in the event store, what was applied in the
 * database, and the reconciler sends again whatever a module's ledger lacks. So data that another release wrote and the
 * installed one refuses, or that was written for another folder, need not stop anything: it is renamed, and the broker
 * begins anew.
 *
 * RabbitMQ takes over the data of older releases only step by step, each with its feature flags enabled before the next
 * (their "Required feature flags"); from Debian 12 to 13 it goes from 3.10 to 4.0 in one, and back it never goes.
 */

/** Where the broker keeps its data, below its folder. */
export const BROKER_DATA = 'mnesia';
/** Which release last served from the data. Written since this is looked at: data without it may be of any. */
const RELEASE_FILE = 'release';
/** A person may want to look at what was set aside; more than this many copies would only fill the disk. */
const SET_ASIDE_KEPT_MAX = 2;

/** RabbitMQ's own words for data of another release, from 3.11 to 4.x, and of Mnesia's schema in front of these. */
const REFUSALS =
  /(?:required|mandatory) feature flag not enabled|disabled_(?:required|mandatory)_feature_flag|failed_to_initialize_feature_flags_registry|incompatible_feature_flags|unsupported feature flags?|version_not_available|schema_integrity_check_failed/i;

/** What another release cannot be blamed for, and what a new folder would not cure. */
const NOT_THE_DATA = /eaddrinuse|address already in use|in use by another node|no space left|enospc|permission denied|eacces|cannot allocate|enomem|command not found|: not found/i;

/** Pure. Whether a broker that ended with this output refused its data because another release wrote it. */
export function refusesForeignData(output: string, releases: { readonly wrote: string | null; readonly installed: string }): boolean {
  if (REFUSALS.test(output)) return true;
  return releases.wrote !== null && releases.wrote !== releases.installed && !NOT_THE_DATA.test(output);
}

export function readRelease(folder: string): string | null {
  const file = join(folder, RELEASE_FILE);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}

/** To be called when the broker serves: only then the data is this release's. */
export function writeRelease(folder: string, release: string): void {
  const file = join(folder, RELEASE_FILE);
  writeFileSync(`${file}.new`, `${release}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The places of a quorum queue's files, as Erlang writes a text: in pieces where it is long, and otherwise than this where it has other letters. */
const PLACE = /\bdata_dir =>\s+((?:"[ !#-[\]-~]*"\s*)+),/;

/**
 * Where the data's queues say that they lie, when that is another folder: RabbitMQ 3.10 opens none of them then, and goes on
 * without. What is written now names no absolute place (rabbitmq-files.ts); data of before that, moved or copied, does.
 * @returns null when it is where it was, or does not tell.
 */
export function formerFolder(folder: string): string | null {
  const places = globSync('*/quorum/*/*/config', { cwd: join(folder, BROKER_DATA) }).map((name) => {
    const [, pieces = ''] = PLACE.exec(readFileSync(join(folder, BROKER_DATA, name), 'latin1')) ?? [];
    return pieces.split('"').filter((_, at) => at % 2 === 1).join('');
  });
  const elsewhere = places.find((place) => place.startsWith('/') && !place.startsWith(`${folder}/`));
  return elsewhere?.replace(/\/[^/]+\/[^/]+\/quorum\/[^/]+$/, '') ?? null;
}

/** Renames the data and says so. No broker may be running in the folder. @param cause why it cannot be used. */
export function setDataAside(folder: string, cause: string, log: Logger, now = new Date()): void {
  const setAside = `${BROKER_DATA}.set-aside-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  const wrote = readRelease(folder);
  renameSync(join(folder, BROKER_DATA), join(folder, setAside));
  rmSync(join(folder, RELEASE_FILE), { force: true });
  log.warn(
    { event: 'rabbitmq.data-set-aside', folder, setAside, wrote, cause },
    `the private RabbitMQ cannot use the data that is there; it is kept as ${setAside}, a new broker begins, and what modules lack is sent again`,
  );
  const kept = readdirSync(folder).filter((name) => name.startsWith(`${BROKER_DATA}.set-aside-`)).sort();
  for (const name of kept.slice(0, -SET_ASIDE_KEPT_MAX)) rmSync(join(folder, name), { recursive: true, force: true });
}
