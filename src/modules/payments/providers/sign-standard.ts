import { createHmac, sign, type KeyObject } from 'node:crypto';

export interface StandardMessage {
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: string;
}

/** Signs like a Standard Webhooks sender. @param secret `whsec_…`. */
export function signStandard(secret: string, message: StandardMessage): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return headersWith(message, `v1,${createHmac('sha256', key).update(signedText(message)).digest('base64')}`);
}

/** The asymmetric scheme `v1a`. @param privateKey Ed25519. */
export function signStandardAsymmetric(privateKey: KeyObject, message: StandardMessage): Record<string, string> {
  return headersWith(message, `v1a,${sign(null, Buffer.from(signedText(message)), privateKey).toString('base64')}`);
}

function signedText({ id, timestampSeconds, body }: StandardMessage): string {
  return `${id}.${timestampSeconds}.${body}`;
}

function headersWith({ id, timestampSeconds }: StandardMessage, signature: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signature,
  };
}
