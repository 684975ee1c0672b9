export { ordersHandler } from './orders-handler.ts';
export { ordersRoutes, type OrdersRoutesDeps } from './orders-routes.ts';
export { workItemRoutes, type WorkItemRoutesDeps } from './work-item-routes.ts';
export { knowsPayments } from './knows-payments.ts';
