import { describe, expect, it } from 'vitest';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { ATTEMPT_TIMEOUT_MS } from '../../src/platform/event-store/try-until-deadline.ts';
import { connect, newEvent, someStream } from './event-store-rig.ts';
import { grpc, refusalFor, startMisbehavingEventStore, successFor, type FeaturesBehaviour } from './misbehaving-event-store.ts';

/**
 * The client asks what a node can do before its first append on a connection, and every append of that moment waits for
 * the one answer. Certain: the fake holds the answer back for as long as the test says; nothing was appended before it.
 */
describe('appends that wait for what a node can do', () => {
  it('go on with the next connection when another one gives up on this, within their own deadlines', async () => {
    let asked = 0;
    let answerLate: (() => void) | undefined;
    const url = await startMisbehavingEventStore((call, request) => call.write(successFor(request)), undefined, (answer) => {
      if (++asked > 1) answer();
      else answerLate = answer;
    });
    const store = connect(url);
    const startedAt = performance.now();
    const appends = Array.from({ length: 20 }, async (_, n) => {
      await new Promise((resolve) => setTimeout(resolve, n * 50));
      return store.append(someStream(), [newEvent(n)], 'no-stream');
    });
    await expect.poll(() => asked, { interval: 1, timeout: 2 * ATTEMPT_TIMEOUT_MS }).toBe(2);
    // The connection that was given up on has come to life; those who waited for it are told so by the client.
    answerLate?.();
    for (const outcome of await Promise.allSettled(appends)) expect(outcome).toMatchObject({ status: 'fulfilled', value: { outcome: 'appended' } });
    // Nobody waited out a time of its own on a connection that was given up.
    expect(performance.now() - startedAt).toBeLessThan(2 * ATTEMPT_TIMEOUT_MS);
  });

  it.each<[what: string, onFeatures: FeaturesBehaviour]>([
    ['is never told', () => undefined],
    ['is told too late for an attempt', (answer) => void setTimeout(answer, ATTEMPT_TIMEOUT_MS + 200)],
  ])('were not sent when it %s: the outcome is known', async (_what, onFeatures) => {
    let sent = 0;
    const store = connect(await startMisbehavingEventStore(() => sent++, undefined, onFeatures));
    await expect(store.append(someStream(), [newEvent()], 'no-stream', ATTEMPT_TIMEOUT_MS)).rejects.toBeInstanceOf(DependencyUnavailableError);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(sent).toBe(0);
  });

  it('are not given up on by a caller who has little time left', async () => {
    let asked = 0;
    const store = connect(await startMisbehavingEventStore((call, request) => call.write(successFor(request)), undefined, (answer) => {
      asked++;
      setTimeout(answer, 600);
    }));
    const patient = store.append(someStream(), [newEvent()], 'no-stream');
    await expect(store.append(someStream(), [newEvent()], 'no-stream', 50)).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(await patient).toMatchObject({ outcome: 'appended' });
    expect(asked).toBe(1);
  });
});

describe('an append that the server says it has not taken', () => {
  it.each(['Server Is Not Ready', 'Server Is Busy', 'No leader info available in response'])('has a known outcome: %s', async (reason) => {
    const store = connect(await startMisbehavingEventStore((call, request) => call.write(refusalFor(request, reason))));
    const appending = store.append(someStream(), [newEvent()], 'no-stream', 300);
    await expect(appending).rejects.toBeInstanceOf(DependencyUnavailableError);
    await expect(appending).rejects.toThrow(reason);
  });

  it('has an unknown outcome when one attempt was never answered', async () => {
    let sent = 0;
    const store = connect(await startMisbehavingEventStore((call, request) => ++sent > 1 && call.write(refusalFor(request, 'Server Is Not Ready'))));
    await expect(store.append(someStream(), [newEvent()], 'no-stream', ATTEMPT_TIMEOUT_MS + 300)).rejects.toBeInstanceOf(AppendOutcomeUnknownError);
  });

  it('has an unknown outcome also when a second attempt is refused for good', async () => {
    let sent = 0;
    const denied = new grpc.Metadata();
    denied.set('exception', 'access-denied');
    const store = connect(await startMisbehavingEventStore((call) => ++sent > 1 && call.emit('error', { code: 7, details: 'Access Denied', metadata: denied })));
    await expect(store.append(someStream(), [newEvent()], 'no-stream')).rejects.toBeInstanceOf(AppendOutcomeUnknownError);
    expect(sent).toBe(2);
  });

  it('goes to the leader that the server names', async () => {
    const leader = await startMisbehavingEventStore((call, request) => call.write(successFor(request)));
    const follower = await startMisbehavingEventStore((call) => {
      const metadata = new grpc.Metadata();
      for (const [key, value] of [['exception', 'not-leader'], ['leader-endpoint-host', '127.0.0.1'], ['leader-endpoint-port', /:(\d+)\?/.exec(leader)![1]!]] as const) metadata.set(key, value);
      call.emit('error', { code: 5, details: 'Leader info available', metadata });
    });
    expect(await connect(follower).append(someStream(), [newEvent()], 'no-stream')).toMatchObject({ outcome: 'appended' });
  });
});

it('an append reaches a store whose clock is half a minute ahead', async () => {
  const aheadMs = 30_000;
  const store = connect(
    await startMisbehavingEventStore((call, request) => {
      const leftMs = request.getOptions()!.getDeadline()!.toDate().getTime() - (Date.now() + aheadMs);
      call.write(leftMs > 0 ? successFor(request) : refusalFor(request, 'Timeout'));
    }),
  );
  expect(await store.append(someStream(), [newEvent()], 'no-stream', 500)).toMatchObject({ outcome: 'appended' });
});
