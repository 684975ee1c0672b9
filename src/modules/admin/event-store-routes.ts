import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { RequestError, type StoreMismatchError } from '../../contracts/errors.ts';
import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import type { Landmark } from '../../platform/event-store/position.ts';
import { DecimalString, problemResponses } from '../../platform/http/schemas.ts';
import { ADMIN_TIMEOUT_MS, TAGS, TimeSchema } from './admin-schemas.ts';
import { surveyAdoption, type AdoptionSurvey } from './adoption-survey.ts';
import { recordAction, type ActionRecord } from './record-action.ts';
import { refuseMismatch } from './store-sight.ts';

/** What an adoption of the event store, as it is now, would do. */
export interface AdoptionPlan {
  readonly mismatch: StoreMismatchError;
  readonly binding: { readonly storeId: string } | null;
  readonly identity: { readonly storeId: string } | null;
  readonly generation: bigint;
  readonly from: Landmark | null;
  readonly appliedBehind: number;
}

export interface EventStoreRoutesDeps<Plan extends AdoptionPlan = AdoptionPlan> {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readAll'>;
  /** Null: the store is the one that the database remembers. */
  readonly planAdoption: () => Promise<Plan | null>;
  readonly adopt: (plan: Plan, actor: string, record: (transaction: Transaction) => Promise<void>) => Promise<void>;
}

const NullableId = (description: string) => Type.Union([Type.String(), Type.Null()], { description });
const EventSchema = Type.Object({ payNo: Type.String(), eventId: Type.String(), type: Type.String(), position: DecimalString, recordedAt: TimeSchema });

const AdoptionSchema = Type.Object({
  outcome: Type.Union([Type.Literal('dry-run'), Type.Literal('adopted')]),
  mismatch: Type.String({ description: 'another-store | older-state | unbound-database' }),
  reason: Type.String({ description: 'For a person' }),
  boundStore: NullableId('Identity of the store that the database belonged to; null = none'),
  store: NullableId('Identity of the store as it is; null = it is given one when it is adopted'),
  generation: DecimalString,
  from: Type.Union([Type.Object({ eventId: Type.String(), position: DecimalString }), Type.Null()], { description: 'Last event that both have in common; null = none' }),
  sendAgain: Type.Object(
    {
      events: Type.Integer(),
      isExact: Type.Boolean({ description: 'false: at least so many' }),
      missing: Type.Record(Type.String(), Type.Integer(), { description: 'Of those, by module: neither applied nor parked' }),
      first: Type.Array(EventSchema),
    },
    { description: 'Events behind it; those that a module has applied change nothing' },
  ),
  appliedBehind: Type.Integer({ description: 'Events behind it that a module has applied or ignored; of those that are not in this store, only the effects are left' }),
});

const ADOPTED = 'adopted';

/** The one thing an operator does about an event store that was replaced, emptied or restored. */
export function eventStoreRoutes<Plan extends AdoptionPlan>(deps: EventStoreRoutesDeps<Plan>): FastifyPluginAsyncTypebox {
  const { db, store, planAdoption, adopt } = deps;
  return async (app) => {
    app.post('/event-store/adopt', {
      config: { deadlineMs: ADMIN_TIMEOUT_MS },
      schema: {
        ...TAGS,
        summary: 'Take the event store as it is now for the truth, and publish again what the database cannot have seen',
        body: Type.Object({ dryRun: Type.Boolean({ description: 'true: only tell what would be done' }) }, { additionalProperties: false }),
        response: { 200: AdoptionSchema, ...problemResponses },
      },
    }, async ({ body: { dryRun }, actor }) => {
      const plan = await planAdoption().catch(refuseMismatch);
      if (plan === null) throw new RequestError(409, 'event-store-is-bound', 'The event store is the one that the database remembers: there is nothing to adopt.');
      const survey = await surveyAdoption(plan.from, db, store);
      const described = describe(plan, survey);
      if (dryRun) return { outcome: 'dry-run' as const, ...described };
      const work = ({ conclude }: ActionRecord) => adopt(plan, actor, (transaction) => conclude(transaction, ADOPTED)).catch(refuseMismatch);
      await recordAction(db, { actor, action: 'event-store.adopt', target: plan.identity?.storeId ?? 'a store without an identity', detail: described }, work, () => ADOPTED);
      return { outcome: 'adopted' as const, ...described };
    });
  };
}

function describe({ mismatch, binding, identity, generation, from, appliedBehind }: AdoptionPlan, { events, isExact, missing, first }: AdoptionSurvey) {
  return {
    mismatch: mismatch.kind,
    reason: mismatch.message,
    boundStore: binding?.storeId ?? null,
    store: identity?.storeId ?? null,
    generation: generation.toString(),
    from: from === null ? null : { eventId: from.eventId, position: from.position.toString() },
    sendAgain: { events, isExact, missing: { ...missing }, first: first.map(describeEvent) },
    appliedBehind,
  };
}

function describeEvent({ id, stream, type, position, recordedAt }: StoredEvent) {
  return { payNo: stream.slice(PAYMENT_STREAM_PREFIX.length), eventId: id, type, position: position.toString(), recordedAt: recordedAt.toISOString() };
}
