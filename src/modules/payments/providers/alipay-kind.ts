import { PAY_NO_PATTERN, type NotificationSource } from '../../../contracts/payment-notifications.ts';
import { findBoundaries, isKindSure, type Boundaries } from './alipay-boundaries.ts';
import type { FormField } from './alipay-form.ts';
import { isRefundSure, readTrade } from './alipay-notice.ts';
import { isBlank } from './alipay-signed-text.ts';
import type { Reading } from './provider.ts';

/**
 * Alipay tells of trades, and at the same address of whatever else the account has to do with: agreements, refunds that
 * arrived at the bank, messages of the service market. What is no trade is acknowledged, counted and listed.
 *
 * | notify_type                           | trade_status | tells of                                      |
 * | trade_status_sync, or no kind at all  | given        | the trade, see alipay-notice.ts               |
 * | trade_status_sync, or no kind at all  | none         | a refund, or it is malformed                  |
 * | another, or a msg_method              | none         | a refund, where it says enough, or not handled |
 * | another, or a msg_method              | given        | malformed: not to be acknowledged by mistake  |
 */
type Source = Omit<NotificationSource, 'providerType'>;

const TRADE = 'trade_status_sync';
/** Where a notice names its kind, the best word first. */
const KIND_NAMES = ['notify_type', 'msg_method', 'service', 'method'];
const WORD_LENGTH_MAX = 64;
const UNNAMED = 'unnamed';

/** @param fields as signed, in the order of the text. @returns null when they could be cut into a notice that reads differently. */
export function noticeReader(source: Source, fields: readonly FormField[]): (() => Reading) | null {
  if (!isKindSure(fields)) return null;
  const values = valuesOf(fields);
  const isTrade = values.has('notify_type') ? values.get('notify_type') === TRADE : !values.has('msg_method');
  const boundaries = findBoundaries(fields, isTrade);
  if (isTrade && boundaries === null) return null;
  return () => (isTrade && boundaries !== null ? readAsTrade(source, boundaries, fields) : readOther(source, boundaries, fields));
}

function readAsTrade(source: Source, boundaries: Boundaries, fields: readonly FormField[]): Reading {
  const { sure, doubtful } = boundaries;
  const providerType = providerTypeOf(valuesOf(fields));
  const isOther = providerType !== TRADE && providerType !== UNNAMED && !sure.has('trade_status') && !doubtful.has('trade_status') && !saysRefund(boundaries);
  return isOther ? notHandled(source, fields) : readTrade({ ...source, providerType }, boundaries);
}

function readOther(source: Source, boundaries: Boundaries | null, fields: readonly FormField[]): Reading {
  if (boundaries === null) return notHandled(source, fields);
  const { sure, doubtful } = boundaries;
  if (sure.has('trade_status') || doubtful.has('trade_status')) return { outcome: 'malformed', field: 'notify_type' };
  // With both of them sure it is the notice of a refund, which repeats what the notice of the trade has said.
  const asRefund = sure.has('out_trade_no') && saysRefund(boundaries) ? findBoundaries(fields, true) : null;
  const reading = asRefund === null ? null : readTrade({ ...source, providerType: providerTypeOf(valuesOf(fields)) }, asRefund);
  return reading?.outcome === 'read' ? reading : notHandled(source, fields);
}

/** A refund's amount that no other field's text can have brought in. */
function saysRefund({ sure, doubtful }: Boundaries): boolean {
  return sure.has('refund_fee') || (doubtful.has('refund_fee') && isRefundSure(sure));
}

export function notHandled(source: Source, fields: readonly FormField[]): Reading {
  const values = valuesOf(fields);
  const number = values.get('out_trade_no') ?? '';
  const payNo = new RegExp(PAY_NO_PATTERN).test(number) ? number : null;
  return { outcome: 'read', notifications: [{ kind: 'not-handled', ...source, providerType: providerTypeOf(values), payNo }] };
}

/** The kind's name as a word that may be a metric's label: it may hold anything. */
function providerTypeOf(values: ReadonlyMap<string, string>): string {
  const name = KIND_NAMES.map((kind) => values.get(kind)).find((value) => value !== undefined) ?? UNNAMED;
  return name.slice(0, WORD_LENGTH_MAX).replace(/[^A-Za-z0-9._-]/g, '_');
}

/** Without what is blank. */
function valuesOf(fields: readonly FormField[]): Map<string, string> {
  return new Map(fields.filter(({ value }) => !isBlank(value)).map(({ name, value }) => [name, value]));
}
