export { ordersHandler } from './orders-handler.ts';
export { ordersRoutes, type OrdersRoutesDeps } from './orders-routes.ts';
