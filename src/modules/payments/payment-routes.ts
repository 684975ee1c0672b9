import type { FastifyPluginAsync } from 'fastify';
import { Type, type Static } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { PAY_NO_PATTERN } from '../../contracts/payment-notifications.ts';
import { DecimalString, problemResponses } from '../../platform/http/schemas.ts';
import { fold, isPaidAndClosed, PAYMENT_STATUSES, statusOf, type Rejection } from './payment-state.ts';
import { readPayment } from './payment-stream.ts';

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
  refundedTotal: DecimalString,
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
export function paymentRoutes({ store }: { readonly store: Pick<EventStore, 'readStream'> }): FastifyPluginAsync {
  return async (scope) => {
    scope.get<{ Params: { payNo: string } }>('/payments/:payNo', {
      schema: {
        tags: ['payments'],
        security: [{ serviceToken: [] }],
        summary: 'State of one payment, from its events',
        params: Type.Object({ payNo: Type.String({ pattern: PAY_NO_PATTERN }) }),
        response: { 200: PaymentView, ...problemResponses },
      },
      handler: async (request) => viewPayment(store, request.params.payNo),
    });
  };
}

/** @throws RequestError 404 when it was never requested; DependencyUnavailableError. */
export async function viewPayment(store: Pick<EventStore, 'readStream'>, payNo: string): Promise<PaymentView> {
  const state = fold((await readPayment(store, payNo)).events);
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
    refundedTotal: state.refundedTotal.toString(),
    rejections: [...state.rejections.values()].map(viewRejection),
  };
}

function viewRejection({ reason, expected, received, providerTradeNo, rejectedAt, kind, isResolved }: Rejection): PaymentView['rejections'][number] {
  return { reason, expected, received, providerTradeNo, rejectedAt, kind, isResolved };
}
