import type { FastifyPluginAsync } from 'fastify';
import { Type, type Static } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { DecimalString, problemResponses } from '../../platform/http/schemas.ts';
import { PAY_NO_PATTERN } from './providers/notification.ts';
import { fold } from './payment-state.ts';
import { readPayment } from './payment-stream.ts';

const PaymentView = Type.Object({
  payNo: Type.String(),
  status: Type.Union([Type.Literal('requested'), Type.Literal('succeeded')]),
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
  rejections: Type.Array(
    Type.Object({
      reason: Type.String(),
      expected: Type.String(),
      received: Type.String(),
      providerTradeNo: Type.String(),
      rejectedAt: Type.String(),
    }),
    { description: 'Genuine notifications that contradicted what was asked for' },
  ),
});
export type PaymentView = Static<typeof PaymentView>;

/** `GET /payments/:payNo`: read from the payment's own stream, so it is true even while every reader of it lags. */
export function paymentRoutes({ store }: { readonly store: Pick<EventStore, 'readStream'> }): FastifyPluginAsync {
  return async (scope) => {
    scope.get<{ Params: { payNo: string } }>('/payments/:payNo', {
      schema: {
        tags: ['payments'],
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
  const { requested, succeeded, rejections } = fold((await readPayment(store, payNo)).events);
  if (requested === null) throw new RequestError(404, 'payment-unknown', `There is no payment ${payNo}.`);
  const { orderId, outBusinessId, orderType, userId, amount, currency, provider, account, requestedAt } = requested;
  return {
    payNo, orderId, outBusinessId, orderType, userId, amount, currency, provider, account, requestedAt,
    status: succeeded === null ? 'requested' : 'succeeded',
    providerTradeNo: succeeded?.providerTradeNo ?? null,
    paidAt: succeeded?.paidAt ?? null,
    rejections: rejections.map(({ reason, expected, received, providerTradeNo, rejectedAt }) => ({ reason, expected, received, providerTradeNo, rejectedAt })),
  };
}
