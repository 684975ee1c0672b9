import { applyBatch } from './apply-batch.ts';
import { isReadable, type Delivery, type ReadableDelivery } from './delivery.ts';
import { LONELY_FAILURES_MAX } from './lonely-failures.ts';
import { ParkReason, type Parking, type Settled } from './outcome.ts';
import { park } from './park.ts';
import { insist, isOver, resume, SessionOver, waitOut, type Session } from './session-state.ts';
import { settle, TRIES_BEFORE_SEEKING, troubleOf, type Settlement, type Trouble } from './settle.ts';

/*
 * What becomes of deliveries: committed and acknowledged, held, or parked, as settle.ts decides. A batch that fails is halved
 * until it is known which message it was; one that the database refuses without blaming the data only after it has been
 * tried again and again.
 */

/** Looking for the messages that the database refuses, in a batch that it has refused again and again. */
interface Seek {
  readonly commitsBefore: number;
  failuresInARow: number;
  commitsSeen: number;
  /** Not tried any more, in the order of arrival. */
  readonly left: Delivery[];
}

/** So many failures without a single success between them are an outage, as far as one can see; some thirty neighbours may be bad. */
const SEEK_FAILURES_MAX = 64;

/** Gives each of `deliveries` its outcome, or puts it where it waits for its next attempt. */
export async function apply(session: Session, deliveries: readonly Delivery[], attempt = 1, seek: Seek | null = null): Promise<void> {
  const [only] = deliveries;
  if (only === undefined) return;
  if (seek !== null && isHopeless(session, seek)) return void seek.left.push(...deliveries);
  for (let tries = 1; ; tries++) {
    const trouble = await tryOnce(session, deliveries);
    if (trouble === null) return;
    if (seek !== null) seek.failuresInARow++;
    switch (settleNow(session, deliveries, trouble, { attempt, tries, seek })) {
      case 'split':
        if (trouble.kind === 'message' || seek !== null) return applyHalves(session, deliveries, seek);
        if (await databaseAnswers(session)) return seekCulprits(session, deliveries, trouble.cause);
        break;
      case 'retry':
        if (!isReadable(only)) break;
        return holdBack(session, only, attempt + 1, session.consuming.settings.retryDelayMs);
      case 'hold':
        if (!isReadable(only) || (seek === null && !(await databaseAnswers(session)))) break;
        return holdLonely(session, only, attempt);
      case 'park':
        if (!isReadable(only)) break;
        return parkFailed(session, only, trouble, attempt);
      case 'pause':
        break;
    }
    if (seek !== null && trouble.kind === 'infrastructure') return void seek.left.push(...deliveries);
    // Also a message that nobody can read ends here: it is only to be parked, and there is no other place for it.
    await waitOut(session, trouble.cause, tries);
  }
}

interface Now {
  readonly attempt: number;
  readonly tries: number;
  readonly seek: Seek | null;
}

function settleNow({ consuming, lonely }: Session, deliveries: readonly Delivery[], trouble: Trouble, { attempt, tries, seek }: Now): Settlement {
  const [only] = deliveries;
  const eventId = deliveries.length === 1 && only !== undefined && isReadable(only) ? only.parsed.message.eventId : null;
  const isSought = seek !== null || (eventId !== null && lonely.has(eventId));
  const isAlone = trouble.kind === 'infrastructure' && eventId !== null && (isSought || tries >= TRIES_BEFORE_SEEKING);
  const lonelyFailures = isAlone ? lonely.note(eventId, trouble.cause) : 0;
  return settle(trouble, { size: deliveries.length, attempt, attemptsMax: consuming.settings.attemptsMax, tries, isSought, lonelyFailures });
}

/**
 * The database answers, and yet refuses this batch: what it takes is applied, what it refuses alone waits by itself. When it
 * takes nothing, nothing is known of any of them, and all are as before.
 */
async function seekCulprits(session: Session, deliveries: readonly Delivery[], cause: string): Promise<void> {
  const seek: Seek = { commitsBefore: session.commits, commitsSeen: session.commits, failuresInARow: 0, left: [] };
  await applyHalves(session, deliveries, seek);
  const tookNothing = session.commits === seek.commitsBefore;
  if (tookNothing) for (const delivery of deliveries) if (isReadable(delivery)) session.lonely.forget(delivery.parsed.message.eventId);
  else session.consuming.log.warn({ event: 'consumer.messages-held', module: session.consuming.module, cause: session.lonely.reason() ?? cause });
  session.inbox.putBack(tookNothing ? deliveries : seek.left);
  if (tookNothing || seek.left.length > 0) await waitOut(session, cause, TRIES_BEFORE_SEEKING);
}

function isHopeless(session: Session, seek: Seek): boolean {
  if (session.commits !== seek.commitsSeen) Object.assign(seek, { commitsSeen: session.commits, failuresInARow: 0 });
  // Once one is left, all behind it are: a later message of its payment must not be applied before it.
  return seek.left.length > 0 || seek.failuresInARow >= SEEK_FAILURES_MAX;
}

async function databaseAnswers({ consuming }: Session): Promise<boolean> {
  return consuming.db.$queryRaw`SELECT 1`.then(() => true, () => false);
}

/** @returns null when all are committed and acknowledged. */
async function tryOnce(session: Session, deliveries: readonly Delivery[]): Promise<Trouble | null> {
  const { consuming } = session;
  const startedAtMs = consuming.nowMs();
  try {
    const settled = await applyBatch(consuming, deliveries);
    finish(session, settled, consuming.nowMs() - startedAtMs);
    return null;
  } catch (error) {
    const trouble = troubleOf(error);
    consuming.metrics.consumerRetries.inc({ module: consuming.module, kind: trouble.kind });
    return trouble;
  }
}

/** Everything in `settled` is committed: acknowledge, count, and let those go on that waited behind it. */
function finish(session: Session, settled: readonly Settled[], durationMs: number): void {
  const { consuming, inbox, subscription, lonely } = session;
  const { module, metrics, log, starts } = consuming;
  subscription.acknowledge(settled.map(({ delivery }) => delivery.tag));
  const counts: Record<string, number> = {};
  for (const { delivery, outcome } of settled) {
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    if (!isReadable(delivery)) continue;
    starts.forget(delivery.parsed.message.eventId);
    lonely.forget(delivery.parsed.message.eventId);
    inbox.release(delivery);
  }
  session.commits++;
  lonely.othersApplied(counts.applied ?? 0);
  for (const [outcome, count] of Object.entries(counts)) metrics.consumed.inc({ module, outcome }, count);
  metrics.consumerBatchSeconds.observe({ module }, durationMs / 1000);
  log.debug({ event: 'batch.consumed', module, ...counts, ms: Math.round(durationMs) });
  resume(session);
}

/**
 * One of them failed: halving finds it in a few transactions, while the others are applied together. A message whose
 * payment is held by then waits behind it.
 */
async function applyHalves(session: Session, deliveries: readonly Delivery[], seek: Seek | null): Promise<void> {
  const middle = Math.ceil(deliveries.length / 2);
  for (const half of [deliveries.slice(0, middle), deliveries.slice(middle)]) {
    if (isOver(session)) throw new SessionOver();
    await apply(session, session.inbox.free(half), 1, seek);
  }
}

function holdBack({ consuming, inbox }: Session, delivery: ReadableDelivery, attempt: number, delayMs: number): void {
  inbox.hold(delivery, attempt, consuming.nowMs() + delayMs);
}

function holdLonely(session: Session, delivery: ReadableDelivery, attempt: number): void {
  const { consuming, lonely } = session;
  holdBack(session, delivery, attempt, consuming.lonelyDelayMs(lonely.failures(delivery.parsed.message.eventId)));
  consuming.report(lonely.reason());
}

async function parkFailed(session: Session, delivery: ReadableDelivery, trouble: Trouble, attempts: number): Promise<void> {
  const parking =
    trouble.kind === 'message'
      ? { delivery, reason: trouble.code, cause: trouble.cause, attempts }
      : { delivery, reason: ParkReason.failsAlone, cause: `${trouble.cause} (again and again, while others were applied)`, attempts: LONELY_FAILURES_MAX };
  await parkAndAcknowledge(session, parking);
}

/** Whatever stands in the way of parking is waited out: a message is never dropped and never acknowledged unparked. */
export async function parkAndAcknowledge(session: Session, parking: Parking): Promise<void> {
  const startedAtMs = session.consuming.nowMs();
  const settled = await insist(session, () => park(session.consuming, [parking]));
  finish(session, settled, session.consuming.nowMs() - startedAtMs);
}
