import { readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createWebhookRefusals, generateDemoAccounts, readProviderAccounts, webhookRoutes } from '../../src/modules/payments/index.ts';
import { buildServer } from '../../src/platform/http/build-server.ts';
import { silentLogger as log } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';

/** The HTTP server with its webhooks in a process of its own, so that what it weighs is its own. Nothing is stored. */
export interface Weight {
  readonly rssMiB: number;
  readonly openFiles: number;
}

const metrics = createMetrics();
const accounts = readProviderAccounts(JSON.stringify((await generateDemoAccounts()).accountsFile));
const refusals = createWebhookRefusals({ accounts, metrics, log, now: () => new Date() });
const server = buildServer({ log, metrics, version: '0.0.0' });
server.register(webhookRoutes({ receive: async () => 'stored', accounts, refusals, metrics, log }));
await server.listen({ port: 0, host: '127.0.0.1' });
process.once('disconnect', () => process.exit());
process.on('message', () => process.send?.({ rssMiB: process.memoryUsage().rss / 1024 / 1024, openFiles: readdirSync('/proc/self/fd').length } satisfies Weight));
process.send?.((server.server.address() as AddressInfo).port);
