import { isReadable, type Delivery, type ReadableDelivery } from './delivery.ts';

/*
 * Order: messages of one payment are applied in the order in which they arrived. A message that waits for its next
 * attempt holds its payment; later messages of the same payment wait behind it, all others go on.
 */

/** What the consumer should do next. */
export type Work =
  /** The next attempt of a message that failed before is due. */
  | { readonly kind: 'retry'; readonly delivery: ReadableDelivery; readonly attempt: number }
  /** First deliveries: they may share a transaction. */
  | { readonly kind: 'batch'; readonly deliveries: readonly Delivery[] }
  /** Came back without an outcome: one of them may be what killed the process. */
  | { readonly kind: 'redelivered'; readonly deliveries: readonly Delivery[] }
  /** Nothing to do before `ms` are over or something arrives; null = only an arrival helps. */
  | { readonly kind: 'wait'; readonly ms: number | null };

export interface Inbox {
  /** Messages that have arrived and are in nobody's hands. */
  readonly ready: number;
  /** Payments held by a message that waits for its next attempt. */
  readonly held: number;
  arrive(delivery: Delivery): void;
  next(nowMs: number, batchSizeMax: number): Work;
  /** Keeps the payment of a message that failed until the message is tried for the `attempt`-th time. */
  hold(delivery: ReadableDelivery, attempt: number, dueAtMs: number): void;
  /** Splits off those whose payment is held (they wait behind it now) and returns the others. */
  free<T extends Delivery>(deliveries: readonly T[]): T[];
  /** None of these has an outcome, and none holds its payment any more: they are next, as if they had just arrived. */
  putBack(deliveries: readonly Delivery[]): void;
  /** The message has its outcome. If it held its payment, those behind it are next. */
  release(delivery: ReadableDelivery): void;
}

interface Hold {
  readonly delivery: ReadableDelivery;
  readonly attempt: number;
  readonly dueAtMs: number;
  readonly behind: Delivery[];
}

export function createInbox(): Inbox {
  let ready: Delivery[] = [];
  const held = new Map<string, Hold>();

  const holdOf = (delivery: Delivery): Hold | undefined => (isReadable(delivery) ? held.get(delivery.parsed.message.payment.payNo) : undefined);

  function free<T extends Delivery>(deliveries: readonly T[]): T[] {
    return deliveries.filter((delivery) => {
      const hold = holdOf(delivery);
      hold?.behind.push(delivery);
      return hold === undefined;
    });
  }

  function firstDue(): Hold | undefined {
    let first: Hold | undefined;
    for (const hold of held.values()) if (first === undefined || hold.dueAtMs < first.dueAtMs) first = hold;
    return first;
  }

  /** The longest run at the front that is all of one kind, so that the order of arrival is kept between the kinds. */
  function takeRun(redelivered: boolean, sizeMax: number): Delivery[] {
    let size = 0;
    for (let next = ready[0]; next !== undefined && size < sizeMax; next = ready[size]) {
      if (next.deliveryCount > 0 !== redelivered) break;
      size++;
    }
    const run = ready.slice(0, size);
    ready = ready.slice(size);
    return run;
  }

  return {
    get ready() {
      return ready.length;
    },
    get held() {
      return held.size;
    },
    arrive: (delivery) => void ready.push(delivery),
    next(nowMs, batchSizeMax) {
      const due = firstDue();
      if (due !== undefined && due.dueAtMs <= nowMs) return { kind: 'retry', delivery: due.delivery, attempt: due.attempt };
      for (let head = ready[0]; head !== undefined; head = ready[0]) {
        const redelivered = head.deliveryCount > 0;
        const deliveries = free(takeRun(redelivered, batchSizeMax));
        if (deliveries.length > 0) return { kind: redelivered ? 'redelivered' : 'batch', deliveries };
      }
      return { kind: 'wait', ms: due === undefined ? null : due.dueAtMs - nowMs };
    },
    hold(delivery, attempt, dueAtMs) {
      const { payNo } = delivery.parsed.message.payment;
      held.set(payNo, { delivery, attempt, dueAtMs, behind: held.get(payNo)?.behind ?? [] });
    },
    free,
    putBack(deliveries) {
      // Whoever waits behind one of them is among them.
      for (const delivery of deliveries) if (isReadable(delivery) && holdOf(delivery)?.delivery === delivery) held.delete(delivery.parsed.message.payment.payNo);
      ready = [...deliveries, ...ready];
    },
    release(delivery) {
      const hold = holdOf(delivery);
      if (hold?.delivery !== delivery) return;
      ready = [...hold.behind, ...ready];
      held.delete(delivery.parsed.message.payment.payNo);
    },
  };
}
