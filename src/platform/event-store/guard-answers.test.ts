import { once } from 'node:events';
import { Readable } from 'node:stream';
import { ReadStream } from '@eventstore/db-client/dist/streams/utils/ReadStream.js';
import { Subscription } from '@eventstore/db-client/dist/streams/utils/Subscription.js';
import { convertToCommandError } from '@eventstore/db-client/dist/utils/index.js';
import { describe, expect, it } from 'vitest';
import { kindOf } from './client-errors.ts';
import { guardAnswers } from './guard-answers.ts';

guardAnswers();

describe('what the client cannot read', () => {
  it.each([
    ['an error of gRPC without a text', Object.assign(new Error('x'), { code: 13 })],
    ['an error that names another leader without saying which', Object.assign(new Error('x'), { code: 5, metadata: { getMap: () => ({ exception: 'not-leader' }) } })],
    ['an error of a deleted stream without its name', Object.assign(new Error('x'), { code: 9, metadata: { getMap: () => ({ exception: 'stream-deleted' }) } })],
  ])('is an unknown error of the call: %s', (_what, error) => {
    expect(convertToCommandError(error as never)).toMatchObject({ type: 'unknown', code: error.code });
    expect(kindOf(convertToCommandError(error as never))).toBe('away');
  });

  it.each([
    ['a read', (answers: Readable) => new ReadStream(async () => answers as never, (event) => event as never, {})],
    ['a subscription', (answers: Readable) => new Subscription(async () => answers as never, (event) => event as never, {})],
  ])('ends %s with an error of its own, and nothing else', async (_what, open) => {
    // The client throws texts.
    const text = 'an event without a stream' as unknown as Error;
    const broken = { hasEvent: () => true, getEvent: (): never => { throw text; } };
    const [error] = (await once(open(Readable.from([broken])), 'error')) as [Error];
    expect(error.message).toMatch('an event without a stream');
    expect(kindOf(error)).toBe('away');
  });
});
