import { RequestError } from '../../contracts/errors.ts';
import type { WorkItem } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';

export interface Settlement {
  readonly by: string;
  readonly note: string;
  readonly at: Date;
}

/** As the database writes them; no payNo looks like one, for those are 19 digits (row-ids.ts). */
const ITEM_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** A few kinds, and some disputes at most, stand on one payment; an answer lists no more. */
const LISTED_MAX = 100;

/**
 * Order: the item found → locked → written if it is still open, with what is due at that moment → recorded → commit. Of several
 * who settle at once, one does.
 * @param target id of an item, or the payNo of a payment that one open item stands on.
 * @param record puts it on record within the transaction.
 * @returns the item as it was settled.
 * @throws RequestError 404 when there is none, 409 when several are open, or it was settled or ended before.
 */
export async function settleWorkItem(db: Database, target: string, { by, note, at }: Settlement, record: (transaction: Transaction, item: WorkItem) => Promise<void>): Promise<WorkItem> {
  const { id } = await findItem(db, target);
  return db.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT 1 FROM work_items WHERE id = ${id}::uuid FOR UPDATE`;
    const item = await transaction.workItem.findUniqueOrThrow({ where: { id } });
    if (item.state !== 'open') throw refusal(item);
    const data = { state: 'settled', settledAt: at, settledBy: by, settledNote: note, settledAmount: item.amountDue };
    const settled = await transaction.workItem.update({ where: { id }, data });
    await record(transaction, settled);
    return settled;
  });
}

/** The open item that is meant; where none is, the one that was closed last, to say what became of it. */
async function findItem(db: Database, target: string): Promise<WorkItem> {
  const open = await db.workItem.findMany({ where: { ...meant(target), state: 'open' }, orderBy: [{ since: 'asc' }, { key: 'asc' }], take: LISTED_MAX });
  if (open.length > 1) throw ambiguous(target, open);
  const item = open[0] ?? (await lastClosed(db, target));
  if (item === undefined) throw new RequestError(404, 'work-item-unknown', `Nothing of ${target} waits, or has waited, for an operator.`);
  return item;
}

function meant(target: string): { readonly id: string } | { readonly payNo: string } {
  return ITEM_ID.test(target) ? { id: target } : { payNo: target };
}

async function lastClosed(db: Database, target: string): Promise<WorkItem | undefined> {
  const [ended, settled] = await Promise.all([
    db.workItem.findFirst({ where: { ...meant(target), state: 'ended' }, orderBy: { endedAt: 'desc' } }),
    db.workItem.findFirst({ where: { ...meant(target), state: 'settled' }, orderBy: { settledAt: 'desc' } }),
  ]);
  if (ended === null || settled === null) return ended ?? settled ?? undefined;
  return Number(ended.endedAt) > Number(settled.settledAt) ? ended : settled;
}

function ambiguous(payNo: string, open: readonly WorkItem[]): RequestError {
  const items = open.map(({ id, kind, subject }) => ({ id, kind, subject }));
  return new RequestError(409, 'work-item-ambiguous', `${open.length} work items are open on payment ${payNo}: name one by its id.`, { items });
}

const MONEY_KINDS: ReadonlySet<string> = new Set(['overpaid', 'paid-after-close']);

function refusal({ id, kind, payNo, state, amountDue, settledBy, settledAt, endedAt }: WorkItem): RequestError {
  if (state === 'settled') return new RequestError(409, 'work-item-settled', `${settledBy} has settled ${nameOf(payNo, kind, id)} already, at ${settledAt?.toISOString()}.`);
  if (MONEY_KINDS.has(kind) && amountDue === 0n) return new RequestError(409, 'work-item-refunded', `Payment ${payNo} was refunded in full; nothing is left to settle.`);
  return new RequestError(409, 'work-item-ended', `${nameOf(payNo, kind, id)} has ended by itself, at ${endedAt?.toISOString()}.`);
}

function nameOf(payNo: string | null, kind: string, id: string): string {
  return payNo === null ? `work item ${id} (${kind})` : `${kind} of payment ${payNo}`;
}
