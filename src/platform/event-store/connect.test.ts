import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../contracts/errors.ts';
import { silentLogger } from '../observe/logger.ts';
import { connectEventStore } from './connect.ts';

describe('a connection string that the client cannot read', () => {
  it.each(['esdb://admin:hunter2@es:port', 'esdb://admin:hunter2@es:2113?tls=perhaps', 'esdb://admin:hunter2@es:2113?tlsCAFile=/nowhere/hunter2.pem', 'esdb://admin:hunter2@es,,es2'])(
    'is refused at once, and nothing of it is shown: %s',
    (connectionString) => {
      let refusal: unknown;
      try {
        connectEventStore(connectionString, silentLogger);
      } catch (error) {
        refusal = error;
      }
      expect(refusal).toBeInstanceOf(ConfigError);
      const { message, stack, cause } = refusal as ConfigError;
      expect(message).toMatch(/^EVENTSTORE_URL cannot be read/);
      expect(`${message} ${stack}`).not.toContain('hunter2');
      expect(cause).toBeUndefined();
    },
  );
});

it('connects to nothing before the first call', async () => {
  const store = connectEventStore('esdb://admin:hunter2@nowhere.invalid:2113?tls=false', silentLogger);
  await expect(store.dispose()).resolves.toBeUndefined();
});
