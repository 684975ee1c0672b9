import type { StoredEvent } from '../../platform/event-store/event-store.ts';

/**
 * An event that lies in front of the checkpoint and that a module neither applied nor parked is only late until this
 * time is over: a batch, three attempts a second apart, or a move from the dead queue may still be under way.
 */
export const GRACE_MS = 10_000;
/** Sent again at most this often: at once, then after 10 s, 20 s, 40 s … and every 5 minutes at last. */
const RESEND_FIRST_MS = 10_000;
const RESEND_MAX_MS = 300_000;

/** What else is known about the module at this moment. */
export interface ModuleSight {
  /** Highest log position in the module's ledger; -1n = none. */
  readonly lastApplied: bigint;
  /** Null: the broker did not say. */
  readonly queueDepth: number | null;
}

export interface GapJudgement {
  /** Events that got lost between checkpoint and ledger. */
  readonly gaps: readonly StoredEvent[];
  /** Those of them whose time to be sent again has come. */
  readonly due: readonly StoredEvent[];
}

/**
 * Tells a lost event from a late one, for one module. It is lost when it stays missing past the grace, although the module
 * has got to later events or its queue holds nothing more. Remembers only what is missing now.
 */
export interface GapWatch {
  /** True when some missing event has used up its grace: only then is it worth finding out what ModuleSight holds. */
  observe(missing: readonly StoredEvent[], nowMs: number): boolean;
  judge(missing: readonly StoredEvent[], sight: ModuleSight, nowMs: number): GapJudgement;
  sentAgain(events: readonly StoredEvent[], nowMs: number): void;
}

interface Watched {
  readonly firstMissedMs: number;
  sends: number;
  nextSendMs: number;
}

export function createGapWatch(graceMs: number = GRACE_MS): GapWatch {
  let watched = new Map<string, Watched>();
  const isOverdue = (event: StoredEvent, nowMs: number) => nowMs - (watched.get(event.id)?.firstMissedMs ?? nowMs) >= graceMs;
  return {
    observe(missing, nowMs) {
      watched = new Map(missing.map(({ id }) => [id, watched.get(id) ?? { firstMissedMs: nowMs, sends: 0, nextSendMs: nowMs }]));
      return missing.some((event) => isOverdue(event, nowMs));
    },
    judge(missing, { lastApplied, queueDepth }, nowMs) {
      const gaps = missing.filter((event) => isOverdue(event, nowMs) && (queueDepth === 0 || event.position < lastApplied));
      return { gaps, due: gaps.filter((event) => (watched.get(event.id)?.nextSendMs ?? nowMs) <= nowMs) };
    },
    sentAgain(events, nowMs) {
      for (const { id } of events) {
        const entry = watched.get(id);
        if (entry === undefined) continue;
        entry.nextSendMs = nowMs + Math.min(RESEND_FIRST_MS * 2 ** entry.sends, RESEND_MAX_MS);
        entry.sends++;
      }
    },
  };
}
