import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import type { WorkerHealth } from '../../platform/process/worker.ts';
import type { ClockReading } from './providers/provider.ts';

/**
 * Notices that the clock of this host is wrong. With it every webhook of most providers is refused for its time, although
 * its signature is right, and nothing else would show it.
 *
 * One notification proves nothing: it may have been held up, or be a copy that somebody sends again and again. So the
 * warning needs NOTICES_MIN different notifications of one provider within WINDOW_MS, all of which say the same about our
 * clock, and none in between that found it right. The next one that does ends it. The database's word is enough alone.
 */
export interface ClockWatch {
  /** A genuine notification was refused for its time alone. */
  noteWrong(provider: string, reading: ClockReading): void;
  /** A genuine notification came in time. */
  noteRight(provider: string, reading: ClockReading): void;
  /** @param offsetSeconds by how much our clock is ahead of the database's. */
  noteDatabase(offsetSeconds: number): void;
  health(): WorkerHealth;
}

export interface ClockWatchDeps {
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'clockOffset'>;
  /** A clock that never goes back; it need not know the time. */
  readonly monotonicMs: () => number;
}

export const NOTICES_MIN = 3;
export const WINDOW_MS = 10 * 60_000;
/** Deliveries take seconds; two that were held up by chance differ by more. */
export const AGREEMENT_SECONDS = 60;
/** A tenth of it would be late or early for nobody; five times of it, and webhooks are refused. */
export const DATABASE_OFFSET_SECONDS_MAX = 60;
/** Of one provider. Copies of more notifications than that would have to be at hand to hide a wrong clock. */
const SIGHTINGS_MAX = 64;
/** An id is used to tell notifications apart and is the sender's choice, so only so much of it is kept. */
const ID_LENGTH_MAX = 128;

interface Sighting {
  readonly offsetSeconds: number;
  readonly atMs: number;
}

export function createClockWatch({ log, metrics, monotonicMs }: ClockWatchDeps): ClockWatch {
  const sightings = new Map<string, Map<string, Sighting>>();
  /** Source → what it says about our clock, while that is too much. */
  const wrong = new Map<string, number>();

  function raise(source: string, offsetSeconds: number): void {
    const isNews = !wrong.has(source);
    wrong.set(source, offsetSeconds);
    if (isNews) log.error({ event: 'clock.wrong', source, offsetSeconds, reason: sentence(source, offsetSeconds) });
  }

  function clear(source: string): void {
    if (wrong.delete(source)) log.info({ event: 'clock.right', source });
  }

  return {
    noteWrong(provider, { notificationId, offsetSeconds }) {
      if (notificationId === null) return;
      const seen = sightings.get(provider) ?? new Map<string, Sighting>();
      sightings.set(provider, seen);
      remember(seen, notificationId.slice(0, ID_LENGTH_MAX), { offsetSeconds, atMs: monotonicMs() });
      const agreed = agreedOffset([...seen.values()]);
      if (agreed === null) return;
      metrics.clockOffset.set({ source: provider }, agreed);
      raise(provider, agreed);
    },
    noteRight(provider, { offsetSeconds }) {
      metrics.clockOffset.set({ source: provider }, offsetSeconds);
      sightings.clear();
      // One clock: whoever finds it right has disproved the others.
      for (const source of [...wrong.keys()]) if (source !== DATABASE) clear(source);
    },
    noteDatabase(offsetSeconds) {
      metrics.clockOffset.set({ source: DATABASE }, offsetSeconds);
      if (Math.abs(offsetSeconds) > DATABASE_OFFSET_SECONDS_MAX) raise(DATABASE, offsetSeconds);
      else clear(DATABASE);
    },
    health() {
      if (wrong.size === 0) return { status: 'ok' };
      return { status: 'warning', reason: [...wrong].map(([source, offset]) => sentence(source, offset)).join('; ') };
    },
  };
}

const DATABASE = 'database';

/** The newest saying of an id counts, so that a copy that is sent again and again is one notification and pushes out no other. */
function remember(seen: Map<string, Sighting>, id: string, sighting: Sighting): void {
  seen.delete(id);
  seen.set(id, sighting);
  for (const [oldest, { atMs }] of seen) if (sighting.atMs - atMs > WINDOW_MS || seen.size > SIGHTINGS_MAX) seen.delete(oldest);
}

/** Pure. The middle one of the largest group that agrees, null when that is too small. */
function agreedOffset(seen: readonly Sighting[]): number | null {
  const offsets = seen.map(({ offsetSeconds }) => offsetSeconds).sort((a, b) => a - b);
  const groups = offsets.map((first, index) => offsets.slice(index).filter((offset) => offset - first <= AGREEMENT_SECONDS));
  const largest = groups.reduce((best, group) => (group.length > best.length ? group : best), []);
  return largest.length < NOTICES_MIN ? null : (largest[Math.floor(largest.length / 2)] ?? null);
}

const NAMES: Readonly<Record<string, string>> = { wechatpay: "WeChat Pay's", stripe: "Stripe's", standard: "the webhook sender's", [DATABASE]: "the database's" };

function sentence(source: string, offsetSeconds: number): string {
  const seconds = Math.round(Math.abs(offsetSeconds));
  const effect = source === DATABASE ? '' : ', whose genuine notifications are therefore refused';
  return `this host's clock is ${seconds} s ${offsetSeconds > 0 ? 'ahead of' : 'behind'} ${NAMES[source] ?? `${source}'s`}${effect}. Set it right, for example with timedatectl set-ntp true`;
}
