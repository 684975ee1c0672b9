import { expect, it, vi } from 'vitest';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { toMessage } from './to-message.ts';

// No published type has an older version yet. This stands for one that had: `payer` became `userId`.
vi.mock('../../contracts/event-versions.ts', () => ({
  isNewerThanKnown: () => false,
  upcastEvent: ({ data, metadata }: StoredEvent) => {
    const { payer, ...rest } = data as { payer?: string };
    return (metadata as { schemaVersion?: number }).schemaVersion === 2 ? data : { ...rest, userId: payer };
  },
}));

const event: StoredEvent = {
  id: '0b5f8c1e-2f5e-5e1c-9d2b-6b1c0f6c8a11',
  type: 'PaymentSucceeded',
  stream: 'payment-p1',
  revision: 1n,
  position: 7n,
  recordedAt: new Date('2026-01-02T03:04:05.678Z'),
  data: { payNo: 'p1', payer: '52' },
  metadata: {},
};

it('brings an event of an older version up to the current one before anything is made of it', () => {
  expect(JSON.parse(toMessage(event, 1n)!.body.toString())).toMatchObject({ payment: { payNo: 'p1', userId: '52' } });
  const now = { ...event, data: { payNo: 'p1', userId: '53' }, metadata: { schemaVersion: 2 } };
  expect(JSON.parse(toMessage(now, 1n)!.body.toString())).toMatchObject({ payment: { payNo: 'p1', userId: '53' } });
});
