import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { RedriveDependencies } from '../../platform/consumer/parked.ts';
import { actionRoutes } from './action-routes.ts';
import { eventStoreRoutes, type AdoptionPlan, type EventStoreRoutesDeps } from './event-store-routes.ts';
import type { LagDeps } from './lag.ts';
import { lagRoutes } from './lag-routes.ts';
import { parkedRoutes } from './parked-routes.ts';
import { replayRoutes, type ReplayRoutesDeps } from './replay-routes.ts';
import { trailRoutes } from './trail-routes.ts';
import type { TrailDeps } from './payment-trail.ts';

export { createReconciler, type ReconcilerDeps } from './reconciler.ts';
export { createReplayRunner, type ReplayRunnerDeps } from './replay-runner.ts';
export { recordAction, type Action, type ActionRecord } from './record-action.ts';
export type { QueueDepth } from './lag.ts';
export type { OpenPublisher } from './proven-publishing.ts';

export type { AdoptionPlan } from './event-store-routes.ts';

export type AdminDeps<Plan extends AdoptionPlan = AdoptionPlan> = ReplayRoutesDeps & LagDeps & TrailDeps & RedriveDependencies & EventStoreRoutesDeps<Plan>;

/** Operators' routes, to be registered under `/admin` inside a scope that has set `request.actor`. */
export function adminRoutes<Plan extends AdoptionPlan>(deps: AdminDeps<Plan>): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(replayRoutes(deps));
    await app.register(lagRoutes(deps));
    await app.register(trailRoutes(deps));
    await app.register(parkedRoutes(deps));
    await app.register(eventStoreRoutes(deps));
    await app.register(actionRoutes(deps.db));
  };
}
export { proveFrom } from './proven-positions.ts';
export { endReplaysBefore } from './replay-store.ts';
