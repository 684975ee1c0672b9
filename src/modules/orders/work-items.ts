import { RequestError } from '../../contracts/errors.ts';
import { PayRecordStatus } from '../../contracts/codes.ts';
import { Prisma, type PayRecord } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';
import type { WorkItemKind } from './order-schemas.ts';

/*
 * Money that came and is (or may be) to be given back. A work item is not a row of its own but a look at pay records: it
 * opens and ends with what is known of the payment, in whatever order that became known. It also ends when an operator
 * settles it. A settlement moves no money and changes no state, and holds for the kind it was given for: if a payment
 * that was kept after its closing turns out to be overpaid as well, it is open again.
 */

/** Pure. An overpaid record that had been closed too is overpaid: it is to be given back in any case. */
export function openKindOf({ status, overpaid, closedAt, settledKind }: Pick<PayRecord, 'status' | 'overpaid' | 'closedAt' | 'settledKind'>): WorkItemKind | null {
  if (status !== PayRecordStatus.paid) return null;
  const kind = overpaid ? 'overpaid' : closedAt === null ? null : 'paid-after-close';
  return kind === settledKind ? null : kind;
}

/** Pure. A provider may say that it refunded more than was paid. */
export function amountToGiveBack({ amount, refundedTotal }: Pick<PayRecord, 'amount' | 'refundedTotal'>): bigint {
  return refundedTotal < amount ? amount - refundedTotal : 0n;
}

/** openKindOf as a condition on `pay_records p`; the first line is that of the partial index. */
const KIND = Prisma.sql`CASE WHEN p.overpaid THEN 'overpaid' ELSE 'paid-after-close' END`;
const IS_OPEN = Prisma.sql`
  p.status = '601002' AND (p.overpaid OR p.closed_at IS NOT NULL)
  AND p.settled_kind IS DISTINCT FROM ${KIND}`;
const IS_SETTLED = Prisma.sql`p.settled_at IS NOT NULL AND (${IS_OPEN}) IS NOT TRUE`;

export interface WorkItem {
  readonly payNo: string;
  readonly orderId: string;
  readonly userId: string;
  readonly kind: WorkItemKind;
  readonly amount: bigint;
  readonly currency: string;
  readonly refundedTotal: bigint;
  /** When the money came. */
  readonly since: Date;
  /** The last settlement; of an open item one that holds no more. */
  readonly settledAt: Date | null;
  readonly settledBy: string | null;
  readonly settledNote: string | null;
}

export interface WorkItemQuery {
  readonly state: 'open' | 'settled';
  readonly page: number;
  readonly pageSize: number;
}

/** Oldest first: open ones by when the money came, settled ones by when they were settled. */
export async function listWorkItems(db: Database, { state, page, pageSize }: WorkItemQuery): Promise<{ items: WorkItem[]; total: number }> {
  const isOpen = state === 'open';
  const condition = isOpen ? IS_OPEN : IS_SETTLED;
  const [items, [count]] = await Promise.all([
    db.$queryRaw<WorkItem[]>`
      SELECT p.pay_no AS "payNo", p.order_id AS "orderId", o.user_id AS "userId", ${isOpen ? KIND : Prisma.sql`p.settled_kind`} AS kind,
             p.amount, p.currency, p.refunded_total AS "refundedTotal", p.paid_at AS since,
             p.settled_at AS "settledAt", p.settled_by AS "settledBy", p.settled_note AS "settledNote"
      FROM pay_records p JOIN orders o ON o.order_id = p.order_id
      WHERE ${condition}
      ORDER BY ${isOpen ? Prisma.sql`p.paid_at` : Prisma.sql`p.settled_at`}, p.pay_no
      LIMIT ${pageSize} OFFSET ${(page - 1) * pageSize}`,
    db.$queryRaw<{ total: bigint }[]>`SELECT count(*) AS total FROM pay_records p WHERE ${condition}`,
  ]);
  return { items, total: Number(count?.total ?? 0n) };
}

export interface Settlement {
  readonly by: string;
  readonly note: string;
  readonly at: Date;
}

/**
 * @returns the item as it was settled.
 * @throws RequestError 404 when the payment is none that waits, 409 when it was settled or refunded before.
 */
export async function settleWorkItem(db: Database, payNo: string, { by, note, at }: Settlement): Promise<Omit<WorkItem, 'userId'>> {
  const [settled] = await db.$queryRaw<Omit<WorkItem, 'userId'>[]>`
    UPDATE pay_records p SET settled_at = ${at}, settled_by = ${by}, settled_note = ${note}, settled_kind = ${KIND}
    WHERE p.pay_no = ${payNo} AND ${IS_OPEN}
    RETURNING p.pay_no AS "payNo", p.order_id AS "orderId", p.settled_kind AS kind, p.amount, p.currency, p.refunded_total AS "refundedTotal",
              p.paid_at AS since, p.settled_at AS "settledAt", p.settled_by AS "settledBy", p.settled_note AS "settledNote"`;
  if (settled === undefined) throw await refusal(db, payNo);
  return settled;
}

async function refusal(db: Database, payNo: string): Promise<RequestError> {
  const record = await db.payRecord.findUnique({ where: { payNo } });
  if (record?.status === PayRecordStatus.refunded) return new RequestError(409, 'work-item-refunded', `Payment ${payNo} was refunded in full; nothing is left to settle.`);
  if (record !== null && record.settledAt !== null) {
    return new RequestError(409, 'work-item-settled', `${record.settledBy} has settled payment ${payNo} already, at ${record.settledAt.toISOString()}.`);
  }
  return new RequestError(404, 'work-item-unknown', `Payment ${payNo} is none whose money is to be given back.`);
}
