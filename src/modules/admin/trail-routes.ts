import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import { DecimalString, Id, problemResponses } from '../../platform/http/schemas.ts';
import { PositionOrNull, positionText, TAGS, TimeSchema } from './admin-schemas.ts';
import { readTrail, type ModuleStep, type TrailDeps, type TrailEvent } from './payment-trail.ts';
import { verdictOf } from './trail-verdict.ts';

const StepSchema = Type.Object({
  state: Type.String({ description: 'applied | ignored | parked | closed (by a person, unapplied) | waiting' }),
  at: Type.Optional(TimeSchema),
  afterMs: Type.Optional(Type.Integer({ description: 'From the recording of the event to this step' })),
  parked: Type.Optional(Type.Object({ id: DecimalString, reason: Type.String(), cause: Type.String(), attempts: Type.Integer() })),
  closed: Type.Optional(Type.Object({ by: Type.String(), note: Type.String() })),
});

const TrailSchema = Type.Object({
  payNo: Type.String(),
  state: Type.String({ description: 'nothing-to-deliver | delivering | complete | attention' }),
  verdict: Type.String({ description: 'For a person' }),
  events: Type.Array(
    Type.Object({
      eventId: Type.String(),
      type: Type.String(),
      revision: DecimalString,
      position: PositionOrNull,
      recordedAt: TimeSchema,
      data: Type.Unknown(),
      checkpoint: Type.String({ description: 'internal: never published. passed: proven to be published. not-passed' }),
      modules: Type.Record(Type.String(), StepSchema),
    }),
  ),
});

export function trailRoutes(deps: TrailDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/payments/:payNo', {
      schema: { ...TAGS, summary: 'The trail of one payment: events, publishing, effects', params: Type.Object({ payNo: Id }), response: { 200: TrailSchema, ...problemResponses } },
    }, async ({ params: { payNo } }) => {
      const trail = await readTrail(payNo, deps);
      if (trail.events.length === 0) throw new RequestError(404, 'payment-unknown', `No event of payment ${payNo} is stored.`);
      const { state, words } = verdictOf(trail);
      return { payNo, state, verdict: words, events: trail.events.map(describeEvent) };
    });
  };
}

function describeEvent({ event, checkpoint, modules }: TrailEvent) {
  const { id, type, revision, position, recordedAt, data } = event;
  return {
    ...{ eventId: id, type, revision: revision.toString(), position: positionText(position), recordedAt: recordedAt.toISOString(), data, checkpoint },
    modules: Object.fromEntries(Object.entries(modules).map(([name, step]) => [name, describeStep(step, recordedAt)])),
  };
}

function describeStep(step: ModuleStep, recordedAt: Date) {
  if (step.state === 'waiting') return { state: step.state };
  const times = { at: step.at.toISOString(), afterMs: step.at.getTime() - recordedAt.getTime() };
  if (step.state !== 'parked' && step.state !== 'closed') return { state: step.state, ...times };
  const { parkedId, reason, cause, attempts } = step;
  const closed = step.state === 'closed' ? { closed: { by: step.by, note: step.note } } : {};
  return { state: step.state, ...times, parked: { id: parkedId.toString(), reason, cause, attempts }, ...closed };
}
