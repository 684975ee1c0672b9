import { describe, expect, test } from 'vitest';
import { MODULE_NAMES } from '../../src/contracts/topology.ts';
import type { Window } from '../../src/platform/process/window.ts';
import { openSite } from '../harness/site.ts';

/*
 * The application ends itself with SIGKILL in the exact place between two durable stops, in the middle of the load, and is
 * started again on the same servers. Certain: the place, and that it was a SIGKILL. Not certain: how much of the rest had
 * happened by then.
 */

const LOAD = 40;
/** In the middle of the load, and so that a part of a batch or window is behind it and another before it. */
const DIES_AT = 7;
/** Ten processes start here at once; a loaded machine takes minutes for what an idle one does in 30 s. */
const TEST_TIMEOUT_MS = 400_000;

/**
 * The reconciler heals what is missing for longer than all attempts may take, which a busy machine takes as well. Nothing may need
 * it here, so it is given no cause within the test.
 */
const NOT_HEALED = { PAYNOTIFY_RETRY_DELAY_MS: '60000' };

const WINDOWS: readonly [Window, string][] = [
  ['payment.appended', 'the success is stored and the provider has no answer'],
  ['projector.published', 'the message is written out and not confirmed'],
  ['projector.confirmed', 'the message is confirmed and the checkpoint not moved'],
  ['consumer.executing', 'the transaction has begun and nothing is committed'],
  ['consumer.committed', 'the effect is committed and the message not acknowledged'],
];

/** The restarted application leads when the lease of the dead one is over, 10 s later; the tests wait for that side by side. */
describe.concurrent('killed with SIGKILL', () => {
  test.each(WINDOWS)('in the window %s (%s), nothing is lost and nothing applied twice', { timeout: TEST_TIMEOUT_MS }, async (window) => {
    const site = await openSite();
    try {
      const dying = await site.start({ death: { window, after: DIES_AT }, environment: NOT_HEALED });
      const payments = await site.shop.openPayments(LOAD);
      await dying.ready;

      const paying = site.shop.payAll(payments);
      expect(await dying.exited).toEqual({ code: null, signal: 'SIGKILL' });
      const before = await site.committedEffects();
      const restarted = await site.start({ environment: NOT_HEALED });
      await paying;
      await site.assertWhole(payments);

      // The next process applied exactly what this one had not committed. The effects themselves would hide a repetition.
      for (const module of MODULE_NAMES) {
        expect(await site.metric(`paynotify_consumed_total{module="${module}",outcome="applied"}`), module).toBe(LOAD - before[module]);
      }
      // And it was delivered by the order of the steps: nothing had to be found missing and sent again.
      expect(restarted.logged('gap.found')).toEqual([]);
      expect(restarted.isRunning).toBe(true);
    } finally {
      await site.close();
    }
  });
});
