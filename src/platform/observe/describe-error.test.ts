import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { describeError } from './describe-error.ts';

/** As `pg` makes it of what a server has sent. */
function sentByServer(code: string, message: string): Error {
  return Object.assign(new pg.DatabaseError(message, 0, 'error'), { severity: 'ERROR', code });
}

describe('an error for the log', () => {
  it.each([
    ['a server that is being stopped', sentByServer('57P01', 'terminating connection due to administrator command')],
    ['a connection that ended', new Error('Connection terminated unexpectedly')],
    ['nobody at the port', Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' })],
  ])('is an outage, which its message tells: %s', (_, error) => {
    expect(describeError(error)).toMatchObject({ message: error.message });
    expect(JSON.stringify(describeError(error))).not.toContain(import.meta.filename);
  });

  it('of a value that the database refused says neither the value nor nothing of the place', () => {
    const told = JSON.stringify(describeError(sentByServer('22P02', 'invalid input syntax for type bigint: "Zhang San"')));
    expect(told).toContain('the database refused a value');
    expect(told).toContain('22P02');
    expect(told).toContain('describe-error.test.ts');
    expect(told).not.toContain('Zhang San');
  });

  it('of a fault of ours says where it is', () => {
    expect(describeError(new TypeError('it is ours'))).toMatchObject({ type: 'TypeError', message: 'it is ours', stack: expect.stringContaining('describe-error.test.ts') });
  });
});
