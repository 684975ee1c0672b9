import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { CallbackRecord } from '../../../generated/prisma/client.ts';
import type { Database } from '../../../platform/database/database.ts';
import { Id, problemResponses, timeOf } from '../../../platform/http/schemas.ts';
import { STATUS_BY_OUTCOME, type ReceiveOutcome } from '../providers/provider.ts';

const LIMIT_MAX = 500;
const OUTCOMES = Object.keys(STATUS_BY_OUTCOME) as ReceiveOutcome[];

const TextOrNull = Type.Union([Type.String(), Type.Null()]);
const IntegerOrNull = Type.Union([Type.Integer(), Type.Null()]);
const Outcome = Type.Enum(OUTCOMES);
/** As it is written here: to the millisecond, in UTC. */
const ReceivedAt = Type.String({ format: 'date-time', pattern: '^(19[7-9]\\d|2\\d{3})-\\d\\d-\\d\\dT\\d\\d:\\d\\d:[0-5]\\d\\.\\d{3}Z$', description: '`receivedAt` of a row: what came before it is listed' });

const CallbackSchema = Type.Object({
  id: Type.String(),
  receivedAt: Type.String({ format: 'date-time' }),
  provider: Type.String(),
  account: Type.String(),
  outcome: Type.String({ description: OUTCOMES.join(' | ') }),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'Of a refused, rejected, unavailable one: why. Of a malformed one: where' }),
  status: Type.Union([Type.Integer(), Type.Null()], { description: 'HTTP status of the answer; null in a row that was taken up from the event store' }),
  genuine: Type.Boolean({ description: 'Whether its signature was right; what is not genuine may be anybody’s' }),
  keyId: TextOrNull,
  notificationId: TextOrNull,
  providerType: Type.Union([Type.String(), Type.Null()], { description: 'The provider’s own word for what happened' }),
  kind: Type.Union([Type.String(), Type.Null()], { description: 'The same in ours' }),
  payNo: TextOrNull,
  providerTradeNo: TextOrNull,
  bodyBytes: IntegerOrNull,
  traceId: TextOrNull,
  source: Type.String({ description: 'received, or event-store: taken up from there, since it was not written down when it came' }),
  times: Type.Integer({ description: 'How many refusals of this account and reason the row stands for, those in front of it that were too many to be listed' }),
});

/** Operators' list of callbacks, to be registered under `/admin` inside a scope that checks the token. */
export function callbackRoutes({ db, buffer }: { readonly db: Database; readonly buffer: { readonly notKept: number } }): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/callbacks', {
      schema: {
        tags: ['admin'],
        security: [{ adminToken: [] }],
        summary: 'Callbacks of known accounts and what became of each: the newest first',
        querystring: Type.Object({
          provider: Type.Optional(Id),
          account: Type.Optional(Id),
          payNo: Type.Optional(Id),
          outcome: Type.Optional(Outcome),
          before: Type.Optional(ReceivedAt),
          beforeId: Type.Optional(Type.String({ format: 'uuid', description: '`id` of that row, so that none of the same millisecond is passed over' })),
          limit: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: 100 }),
        }),
        response: {
          200: Type.Object({
            callbacks: Type.Array(CallbackSchema),
            notKept: Type.Integer({ description: 'Callbacks since this instance started that are in no register: the database was away for too long, and it is not certain that the event store knows of them' }),
          }),
          ...problemResponses,
        },
      },
    }, async ({ query: { provider, account, payNo, outcome, before, beforeId, limit } }) => {
      const rows = await db.callbackRecord.findMany({
        where: {
          ...(provider === undefined ? {} : { provider }),
          ...(account === undefined ? {} : { account }),
          ...(payNo === undefined ? {} : { payNo }),
          ...(outcome === undefined ? {} : { outcome }),
          ...(before === undefined ? {} : olderThan(timeOf(before, 'before'), beforeId)),
        },
        orderBy: [{ receivedAt: 'desc' }, { id: 'desc' }],
        take: limit,
      });
      return { callbacks: rows.map(describe), notKept: buffer.notKept };
    });
  };
}

function olderThan(time: Date, id: string | undefined) {
  return id === undefined ? { receivedAt: { lt: time } } : { OR: [{ receivedAt: { lt: time } }, { receivedAt: time, id: { lt: id } }] };
}

function describe(row: CallbackRecord) {
  return { ...row, receivedAt: row.receivedAt.toISOString() };
}
