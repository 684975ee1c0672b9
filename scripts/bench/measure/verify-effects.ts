import pg from 'pg';
import { PROJECTOR_NAME } from '../../../src/modules/projector/index.ts';

/** The measured system stored or applied another number of payments than it was given. */
export class WrongCountError extends Error {}

/** Counted after each measurement: stored = effected, once per module, nothing parked. */
const COUNTS: Readonly<Record<string, string>> = {
  'orders paid': `SELECT count(*) FROM orders WHERE status = '600002'`,
  'pay records paid': `SELECT count(*) FROM pay_records WHERE status = '601002' AND NOT overpaid`,
  'selections selected': `SELECT count(*) FROM selections WHERE status = '701001'`,
  'my-courses rows': `SELECT count(*) FROM my_courses`,
  'ledger rows of orders': `SELECT count(*) FROM effect_ledger WHERE module = 'orders' AND outcome = 'applied'`,
  'ledger rows of learning': `SELECT count(*) FROM effect_ledger WHERE module = 'learning' AND outcome = 'applied'`,
};

/** @throws WrongCountError naming every count that is not `payments`. */
export async function verifyEffects(databaseUrl: string, payments: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const wrong: string[] = [];
    const expect = async (name: string, sql: string, expected: number): Promise<void> => {
      const { rows } = await client.query<{ count: string }>(sql);
      const count = Number(rows[0]?.count);
      if (count !== expected) wrong.push(`${name}: ${count} instead of ${expected}`);
    };
    for (const [name, sql] of Object.entries(COUNTS)) await expect(name, sql, payments);
    await expect('parked messages', 'SELECT count(*) FROM parked_messages', 0);
    if (wrong.length > 0) throw new WrongCountError(wrong.join('; '));
  } finally {
    await client.end();
  }
}

/** @throws WrongCountError when the projector's checkpoint is not at `expected`. */
export async function verifyCheckpoint(databaseUrl: string, expected: bigint): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ commit_position: string }>('SELECT commit_position FROM checkpoints WHERE name = $1', [PROJECTOR_NAME]);
    const positions = rows.map((row) => row.commit_position).join(', ');
    if (positions !== String(expected)) throw new WrongCountError(`the checkpoint is at ${positions} instead of ${expected}`);
  } finally {
    await client.end();
  }
}
