import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { WORK_ITEM_KINDS, type WorkItemView } from '../../contracts/work-items.ts';
import type { WorkItem } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import { Id, problemResponses } from '../../platform/http/schemas.ts';
import { WorkItemFields } from '../../platform/http/work-item-schema.ts';
import { listWorkItems, WORK_ITEM_STATES } from './list-work-items.ts';
import { settleWorkItem } from './settle-work-item.ts';
import { viewWorkItem } from './view-work-item.ts';

export interface WorkItemRoutesDeps {
  readonly db: Database;
  readonly now: () => Date;
  /** Puts what an operator does on record, around doing it. */
  readonly recordAction: RecordAction;
  /** What of each payment went back, by payNo; a payment that is not known is missing. */
  readonly refundedTotals: (payNos: readonly string[]) => Promise<ReadonlyMap<string, bigint>>;
}

export type RecordAction = <T>(action: OperatorAction, work: (record: ActionRecord) => Promise<T>, resultOf: (value: T) => string) => Promise<T>;

export interface ActionRecord {
  /** Writes the result within the transaction that makes the change. */
  readonly conclude: (transaction: Transaction, result: string) => Promise<void>;
}

export interface OperatorAction {
  /** Name of the operator's token. */
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail: object;
}

const TAGS = { tags: ['admin'], security: [{ adminToken: [] }] };
const PAGE_SIZE_MAX = 500;
const NOTE_CHARACTERS_MAX = 500;
const Item = Type.Object(WorkItemFields);

/** Operators' routes, to be registered under `/admin` inside a scope that has set `request.actor`. */
export function workItemRoutes({ db, now, recordAction, refundedTotals }: WorkItemRoutesDeps): FastifyPluginAsyncTypebox {
  const totalsOf = (items: readonly WorkItemView[]) => refundedTotals(items.flatMap(({ payNo }) => payNo ?? []));

  return async (app) => {
    app.get('/work-items', {
      schema: {
        ...TAGS,
        summary: 'What waits for an operator, oldest first: money to be given back, disputes, and more',
        querystring: Type.Object({
          state: Type.Enum(WORK_ITEM_STATES, { default: 'open', description: 'ended: by itself, e.g. by a refund. settled: by an operator' }),
          kind: Type.Optional(Type.Enum(WORK_ITEM_KINDS)),
          payNo: Type.Optional(Id),
          page: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 }),
          pageSize: Type.Integer({ minimum: 1, maximum: PAGE_SIZE_MAX, default: 100 }),
        }),
        response: { 200: Type.Object({ items: Type.Array(Item), page: Type.Integer(), pageSize: Type.Integer(), total: Type.Integer() }), ...problemResponses },
      },
    }, async ({ query }) => {
      const { items, total } = await listWorkItems(db, query);
      const totals = await totalsOf(items);
      return { items: items.map((item) => withTotal(item, totals)), page: query.page, pageSize: query.pageSize, total };
    });

    app.post('/work-items/:payNo/settle', {
      schema: {
        ...TAGS,
        summary: 'Say that it was dealt with: money given back outside of the provider or kept with reason, a lost dispute booked',
        description: 'Where several items are open on the payment, 409 lists them (`items`, each with id, kind and subject): name one by its id.',
        params: Type.Object({ payNo: Type.Intersect([Id, Type.String({ description: 'Payment that one open item stands on, or the id of an item' })]) }),
        body: Type.Object({ note: Type.String({ minLength: 1, maxLength: NOTE_CHARACTERS_MAX, pattern: '\\S', description: 'What was done, for whoever asks later' }) }),
        response: { 200: Item, ...problemResponses },
      },
    }, async ({ params: { payNo: target }, body: { note }, actor }) => {
      const settle = async ({ conclude }: ActionRecord) => {
        const record = (transaction: Transaction, row: WorkItem) => conclude(transaction, wordsOf(viewWorkItem(row)));
        return viewWorkItem(await settleWorkItem(db, target, { by: actor, note, at: now() }, record));
      };
      const item = await recordAction({ actor, action: 'work-item.settle', target, detail: { note } }, settle, wordsOf);
      return withTotal(item, await totalsOf([item]));
    });
  };
}

function withTotal(item: WorkItemView, totals: ReadonlyMap<string, bigint>) {
  return { ...item, refundedTotal: (totals.get(item.payNo ?? '') ?? 0n).toString() };
}

function wordsOf({ kind, currency, amountToGiveBack, subject, detail }: WorkItemView): string {
  if (kind === 'overpaid' || kind === 'paid-after-close') return `settled: ${kind}, ${amountToGiveBack} ${currency} were not refunded`;
  return `settled: ${[kind, subject, detail].filter((word) => word !== null).join(', ')}${amountToGiveBack === '0' ? '' : `, ${amountToGiveBack} ${currency} were due`}`;
}
