export { ordersHandler, type OrdersHandlerDeps } from './orders-handler.ts';
export { ordersRoutes, type OrdersRoutesDeps } from './orders-routes.ts';
export { knowsPayments } from './knows-payments.ts';
export { refundedTotals } from './refunded-totals.ts';
