import { FencedError, DependencyUnavailableError, StoreMismatchError, TopologyError } from '../../contracts/errors.ts';
import { describeError } from '../../platform/broker/error-log.ts';
import { PublishFailure, type ConfirmPublisher, type PublishFailureReason } from '../../platform/broker/publisher.ts';
import { comparePositions } from '../../platform/event-store/position.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import type { WorkerHealth } from '../../platform/process/worker.ts';
import type { CheckpointWriter } from './checkpoint-writer.ts';
import type { Place } from './confirmed-prefix.ts';
import type { Lease } from './lease.ts';

/** A failure is believed to be over when something was proven since, or when a channel was open and idle this long. */
const WELL_AFTER_MS = 2000;
const NACKED: PublishFailureReason = 'nacked';

/** What the projector is doing; every phase knows only what is true in it. */
export type ProjectorPhase =
  | { readonly name: 'stopped' }
  | { readonly name: 'waiting'; readonly reason: string }
  | { readonly name: 'standing-by'; readonly heldBy: string }
  | { readonly name: 'leading'; readonly epoch: bigint; readonly lease: Lease; readonly writer: CheckpointWriter };

/** Collects what an operator should know, for health and metrics. Decides nothing. */
export interface ProjectorStatus {
  enter(phase: ProjectorPhase): void;
  opened(publisher: ConfirmPublisher): void;
  confirmed(): void;
  proved(place: Place): void;
  /** A round ended with `error`. @returns the stable word under which it is counted. */
  failed(error: unknown): string;
  /** What the nack that ended the last round means, for a person, as found out since. */
  explained(meaning: string): void;
  readonly proven: Place | null;
  health(): WorkerHealth;
}

export function createProjectorStatus(metrics: Metrics, brokerTrouble: () => string | null, now: () => number): ProjectorStatus {
  let phase: ProjectorPhase = { name: 'stopped' };
  let publisher: ConfirmPublisher | null = null;
  let openedAtMs = 0;
  let failure: string | null = null;
  let proven: Place | null = null;

  function isWellAgain(): boolean {
    return publisher !== null && publisher.failure === null && publisher.inFlight === 0 && now() - openedAtMs > WELL_AFTER_MS;
  }

  function leadingHealth({ epoch, lease, writer }: Extract<ProjectorPhase, { name: 'leading' }>): WorkerHealth {
    if (failure !== null && isWellAgain()) failure = null;
    const detail = { role: 'leading', epoch: String(epoch), proven: String(proven?.position.commit), stored: String(writer.stored.position.commit), inFlight: publisher?.inFlight ?? 0 };
    // Whatever ended the last round, nothing goes on before the broker is there.
    const trouble = brokerTrouble();
    if (trouble !== null) return { status: publisher === null && failure === null ? 'starting' : 'degraded', reason: trouble, detail };
    if (failure !== null) return { status: 'degraded', reason: failure, detail };
    const unavailable = writer.unavailable ?? lease.unavailable;
    if (unavailable !== null) return { status: 'degraded', reason: `publishing goes on, but the checkpoint cannot be stored: ${unavailable}`, detail };
    return publisher === null ? { status: 'starting', reason: 'queues and bindings are being declared', detail } : { status: 'ok', detail };
  }

  return {
    enter(next) {
      phase = next;
      metrics.projectorActive.set(next.name === 'leading' ? 1 : 0);
      if (next.name === 'leading') return;
      publisher = null;
      failure = null;
      metrics.publishInFlight.set(0);
    },
    opened(next) {
      publisher = next;
      openedAtMs = now();
    },
    confirmed() {
      metrics.published.inc();
    },
    proved(place) {
      // A round that begins says from where: that is no news.
      if (proven !== null && comparePositions(place.position, proven.position) > 0) failure = null;
      proven = place;
      metrics.publishInFlight.set(publisher?.inFlight ?? 0);
      metrics.checkpointPosition.set(Number(place.position.commit));
    },
    failed(error) {
      const reason = reasonOf(error);
      failure = `${reason}: ${describeError(error)}`;
      publisher = null;
      metrics.publishFailures.inc({ reason });
      metrics.publishInFlight.set(0);
      return reason;
    },
    explained(meaning) {
      // Meanwhile it may be over, or another one.
      if (failure?.startsWith(NACKED) === true) failure = `${NACKED}: ${meaning}`;
    },
    get proven() {
      return proven;
    },
    health() {
      switch (phase.name) {
        case 'stopped':
          return { status: 'starting', reason: 'not running' };
        case 'waiting':
          return { status: 'starting', reason: phase.reason };
        case 'standing-by':
          return { status: 'ok', detail: { role: 'standing-by', leader: phase.heldBy } };
        case 'leading':
          return leadingHealth(phase);
      }
    },
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof PublishFailure) return error.reason;
  if (error instanceof TopologyError) return 'topology';
  if (error instanceof FencedError) return 'fenced';
  if (error instanceof StoreMismatchError) return 'event-store-mismatch';
  if (error instanceof DependencyUnavailableError) return `${error.dependency}-away`;
  return 'unexpected';
}
