import { expect, it } from 'vitest';
import { programsMissing } from './programs-missing.ts';

it('advises in an image only what can be done there, and in a clone what installs', () => {
  expect(programsMissing('rabbitmq', 'RABBITMQ_URL', false)).toMatch(/^This image .* set RABBITMQ_URL and take rabbitmq out of PAYNOTIFY_EMBEDDED/);
  expect(programsMissing('rabbitmq', 'RABBITMQ_URL', false)).not.toMatch(/npm|apt|install/);
  expect(programsMissing('rabbitmq', 'RABBITMQ_URL', true)).toContain('node scripts/install.mjs');
});
