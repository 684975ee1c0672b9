import { describe, test } from 'vitest';
import { freezeAndKillBroker, ownServers, startWithoutBrokerAndDatabase, surviveKills, TEST_TIMEOUT_MS } from './killed-servers.ts';

/*
 * Each server alone: the event store in store-outages.test.ts, the database in database-away.test.ts, and both by these very rounds
 * in test/long/servers.test.ts.
 */
ownServers();

describe('killed with SIGKILL under load and started again', () => {
  surviveKills(['event store', 'broker', 'database'], ['broker', 'database', 'event store']);
});

test('a frozen broker that is killed then: what it never confirmed is not taken for published, and is published again', { timeout: TEST_TIMEOUT_MS }, freezeAndKillBroker);

test('with database and broker stopped since before its start, the application accepts webhooks and loses none', { timeout: TEST_TIMEOUT_MS }, startWithoutBrokerAndDatabase);
