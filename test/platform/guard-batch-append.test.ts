import { randomUUID } from 'node:crypto';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import { UUID } from '@eventstore/db-client/generated/shared_pb.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AppendOutcomeUnknownError } from '../../src/contracts/errors.ts';
import { wasNotTaken } from '../../src/platform/event-store/client-errors.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore } from '../../src/platform/event-store/event-store.ts';
import { guardBatchAppend } from '../../src/platform/event-store/guard-batch-append.ts';
import { ATTEMPT_TIMEOUT_MS } from '../../src/platform/event-store/try-until-deadline.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { grpc, startMisbehavingEventStore, successFor } from './misbehaving-event-store.ts';

/** Certain: the fake answers each append as the test says. An uncaught error of the client fails the whole test run. */
function connect(url: string): EventStore {
  const store = connectEventStore(url, silentLogger);
  onTestFinished(() => store.dispose());
  return store;
}

const appendOne = (store: EventStore, data: object = {}, deadlineMs?: number) =>
  store.append(`payment-${randomUUID()}`, [{ id: randomUUID(), type: 'Happened', data, metadata: {} }], 'no-stream', deadlineMs);

describe('a store that breaks the rules of appending', () => {
  it('cannot end the process with an answer to an append that nobody waits for', async () => {
    const url = await startMisbehavingEventStore((call, request) => {
      const stray = successFor(request).setCorrelationId(new UUID().setString(randomUUID()));
      call.write(stray);
      call.write(successFor(request));
      call.write(successFor(request));
    });
    const store = connect(url);
    expect(await appendOne(store)).toMatchObject({ outcome: 'appended', revision: 0n });
    expect(await appendOne(store)).toMatchObject({ outcome: 'appended', revision: 0n });
  });

  it('that politely ends the append stream without an answer makes the append try again at once', async () => {
    let requests = 0;
    const url = await startMisbehavingEventStore((call, request) => {
      if (++requests === 1) call.end();
      else call.write(successFor(request));
    });
    const startedAt = performance.now();
    expect(await appendOne(connect(url))).toMatchObject({ outcome: 'appended' });
    expect(performance.now() - startedAt).toBeLessThan(ATTEMPT_TIMEOUT_MS);
    expect(requests).toBe(2);
  });

  it('that never answers on one append stream is tried again on another, with the same event id', async () => {
    const ids: string[] = [];
    const url = await startMisbehavingEventStore((call, request) => {
      ids.push(request.getProposedMessagesList()[0]?.getId()?.getString() ?? '');
      if (ids.length > 1) call.write(successFor(request));
    });
    expect(await appendOne(connect(url))).toMatchObject({ outcome: 'appended' });
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  it('cannot end the process by going away while many requests wait for the socket', async () => {
    const url = await startMisbehavingEventStore((call, _request, breakConnections) => {
      call.pause();
      setImmediate(breakConnections);
    });
    const store = connect(url);
    // More than fits into the connection's window of 64 KiB, and more requests than the client's stream buffers.
    const appends = Array.from({ length: 200 }, () => appendOne(store, { text: 'x'.repeat(60_000) }, 500));
    const outcomes = await Promise.allSettled(appends);
    expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 'rejected'));
  });

  it('that never answers at all leaves the outcome unknown when the deadline is over', async () => {
    const url = await startMisbehavingEventStore(() => undefined);
    const startedAt = performance.now();
    await expect(appendOne(connect(url))).rejects.toBeInstanceOf(AppendOutcomeUnknownError);
    expect(performance.now() - startedAt).toBeLessThan(3_500);
  });
});

/** With an append written on it, in whatever state its connection is. */
function openAppendStream(address: string) {
  const client = new StreamsClient(address, grpc.credentials.createInsecure() as never);
  onTestFinished(() => client.close());
  const call = client.batchAppend();
  const failed = new Promise<Error>((done) => call.on('error', done));
  call.write(new BatchAppendReq());
  return { failed, cancel: () => call.cancel() };
}

/** The client gives the error of one append stream to every append of the process. */
it('an append stream that got no connection says that nothing was sent only while no other stream carries anything', async () => {
  guardBatchAppend();
  expect(wasNotTaken(await openAppendStream('127.0.0.1:1').failed)).toBe(true);
  const requested = Promise.withResolvers<undefined>();
  const url = await startMisbehavingEventStore(() => requested.resolve(undefined));
  const other = openAppendStream(/esdb:\/\/([^?]+)/.exec(url)![1]!);
  await requested.promise;
  expect(wasNotTaken(await openAppendStream('127.0.0.1:1').failed)).toBe(false);
  other.cancel();
  await other.failed;
  expect(wasNotTaken(await openAppendStream('127.0.0.1:1').failed)).toBe(true);
});
