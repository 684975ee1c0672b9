import { describe, expect, it } from 'vitest';
import { DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import { LIVENESS_INTERVAL_MS } from '../../src/platform/event-store/follow.ts';
import { BEFORE_ALL } from '../../src/platform/event-store/position.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { startMisbehavingEventStore, subscriptionConfirmation, type ReadBehaviour } from './misbehaving-event-store.ts';

/**
 * The client lets a subscription that the server ended politely look like the end of the log. A projector that believed
 * it would stand still for ever without an error.
 */
describe('a subscription that the server ends', () => {
  const endings: Record<string, ReadBehaviour> = {
    'with OK before its confirmation': (call) => call.end(),
    'with OK after its confirmation': (call) => {
      call.write(subscriptionConfirmation());
      call.end();
    },
    'with an error after its confirmation': (call) => {
      call.write(subscriptionConfirmation());
      call.emit('error', Object.assign(new Error('going away'), { code: 14, details: 'going away' }));
    },
  };

  it.each(Object.entries(endings))('%s is an error of the store, not an end', async (_case, onRead) => {
    const store = connectEventStore(await startMisbehavingEventStore(() => undefined, onRead), silentLogger);
    const following = store.follow(BEFORE_ALL, ['payment-'], { onEvent: () => undefined, onCheckpoint: () => undefined }, new AbortController().signal);
    const startedAt = performance.now();
    await expect(following).rejects.toThrow(DependencyUnavailableError);
    // Noticed by the end itself, and not only by the later look at a silent subscription.
    expect(performance.now() - startedAt).toBeLessThan(LIVENESS_INTERVAL_MS);
    await store.dispose();
  });
});
