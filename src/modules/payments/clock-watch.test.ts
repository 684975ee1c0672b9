import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../platform/observe/logger.ts';
import { createMetrics } from '../../platform/observe/metrics.ts';
import { AGREEMENT_SECONDS, createClockWatch, DATABASE_OFFSET_SECONDS_MAX, WINDOW_MS, type ClockWatch } from './clock-watch.ts';

let nowMs: number;
let watch: ClockWatch;
let metrics: ReturnType<typeof createMetrics>;
beforeEach(() => {
  nowMs = 1_000_000;
  metrics = createMetrics();
  watch = createClockWatch({ log: silentLogger, metrics, monotonicMs: () => nowMs });
});

const wrong = (notificationId: string | null, offsetSeconds = 600, provider = 'wechatpay'): void => watch.noteWrong(provider, { notificationId, offsetSeconds });
const right = (offsetSeconds = 1, provider = 'wechatpay'): void => watch.noteRight(provider, { notificationId: null, offsetSeconds });
const all = (...notes: (() => void)[]): void => notes.forEach((note) => note());
const status = (): string => watch.health().status;

describe('a warning about the clock', () => {
  it('is raised by three different notifications that agree, and says by how much and against whom', async () => {
    all(() => wrong('a', 598), () => wrong('b', 600));
    expect(status()).toBe('ok');
    wrong('c', 603);
    expect(watch.health()).toEqual({ status: 'warning', reason: expect.stringMatching(/^this host's clock is 600 s ahead of WeChat Pay's, whose genuine notifications are therefore refused/) });
    expect(await metrics.registry.metrics()).toContain('paynotify_clock_offset_seconds{source="wechatpay"} 600');
  });

  it('says behind of a clock that is', () => {
    for (const id of ['a', 'b', 'c']) wrong(id, -3_600, 'stripe');
    expect(watch.health().reason).toMatch(/^this host's clock is 3600 s behind Stripe's/);
  });

  it('is not raised by one that is sent again and again, however long', () => {
    for (let n = 0; n < 1_000; n++) all(() => wrong('copy', 600 + n), () => (nowMs += 1_000));
    expect(status()).toBe('ok');
  });

  it('is raised in spite of copies of an old one in between', () => {
    for (const id of ['a', 'b', 'c']) for (let n = 0; n < 100; n++) all(() => wrong('copy', 90_000 + n), () => n === 50 && wrong(id));
    expect(watch.health().reason).toContain('600 s ahead');
  });

  it.each([
    ['that differ by more than deliveries do', () => all(() => wrong('a', 400), () => wrong('b', 400 + AGREEMENT_SECONDS + 1), () => wrong('c', 400 + 2 * AGREEMENT_SECONDS + 2))],
    ['of which each agrees only with the next', () => all(() => wrong('a', 400), () => wrong('b', 400 + AGREEMENT_SECONDS), () => wrong('c', 400 + 2 * AGREEMENT_SECONDS))],
    ['that are further apart than the window', () => all(() => wrong('a'), () => wrong('b'), () => (nowMs += WINDOW_MS + 1), () => wrong('c'))],
    ['with one in time between them', () => all(() => wrong('a'), () => wrong('b'), () => right(), () => wrong('c'))],
    ['with one of another provider in time between them', () => all(() => wrong('a'), () => wrong('b'), () => right(2, 'stripe'), () => wrong('c'))],
    ['of which two are of another provider', () => all(() => wrong('a'), () => wrong('b', 600, 'stripe'), () => wrong('c', 600, 'standard'))],
    ['that name no id', () => all(() => wrong(null), () => wrong(null), () => wrong(null))],
    ['ahead and behind', () => all(() => wrong('a', 600), () => wrong('b', -600), () => wrong('c', 600))],
  ])('is not raised by three %s', (_what, happen) => {
    happen();
    expect(status()).toBe('ok');
  });

  it.each(['wechatpay', 'stripe'])('ends with the next one of %s that comes in time', (provider) => {
    for (const id of ['a', 'b', 'c']) wrong(id);
    expect(status()).toBe('warning');
    nowMs += 10 * WINDOW_MS;
    expect(status()).toBe('warning');
    right(3, provider);
    expect(status()).toBe('ok');
    wrong('d');
    expect(status()).toBe('ok');
  });

  it('is raised by the database alone, and ended by it alone', () => {
    watch.noteDatabase(DATABASE_OFFSET_SECONDS_MAX);
    expect(status()).toBe('ok');
    watch.noteDatabase(-900.4);
    expect(watch.health()).toEqual({ status: 'warning', reason: expect.stringMatching(/^this host's clock is 900 s behind the database's\. /) });
    right();
    expect(status()).toBe('warning');
    watch.noteDatabase(0.2);
    expect(status()).toBe('ok');
  });

  it('holds little, whatever is sent', () => {
    for (let n = 0; n < 10_000; n++) wrong(`${n}${'x'.repeat(1_000)}`, 1_000 * n);
    for (const id of ['a', 'b', 'c']) wrong(id);
    expect(status()).toBe('warning');
  });
});
