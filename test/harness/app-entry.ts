import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { readProviderAccounts } from '../../src/modules/payments/index.ts';
import { hashToken } from '../../src/platform/http/token-check.ts';
import { standardOutput } from '../../src/platform/observe/log-output.ts';
import { createLogger } from '../../src/platform/observe/logger.ts';
import { ARGUMENTS_VARIABLE, type AppArguments } from './app-process.ts';

/** The application as production builds it, in a process of its own that ends itself with SIGKILL in the window it is told. */
const { eventStoreUrl, databaseUrl, rabbitMqUrl, accountsFile, environment, death, tokens } = JSON.parse(process.env[ARGUMENTS_VARIABLE] ?? '') as AppArguments;
let passages = 0;
const output = standardOutput();
// An orphan would keep the run's servers busy.
process.once('disconnect', () => process.exit(1));
const app = await startApp({
  config: readConfig({ PORT: '0', ...environment }),
  eventStoreUrl,
  databaseUrl,
  rabbitMqUrl,
  accounts: readProviderAccounts(JSON.stringify(accountsFile)),
  tokens: { service: new Map([['shop', hashToken(tokens.service)]]), admin: new Map([['tester', hashToken(tokens.admin)]]) },
  log: createLogger(environment.LOG_LEVEL ?? 'info', output),
  droppedLines: () => output.droppedLines(),
  reach(window) {
    if (death !== null && window === death.window && ++passages === death.after) process.kill(process.pid, 'SIGKILL');
  },
});
process.once('SIGTERM', () => void app.stop().then(() => process.exit()));
process.send?.({ url: app.url });
void app.ready.then(() => process.send?.({ ready: true }));
