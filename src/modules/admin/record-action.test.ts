import { describe, expect, it } from 'vitest';
import type { Database } from '../../platform/database/database.ts';
import { recordAction } from './record-action.ts';

const ACTION = { actor: 'alice', action: 'parked.redrive', target: '7', detail: {} };

/** The table of actions as one row. The first `refusals` conclusions are refused, as by a database that is away for a moment. */
function tableThatRefuses(refusals: number) {
  const row = { result: 'no row' };
  let conclusions = 0;
  const adminAction = {
    create: async ({ data }: { data: { result: string } }) => {
      row.result = data.result;
      return { id: 1n };
    },
    updateMany: async ({ data }: { data: { result: string } }) => {
      if (++conclusions <= refusals) throw new Error('the database is away');
      row.result = data.result;
    },
  };
  return { db: { adminAction } as unknown as Database, row };
}

describe('an action that was done', () => {
  it('is recorded with its result', async () => {
    const { db, row } = tableThatRefuses(0);
    expect(await recordAction(db, ACTION, async () => 'applied', (value) => value)).toBe('applied');
    expect(row.result).toBe('applied');
  });

  it('is never recorded or reported as failed because its record could not be concluded', async () => {
    const { db, row } = tableThatRefuses(1);
    expect(await recordAction(db, ACTION, async () => 'applied', (value) => value)).toBe('applied');
    expect(row.result).toBe('started');
  });
});

it('an action that failed gives its own error, even when that cannot be recorded', async () => {
  for (const refusals of [0, 1]) {
    const { db, row } = tableThatRefuses(refusals);
    const failing = recordAction(db, ACTION, () => Promise.reject(new Error('no such replay')), String);
    await expect(failing).rejects.toThrow('no such replay');
    expect(row.result).toBe(refusals === 0 ? 'failed: no such replay' : 'started');
  }
});
