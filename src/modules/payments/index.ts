export { generateDemoAccounts, type DemoAccounts } from './demo-accounts.ts';
export { paymentRoutes, viewPayment, type PaymentView } from './payment-routes.ts';
export { readProviderAccounts, type ProviderAccounts } from './provider-accounts.ts';
export { createReceiveNotification, type ReceiveDeps, type ReceiveNotification } from './receive-notification.ts';
export { createRecentPayments, type RecentPayments } from './recent-payments.ts';
export { createRequestPayment, type RequestPayment, type RequestPaymentResult } from './request-payment.ts';
export { signSuccess, type SignedWebhook, type SigningKey, type SuccessFacts } from './providers/sign-success.ts';
export { UNMATCHED_EVENT_TYPE, type PaymentNotificationUnmatched } from './unmatched.ts';
export { webhookRoutes, type WebhookRoutesDeps } from './webhook-routes.ts';
