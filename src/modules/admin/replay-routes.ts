import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import { MODULE_NAMES } from '../../contracts/topology.ts';
import type { Replay } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { DecimalString, Id, Moment, problemResponses } from '../../platform/http/schemas.ts';
import { ADMIN_TIMEOUT_MS, PositionOrNull, positionText, TAGS, TimeSchema } from './admin-schemas.ts';
import { recordAction, type ActionRecord } from './record-action.ts';
import { countOutcomes, outstandingOf, type ReplayCounts } from './replay-outcomes.ts';
import { resolveRange } from './replay-range.ts';
import { cancelReplay } from './replay-store.ts';
import { startReplay } from './start-replay.ts';
import { refuseMismatch, type LookAtStore } from './store-sight.ts';

export interface ReplayRoutesDeps {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readAll' | 'readStream' | 'headPosition'>;
  readonly lookAtStore: LookAtStore;
}

/** Live traffic shares broker and database with a replay. The default leaves it most of both. */
export const RATE_DEFAULT = 500;
/** About half of what broker and consumers were measured to do. */
export const RATE_MAX = 5_000;
const LIST_MAX = 100;

const oneMember = { additionalProperties: false, minProperties: 1, maxProperties: 1 };

const RequestSchema = Type.Object(
  {
    module: Type.Union([...MODULE_NAMES, 'all'].map((name) => Type.Literal(name)), {
      description: 'One module: only its queue gets the messages. all: the exchange, with every subscriber behind it',
    }),
    from: Type.Object(
      { start: Type.Optional(Type.Literal(true)), position: Type.Optional(DecimalString), time: Type.Optional(Moment), payNo: Type.Optional(Id) },
      { ...oneMember, description: 'Inclusive; exactly one member' },
    ),
    to: Type.Optional(
      Type.Object({ position: Type.Optional(DecimalString), time: Type.Optional(Moment) }, { ...oneMember, description: 'Inclusive; without it, everything stored by now' }),
    ),
    mode: Type.Union([Type.Literal('missing'), Type.Literal('reapply')], {
      description: 'missing: only what a module neither applied nor parked. reapply: the effect is written again',
    }),
    ratePerSecond: Type.Integer({ minimum: 1, maximum: RATE_MAX, default: RATE_DEFAULT }),
  },
  { additionalProperties: false },
);

const ReplaySchema = Type.Object({
  id: Type.String(),
  module: Type.String(),
  mode: Type.String(),
  payNo: Type.Union([Type.String(), Type.Null()]),
  state: Type.String({ description: 'queued | running | cancelling | cancelled | completed | failed' }),
  requestedBy: Type.String(),
  ratePerSecond: Type.Integer(),
  range: Type.Object({ after: PositionOrNull, publishedTo: PositionOrNull, to: PositionOrNull }),
  counts: Type.Object({
    published: Type.Integer({ description: 'Messages proven to be published' }),
    skipped: Type.Integer({ description: 'Events the module held already (mode missing); not published' }),
    applied: Type.Integer(),
    alreadyApplied: Type.Integer(),
    ignored: Type.Integer(),
    parked: Type.Integer(),
    failed: Type.Integer({ description: 'Events whose message no module could read; not published' }),
    remaining: Type.Integer({ description: 'Outcomes still to come for what is published' }),
  }),
  error: Type.Union([Type.String(), Type.Null()]),
  createdAt: TimeSchema,
  finishedAt: Type.Union([TimeSchema, Type.Null()]),
  cancelledBy: Type.Union([Type.String(), Type.Null()]),
});

export function replayRoutes(deps: ReplayRoutesDeps): FastifyPluginAsyncTypebox {
  const { db } = deps;
  return async (app) => {
    app.post('/replays', {
      config: { deadlineMs: ADMIN_TIMEOUT_MS },
      schema: { ...TAGS, summary: 'Publish stored events again', body: RequestSchema, response: { 202: ReplaySchema, ...problemResponses } },
    }, async ({ body, actor }, reply) => {
      const id = randomUUID();
      const start = async (record: ActionRecord) => {
        const { generation } = await deps.lookAtStore().catch(refuseMismatch);
        const { fromPosition, toPosition, payNo } = await resolveRange(body.from, body.to ?? {}, { ...deps, generation });
        const { module, mode, ratePerSecond } = body;
        return startReplay(db, { id, module, mode, generation, fromPosition, toPosition, payNo, ratePerSecond, requestedBy: actor }, record);
      };
      const replay = await recordAction(db, { actor, action: 'replay.start', target: id, detail: body }, start, () => 'accepted');
      return reply.code(202).header('location', `${app.prefix}/replays/${id}`).send(await view(db, replay));
    });

    app.get('/replays', {
      schema: { ...TAGS, summary: `The newest ${LIST_MAX} replays`, response: { 200: Type.Object({ replays: Type.Array(ReplaySchema) }), ...problemResponses } },
    }, async () => {
      const replays = await db.replay.findMany({ orderBy: { createdAt: 'desc' }, take: LIST_MAX });
      const counts = await countOutcomes(db, replays.map(({ id }) => id));
      return { replays: replays.map((replay) => describe(replay, counts.get(replay.id))) };
    });

    app.get('/replays/:id', {
      schema: { ...TAGS, summary: 'Progress of one replay', params: Type.Object({ id: Id }), response: { 200: ReplaySchema, ...problemResponses } },
    }, async ({ params }) => view(db, await find(db, params.id)));

    app.post('/replays/:id/cancel', {
      schema: { ...TAGS, summary: 'Stop a replay; what is published stays published', params: Type.Object({ id: Id }), response: { 200: ReplaySchema, ...problemResponses } },
    }, async ({ params: { id }, actor }) => {
      const cancel = async (record: ActionRecord) => {
        const state = await db.$transaction(async (transaction) => {
          const cancelled = await cancelReplay(transaction, id, actor);
          if (cancelled !== null) await record.conclude(transaction, cancelled);
          return cancelled;
        });
        if (state === null) throw notToBeCancelled(await find(db, id));
        return state;
      };
      await recordAction(db, { actor, action: 'replay.cancel', target: id, detail: {} }, cancel, (state) => state);
      return view(db, await find(db, id));
    });
  };
}

function notToBeCancelled({ state, cancelledBy, cancelledAt, finishedAt }: Replay): RequestError {
  const by = cancelledBy === null ? '' : ` ${cancelledBy} has cancelled it, at ${cancelledAt?.toISOString()}.`;
  if (state === 'cancelling') return new RequestError(409, 'replay-cancelling', `The replay is being cancelled.${by}`);
  return new RequestError(409, 'replay-finished', `The replay is over: it is ${state}, since ${finishedAt?.toISOString()}.${by}`);
}

async function find(db: Database, id: string): Promise<Replay> {
  const replay = await db.replay.findUnique({ where: { id } });
  if (replay === null) throw new RequestError(404, 'replay-unknown', `There is no replay ${id}.`);
  return replay;
}

async function view(db: Database, replay: Replay) {
  return describe(replay, (await countOutcomes(db, [replay.id])).get(replay.id));
}

function describe(replay: Replay, counts: ReplayCounts = { applied: 0, alreadyApplied: 0, ignored: 0, parked: 0, failed: 0 }) {
  const { id, module, mode, payNo, requestedBy, ratePerSecond, error, cancelledBy } = replay;
  const isWaiting = replay.state === 'running' && replay.claimedBy === null && replay.nextPosition === replay.fromPosition && replay.nextPosition < replay.toPosition;
  return {
    ...{ id, module, mode, payNo, requestedBy, ratePerSecond, error, cancelledBy },
    state: isWaiting ? 'queued' : replay.state,
    range: { after: positionText(replay.fromPosition), publishedTo: positionText(replay.nextPosition), to: positionText(replay.toPosition) },
    counts: { published: Number(replay.published), skipped: Number(replay.skipped), ...counts, remaining: outstandingOf(replay, counts) },
    createdAt: replay.createdAt.toISOString(),
    finishedAt: replay.finishedAt?.toISOString() ?? null,
  };
}
