import { TRADE_BOUND_EVENT_TYPE, tradeStream, type TradeBound } from '../../contracts/payment-events.ts';
import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { nameBasedId } from './event-id.ts';
import { toMetadata, type Cause } from './payment-stream.ts';

/*
 * A trade of a provider pays one payment, for ever. Order: trade bound → PaymentSucceeded. The stream of the trade takes
 * one event at "no stream", so of two payments that race for a trade one gets it. A crash in between leaves a trade that
 * is bound to a payment without a success; the provider sends again, and binding it to the same payment once more is the
 * same append.
 */

export interface Trade {
  readonly provider: string;
  readonly account: string;
  readonly providerTradeNo: string;
}

/** @returns number of the payment that the trade has paid: `payNo`, or another that was first. */
export async function bindTrade(
  store: Pick<EventStore, 'append' | 'readStream'>,
  { provider, account, providerTradeNo }: Trade,
  payNo: string,
  cause: Cause,
  now: Date,
  deadlineMs: number,
): Promise<string> {
  const data: TradeBound = { payNo, provider, account, providerTradeNo, boundAt: now.toISOString() };
  const id = nameBasedId(['trade-bound', provider, account, providerTradeNo, payNo]);
  const stream = tradeStream(provider, account, providerTradeNo);
  const event = { id, type: TRADE_BOUND_EVENT_TYPE, data, metadata: toMetadata(TRADE_BOUND_EVENT_TYPE, payNo, cause) };
  const { outcome } = await store.append(stream, [event], 'no-stream', deadlineMs);
  if (outcome === 'appended') return payNo;
  const holder = await findTradeHolder(store, { provider, account, providerTradeNo }, deadlineMs);
  if (holder === null) throw new DependencyUnavailableError('event-store', `${stream} exists and is empty`);
  return holder;
}

/** @returns null when no payment is known to be paid by this trade. */
export async function findTradeHolder(store: Pick<EventStore, 'readStream'>, { provider, account, providerTradeNo }: Trade, deadlineMs?: number): Promise<string | null> {
  const [bound] = await store.readStream(tradeStream(provider, account, providerTradeNo), deadlineMs);
  return bound === undefined ? null : (bound.data as TradeBound).payNo;
}
