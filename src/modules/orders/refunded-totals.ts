import type { Database } from '../../platform/database/database.ts';

/** What of each payment went back and did not come again, in minor units; payments that are not known are missing. */
export async function refundedTotals(db: Database, payNos: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
  if (payNos.length === 0) return new Map();
  const records = await db.payRecord.findMany({ where: { payNo: { in: [...payNos] } }, select: { payNo: true, refundedTotal: true } });
  return new Map(records.map(({ payNo, refundedTotal }) => [payNo, refundedTotal]));
}
