/** Names of everything paynotify declares on the broker. They are a contract with services that bind queues of their own. */

/** Durable fanout exchange on which every payment result is published. */
export const PAYNOTIFY_EXCHANGE = 'paynotify_exchange_fanout';

/** Direct exchange that receives what a module queue gives up on (delivery limit); routing key = name of the dead queue. */
export const PAYNOTIFY_DEAD_LETTER_EXCHANGE = 'paynotify_dlx';

/** Modules that consume payment results in this process. A new one needs a line here and a folder in `modules/`. */
export const MODULE_QUEUES = {
  learning: 'paynotify_queue',
  orders: 'paynotify_orders_queue',
} as const;

export type ModuleName = keyof typeof MODULE_QUEUES;
export const MODULE_NAMES = Object.keys(MODULE_QUEUES) as readonly ModuleName[];

/** @returns name of the queue in which messages that a module queue gave up on wait for the mover. */
export function deadQueueOf(queue: string): string {
  return `${queue}.dead`;
}

/**
 * Hard limit of deliveries of one message by the broker itself. Far above the application's own limit
 * (`deliveryCountMax` in the consumer), so that a message is normally parked with a reason and the broker's limit
 * only catches a message that kills the process before the application can look at it.
 */
export const QUEUE_DELIVERY_LIMIT = 20;
