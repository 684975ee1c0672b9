import { describe, expect, it, test } from 'vitest';
import { meantWebhookUrl, webhookPathOf } from './webhook-path.ts';

describe('the URL that is meant', () => {
  test.each([
    ['/webhooks/stripe/demo/', '/webhooks/stripe/demo'],
    ['//webhooks/stripe/demo', '/webhooks/stripe/demo'],
    ['/webhooks//stripe///demo//', '/webhooks/stripe/demo'],
    ['/webhooks/stripe/demo/?a=//b/', '/webhooks/stripe/demo?a=//b/'],
    ['//webhooks/stripe/demo?x=1?y', '/webhooks/stripe/demo?x=1?y'],
    ['/webhooks/stripe/demo?next=/a//b/', '/webhooks/stripe/demo?next=/a//b/'],
    ['/webhooks/', '/webhooks'],
  ])('by %s', (url, meant) => expect(meantWebhookUrl(url)).toBe(meant));

  it('is the one that came on every other path', () => {
    for (const url of ['/', '//', '/docs/', '//docs', '/webhooksx/a/', '/orders/?userId=1', '*', '']) expect(meantWebhookUrl(url)).toBe(url);
  });
});

it('tells whose webhook it is, as a route would', () => {
  expect(webhookPathOf('/webhooks/stripe/de%6Do?x=1')).toEqual({ provider: 'stripe', account: 'demo' });
  for (const url of ['/webhooks', '/webhooks/stripe', '/webhooks/stripe/demo/more', '/webhooks/%zz/%']) expect(webhookPathOf(url)?.account).not.toBe('demo');
  for (const url of ['/webhooksx/stripe/demo', '/docs', '']) expect(webhookPathOf(url)).toBeNull();
});
