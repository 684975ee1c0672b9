import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Database } from '../../platform/database/database.ts';
import { DecimalString, Id, problemResponses } from '../../platform/http/schemas.ts';
import { WorkItemKindCode } from './order-schemas.ts';
import { amountToGiveBack, listWorkItems, settleWorkItem, type WorkItem } from './work-items.ts';

export interface WorkItemRoutesDeps {
  readonly db: Database;
  readonly now: () => Date;
  /** Puts what an operator does on record, around doing it. */
  readonly recordAction: RecordAction;
}

export type RecordAction = <T>(action: OperatorAction, work: () => Promise<T>, resultOf: (value: T) => string) => Promise<T>;

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
const Time = Type.String({ format: 'date-time' });
const TextOrNull = Type.Union([Type.String(), Type.Null()]);

const ItemFields = {
  payNo: Type.String(),
  orderId: Type.String(),
  kind: WorkItemKindCode,
  amount: DecimalString,
  currency: Type.String(),
  refundedTotal: Type.String({ description: 'Refunds that the provider has told of, minor units' }),
  amountToGiveBack: Type.String({ description: 'Paid and not refunded yet, minor units' }),
  since: Type.String({ format: 'date-time', description: 'When the money came, by the provider\'s clock' }),
  settledAt: Type.Union([Time, Type.Null()], { description: 'Of an open item: of an earlier settlement, for another kind' }),
  settledBy: TextOrNull,
  settledNote: TextOrNull,
};

/** Operators' routes, to be registered under `/admin` inside a scope that has set `request.actor`. */
export function workItemRoutes({ db, now, recordAction }: WorkItemRoutesDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/work-items', {
      schema: {
        ...TAGS,
        summary: 'Money that came and is to be given back, oldest first',
        querystring: Type.Object({
          state: Type.Enum(['open', 'settled'], { default: 'open', description: 'settled: by an operator. What was refunded in full without that is in neither' }),
          page: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 }),
          pageSize: Type.Integer({ minimum: 1, maximum: PAGE_SIZE_MAX, default: 100 }),
        }),
        response: {
          200: Type.Object({ items: Type.Array(Type.Object({ ...ItemFields, userId: Type.String() })), page: Type.Integer(), pageSize: Type.Integer(), total: Type.Integer() }),
          ...problemResponses,
        },
      },
    }, async ({ query }) => {
      const { items, total } = await listWorkItems(db, query);
      return { items: items.map((item) => ({ ...view(item), userId: item.userId })), page: query.page, pageSize: query.pageSize, total };
    });

    app.post('/work-items/:payNo/settle', {
      schema: {
        ...TAGS,
        summary: 'Say that the money was dealt with (given back outside of the provider, or kept with reason)',
        params: Type.Object({ payNo: Id }),
        body: Type.Object({ note: Type.String({ minLength: 1, maxLength: NOTE_CHARACTERS_MAX, pattern: '\\S', description: 'What was done, for whoever asks later' }) }),
        response: { 200: Type.Object(ItemFields), ...problemResponses },
      },
    }, async ({ params: { payNo }, body: { note }, actor }) => {
      const settle = () => settleWorkItem(db, payNo, { by: actor, note, at: now() });
      const item = await recordAction({ actor, action: 'work-item.settle', target: payNo, detail: { note } }, settle, wordsOf);
      return view(item);
    });
  };
}

function wordsOf(item: Omit<WorkItem, 'userId'>): string {
  return `settled: ${item.kind}, ${amountToGiveBack(item)} ${item.currency} were not refunded`;
}

function view(item: Omit<WorkItem, 'userId'>) {
  const { payNo, orderId, kind, currency, settledBy, settledNote } = item;
  return {
    payNo, orderId, kind, currency, settledBy, settledNote,
    amount: item.amount.toString(),
    refundedTotal: item.refundedTotal.toString(),
    amountToGiveBack: amountToGiveBack(item).toString(),
    since: item.since.toISOString(),
    settledAt: item.settledAt?.toISOString() ?? null,
  };
}
