/** All webhooks are below it; what else is there is refused, and counted like one. */
export const WEBHOOKS_PATH = '/webhooks';

/**
 * A configured webhook URL is now and then typed with a slash too many, or ends in one, and no provider says so: it would
 * only be refused, for days. A query string is somebody's addition, and stays.
 */
export function meantWebhookUrl(url: string): string {
  const [path = '', ...query] = url.split('?');
  if (!path.includes('//') && !path.endsWith('/')) return url;
  const meant = path.replace(/\/{2,}/g, '/').replace(/\/$/, '');
  return isBelowWebhooks(meant) ? [meant, ...query].join('?') : url;
}

/** @returns the account's place in the path, as a route would find it; null for a path that is no webhook's. */
export function webhookPathOf(url: string): { readonly provider: string; readonly account: string } | null {
  const path = url.split('?', 1)[0] ?? '';
  if (!isBelowWebhooks(path)) return null;
  const [provider = '', account = '', ...more] = path.slice(WEBHOOKS_PATH.length + 1).split('/').map(decoded);
  return more.length > 0 ? { provider: '', account: '' } : { provider, account };
}

function isBelowWebhooks(path: string): boolean {
  return path === WEBHOOKS_PATH || path.startsWith(`${WEBHOOKS_PATH}/`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
