import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import type { PaymentNotificationResolved } from '../../contracts/payment-events.ts';
import { FIRST_GENERATION } from '../../contracts/store-events.ts';
import type { NotificationRecord } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import { Id, problemResponses, RowNumber } from '../../platform/http/schemas.ts';
import { closeNotification, readResolution } from './close-notification.ts';
import { reevaluate, type Reevaluation, type ReevaluateDeps } from './re-evaluate.ts';
import { keptOf } from './re-evaluator.ts';
import { resolveRow } from './notification-rows.ts';
import { withRow } from './waiting-row.ts';

export interface NotificationRoutesDeps extends ReevaluateDeps {
  readonly db: Database;
  /** Records what an operator does, before and after it is done. */
  readonly recordAction: RecordAction;
}

export type RecordAction = <T>(
  action: { readonly actor: string; readonly action: string; readonly target: string; readonly detail: object },
  work: (record: ActionRecord) => Promise<T>,
  resultOf: (value: T) => string,
) => Promise<T>;

export interface ActionRecord {
  /** Writes the result within the transaction that makes the change. */
  readonly conclude: (transaction: Transaction, result: string) => Promise<void>;
}

const TAGS = { tags: ['admin'], security: [{ adminToken: [] }] };
const LIMIT_MAX = 500;
const NOTE_LENGTH_MAX = 1_000;

const Time = Type.String({ format: 'date-time' });
const TextOrNull = Type.Union([Type.String(), Type.Null()]);
const NotificationParams = Type.Object({ id: Type.String({ format: 'uuid' }) });
const State = Type.Union([Type.Literal('rejected'), Type.Literal('unmatched'), Type.Literal('resolved')]);

const NotificationSchema = Type.Object({
  id: Type.String({ description: 'Event id; names it in the two requests below' }),
  state: State,
  provider: Type.String(),
  account: Type.String(),
  payNo: TextOrNull,
  providerTradeNo: Type.String(),
  kind: Type.String({ description: 'succeeded | attempt-failed | closed | refunded | refund-failed' }),
  reason: Type.String({ description: 'Stable word: why it became no event of its payment' }),
  expected: Type.String({ description: 'What is known here' }),
  received: Type.String({ description: 'What the notification says' }),
  notification: Type.Unknown({ description: 'What it said, in our words; null where an earlier version did not keep it' }),
  position: RowNumber,
  generation: RowNumber,
  recordedAt: Time,
  tries: Type.Integer({ description: 'How often it was evaluated again by itself' }),
  nextTryAt: Type.Union([Time, Type.Null()]),
  outcome: Type.Union([Type.String(), Type.Null()], { description: 'Of a resolved one: stored | rejected | duplicate | closed-by-operator' }),
  resolvedAt: Type.Union([Time, Type.Null()]),
  resolvedBy: TextOrNull,
  note: TextOrNull,
});

const ReevaluationSchema = Type.Object({
  id: Type.String(),
  outcome: Type.String({ description: 'stored: it is an event now. duplicate: its fact was known. rejected, unknown-payment, unknown-trade: it goes on waiting, unless resolved' }),
  resolved: Type.Boolean(),
});

/** Operators' side of notifications that wait, to be registered under `/admin` inside a scope that has set `request.actor`. */
export function notificationRoutes(deps: NotificationRoutesDeps): FastifyPluginAsyncTypebox {
  const { db, recordAction } = deps;
  return async (app) => {
    app.get('/notifications', {
      schema: {
        ...TAGS,
        summary: 'Genuine notifications that contradict what is known, or are about a payment that is not: the newest first',
        querystring: Type.Object({
          state: Type.Optional(State),
          provider: Type.Optional(Id),
          payNo: Type.Optional(Id),
          before: Type.Optional(RowNumber),
          beforeGeneration: Type.Optional(RowNumber),
          limit: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: 100 }),
        }),
        response: { 200: Type.Object({ notifications: Type.Array(NotificationSchema) }), ...problemResponses },
      },
    }, async ({ query: { state, provider, payNo, before, beforeGeneration = String(FIRST_GENERATION), limit } }) => {
      const rows = await db.notificationRecord.findMany({
        where: {
          ...(state === undefined ? {} : { state }),
          ...(provider === undefined ? {} : { provider }),
          ...(payNo === undefined ? {} : { payNo }),
          ...(before === undefined ? {} : olderThan(BigInt(beforeGeneration), BigInt(before))),
        },
        orderBy: [{ generation: 'desc' }, { position: 'desc' }],
        take: limit,
      });
      return { notifications: rows.map(describe) };
    });

    app.post('/notifications/:id/re-evaluate', {
      schema: { ...TAGS, summary: 'Evaluate a notification again, against the payment and the account settings as they are now', params: NotificationParams, response: { 200: ReevaluationSchema, ...problemResponses } },
    }, async ({ params: { id }, actor }) => {
      const work = (record: ActionRecord) => withRow(db, id, async (row, transaction) => evaluateAgain(deps, waiting(row, id), actor, transaction, record));
      const { outcome, resolved } = await recordAction({ actor, action: 'notification.re-evaluate', target: id, detail: {} }, work, (value) => value.outcome);
      return { id, outcome, resolved: resolved !== null };
    });

    app.post('/notifications/:id/close', {
      schema: {
        ...TAGS,
        summary: 'End the waiting of a notification that was dealt with by hand; nothing else changes',
        params: NotificationParams,
        body: Type.Object({ note: Type.String({ minLength: 1, maxLength: NOTE_LENGTH_MAX, description: 'What was done about it' }) }),
        response: { 200: NotificationSchema, ...problemResponses },
      },
    }, async ({ params: { id }, body: { note }, actor }) => {
      const work = (record: ActionRecord) => withRow(db, id, async (row, transaction) => close(deps, waiting(row, id), { actor, note }, transaction, record));
      return describe(await recordAction({ actor, action: 'notification.close', target: id, detail: { note } }, work, () => 'closed'));
    });
  };
}

async function evaluateAgain(deps: NotificationRoutesDeps, row: NotificationRecord, actor: string, transaction: Transaction, record: ActionRecord): Promise<Reevaluation> {
  const reevaluation = await reevaluate(deps, keptOf(row), actor);
  if (reevaluation.outcome === 'resolved-before') throw resolvedBefore(row.eventId, await readResolution(deps.store, row));
  refuseUnevaluated(reevaluation);
  if (reevaluation.resolved !== null) await resolveRow(transaction, reevaluation.resolved);
  await record.conclude(transaction, reevaluation.outcome);
  return reevaluation;
}

/** The event first: the table is only what can be read from it. */
async function close(deps: NotificationRoutesDeps, row: NotificationRecord, { actor, note }: { actor: string; note: string }, transaction: Transaction, record: ActionRecord): Promise<NotificationRecord> {
  const resolved: PaymentNotificationResolved = {
    payNo: row.payNo, notificationEventId: row.eventId, outcome: 'closed-by-operator', resolvedBy: actor, note, resolvedAt: deps.now().toISOString(),
  };
  const before = await closeNotification(deps.store, keptOf(row), resolved);
  if (before !== null) throw resolvedBefore(row.eventId, before);
  await resolveRow(transaction, resolved);
  await record.conclude(transaction, 'closed');
  return transaction.notificationRecord.findUniqueOrThrow({ where: { eventId: row.eventId } });
}

/** Positions compare only within one adoption of the event store; a later one comes after all of an earlier. */
function olderThan(generation: bigint, position: bigint) {
  return { OR: [{ generation: { lt: generation } }, { generation, position: { lt: position } }] };
}

function waiting(row: NotificationRecord | null, id: string): NotificationRecord {
  if (row === null) throw new RequestError(404, 'notification-unknown', `There is no notification ${id} among those that wait or waited.`);
  if (row.state === 'resolved') throw resolvedBefore(id, row);
  return row;
}

/** @param by how; null where its stream does not say it any more. */
function resolvedBefore(id: string, by: { readonly outcome: string | null; readonly resolvedBy: string | null; readonly resolvedAt: Date | string | null } | null): RequestError {
  const at = by?.resolvedAt instanceof Date ? by.resolvedAt.toISOString() : by?.resolvedAt;
  return new RequestError(409, 'notification-resolved', `Notification ${id} was resolved before${by === null ? '' : ` (${by.outcome}), by ${by.resolvedBy}, at ${at}`}.`);
}

/** Nothing was evaluated: that is a refusal, not a result. */
function refuseUnevaluated({ outcome }: Reevaluation): void {
  switch (outcome) {
    case 'unknown-account':
      throw new RequestError(409, 'account-unknown', 'The account that this notification came to is no longer configured.');
    case 'content-not-kept':
      throw new RequestError(409, 'notification-not-kept', 'This notification was rejected by an earlier version, which did not keep what it said. Let the provider send it again.');
    default:
  }
}

function describe(row: NotificationRecord) {
  const { provider, account, payNo, providerTradeNo, kind, reason, expected, received, notification, tries, outcome, resolvedBy, note } = row;
  return {
    id: row.eventId,
    state: row.state as 'rejected' | 'unmatched' | 'resolved',
    ...{ provider, account, payNo, providerTradeNo, kind, reason, expected, received, notification, tries, outcome, resolvedBy, note },
    position: row.position.toString(),
    generation: row.generation.toString(),
    recordedAt: row.recordedAt.toISOString(),
    nextTryAt: row.nextTryAt?.toISOString() ?? null,
    resolvedAt: row.resolvedAt?.toISOString() ?? null,
  };
}
