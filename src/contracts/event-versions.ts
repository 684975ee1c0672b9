import type { PaymentEventData, PaymentNotificationRejected, PaymentNotificationUnmatched, PaymentRefunded } from './payment-events.ts';
import type { Claims, SuccessNotification } from './payment-notifications.ts';

/**
 * Versions of the stored events' data. An event is never rewritten: it says under `schemaVersion` in its metadata which
 * version it was written in (absent = 1), and whoever reads it brings it to the current shape first.
 *
 * A version is raised when a field is renamed, removed or changes its meaning, or when a new field is required. The new
 * step is appended to the type's list below and the old ones stay: version 1 becomes 2 becomes 3. A new field that
 * readers can do without raises nothing. Roll such a release out to every instance before one of them writes it.
 */
export type VersionedEventType = keyof PaymentEventData | 'PaymentNotificationUnmatched' | 'PaymentNotificationResolved' | 'TradeBound';

type Fields = Readonly<Record<string, unknown>>;
/** One version to the next. Pure, and total: it may not throw, whatever the stored object holds. */
type Step = (data: Fields) => object;

/** Types that no earlier release wrote begin with version 1, whatever their declared shape was then. */
const STEPS: Readonly<Record<VersionedEventType, readonly Step[]>> = {
  PaymentRequested: [],
  PaymentSucceeded: [],
  PaymentAttemptFailed: [],
  PaymentClosed: [],
  PaymentRefunded: [refundedOfVersion1],
  PaymentRefundFailed: [],
  PaymentDisputed: [],
  PaymentDisputeClosed: [],
  PaymentNotificationsLimited: [],
  PaymentNotificationRejected: [rejectedOfVersion1],
  PaymentNotificationUnmatched: [unmatchedOfVersion1],
  PaymentNotificationResolved: [],
  TradeBound: [],
};

/** The version that each type is written in: as many steps as lead to it, plus one. */
export const CURRENT_EVENT_VERSIONS = Object.freeze(
  Object.fromEntries(Object.entries(STEPS).map(([type, steps]) => [type, steps.length + 1])),
) as Readonly<Record<VersionedEventType, number>>;

/** @returns what goes into `schemaVersion` of the metadata when an event of this type is appended. */
export function versionOf(type: VersionedEventType): number {
  return CURRENT_EVENT_VERSIONS[type];
}

/** What is needed of a stored event to read its data. */
export interface VersionedEvent {
  readonly type: string;
  readonly data: unknown;
  readonly metadata: unknown;
}

/**
 * Pure, never throws, and costs a look-up where there is nothing to do: the projector calls it for every event.
 * @returns the event's data in the current shape; data that is no object as it is.
 */
export function upcastEvent({ type, data, metadata }: VersionedEvent): unknown {
  return isKnown(type) && STEPS[type].length > 0 ? upcast(type, storedVersion(metadata), data) : data;
}

/**
 * Data of version `version` in the current shape. A version that is newer than this program passes through unchanged, as
 * does one that is no version: an instance that is still to be updated must be able to fold a stream that a newer one has
 * written to, where the state ignores what it does not know. Throwing would stop it at that event for good.
 */
export function upcast(type: VersionedEventType, version: number, data: unknown): unknown {
  if (!Number.isInteger(version) || version < 1 || typeof data !== 'object' || data === null) return data;
  return STEPS[type].slice(version - 1).reduce<object>((older, step) => step(older as Fields), data);
}

/** Written by a later release in a shape that this one cannot read: nothing that has an effect may be made of it. */
export function isNewerThanKnown({ type, metadata }: Pick<VersionedEvent, 'type' | 'metadata'>): boolean {
  return isKnown(type) && storedVersion(metadata) > CURRENT_EVENT_VERSIONS[type];
}

function isKnown(type: string): type is VersionedEventType {
  return Object.hasOwn(STEPS, type);
}

/** NaN, which is neither older nor newer than any version, for something that is no number. */
function storedVersion(metadata: unknown): number {
  const version = typeof metadata === 'object' && metadata !== null ? (metadata as { schemaVersion?: unknown }).schemaVersion : undefined;
  if (version === undefined) return 1;
  return typeof version === 'number' ? version : Number.NaN;
}

/**
 * Version 1 kept one sum, never falling, and not whether it was told or added up: where no single amount was told, it was
 * the sum that was told. It knew no failed refunds.
 */
function refundedOfVersion1(data: Fields): object {
  const isSum = data['refundAmount'] === null;
  return { ...data, toldTotal: isSum ? data['refundedTotal'] : null, ...(isSum ? {} : { totalMayBeTold: true }), refundDue: '0', toldBefore: 0 } satisfies Fields & Same<Pick<PaymentRefunded, 'toldTotal' | 'refundDue' | 'toldBefore'>>;
}

/** Version 1 knew successes only, and did not keep what the notification said. */
function rejectedOfVersion1(data: Fields): object {
  return { ...data, kind: 'succeeded', notification: null } satisfies Fields & Pick<PaymentNotificationRejected, 'kind' | 'notification'>;
}

/**
 * Version 1 held the success's own fields, and of the account only what contradicted its settings: what is not among the
 * contradictions was compared then and agreed, and as a claim that is left out it is not compared again.
 */
function unmatchedOfVersion1(data: Fields): object {
  const { amount, currency, paidAt, contradictions, ...kept } = data;
  const { payNo, provider, account, providerTradeNo, notificationId } = data;
  const source = { provider, account, notificationId, providerType: PROVIDER_TYPE_NOT_KEPT };
  const notification: Same<Omit<SuccessNotification, 'discount'>> = { kind: 'succeeded', ...source, payNo, providerTradeNo, claims: claimsOf(contradictions), amount, currency, paidAt };
  return { ...kept, notification } satisfies Fields & Partial<Same<PaymentNotificationUnmatched>>;
}

/** Every field of T, of values that nobody has checked. */
type Same<T> = { readonly [K in keyof T]-?: unknown };

/** The provider's own word for what happened was not kept. */
const PROVIDER_TYPE_NOT_KEPT = 'unknown';

const CLAIM_BY_REASON: Readonly<Record<string, keyof Claims>> = { 'app-id-mismatch': 'appId', 'seller-mismatch': 'sellerId' };

function claimsOf(contradictions: unknown): Claims {
  const claims: Partial<Record<keyof Claims, string>> = {};
  for (const contradiction of Array.isArray(contradictions) ? (contradictions as unknown[]) : []) {
    const { reason, received } = (contradiction ?? {}) as { reason?: unknown; received?: unknown };
    if (typeof reason !== 'string' || typeof received !== 'string' || !Object.hasOwn(CLAIM_BY_REASON, reason)) continue;
    claims[CLAIM_BY_REASON[reason] as keyof Claims] = received;
  }
  return claims;
}
