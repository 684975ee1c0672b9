import { describe, expect, it } from 'vitest';
import { DependencyUnavailableError, MessageError } from '../../contracts/errors.ts';
import { LONELY_FAILURES_MAX } from './lonely-failures.ts';
import { settle, TRIES_BEFORE_SEEKING, troubleOf, UNEXPECTED_ERROR, type Attempted, type Settlement, type Trouble } from './settle.ts';

/** As Prisma 7 throws it from a raw statement, and `pg` from one of its own. */
const raw = (code: string) => Object.assign(new Error('Raw query failed'), { code: 'P2010', meta: { driverAdapterError: { cause: { kind: 'postgres', originalCode: code, code, severity: 'ERROR' } } } });
/** At the commit it has no code outside its cause. */
const atCommit = (code: string) => Object.assign(new Error('TransactionWriteConflict'), { name: 'DriverAdapterError', cause: { kind: 'TransactionWriteConflict', originalCode: code } });

const FIRST: Attempted = { size: 1, attempt: 1, attemptsMax: 3, tries: 1, isSought: false, lonelyFailures: 0 };
const BATCH = { ...FIRST, size: 256 };
const LAST = { ...FIRST, attempt: 3 };
const PATIENT = { tries: TRIES_BEFORE_SEEKING };
const LONELY = { ...FIRST, isSought: true, lonelyFailures: LONELY_FAILURES_MAX };

/** How it fares: in a batch, in a batch again and again, alone, alone at its last attempt, alone again and again, alone while others are applied. */
type Row = readonly [Settlement, Settlement, Settlement, Settlement, Settlement, Settlement];
const DATA: Row = ['split', 'split', 'retry', 'park', 'retry', 'retry'];
const HOPELESS: Row = ['split', 'split', 'park', 'park', 'park', 'park'];
const SERVER: Row = ['pause', 'split', 'pause', 'pause', 'hold', 'park'];
const EVERYWHERE: Row = ['pause', 'pause', 'pause', 'pause', 'pause', 'pause'];

it.each<readonly [string, unknown, Row]>([
  ['a dependency that says it is away', new DependencyUnavailableError('database', 'away'), EVERYWHERE],
  ['no connection', Object.assign(new Error(), { code: 'ECONNREFUSED' }), SERVER],
  ['a transaction over its time', Object.assign(new Error('expired'), { code: 'P2028' }), SERVER],
  ['08006, a connection that broke', raw('08006'), SERVER],
  ['25006, a standby', raw('25006'), SERVER],
  ['26000, no such prepared statement', raw('26000'), SERVER],
  ['3F000, no such schema', raw('3F000'), SERVER],
  ['40P01, a deadlock', raw('40P01'), SERVER],
  ['40001, a conflict at the commit', atCommit('40001'), SERVER],
  ['42501, a right withdrawn', raw('42501'), SERVER],
  ['42P01, a table that is not there', raw('42P01'), SERVER],
  ['42P01, from pg itself', Object.assign(new Error(), { code: '42P01', severity: 'ERROR' }), SERVER],
  ['53100, a full disk', raw('53100'), SERVER],
  ['55P03, a lock', raw('55P03'), SERVER],
  ['57014, a statement over its time', raw('57014'), SERVER],
  ['57P01, a server that stops', raw('57P01'), SERVER],
  ['P0001, a trigger of somebody', raw('P0001'), SERVER],
  ['XX000, an internal error', raw('XX000'), SERVER],
  ['22003, a number out of range', raw('22003'), DATA],
  ['22P02, a value that is none', raw('22P02'), DATA],
  ['23505, a second row under one key', raw('23505'), DATA],
  ['23514, a rule', raw('23514'), DATA],
  ['23503 at the commit', Object.assign(atCommit('23503'), { cause: { kind: 'ForeignKeyConstraintViolation', originalCode: '23503' } }), DATA],
  ['a message that a module refuses', new MessageError('no-such-order', 'no order'), DATA],
  ['a message that a module refuses for good', new MessageError('bad', 'bad', { retryable: false }), HOPELESS],
  ['a bug in a handler', new TypeError('x is undefined'), DATA],
])('%s', (_what, error, row) => {
  const trouble = troubleOf(error);
  const situations = [BATCH, { ...BATCH, ...PATIENT }, FIRST, LAST, { ...FIRST, ...PATIENT }, LONELY];
  expect(situations.map((situation) => settle(trouble, situation))).toEqual(row);
});

it('does not wait again while it is sought which message it is', () => {
  const trouble: Trouble = { kind: 'infrastructure', cause: 'x', everywhere: false };
  expect([settle(trouble, { ...BATCH, isSought: true }), settle(trouble, { ...FIRST, isSought: true })]).toEqual(['split', 'hold']);
  expect(settle(trouble, { ...LONELY, lonelyFailures: LONELY_FAILURES_MAX - 1 })).toBe('hold');
});

describe('a message that fails is told by', () => {
  it.each([
    ['the code of its module', new MessageError('no-such-order', 'no order'), 'no-such-order', true],
    ['the same, without another attempt', new MessageError('bad', 'bad', { retryable: false }), 'bad', false],
    ['one code for what nobody threw on purpose', new TypeError('x is undefined'), UNEXPECTED_ERROR, true],
    ['the same for what is no error at all', 'a string', UNEXPECTED_ERROR, true],
    ['the same for nothing', undefined, UNEXPECTED_ERROR, true],
  ])('%s', (_case, error, code, retryable) => {
    expect(troubleOf(error)).toMatchObject({ kind: 'message', code, retryable });
  });
});
