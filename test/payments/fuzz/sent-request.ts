import type { WebhookRequest } from '../../../src/modules/payments/providers/provider.ts';

/** A request as a sender writes it: headers in its own spelling and order, perhaps several times. */
export interface SentRequest {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** What Node's HTTP server makes of it: names in lower case, the values of a repeated header joined. */
export function asReceived({ headers, body }: SentRequest): WebhookRequest {
  const received: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    received[key] = received[key] === undefined ? value : `${received[key]}, ${value}`;
  }
  return { headers: received, body };
}

export function headerOf({ headers }: SentRequest, name: string): string {
  return headers.find(([other]) => other.toLowerCase() === name)?.[1] ?? '';
}

export function withHeader(request: SentRequest, name: string, change: (value: string) => string): SentRequest {
  return { ...request, headers: request.headers.map(([other, value]) => (other.toLowerCase() === name ? [other, change(value)] : [other, value])) };
}
