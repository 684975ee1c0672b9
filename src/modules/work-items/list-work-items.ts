import type { WorkItemKind, WorkItemView } from '../../contracts/work-items.ts';
import type { Prisma } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';
import { viewWorkItem } from './view-work-item.ts';

export const WORK_ITEM_STATES = ['open', 'ended', 'settled'] as const;
type WorkItemState = (typeof WORK_ITEM_STATES)[number];

export interface WorkItemQuery {
  readonly state: WorkItemState;
  readonly kind?: WorkItemKind;
  readonly payNo?: string;
  readonly page: number;
  readonly pageSize: number;
}

/** By what each state is listed in the order of, oldest first. */
const ORDER: Readonly<Record<WorkItemState, Prisma.WorkItemOrderByWithRelationInput>> = { open: { since: 'asc' }, ended: { endedAt: 'asc' }, settled: { settledAt: 'asc' } };

export async function listWorkItems(db: Database, { state, kind, payNo, page, pageSize }: WorkItemQuery): Promise<{ items: WorkItemView[]; total: number }> {
  const where = { state, ...(kind === undefined ? {} : { kind }), ...(payNo === undefined ? {} : { payNo }) };
  const [rows, total] = await Promise.all([
    db.workItem.findMany({ where, orderBy: [ORDER[state], { id: 'asc' }], skip: (page - 1) * pageSize, take: pageSize }),
    db.workItem.count({ where }),
  ]);
  return { items: rows.map(viewWorkItem), total };
}
