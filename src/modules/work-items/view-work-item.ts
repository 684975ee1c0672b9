import type { WorkItemKind, WorkItemView } from '../../contracts/work-items.ts';
import type { WorkItem } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';

/** Pure. Of a dispute nothing is to be given back, whatever else there is to do. */
export function viewWorkItem(row: WorkItem): WorkItemView {
  const { id, payNo, orderId, userId, subject, currency, detail, settledBy, settledNote } = row;
  return {
    id, payNo, orderId, userId, subject, currency, detail, settledBy, settledNote,
    kind: row.kind as WorkItemKind,
    amount: row.amount?.toString() ?? null,
    amountToGiveBack: row.kind === 'disputed' ? '0' : row.amountDue.toString(),
    dueBy: row.dueBy?.toISOString() ?? null,
    since: row.since.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
    settledAt: row.settledAt?.toISOString() ?? null,
  };
}

/** Oldest first. */
export async function openItemsOfOrder(db: Database, orderId: string): Promise<WorkItemView[]> {
  const rows = await db.workItem.findMany({ where: { orderId, state: 'open' }, orderBy: [{ since: 'asc' }, { key: 'asc' }] });
  return rows.map(viewWorkItem);
}
