import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Metrics } from '../../../platform/observe/metrics.ts';
import type { Worker } from '../../../platform/process/worker.ts';
import { createCallbackBuffer, type CallbackBuffer } from './callback-buffer.ts';
import { createCallbackFollower, type CallbackFollowerDeps } from './callback-follower.ts';
import { createCallbackPruner, type CallbackPrunerDeps } from './callback-pruner.ts';
import { callbackRoutes } from './callback-routes.ts';
import { createCallbackWriter } from './callback-writer.ts';

/**
 * What became of every callback of a known account. Beside the truth and never in the way of an answer:
 *
 * noted in memory (bounded) → written in batches → taken up from the event store where it was not written → pruned
 */
export interface CallbackRegister {
  readonly buffer: CallbackBuffer;
  readonly workers: readonly Worker[];
  readonly routes: FastifyPluginAsyncTypebox;
  /** Writes what is left, when no more can come. Never rejects. */
  finish(limitMs: number): Promise<void>;
}

export type CallbackRegisterDeps = CallbackFollowerDeps & CallbackPrunerDeps & { readonly metrics: Metrics };

export function createCallbackRegister(deps: CallbackRegisterDeps): CallbackRegister {
  const buffer = createCallbackBuffer(deps);
  const writer = createCallbackWriter({ ...deps, buffer, instance: randomUUID() });
  return {
    buffer,
    workers: [writer.worker, createCallbackFollower(deps), createCallbackPruner(deps)],
    routes: callbackRoutes({ db: deps.db, buffer }),
    finish: (limitMs) => writer.finish(limitMs),
  };
}
