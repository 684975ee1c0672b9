import { Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { isNewerThanKnown, upcastEvent } from '../../contracts/event-versions.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';

/** What PostgreSQL can hold: no NUL, and short enough for an index entry. */
const Text = Type.String({ maxLength: 1024, pattern: '^[^\\u0000]*$' });
const TextOrNull = Type.Union([Text, Type.Null()]);
const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });
const source = { provider: Text, account: Text, providerTradeNo: Text };

const CHECKS: Readonly<Record<string, Validator>> = {
  PaymentNotificationRejected: Compile(
    Type.Object({ ...source, payNo: Text, kind: Text, reason: Text, expected: Text, received: Text, notification: Type.Union([Type.Object({}), Type.Null()]) }),
  ),
  PaymentNotificationUnmatched: Compile(Type.Object({ ...source, payNo: TextOrNull, notification: Type.Object({ kind: Text }), damage: Type.Optional(Text) })),
  PaymentNotificationsLimited: Compile(Type.Object({ ...source, payNo: Text, orderId: Text, events: Type.Integer({ minimum: 0 }) })),
  PaymentNotificationResolved: Compile(Type.Object({ notificationEventId: Uuid, outcome: Text, resolvedBy: Text, note: Text, resolvedAt: Text })),
};

/** As JSON.stringify writes what jsonb refuses: NUL and halves of a surrogate pair. */
const NOT_STORABLE = /\\u(?:0000|d[89a-f])/;

/**
 * Pure. An event that no row can be made of (of a later release, or not written by us) would stop the register for ever.
 * @returns its data in the current shape, or null for such an event.
 */
export function readableNotification(event: StoredEvent): unknown {
  if (isNewerThanKnown(event)) return null;
  const data = upcastEvent(event);
  if (CHECKS[event.type]?.Check(data) !== true || NOT_STORABLE.test(JSON.stringify(data))) return null;
  const { resolvedAt } = data as { resolvedAt?: string };
  return resolvedAt !== undefined && Number.isNaN(Date.parse(resolvedAt)) ? null : data;
}
