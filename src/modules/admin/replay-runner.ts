import { DependencyUnavailableError, StoreMismatchError } from '../../contracts/errors.ts';
import { MODULE_QUEUES } from '../../contracts/topology.ts';
import { isDatabaseUnavailable, type Database } from '../../platform/database/database.ts';
import type { Replay } from '../../generated/prisma/client.ts';
import { describeError } from '../../platform/broker/error-log.ts';
import { backoffMs, pause } from '../../platform/process/backoff.ts';
import type { Worker } from '../../platform/process/worker.ts';
import type { QueueDepth } from './lag.ts';
import { countOutcomes, outstandingOf } from './replay-outcomes.ts';
import { runReplay, type RunReplayDeps } from './run-replay.ts';
import { CLAIM_MS, claimReplay, finishReplay, modulesOf, releaseClaim } from './replay-store.ts';

/** Replays that publish at the same time; more wait for their turn. */
const CONCURRENT_MAX = 4;
const POLL_MS = 500;
/** Before a replay that met an absent dependency is claimed again. */
const AGAIN_AFTER_MS = 1_000;
/** … or an event store that is not the bound one: that waits for a person. */
const AGAIN_AFTER_MISMATCH_MS = 10_000;
/** A replay whose outcomes stop coming while its queues are empty is not kept open for ever. */
const OUTCOMES_PATIENCE_MS = 60_000;

export interface ReplayRunnerDeps extends Omit<RunReplayDeps, 'claimMs'> {
  readonly queueDepth: QueueDepth;
  /** For tests; otherwise CLAIM_MS. */
  readonly claimMs?: number;
}

/**
 * Publishes replays that operators asked for and closes them when every outcome is known. Without a database it waits;
 * a replay that is being published goes on as far as it can prove its progress.
 */
export function createReplayRunner(options: ReplayRunnerDeps): Worker {
  const deps = { ...options, claimMs: options.claimMs ?? CLAIM_MS };
  const active = new Map<string, Promise<void>>();
  const closeFinished = outcomeWatch(deps.db, deps.queueDepth);
  let trouble: string | null = null;

  async function claimAll(signal: AbortSignal): Promise<void> {
    while (active.size < CONCURRENT_MAX && !signal.aborted) {
      const replay = await claimReplay(deps.db, deps.owner, deps.claimMs, [...active.keys()]);
      if (replay === null) return;
      deps.log.info({ event: 'replay.claimed', replayId: replay.id, module: replay.module, mode: replay.mode, at: String(replay.nextPosition) });
      active.set(replay.id, superviseReplay(replay, deps, signal).finally(() => active.delete(replay.id)));
    }
  }

  /** @returns whether it went well. */
  async function look(signal: AbortSignal): Promise<boolean> {
    try {
      await claimAll(signal);
      await closeFinished();
      trouble = null;
      return true;
    } catch (error) {
      const cause = describeError(error);
      if (trouble !== cause) deps.log.warn({ event: 'replays.waiting', err: error });
      trouble = cause;
      return false;
    }
  }

  return {
    name: 'replays',
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        failures = (await look(signal)) ? 0 : failures + 1;
        await pause(failures === 0 ? POLL_MS : backoffMs(failures), signal);
      }
      await Promise.all(active.values());
    },
    health: () => (trouble === null ? { status: 'ok', detail: { active: active.size } } : { status: 'degraded', reason: trouble }),
  };
}

/**
 * A replay that meets an absent dependency is left as it is: its claim is released and it is claimed again. Anything
 * else is a fault in it, and trying again would fail for ever. Never rejects.
 */
async function superviseReplay(replay: Replay, deps: RunReplayDeps, signal: AbortSignal): Promise<void> {
  let againAfterMs = 0;
  try {
    await runReplay(replay, deps, signal);
  } catch (error) {
    const isMismatch = error instanceof StoreMismatchError;
    const isPassing = isMismatch || error instanceof DependencyUnavailableError || isDatabaseUnavailable(error);
    // A wrong event store is told once, by the binding.
    if (!isMismatch) deps.log.error({ event: 'replay.failed', replayId: replay.id, err: error, triedAgain: isPassing });
    if (isPassing) againAfterMs = isMismatch ? AGAIN_AFTER_MISMATCH_MS : AGAIN_AFTER_MS;
    // While it is still claimed, so that nobody has begun with it anew.
    else await finishReplay(deps.db, replay.id, 'failed', { error: describeError(error), owner: deps.owner }).catch(() => undefined);
  }
  // Best effort: without it the next runner waits until the claim has run out.
  await releaseClaim(deps.db, replay.id, deps.owner).catch(() => undefined);
  if (againAfterMs > 0) await pause(againAfterMs, signal);
}

/** Closes replays that are wholly published, once each message has its outcome in each module. */
function outcomeWatch(db: Database, queueDepth: QueueDepth): () => Promise<void> {
  const lastSeen = new Map<string, { outstanding: number; sinceMs: number }>();
  return async () => {
    const replays = await db.replay.findMany({ where: { state: 'running', nextPosition: { gte: db.replay.fields.toPosition } } });
    const counts = await countOutcomes(db, replays.map(({ id }) => id));
    for (const id of lastSeen.keys()) if (!counts.has(id)) lastSeen.delete(id);
    for (const replay of replays) {
      const found = counts.get(replay.id);
      const outstanding = found === undefined ? 0 : outstandingOf(replay, found);
      if (outstanding === 0) await finishReplay(db, replay.id, 'completed');
      else if (isStalled(replay.id, outstanding) && (await areEmpty(modulesOf(replay).map((module) => MODULE_QUEUES[module])))) {
        await finishReplay(db, replay.id, 'completed', { error: `${outstanding} outcomes never came, though the queues are empty` });
      }
    }
  };

  function isStalled(id: string, outstanding: number): boolean {
    const seen = lastSeen.get(id);
    if (seen?.outstanding === outstanding) return performance.now() - seen.sinceMs > OUTCOMES_PATIENCE_MS;
    lastSeen.set(id, { outstanding, sinceMs: performance.now() });
    return false;
  }

  async function areEmpty(queues: readonly string[]): Promise<boolean> {
    const depths = await Promise.all(queues.map((queue) => queueDepth(queue)));
    return depths.every((depth) => depth === 0);
  }
}
