import { expect, it } from 'vitest';
import type { Logger } from './logger.ts';
import { createThrottledLog, THROTTLE_INTERVAL_MS } from './throttled-log.ts';

it('writes one line per kind and interval, and says how many it left out', () => {
  const lines: { reason: string; alsoSinceLastLine: number }[] = [];
  let nowMs = 0;
  const log = { warn: (line: (typeof lines)[number]) => lines.push(line) } as unknown as Logger;
  const throttled = createThrottledLog(log, () => nowMs);
  const note = (reason: string): void => throttled.note('warn', reason, { reason });
  for (let n = 0; n < 1_000; n++) note('signature-mismatch');
  note('timestamp-stale');
  nowMs = THROTTLE_INTERVAL_MS;
  note('signature-mismatch');
  expect(lines).toEqual([
    { reason: 'signature-mismatch', alsoSinceLastLine: 0 },
    { reason: 'timestamp-stale', alsoSinceLastLine: 0 },
    { reason: 'signature-mismatch', alsoSinceLastLine: 999 },
  ]);
});
