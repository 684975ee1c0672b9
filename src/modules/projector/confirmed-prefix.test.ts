import { describe, expect, it } from 'vitest';
import { BEFORE_ALL, behindEvent } from '../../platform/event-store/position.ts';
import { createConfirmedPrefix, type Place } from './confirmed-prefix.ts';

const AT = new Date(0);
const event = (position: bigint) => ({ id: `event-${position}`, position, recordedAt: AT });
/** Behind the event at this position. */
const place = (position: bigint): Place => ({ position: behindEvent(position), landmark: position < 0n ? null : { position, eventId: `event-${position}`, recordedAt: AT } });

describe('confirmed prefix', () => {
  it('moves only when nothing before is missing', () => {
    const prefix = createConfirmedPrefix(place(-1n));
    const [first, second, third] = [prefix.enter(event(0n)), prefix.enter(event(7n)), prefix.enter(event(9n))];
    expect(prefix.done(third)).toBe(false);
    expect(prefix.done(second)).toBe(false);
    expect(prefix.proven.position.commit).toBe(-1n);
    expect(prefix.done(first)).toBe(true);
    expect(prefix.proven.position.commit).toBe(9n);
    expect(prefix.pending).toBe(0);
  });

  it('skips what needs no publishing, but not past what is still unconfirmed', () => {
    const prefix = createConfirmedPrefix(place(5n));
    expect(prefix.skipTo(behindEvent(10n))).toBe(true);
    const entry = prefix.enter(event(11n));
    expect(prefix.skipTo(behindEvent(40n))).toBe(false);
    expect(prefix.proven.position.commit).toBe(10n);
    expect(prefix.done(entry)).toBe(true);
    expect(prefix.proven.position.commit).toBe(40n);
  });

  it('ignores a skip to where it has already been', () => {
    const prefix = createConfirmedPrefix(place(5n));
    const entry = prefix.enter(event(6n));
    expect([prefix.skipTo(behindEvent(3n)), prefix.skipTo(behindEvent(6n))]).toEqual([false, false]);
    prefix.done(entry);
    expect(prefix.proven.position.commit).toBe(6n);
    expect(prefix.skipTo(behindEvent(6n))).toBe(false);
  });

  it('refuses a position that does not follow', () => {
    const prefix = createConfirmedPrefix(place(5n));
    expect(() => prefix.enter(event(5n))).toThrow('backwards');
    prefix.enter(event(8n));
    expect(() => prefix.enter(event(8n))).toThrow('backwards');
    prefix.skipTo(behindEvent(20n));
    expect(() => prefix.enter(event(20n))).toThrow('backwards');
  });

  it('a confirm that is reported twice proves nothing more', () => {
    const prefix = createConfirmedPrefix(place(-1n));
    const [first] = [prefix.enter(event(1n)), prefix.enter(event(2n))];
    prefix.done(first);
    expect(prefix.done(first)).toBe(false);
    expect(prefix.proven.position.commit).toBe(1n);
  });

  it('knows the last event that was dealt with, whether it was published or not, and none behind what is unconfirmed', () => {
    const prefix = createConfirmedPrefix({ position: BEFORE_ALL, landmark: null });
    prefix.skipTo(behindEvent(10n));
    expect(prefix.proven).toEqual({ position: behindEvent(10n), landmark: null });
    prefix.skip(event(11n));
    expect(prefix.proven).toEqual(place(11n));
    const entry = prefix.enter(event(12n));
    prefix.skip(event(13n));
    prefix.skipTo({ commit: 20n, prepare: 0n });
    expect(prefix.proven).toEqual(place(11n));
    prefix.done(entry);
    expect(prefix.proven).toEqual({ position: { commit: 20n, prepare: 0n }, landmark: { position: 13n, eventId: 'event-13', recordedAt: AT } });
  });

  it('still expects the event whose place was named before it was written', () => {
    const next = { commit: 20n, prepare: 0n };
    const prefix = createConfirmedPrefix({ position: next, landmark: null });
    prefix.done(prefix.enter(event(20n)));
    expect(prefix.proven).toEqual(place(20n));
    expect(() => prefix.enter(event(20n))).toThrow('backwards');
  });

  // The oracle keeps every position in plain sets, and recomputes the prefix from scratch after each step.
  it('agrees with a simple oracle over random orders of entering, skipping and confirming', () => {
    for (let round = 0; round < 60; round++) {
      const seed = (Math.random() * 2 ** 31) | 0;
      const random = mulberry(seed);
      const prefix = createConfirmedPrefix(place(-1n));
      const steps: { upTo: bigint; isDone: boolean }[] = [];
      const open: { entry: ReturnType<typeof prefix.enter>; step: (typeof steps)[number] }[] = [];
      let last = -1n;
      for (let i = 0; i < 3000; i++) {
        const dice = random();
        last += BigInt(1 + Math.floor(random() * 50));
        if (dice < 0.45) {
          const step = { upTo: last, isDone: false };
          steps.push(step);
          open.push({ entry: prefix.enter(event(last)), step });
        } else if (dice < 0.55) {
          prefix.skipTo(behindEvent(last));
          steps.push({ upTo: last, isDone: true });
        } else if (open.length > 0) {
          const [{ entry, step }] = open.splice(Math.floor(random() * open.length), 1) as [(typeof open)[number]];
          step.isDone = true;
          prefix.done(entry);
        }
        if (i % 50 === 0 || i > 2990) {
          const missing = steps.findIndex((step) => !step.isDone);
          const proven = (missing === -1 ? steps.at(-1) : steps[missing - 1])?.upTo ?? -1n;
          expect(prefix.proven.position.commit, `seed ${seed}, step ${i}`).toBe(proven);
        }
      }
    }
  });
});

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
