import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Started } from './start.ts';

/** What a person needs to begin: where it is, how to get in, one thing to try. Shown as soon as webhooks are accepted. */
export function welcome({ app, shownTokens }: Started, config: Config): string {
  const kept = join(config.dataDirectory, 'tokens.json');
  return [
    '',
    `paynotify accepts webhooks at ${app.url}/webhooks/:provider/:account`,
    `  API and documentation   ${app.url}/docs`,
    `  health                  ${app.url}/health/ready`,
    `  service token           ${shownTokens.service ?? 'as configured in PAYNOTIFY_SERVICE_TOKENS'}`,
    `  admin token             ${shownTokens.admin ?? 'as configured in PAYNOTIFY_ADMIN_TOKENS'}`,
    ...(shownTokens.admin === null && shownTokens.service === null ? [] : [`  (tokens are kept in ${kept}, readable by you alone)`]),
    '',
    'Try it in a second terminal:  npm run demo',
    '',
  ].join('\n');
}

export function readyLine({ app }: Started): string {
  return `paynotify is ready: ${app.url}`;
}
