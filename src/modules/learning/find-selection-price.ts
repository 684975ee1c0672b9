import type { SelectionStatus } from '../../contracts/codes.ts';
import type { Database } from '../../platform/database/database.ts';

/** What an order for a selection must cost, and whose it is. */
export interface SelectionPrice {
  readonly selectionId: string;
  readonly userId: string;
  readonly courseId: string;
  readonly courseName: string;
  /** Integer minor units; 0 for a free selection. */
  readonly price: bigint;
  readonly currency: string;
  readonly status: SelectionStatus;
}

/** @returns null when there is no such selection. */
export async function findSelectionPrice(db: Database, selectionId: string): Promise<SelectionPrice | null> {
  const row = await db.selection.findUnique({ where: { selectionId } });
  if (row === null) return null;
  const { userId, courseId, courseName, price, currency } = row;
  return { selectionId, userId, courseId, courseName, price, currency, status: row.status as SelectionStatus };
}
