import { expect, it } from 'vitest';
import { createFewLabels, LABEL_LENGTH_MAX, LABELS_MAX } from './few-labels.ts';

it('a thousand values of a group are a hundred labels and one more, however long; those that were told apart stay so', () => {
  const label = createFewLabels();
  const labels = new Set(Array.from({ length: 1_000 }, (_, n) => label('stripe', `type-${n}`)));
  expect(labels.size).toBe(LABELS_MAX + 1);
  expect([label('stripe', 'type-1'), label('stripe', 'type-999'), label('standard', 'type-999')]).toEqual(['type-1', 'other', 'type-999']);
  expect(label('standard', 'x'.repeat(LABEL_LENGTH_MAX + 1))).toBe('other');
});
