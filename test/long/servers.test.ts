import { describe } from 'vitest';
import { ownServers, surviveKills } from '../faults/killed-servers.ts';

ownServers();

describe('killed alone with SIGKILL under load and started again', () => {
  surviveKills(['database'], ['event store'], ['broker']);
});
