import type { FastifyPluginAsync } from 'fastify';
import { Type, type Static } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { untilAborted, type StreamStore } from '../../platform/event-store/until-aborted.ts';
import { PAY_NO_PATTERN } from '../../contracts/payment-notifications.ts';
import { DecimalString, problemResponses } from '../../platform/http/schemas.ts';
import { isPaidAndClosed, paidAmountOf, PAYMENT_STATUSES, statusOf, type PaymentState, type Rejection } from './payment-state.ts';
import { readPayment } from './payment-stream.ts';
import { refundDue } from './refund-due.ts';
import { isMoneyGone, netTotal } from './returned-money.ts';

const PaymentView = Type.Object({
  payNo: Type.String(),
  status: Type.Enum([...PAYMENT_STATUSES], { description: 'What the events add up to. A payment that was told to be closed and to be paid is paid' }),
  orderId: Type.String(),
  outBusinessId: Type.String(),
  orderType: Type.String(),
  userId: Type.String(),
  amount: DecimalString,
  currency: Type.String(),
  provider: Type.String(),
  account: Type.String(),
  requestedAt: Type.String(),
  providerTradeNo: Type.Union([Type.String(), Type.Null()]),
  paidAt: Type.Union([Type.String(), Type.Null()]),
  closedAt: Type.Union([Type.String(), Type.Null()]),
  isPaidAndClosed: Type.Boolean({ description: 'The provider says both, in whatever order' }),
  failedAttempts: Type.Integer(),
  paidAmount: Type.Union([DecimalString, Type.Null()], { description: 'What was paid: less than `amount` by a discount that the provider gave' }),
  refundedTotal: { ...DecimalString, description: 'All that went back and did not come again: refunds that did not fail, and disputed money that is withdrawn or lost' },
  refundDue: { ...DecimalString, description: 'What failed refunds have left to be given back again' },
  disputes: Type.Array(Type.Object({
    disputeId: Type.String(),
    amount: DecimalString,
    dueBy: Type.Union([Type.String(), Type.Null()], { description: 'Until when the provider takes evidence' }),
    outcome: Type.Union([Type.String(), Type.Null()], { description: 'The provider\'s word when it has ended, e.g. won or lost' }),
    isMoneyGone: Type.Boolean(),
  })),
  rejections: Type.Array(
    Type.Object({
      reason: Type.String(),
      expected: Type.String(),
      received: Type.String(),
      providerTradeNo: Type.String(),
      rejectedAt: Type.String(),
      kind: Type.String(),
      isResolved: Type.Boolean({ description: 'Evaluated again with success, or closed by an operator' }),
    }),
    { description: 'Genuine notifications that contradicted what is known' },
  ),
});
export type PaymentView = Static<typeof PaymentView>;

/** `GET /payments/:payNo`: read from the payment's own stream, so it is true even while every reader of it lags. */
export function paymentRoutes({ store }: { readonly store: StreamStore }): FastifyPluginAsync {
  return async (scope) => {
    scope.get<{ Params: { payNo: string } }>('/payments/:payNo', {
      schema: {
        tags: ['payments'],
        security: [{ serviceToken: [] }],
        summary: 'State of one payment, from its events',
        params: Type.Object({ payNo: Type.String({ pattern: PAY_NO_PATTERN }) }),
        response: { 200: PaymentView, ...problemResponses },
      },
      handler: async (request) => viewPayment(untilAborted(store, request.deadline), request.params.payNo),
    });
  };
}

/** @throws RequestError 404 when it was never requested; DependencyUnavailableError, DamagedStreamError. */
export async function viewPayment(store: Pick<EventStore, 'readStream'>, payNo: string): Promise<PaymentView> {
  const { state } = await readPayment(store, payNo);
  const { requested, succeeded, closed } = state;
  if (requested === null) throw new RequestError(404, 'payment-unknown', `There is no payment ${payNo}.`);
  const { orderId, outBusinessId, orderType, userId, amount, currency, provider, account, requestedAt } = requested;
  return {
    payNo, orderId, outBusinessId, orderType, userId, amount, currency, provider, account, requestedAt,
    status: statusOf(state),
    providerTradeNo: succeeded?.providerTradeNo ?? null,
    paidAt: succeeded?.paidAt ?? null,
    closedAt: closed?.closedAt ?? null,
    isPaidAndClosed: isPaidAndClosed(state),
    failedAttempts: state.failedAttempts.size,
    ...returnedOf(state),
    rejections: [...state.rejections.values()].map(viewRejection),
  };
}

function returnedOf({ succeeded, returned }: PaymentState) {
  const paid = succeeded === null ? null : paidAmountOf(succeeded);
  return {
    paidAmount: paid?.toString() ?? null,
    refundedTotal: netTotal(returned).toString(),
    refundDue: refundDue(returned, paid ?? 0n).toString(),
    disputes: [...returned.disputes].map(([disputeId, dispute]) => ({
      disputeId, amount: dispute.amount.toString(), dueBy: dispute.dueBy, outcome: dispute.closed?.outcome ?? null, isMoneyGone: isMoneyGone(dispute),
    })),
  };
}

function viewRejection({ reason, expected, received, providerTradeNo, rejectedAt, kind, isResolved }: Rejection): PaymentView['rejections'][number] {
  return { reason, expected, received, providerTradeNo, rejectedAt, kind, isResolved };
}
