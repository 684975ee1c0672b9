import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import type { ParkedMessage } from '../../generated/prisma/client.ts';
import { listParked, redriveParked, type RedriveDependencies, type RedriveOutcome, type RowOutcome } from '../../platform/consumer/parked.ts';
import { Id, problemResponses, RowNumber } from '../../platform/http/schemas.ts';
import { ADMIN_TIMEOUT_MS, ModuleSchema, TAGS, TimeSchema } from './admin-schemas.ts';
import { recordAction } from './record-action.ts';

const LIMIT_MAX = 500;
/** A body larger than this is cut in the answer; it is kept whole in the table. */
const BODY_SHOWN_MAX = 4_096;

const Nullable = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()]);

const ParkedSchema = Type.Object({
  id: RowNumber,
  module: Type.String(),
  queue: Type.String(),
  eventId: Nullable(Type.String()),
  payNo: Nullable(Type.String()),
  messageType: Nullable(Type.String()),
  reason: Type.String({ description: 'Stable word' }),
  cause: Type.String({ description: 'For a person' }),
  attempts: Type.Integer(),
  state: Type.String(),
  parkedAt: TimeSchema,
  resolvedAt: Type.Union([TimeSchema, Type.Null()]),
  redriveCount: Type.Integer(),
  body: Type.String({ description: `At most ${BODY_SHOWN_MAX} bytes of it, as text` }),
});

const outcomeFields = { outcome: Type.String({ description: 'applied | already-applied | ignored | still-failing' }), code: Type.Optional(Type.String()), cause: Type.Optional(Type.String()) };
const RedriveSchema = Type.Object({
  id: RowNumber,
  ...outcomeFields,
  followers: Type.Array(Type.Object({ id: RowNumber, ...outcomeFields }), { description: 'Later messages of the same payment that had waited behind it' }),
});

export function parkedRoutes(deps: RedriveDependencies): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/parked', {
      schema: {
        ...TAGS,
        summary: 'Messages that wait for a person, newest first',
        querystring: Type.Object({
          module: Type.Optional(ModuleSchema),
          state: Type.Union([Type.Literal('parked'), Type.Literal('redriven')], { default: 'parked' }),
          payNo: Type.Optional(Id),
          before: Type.Optional(RowNumber),
          limit: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: 100 }),
        }),
        response: { 200: Type.Object({ parked: Type.Array(ParkedSchema) }), ...problemResponses },
      },
    }, async ({ query: { before, ...query } }) => {
      const rows = await listParked(deps.db, { ...query, ...(before === undefined ? {} : { before: BigInt(before) }) });
      return { parked: rows.map(describe) };
    });

    app.post('/parked/:id/redrive', {
      handlerTimeout: ADMIN_TIMEOUT_MS,
      schema: { ...TAGS, summary: 'Execute a parked message again and say what became of it', params: Type.Object({ id: RowNumber }), response: { 200: RedriveSchema, ...problemResponses } },
    }, async ({ params: { id }, actor }) => {
      const redrive = async () => refuseUnexecuted(await redriveParked(deps, BigInt(id)), id);
      const outcome = await recordAction(deps.db, { actor, action: 'parked.redrive', target: id, detail: {} }, redrive, (value) => value.outcome);
      return { id, ...wordsOf(outcome), followers: outcome.followers.map((row) => ({ id: row.id.toString(), ...wordsOf(row) })) };
    });
  };
}

/** Nothing was executed: that is a refusal, not a result. */
function refuseUnexecuted(outcome: RedriveOutcome, id: string): RedriveOutcome {
  switch (outcome.outcome) {
    case 'not-found':
      throw new RequestError(404, 'parked-unknown', `There is no parked message ${id} of a module that runs here.`);
    case 'already-redriven':
      throw new RequestError(409, 'already-redriven', 'This message was redriven before.');
    case 'behind-parked':
      throw new RequestError(409, 'behind-parked', `Message ${outcome.headId} of the same payment is parked too and must go first.`, { headId: outcome.headId.toString() });
    case 'unparseable':
      throw new RequestError(409, 'unparseable', `This is no message that a module can execute: ${outcome.cause}`);
    default:
      return outcome;
  }
}

function wordsOf(outcome: RowOutcome) {
  const code = 'code' in outcome ? { code: outcome.code } : {};
  const cause = 'cause' in outcome ? { cause: outcome.cause } : {};
  return { outcome: outcome.outcome, ...code, ...cause };
}

function describe(row: ParkedMessage) {
  const { module, queue, eventId, payNo, messageType, reason, cause, attempts, state, redriveCount } = row;
  return {
    ...{ id: row.id.toString(), module, queue, eventId, payNo, messageType, reason, cause, attempts, state, redriveCount },
    parkedAt: row.parkedAt.toISOString(),
    resolvedAt: row.resolvedAt?.toISOString() ?? null,
    body: Buffer.from(row.body.subarray(0, BODY_SHOWN_MAX)).toString('utf8'),
  };
}
