import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import type { ParkedMessage } from '../../generated/prisma/client.ts';
import { closeParked, type CloseOutcome } from '../../platform/consumer/close-parked.ts';
import { listParked, redriveParked, type RedriveDependencies, type RedriveOutcome, type ResolvedBefore, type RowOutcome } from '../../platform/consumer/parked.ts';
import { redriveMany, type RedrivenPart } from '../../platform/consumer/redrive-many.ts';
import { Id, problemResponses, RowNumber } from '../../platform/http/schemas.ts';
import { ADMIN_TIMEOUT_MS, ModuleSchema, TAGS, TimeSchema } from './admin-schemas.ts';
import { recordAction, type ActionRecord } from './record-action.ts';

const LIMIT_MAX = 500;
/** A body larger than this is cut in the answer; it is kept whole in the table. */
const BODY_SHOWN_MAX = 4_096;

/** Leaves time to answer before the route's own limit; the longest single message takes a transaction's. */
const PART_MAX_MS = 15_000;
const NOTE_LENGTH_MAX = 2_000;

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
  redrivenBy: Nullable(Type.String()),
  closedBy: Nullable(Type.String()),
  closedNote: Nullable(Type.String()),
  body: Type.String({ description: `At most ${BODY_SHOWN_MAX} bytes of it, as text` }),
});

const outcomeFields = { outcome: Type.String({ description: 'applied | already-applied | ignored | still-failing' }), code: Type.Optional(Type.String()), cause: Type.Optional(Type.String()) };
const Followers = Type.Array(Type.Object({ id: RowNumber, ...outcomeFields }), { description: 'Later messages of the same payment that had waited behind it' });
const RedriveSchema = Type.Object({ id: RowNumber, ...outcomeFields, followers: Followers });
const CloseSchema = Type.Object({ id: RowNumber, outcome: Type.Literal('closed'), followers: Followers });

const RedriveManySchema = Type.Object(
  {
    module: Type.Optional(ModuleSchema),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'As in the list, e.g. `selection-unknown`' })),
    payNo: Type.Optional(Id),
    all: Type.Optional(Type.Literal(true, { description: 'Needed where neither module, reason nor payNo says which' })),
    after: Type.Optional(RowNumber),
    limit: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: 100, description: 'Messages of this part' }),
  },
  { additionalProperties: false },
);

const RedrivenSchema = Type.Object({
  redriven: Type.Integer({ description: 'Done now: applied, already applied or ignored' }),
  applied: Type.Integer(),
  alreadyApplied: Type.Integer(),
  ignored: Type.Integer(),
  parkedAgain: Type.Integer({ description: 'Tried, and parked as before with the new cause' }),
  behindParked: Type.Integer({ description: 'Not tried: an earlier message of the payment is still parked' }),
  skipped: Type.Integer({ description: 'Not tried: they have killed the process before. Name them by that reason, or one by one' }),
  remaining: Type.Integer({ description: 'Of the filter, behind this part: ask again with `after` = `next`' }),
  next: Type.Union([RowNumber, Type.Null()], { description: 'null: nothing remains' }),
});

export function parkedRoutes(deps: RedriveDependencies): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/parked', {
      schema: {
        ...TAGS,
        summary: 'Messages that wait for a person, newest first',
        querystring: Type.Object({
          module: Type.Optional(ModuleSchema),
          state: Type.Union([Type.Literal('parked'), Type.Literal('redriven'), Type.Literal('closed')], { default: 'parked' }),
          payNo: Type.Optional(Id),
          before: Type.Optional(RowNumber),
          limit: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: 100 }),
        }, { additionalProperties: false }),
        response: { 200: Type.Object({ parked: Type.Array(ParkedSchema) }), ...problemResponses },
      },
    }, async ({ query: { module, state, payNo, before, limit } }) => {
      const rows = await listParked(deps.db, {
        ...(module === undefined ? {} : { module }),
        ...(payNo === undefined ? {} : { payNo }),
        ...(before === undefined ? {} : { before: BigInt(before) }),
        state,
        limit,
      });
      return { parked: rows.map(describe) };
    });

    app.post('/parked/redrive', {
      config: { deadlineMs: ADMIN_TIMEOUT_MS },
      schema: { ...TAGS, summary: 'Execute parked messages again by module, reason, payment or all, oldest first, one part at a time', body: RedriveManySchema, response: { 200: RedrivenSchema, ...problemResponses } },
    }, async ({ body, actor }) => {
      const { module, reason, payNo, all, after = '0', limit } = body;
      const filter = { ...(module === undefined ? {} : { module }), ...(reason === undefined ? {} : { reason }), ...(payNo === undefined ? {} : { payNo }) };
      if (all === undefined && Object.keys(filter).length === 0) throw new RequestError(400, 'redrive-of-what', 'Say which: module, reason, payNo, or "all": true.');
      const endsAt = performance.now() + PART_MAX_MS;
      const part = { by: actor, filter, after: BigInt(after), limit, isOver: () => performance.now() > endsAt };
      const redriven = await recordAction(deps.db, { actor, action: 'parked.redrive-many', target: 'parked', detail: body }, () => redriveMany(deps, part), wordsOfPart);
      return describePart(redriven);
    });

    app.post('/parked/:id/close', {
      config: { deadlineMs: ADMIN_TIMEOUT_MS },
      schema: {
        ...TAGS,
        summary: 'End the waiting of a parked message unapplied, because it was dealt with otherwise; what waited behind it goes on',
        params: Type.Object({ id: RowNumber }),
        body: Type.Object({ note: Type.String({ minLength: 1, maxLength: NOTE_LENGTH_MAX, description: 'What was done about it' }) }, { additionalProperties: false }),
        response: { 200: CloseSchema, ...problemResponses },
      },
    }, async ({ params: { id }, body: { note }, actor }) => {
      const close = async (record: ActionRecord) => refuseUnclosed(await closeParked(deps, BigInt(id), { by: actor, note, record: record.conclude }), id);
      const { followers } = await recordAction(deps.db, { actor, action: 'parked.close', target: id, detail: { note } }, close, (value) => value.outcome);
      return { id, outcome: 'closed' as const, followers: describeFollowers(followers) };
    });

    app.post('/parked/:id/redrive', {
      config: { deadlineMs: ADMIN_TIMEOUT_MS },
      schema: { ...TAGS, summary: 'Execute a parked message again and say what became of it', params: Type.Object({ id: RowNumber }), response: { 200: RedriveSchema, ...problemResponses } },
    }, async ({ params: { id }, actor }) => {
      const redrive = async (record: ActionRecord) => refuseUnexecuted(await redriveParked(deps, BigInt(id), { by: actor, record: record.conclude }), id);
      const outcome = await recordAction(deps.db, { actor, action: 'parked.redrive', target: id, detail: {} }, redrive, (value) => value.outcome);
      return { id, ...wordsOf(outcome), followers: describeFollowers(outcome.followers) };
    });
  };
}

/** Nothing was executed: that is a refusal, not a result. */
function refuseUnexecuted(outcome: RedriveOutcome, id: string): RedriveOutcome {
  switch (outcome.outcome) {
    case 'not-found':
      throw unknownParked(id);
    case 'already-redriven':
    case 'already-closed':
      throw resolvedBefore(outcome);
    case 'behind-parked':
      throw new RequestError(409, 'behind-parked', `Message ${outcome.headId} of the same payment is parked too and must go first.`, { headId: outcome.headId.toString() });
    case 'unparseable':
      throw new RequestError(409, 'unparseable', `This is no message that a module can execute: ${outcome.cause}`);
    default:
      return outcome;
  }
}

function refuseUnclosed(closed: CloseOutcome, id: string): CloseOutcome {
  if (closed.outcome === 'not-found') throw unknownParked(id);
  if (closed.outcome !== 'closed') throw resolvedBefore(closed);
  return closed;
}

function unknownParked(id: string): RequestError {
  return new RequestError(404, 'parked-unknown', `There is no parked message ${id} of a module that runs here.`);
}

function resolvedBefore({ outcome, by, at }: ResolvedBefore): RequestError {
  const when = `${by === null ? '' : `by ${by}, `}at ${at?.toISOString()}`;
  if (outcome === 'already-redriven') return new RequestError(409, outcome, `This message was redriven before, ${when}.`);
  return new RequestError(409, outcome, `This message was closed before, ${when}. If it is to be applied after all, replay its payment in mode "reapply".`);
}

function describeFollowers(followers: RedriveOutcome['followers']) {
  return followers.map((row) => ({ id: row.id.toString(), ...wordsOf(row) }));
}

function describePart({ counts, last, remaining }: RedrivenPart) {
  const redriven = counts.applied + counts.alreadyApplied + counts.ignored;
  return { redriven, ...counts, remaining, next: remaining === 0 ? null : last.toString() };
}

function wordsOfPart(part: RedrivenPart): string {
  const { redriven, parkedAgain, behindParked, skipped, remaining } = describePart(part);
  return `redriven ${redriven}, parked again ${parkedAgain}, not tried ${behindParked + skipped}, remaining ${remaining}`;
}

function wordsOf(outcome: RowOutcome) {
  const code = 'code' in outcome ? { code: outcome.code } : {};
  const cause = 'cause' in outcome ? { cause: outcome.cause } : {};
  return { outcome: outcome.outcome, ...code, ...cause };
}

function describe(row: ParkedMessage) {
  const { module, queue, eventId, payNo, messageType, reason, cause, attempts, state, redriveCount, redrivenBy, closedBy, closedNote } = row;
  return {
    ...{ id: row.id.toString(), module, queue, eventId, payNo, messageType, reason, cause, attempts, state, redriveCount, redrivenBy, closedBy, closedNote },
    parkedAt: row.parkedAt.toISOString(),
    resolvedAt: row.resolvedAt?.toISOString() ?? null,
    body: Buffer.from(row.body.subarray(0, BODY_SHOWN_MAX)).toString('utf8'),
  };
}
