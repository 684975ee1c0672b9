import type { Database } from '../../platform/database/database.ts';

/** Whether any of these payments was opened for an order of this database. */
export async function knowsPayments(db: Database, payNos: readonly string[]): Promise<boolean> {
  return (await db.payRecord.findFirst({ where: { payNo: { in: [...payNos] } }, select: { payNo: true } })) !== null;
}
