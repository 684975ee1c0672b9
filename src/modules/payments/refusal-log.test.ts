import { expect, it } from 'vitest';
import type { Logger } from '../../platform/observe/logger.ts';
import { createRefusalLog, REFUSAL_LOG_INTERVAL_MS } from './refusal-log.ts';

it('writes one line per account and reason and interval, and says how many it left out', () => {
  const lines: { reason: string; alsoSinceLastLine: number }[] = [];
  let nowMs = 0;
  const log = { warn: (line: (typeof lines)[number]) => lines.push(line) } as unknown as Logger;
  const refusals = createRefusalLog(log, () => nowMs);
  const note = (reason: string): void => refusals.note({ provider: 'p', account: 'a', reason, traceId: 't' });
  for (let n = 0; n < 1_000; n++) note('signature-mismatch');
  note('timestamp-stale');
  nowMs = REFUSAL_LOG_INTERVAL_MS;
  note('signature-mismatch');
  expect(lines.map(({ reason, alsoSinceLastLine }) => [reason, alsoSinceLastLine])).toEqual([
    ['signature-mismatch', 0],
    ['timestamp-stale', 0],
    ['signature-mismatch', 999],
  ]);
});
