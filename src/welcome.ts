import { join } from 'node:path';
import type { Health } from './platform/observe/health.ts';
import { pause } from './platform/process/backoff.ts';
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

/** A person who waits is told this often what is being waited for. */
const PROGRESS_INTERVAL_MS = 5_000;

/** Prints what is missing until everything is ready or `signal` is aborted. */
export async function reportProgress({ app }: Started, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  void app.ready.then(() => over.abort());
  const untilOver = AbortSignal.any([signal, over.signal]);
  for (;;) {
    await pause(PROGRESS_INTERVAL_MS, untilOver);
    if (untilOver.aborted) return;
    print(`paynotify accepts webhooks and waits for: ${missing(await app.health())}`);
  }
}

/** Pure. The dependencies are named first; what the workers wait for is mostly the same. */
export function missing({ dependencies, workers }: Pick<Health, 'dependencies' | 'workers'>): string {
  const [lacking, waiting] = [dependencies, workers].map((parts) =>
    Object.entries(parts).flatMap(([name, { status, reason }]) => (status === 'ok' ? [] : [`${name} (${reason ?? status})`])),
  ) as [string[], string[]];
  return (lacking.length > 0 ? lacking : waiting).join(', ');
}
