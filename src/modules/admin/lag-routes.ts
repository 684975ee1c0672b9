import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import type { ModuleName } from '../../contracts/topology.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { problemResponses } from '../../platform/http/schemas.ts';
import { ADMIN_TIMEOUT_MS, PositionOrNull, positionText, TAGS } from './admin-schemas.ts';
import { readLag, type Lag, type LagDeps, type ModuleLag } from './lag.ts';

const Depth = Type.Union([Type.Integer(), Type.Null()], { description: 'Messages ready; null = the broker does not say' });

const LagSchema = Type.Object({
  mismatch: Type.Union([Type.String(), Type.Null()], { description: 'Set when the event store is not the one that the database remembers: nothing is published, and everything behind what both have in common counts as behind' }),
  projector: Type.Object({
    checkpoint: PositionOrNull,
    head: PositionOrNull,
    eventsBehind: Type.Integer(),
    eventsBehindIsExact: Type.Boolean({ description: 'false: at least so many' }),
    secondsBehind: Type.Number({ description: 'Age of the oldest event not proven to be published' }),
  }),
  queues: Type.Array(Type.Object({ module: Type.String(), queue: Type.String(), depth: Depth, deadQueue: Type.String(), deadDepth: Depth })),
  modules: Type.Record(
    Type.String(),
    Type.Object({
      provenPosition: PositionOrNull,
      oldestUneffectedSeconds: Type.Number({ description: 'Age of the oldest payment event this module neither applied nor parked; 0 = none' }),
      oldestUneffected: Type.Union([Type.Object({ payNo: Type.String(), eventId: Type.String(), type: Type.String(), position: Type.String() }), Type.Null()]),
      parked: Type.Integer(),
    }),
  ),
});

export function lagRoutes(deps: LagDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/lag', {
      config: { deadlineMs: ADMIN_TIMEOUT_MS },
      schema: { ...TAGS, summary: 'How far projector, queues and modules are behind', response: { 200: LagSchema, ...problemResponses } },
    }, async () => describe(await readLag(deps)));
  };
}

function describe({ mismatch, projector, queues, modules }: Lag) {
  const { checkpoint, head, eventsBehind, isExact, secondsBehind } = projector;
  return {
    mismatch,
    projector: { checkpoint: positionText(checkpoint.commit), head: positionText(head), eventsBehind, eventsBehindIsExact: isExact, secondsBehind },
    queues: [...queues],
    modules: Object.fromEntries((Object.entries(modules) as [ModuleName, ModuleLag][]).map(([name, lag]) => [name, describeModule(lag)])),
  };
}

function describeModule({ proven, oldestUneffected, oldestUneffectedSeconds, parked }: ModuleLag) {
  return { provenPosition: positionText(proven.commit), oldestUneffectedSeconds, oldestUneffected: oldestUneffected === null ? null : name(oldestUneffected), parked };
}

function name({ id, stream, type, position }: StoredEvent) {
  return { payNo: stream.slice(PAYMENT_STREAM_PREFIX.length), eventId: id, type, position: position.toString() };
}
