import { DependencyUnavailableError, FencedError, StoreMismatchError } from '../../contracts/errors.ts';
import { describeError } from '../../platform/broker/error-log.ts';
import { PublishFailure } from '../../platform/broker/publisher.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { BEFORE_ALL, behindEvent, comparePositions } from '../../platform/event-store/position.ts';
import { backoffMs, pause } from '../../platform/process/backoff.ts';
import type { Worker } from '../../platform/process/worker.ts';
import type { CheckpointStore, Grant } from './checkpoint-store.ts';
import { createCheckpointWriter, type CheckpointWriter } from './checkpoint-writer.ts';
import type { Place } from './confirmed-prefix.ts';
import { acquireLease, type Clock, type Lease } from './lease.ts';
import { createProjectorStatus } from './projector-status.ts';
import { publishRound, type RoundPorts, type RoundProgress } from './publish-round.ts';

/*
 * Order: right store → lease → topology → follow the log from the proven position → publish → proven → checkpoint → (at the end)
 * drain → last checkpoint → lease given back.
 *
 * Two positions: *proven* is in memory and moves with the confirms; *stored* is the checkpoint and follows it. A round
 * that fails starts again from proven, a process that starts begins from stored, each from the landmark of it: the last
 * event that was dealt with, which is looked for in the store first. Both only ever repeat, never skip.
 */

/** How often an instance without the lease, or without a database, asks for it. */
const STANDBY_POLL_MS = 1000;
/** A round that lasted this long was well; its failure starts over with the first delay. */
const WELL_AFTER_MS = 60_000;

/**
 * After a nack one queue is full while all others have the message: each attempt gives them another copy of everything in
 * flight. So it is repeated rarely; a person has to empty that queue anyway, and then waits half a minute at most.
 */
const NACK_PAUSE_MS = 30_000;

export interface Projector extends Worker {
  /** Commit position this instance last knew to be stored as the checkpoint; null while it has not led. */
  position(): bigint | null;
  /** Commit position up to which this instance has proven everything published; null while it has not led. */
  provenPosition(): bigint | null;
}

export interface ProjectorPorts extends RoundPorts {
  readonly checkpoints: CheckpointStore;
  /** Resolves when the event store is the one that the database is bound to. @throws StoreMismatchError; what is away. */
  lookAtStore(): Promise<unknown>;
  /** Why the broker takes nothing, with what helps; null when it does. */
  brokerTrouble(): string | null;
  /** What a nack means and which queues can be it, for a person. Never rejects. */
  explainNack(): Promise<string>;
  /** NACK_PAUSE_MS unless a test is in a hurry. */
  readonly nackPauseMs?: number;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export function runProjector(ports: ProjectorPorts): Projector {
  const { checkpoints, clock, log, nackPauseMs = NACK_PAUSE_MS } = ports;
  const status = createProjectorStatus(ports.metrics, () => ports.brokerTrouble(), () => clock.monotonicMs());
  let stored: (() => Place) | null = null;

  async function standBy(signal: AbortSignal): Promise<(Lease & Grant) | null> {
    while (!signal.aborted) {
      try {
        // Whoever holds the lease keeps all others from publishing: only on the right store may it be taken.
        await ports.lookAtStore();
        const answer = await acquireLease(checkpoints, ports.instanceId, clock);
        if (!('heldBy' in answer)) return answer;
        status.enter({ name: 'standing-by', heldBy: answer.heldBy });
      } catch (error) {
        // Without the checkpoint there is no position to begin from, so nothing is published.
        const what = error instanceof StoreMismatchError || isStoreAway(error) ? '' : 'the checkpoint cannot be read: ';
        status.enter({ name: 'waiting', reason: `${what}${describeError(error)}` });
      }
      await pause(STANDBY_POLL_MS, signal);
    }
    return null;
  }

  /**
   * Publishes until asked to stop, until another instance has the lease, or until the event store turns out to be a wrong
   * one: then the lease is given back, because another instance may have the right one.
   */
  async function lead(lease: Lease & Grant, signal: AbortSignal): Promise<void> {
    const fenced = new AbortController();
    const onFenced = (error: unknown): void => fenced.abort(error);
    const left = new AbortController();
    const untilOver = AbortSignal.any([signal, fenced.signal, left.signal]);
    const writer = createCheckpointWriter(checkpoints, lease.epoch, lease.place, log, onFenced);
    stored = () => writer.stored;
    status.enter({ name: 'leading', epoch: lease.epoch, lease, writer });
    const keeping = lease.keep(untilOver).catch(onFenced);
    await publishRounds(lease, writer, onFenced, untilOver);
    left.abort();
    await keeping;
    if (fenced.signal.aborted) {
      log.warn({ event: 'projector.fenced', reason: status.failed(fenced.signal.reason), epoch: lease.epoch.toString(), proven: String(status.proven?.position.commit) });
    } else if (await writer.flush()) {
      await checkpoints.release(lease.epoch).catch((error: unknown) => log.warn({ event: 'projector.lease-not-released', error: describeError(error) }));
    }
    writer.stop();
  }

  /** One round after the other, each from what the one before has proven. */
  async function publishRounds(lease: Lease & Grant, writer: CheckpointWriter, onFenced: (error: unknown) => void, signal: AbortSignal): Promise<void> {
    let proven = lease.place;
    const proved = (place: Place): void => {
      proven = place;
      status.proved(place);
      writer.prove(place);
    };
    const progress: RoundProgress = { opened: (publisher) => status.opened(publisher), confirmed: () => status.confirmed(), proved };
    proved(proven);
    const isOver = (): boolean => signal.aborted;
    let told = '';
    for (let attempt = 1; !isOver(); attempt++) {
      const [from, startedAtMs] = [atLandmark(proven), clock.monotonicMs()];
      if (from !== proven) proved(from);
      try {
        await publishRound(ports, from, lease, progress, signal);
      } catch (error) {
        if (error instanceof FencedError) onFenced(error);
        if (isOver()) return;
        if (error instanceof StoreMismatchError) return void status.failed(error);
        if (proven !== from || clock.monotonicMs() - startedAtMs > WELL_AFTER_MS) [attempt, told] = [1, ''];
        // That the broker is away has been said.
        log[ports.brokerTrouble() === null ? 'warn' : 'debug']({ event: 'projector.round-failed', reason: status.failed(error), error: describeError(error), proven: String(proven.position.commit), attempt });
        if (!isNack(error)) await pause(backoffMs(attempt), signal);
        else [told] = await Promise.all([explainNack(told), pause(nackPauseMs, signal)]);
      }
    }
  }

  /** @param told what was said of the nack before. @returns what is said of it now; only news is logged. */
  async function explainNack(told: string): Promise<string> {
    const meaning = await ports.explainNack();
    status.explained(meaning);
    if (meaning !== told) log.error({ event: 'projector.nacked', meaning, repeatedAfterMs: nackPauseMs });
    return meaning;
  }

  return {
    name: 'projector',
    async run(signal) {
      try {
        for (let lease = await standBy(signal); lease !== null; lease = await standBy(signal)) {
          log.info({ event: 'projector.leading', epoch: lease.epoch.toString(), generation: lease.generation.toString(), position: String(lease.place.position.commit) });
          await lead(lease, signal);
        }
      } finally {
        status.enter({ name: 'stopped' });
      }
    },
    health: () => status.health(),
    position: () => stored?.().position.commit ?? null,
    provenPosition: () => status.proven?.position.commit ?? null,
  };
}

function isNack(error: unknown): boolean {
  return error instanceof PublishFailure && error.reason === 'nacked';
}

function isStoreAway(error: unknown): boolean {
  return error instanceof DependencyUnavailableError && error.dependency === 'event-store';
}

/** A place behind the last event that was dealt with is only known by its number, which another log may have too. */
function atLandmark(place: Place): Place {
  const { position, landmark } = place;
  const known = landmark === null ? BEFORE_ALL : behindEvent(landmark.position);
  return comparePositions(position, known) === 0 ? place : { position: known, landmark };
}
