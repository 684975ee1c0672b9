import { expect, it, vi } from 'vitest';
import { silentLogger } from '../observe/logger.ts';
import { createOutageLog } from './outage-log.ts';

function recording() {
  const lines: Record<string, unknown>[] = [];
  const keep = vi.fn((line: Record<string, unknown>) => void lines.push(line));
  let nowMs = 0;
  const outages = createOutageLog({ ...silentLogger, info: keep, warn: keep } as never, () => nowMs);
  return { lines, outages, pass: (ms: number) => void (nowMs += ms), events: () => lines.map(({ event }) => event) };
}

const why = (means: string) => ({ means, reason: `${means} (words). Cure.` });

it('says two reasons that take turns once each, and counts them at the end', () => {
  const { lines, outages, pass, events } = recording();
  for (let i = 0; i < 50; i++) {
    outages.failed('publish', why('refused'));
    outages.failed('consume', why('reset'));
    pass(100);
  }
  outages.connected('publish');
  expect(events()).toEqual(['broker.away', 'broker.still-away']);
  outages.connected('consume');
  expect(lines[2]).toEqual({ event: 'broker.back', awayMs: 5_000, failures: { refused: 50, reset: 50 } });
});

it('says a reason that came back again after a while', () => {
  const { outages, pass, events } = recording();
  for (const means of ['refused', 'password', 'refused']) {
    outages.failed('publish', why(means));
    pass(120_000);
  }
  expect(events()).toEqual(['broker.away', 'broker.still-away', 'broker.still-away']);
});

it('is bounded when each failure has words of its own', () => {
  const { lines, outages, events } = recording();
  for (let i = 0; i < 1_000; i++) outages.failed('publish', why(`frame ${i}`));
  outages.connected('publish');
  expect(events().length).toBeLessThanOrEqual(22);
  expect(Object.values(lines.at(-1)?.['failures'] as Record<string, number>).reduce((sum, count) => sum + count)).toBe(1_000);
});

it('tells of a first connection, and ends an outage that was closed in', () => {
  const { outages, events } = recording();
  outages.connected('publish');
  outages.failed('consume', why('refused'));
  outages.closed('consume');
  expect(events()).toEqual(['broker.connected', 'broker.away', 'broker.back']);
});
