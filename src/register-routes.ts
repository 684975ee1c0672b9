import { adminRoutes, recordAction } from './modules/admin/index.ts';
import { findSelectionPrice, learningRoutes } from './modules/learning/index.ts';
import { ordersRoutes, refundedTotals } from './modules/orders/index.ts';
import { createReceiveNotification, createRequestPayment, notificationRoutes, paymentRoutes, providersByName, webhookRoutes, type WebhookRefusals } from './modules/payments/index.ts';
import { openItemsOfOrder, workItemRoutes } from './modules/work-items/index.ts';
import { evaluatingWith, HANDLERS, now, sightsOf, type Parts } from './parts.ts';
import { createAuthentication } from './platform/http/authenticate.ts';
import type { Server } from './platform/http/build-server.ts';
import { createTokenCheck } from './platform/http/token-check.ts';
import { healthRoutes } from './platform/http/health-routes.ts';

/** Everything that answers over HTTP: health and webhooks for anybody, the shop and the operators behind their tokens. */
export async function registerRoutes(server: Server, parts: Parts, refusals: WebhookRefusals): Promise<void> {
  const { input, metrics, store, db, requestDb, binding, brokers, recent, arrivals, callbacks } = parts;
  const { accounts, log } = input;
  const callers = createAuthentication(createTokenCheck(input.tokens), metrics);
  const evaluating = evaluatingWith(parts);

  await server.register(healthRoutes({ metrics, requireToken: callers.requireToken('any'), checkDependencies: parts.checkDependencies, workers: parts.workers }));
  await server.register(webhookRoutes({ receive: createReceiveNotification({ ...evaluating, clock: parts.clock, metrics, log, callbacks: callbacks.buffer }), accounts, refusals, metrics, log }));
  await server.register(async (shop) => {
    shop.addHook('onRequest', callers.requireToken('service'));
    await shop.register(learningRoutes({ db: requestDb, now }));
    await shop.register(
      ordersRoutes({
        db: requestDb,
        now,
        openItemsOf: (orderId) => openItemsOfOrder(requestDb, orderId),
        findSelectionPrice: (selectionId) => findSelectionPrice(requestDb, selectionId),
        requestPayment: createRequestPayment({ store, now, recent, onRequested: (payNo) => arrivals.note({ payNo }) }),
        accountFor: (provider, account) => (accounts.find(provider, account) === null ? null : (providersByName.get(provider) ?? null)),
      }),
    );
    await shop.register(paymentRoutes({ store }));
  });
  await server.register(
    async (operators) => {
      operators.addHook('onRequest', callers.requireToken('admin'));
      await operators.register(notificationRoutes({ ...evaluating, db, recordAction: (...action) => recordAction(db, ...action) }));
      await operators.register(callbacks.routes);
      await operators.register(
        adminRoutes({ db, store, log, metrics, now, handlers: HANDLERS, ...sightsOf(binding), planAdoption: () => binding.plan(), adopt: (...adopting) => binding.adopt(...adopting), queueDepth: (queue) => brokers.queueDepth(queue) }),
      );
      await operators.register(workItemRoutes({ db, now, recordAction: (...action) => recordAction(db, ...action), refundedTotals: (payNos) => refundedTotals(db, payNos) }));
    },
    { prefix: '/admin' },
  );
}
