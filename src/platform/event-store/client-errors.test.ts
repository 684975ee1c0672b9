import { StreamNotFoundError, UnavailableError, UnknownError, WrongExpectedVersionError } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { kindOf, wasNeverSent, type ErrorKind } from './client-errors.ts';
import { DeadlinePassedError } from './deadline.ts';

const grpcError = (code: number, message = 'x') => Object.assign(new Error(message), { code });
const versions = { streamName: 's', current: 1n, expected: 0n } as never;

describe('errors of the client', () => {
  it.each<[what: string, error: unknown, kind: ErrorKind]>([
    ['a wrong revision', new WrongExpectedVersionError(undefined, versions), 'conflict'],
    ['an unknown stream', new StreamNotFoundError(undefined, 's'), 'not-found'],
    ['no connection, as the client says it', new UnavailableError(), 'away'],
    ['no connection, as gRPC says it', grpcError(14), 'away'],
    ['cancelled by the server', grpcError(1), 'away'],
    ['an internal error, as a proxy gives it', grpcError(13), 'away'],
    ['our own deadline', new DeadlinePassedError(1), 'away'],
    ["the server's deadline", grpcError(4), 'overdue'],
    ['an append that the server cannot store now', new UnknownError(undefined, 'the disk is full'), 'overdue'],
    ['an unknown error of a call', Object.assign(new Error(), { type: 'unknown', code: 2 }), 'away'],
    ['a deleted stream', Object.assign(new Error(), { type: 'stream-deleted', code: 9 }), 'refused'],
    ['no access', grpcError(7), 'refused'],
    ['a failed discovery', new Error('Failed to discover after 10 attempts.'), 'away'],
    ['an error of the network', Object.assign(new Error(), { code: 'ECONNREFUSED' }), 'away'],
    ['a bug', new TypeError('x is not a function'), 'bug'],
    ['something that is no error', 'text', 'bug'],
  ])('%s', (_what, error, kind) => {
    expect(kindOf(error)).toBe(kind);
  });

  it('tell whether a request can have reached the server', () => {
    expect(wasNeverSent(grpcError(14, '14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED'))).toBe(true);
    expect(wasNeverSent(grpcError(14, '14 UNAVAILABLE: Connection dropped'))).toBe(false);
    expect(wasNeverSent(new DeadlinePassedError(1))).toBe(false);
  });
});
