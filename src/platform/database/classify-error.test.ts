import { describe, expect, it } from 'vitest';
import { DatabaseUnfitError } from '../../contracts/errors.ts';
import { describeDatabaseError, isDatabaseUnavailable, isServerAway } from './classify-error.ts';

/** As Prisma 7 throws it: code of its own outside, the server's inside. */
const prisma = (code: string, cause: object) => Object.assign(new Error('Invalid invocation'), { code, meta: { driverAdapterError: Object.assign(new Error(), { cause }) } });
const server = (code: string) => Object.assign(new Error('from the server'), { code, severity: 'ERROR' });

describe('the database counts as unavailable', () => {
  it.each([
    ['refused', Object.assign(new Error(), { code: 'ECONNREFUSED' })],
    ['refused on every address', Object.assign(new AggregateError([], 'x'), { code: 'ECONNREFUSED' })],
    ['reset', Object.assign(new Error(), { code: 'ECONNRESET' })],
    ['shut down by its administrator', server('57P01')],
    ['crashed', server('57P02')],
    ['starting', server('57P03')],
    ['full of connections', server('53300')],
    ['out of disk', server('53100')],
    ['a standby', server('25006')],
    ['in a deadlock', server('40P01')],
    ['too slow', server('57014')],
    ['not letting us in', server('28P01')],
    ['lost in the middle of a query', new Error('Connection terminated unexpectedly')],
    ['lost in the middle of a transaction', new Error('Client has encountered a connection error and is not queryable')],
    ['not to be had in time', new Error('timeout exceeded when trying to connect')],
    ['away, in Prisma\'s words', prisma('P1001', { kind: 'DatabaseNotReachable' })],
    ['away, in a raw query', prisma('P2010', { kind: 'DatabaseNotReachable', host: 'h' })],
    ['shut down, in a raw query', prisma('P2010', { kind: 'postgres', originalCode: '57P01' })],
    ['in conflict, in a raw query', prisma('P2010', { kind: 'TransactionWriteConflict', originalCode: '40001' })],
    ['without a free connection for a transaction', Object.assign(new Error(), { code: 'P2028', meta: {} })],
    ['without the table', server('42P01')],
    ['without the table, in Prisma\'s words', prisma('P2021', { kind: 'TableDoesNotExist', originalCode: '42P01' })],
    ['not letting us do it', server('42501')],
    ['broken inside', prisma('P2010', { kind: 'postgres', originalCode: 'XX000', code: 'XX000', severity: 'ERROR' })],
    ['of another mind about a trigger', server('P0001')],
    ['in conflict, at the commit', Object.assign(new Error('TransactionWriteConflict'), { cause: { kind: 'TransactionWriteConflict', originalCode: '40001' } })],
    ['not fit for use', new DatabaseUnfitError('standby', 'The server of DATABASE_URL is a read-only standby.')],
    ['not fit for use, in Prisma\'s words', Object.assign(new Error('Invalid invocation'), { code: 'database-unfit' })],
    ['away, behind an error of ours', new Error('batch failed', { cause: server('57P01') })],
  ])('when it is %s', (_, error) => {
    expect(isDatabaseUnavailable(error)).toBe(true);
  });
});

describe('the database does not count as unavailable', () => {
  it.each([
    ['a unique constraint', prisma('P2002', { kind: 'UniqueConstraintViolation', originalCode: '23505' })],
    ['a unique constraint in a raw query', prisma('P2010', { kind: 'UniqueConstraintViolation', originalCode: '23505' })],
    ['a check constraint', prisma('P2039', { kind: 'postgres', originalCode: '23514' })],
    ['a value that is none', server('22P02')],
    ['a constraint that is looked at when the transaction ends', Object.assign(new Error('ForeignKeyConstraintViolation'), { cause: { kind: 'ForeignKeyConstraintViolation', originalCode: '23503' } })],
    ['a row that is not there', Object.assign(new Error(), { code: 'P2025' })],
    ['a bug', new TypeError('x is not a function')],
    ['an error of Node with five letters', Object.assign(new Error(), { code: 'EPERM' })],
    ['something that is no error', 'ECONNREFUSED'],
    ['nothing', undefined],
  ])('for %s', (_, error) => {
    expect(isDatabaseUnavailable(error)).toBe(false);
  });

  it('for errors that cause each other in a ring', () => {
    const ring = new Error('a');
    ring.cause = new Error('b', { cause: ring });
    expect(isDatabaseUnavailable(ring)).toBe(false);
  });
});

it('tells a server that is away from one that has looked at a statement and refused it', () => {
  expect([server('42601'), server('42P01'), server('XX000')].map(isServerAway)).toEqual([false, false, false]);
  expect([server('57P01'), server('53300'), new Error('Connection terminated unexpectedly')].map(isServerAway)).toEqual([true, true, true]);
});

it.each([
  ['what the server said', prisma('P2010', { kind: 'postgres', originalCode: '42501', originalMessage: 'permission denied for table orders' }), 'permission denied for table orders'],
  ['what Prisma says, without our source', new Error('\nInvalid `db.order.findMany()` invocation in\n/app/x.ts:1:1\n\n  1 secret\n→ 2 await db.order.findMany(\nCan\'t reach database server at 127.0.0.1:9'), 'Can\'t reach database server at 127.0.0.1:9'],
  ['several lines as one', new Error('first\n  second'), 'first second'],
  ['a code where there are no words', Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  ['what is no error', 'text', 'text'],
])('describes an error by %s', (_what, error, words) => {
  expect(describeDatabaseError(error)).toBe(words);
});
