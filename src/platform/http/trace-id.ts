import { randomBytes } from 'node:crypto';

const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const ALL_ZERO = /^0+$/;

/** @returns the caller's trace id (W3C `traceparent`) when it sent a valid one, otherwise a new one; 32 hex digits. */
export function traceIdOf(traceparent: string | string[] | undefined): string {
  const sent = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
  if (sent !== undefined && !ALL_ZERO.test(sent)) return sent;
  return randomBytes(16).toString('hex');
}
