import { signStripeBody, type StripeSigningKey } from '../../src/modules/payments/providers/sign-stripe.ts';
import type { Site } from './site.ts';

let sent = 0;

export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** Sends an event as Stripe does, with an id of its own, signed now. @returns the status that was answered. */
export async function tellStripe(site: Site, type: string, object: object, created = nowSeconds()): Promise<number> {
  const key = site.signingKeys.find((candidate): candidate is StripeSigningKey => candidate.provider === 'stripe') as StripeSigningKey;
  const event = { id: `evt_${process.pid}_${++sent}`, object: 'event', api_version: '2025-09-30', created, type, livemode: key.livemode, data: { object } };
  const body = JSON.stringify(event);
  const response = await fetch(`${site.app.url}/webhooks/stripe/${key.account}`, { method: 'POST', headers: signStripeBody(key.secret, body, nowSeconds()), body });
  await response.arrayBuffer();
  return response.status;
}
