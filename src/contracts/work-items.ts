/**
 * What waits for a person. A module that knows of such a thing tells it; what became of it is kept by the module work-items.
 *
 * | kind             | opened by                                                  | ends by itself when                            |
 * | ---------------- | ---------------------------------------------------------- | ---------------------------------------------- |
 * | overpaid         | another pay record pays the order of a paid one            | it is refunded in full, or pays the order      |
 * | paid-after-close | a payment is paid that had been closed                     | it is refunded in full, or is overpaid         |
 * | refund-failed    | a refund failed and nothing is given back in its place yet | what is due was given back                     |
 * | disputed         | a dispute                                                  | it is closed otherwise than lost               |
 * | webhooks-limited | a payment took as many events from a provider as it may    | never                                          |
 */
export const WORK_ITEM_KINDS = ['overpaid', 'paid-after-close', 'refund-failed', 'disputed', 'webhooks-limited'] as const;
export type WorkItemKind = (typeof WORK_ITEM_KINDS)[number];

/** What is said of one item. A member that is null says nothing: what is known of the item stays, unless it says otherwise below. */
export interface WorkItemClaim {
  /** Makes it the same item when it is told again. */
  readonly key: string;
  readonly kind: WorkItemKind;
  readonly payNo: string | null;
  readonly orderId: string | null;
  readonly userId?: string | null;
  /** What of the payment it is about, e.g. the dispute's id. */
  readonly subject?: string | null;
  /** Minor units. */
  readonly amount: bigint | null;
  readonly currency: string | null;
  /** What waits to be given back, or of a lost dispute to be booked; minor units. */
  readonly amountDue?: bigint | null;
  readonly dueBy: Date | null;
  /** The provider's word. */
  readonly detail: string | null;
  /** Null: of an item that is not known nothing is written. */
  readonly since: Date | null;
  /**
   * The message that tells of it: only the last in the log is heard, and its `dueBy` and `detail` replace what was known,
   * also by null. Absent where the item follows from what is known of the payment.
   */
  readonly toldAt?: { readonly generation: number; readonly id: string };
  /** Null: as it is; of an item that is not known, ended. Absent: open. */
  readonly state?: 'open' | 'ended' | null;
}

/** An open item, for the module whose payment it is about. Times are ISO 8601, amounts minor units as decimal strings. */
export interface WorkItemView {
  readonly id: string;
  readonly kind: WorkItemKind;
  readonly payNo: string | null;
  readonly orderId: string | null;
  readonly userId: string | null;
  readonly subject: string | null;
  readonly amount: string | null;
  readonly currency: string | null;
  readonly amountToGiveBack: string;
  readonly dueBy: string | null;
  readonly detail: string | null;
  readonly since: string;
  readonly endedAt: string | null;
  readonly settledAt: string | null;
  readonly settledBy: string | null;
  readonly settledNote: string | null;
}
