import { StreamNotFoundError, UnavailableError, UnknownError, WrongExpectedVersionError } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { ConnectionClosedError, kindOf, NotReachedError, wasNotTaken, type ErrorKind } from './client-errors.ts';
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
    ['a channel that was closed under a call that was about to begin', new Error('Channel has been shut down'), 'away'],
    ['an address that is none, in the gossip of a cluster', new Error('Could not parse target name ":2113"'), 'away'],
    ['an attempt that reached no node', new NotReachedError(grpcError(16)), 'away'],
    ['our own giving up on a connection', new ConnectionClosedError(), 'away'],
    ['a refusal by a proxy', grpcError(7, '7 PERMISSION_DENIED: Received HTTP status code 403'), 'away'],
    ['a call that a proxy does not know', Object.assign(new Error('12 UNIMPLEMENTED: Received HTTP status code 404'), { type: 'unknown', code: 12 }), 'away'],
    ['a node that is not ready, for one append of many', new UnknownError(undefined, 'Could not recognize Server Is Not Ready'), 'overdue'],
    ['an error of HTTP/2', Object.assign(new Error(), { code: 'ERR_HTTP2_INVALID_SESSION' }), 'away'],
    ['a bug', new TypeError('x is not a function'), 'bug'],
    ["a bug with one of Node's codes", Object.assign(new TypeError('x must be a string'), { code: 'ERR_INVALID_ARG_TYPE' }), 'bug'],
    ['a bug that carries a code of its own', Object.assign(new Error('x'), { code: 'order-lost' }), 'bug'],
    ['an error that says nothing', new Error('x'), 'bug'],
    ['something that is no error', 'text', 'bug'],
  ])('%s', (_what, error, kind) => {
    expect(kindOf(error)).toBe(kind);
  });

  it.each<Error>([
    grpcError(14, '14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED'),
    grpcError(14, '14 UNAVAILABLE: Channel closed before call started'),
    grpcError(14, '14 UNAVAILABLE: Name resolution failed for target dns:es:2113'),
    grpcError(14, '14 UNAVAILABLE: Server Is Too Busy'),
    grpcError(13, '13 INTERNAL: Failed to start HTTP/2 stream with error The session has been destroyed'),
    new Error('Channel has been shut down'),
    new Error('Failed to discover after 1 attempts.'),
    new UnknownError(undefined, 'Could not recognize Server Is Busy'),
    new NotReachedError(new DeadlinePassedError(1)),
    new ConnectionClosedError(),
  ])('of which it is certain that the server has not taken the request: $message', (error) => {
    expect(wasNotTaken(error)).toBe(true);
  });

  it.each<unknown>([
    grpcError(14, '14 UNAVAILABLE: Connection dropped'),
    grpcError(14, '14 UNAVAILABLE: Stream refused by server'),
    grpcError(14, '14 UNAVAILABLE: Received HTTP status code 502'),
    grpcError(13, '13 INTERNAL: Received RST_STREAM with code 2'),
    grpcError(1, '1 CANCELLED: Cancelled on client'),
    new DeadlinePassedError(1),
    new UnknownError(undefined, 'the disk is full'),
    'text',
  ])('of which it is not: %s', (error) => {
    expect(wasNotTaken(error)).toBe(false);
  });
});
