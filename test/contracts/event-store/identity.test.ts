import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { startEventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { writeServerIdentity } from '../../../src/platform/embedded/server-identity.ts';
import { disposeClient } from './server-under-test.ts';
import { events, newStream } from './test-events.ts';

/** A path that a URL and a regular expression would take for other things. */
const folder = mkdtempSync(join(tmpdir(), 'identity of & 支付 % ? -'));
afterAll(() => rmSync(folder, { recursive: true }));
const identityIn = (name: string) => {
  mkdirSync(join(folder, name), { recursive: true });
  return writeServerIdentity(join(folder, name), name);
};

async function append(url: string): Promise<string> {
  const client = EventStoreDBClient.connectionString(url);
  try {
    return (await client.appendToStream(newStream('identity'), events(1), { deadline: 5_000 })).success ? 'appended' : 'not appended';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await disposeClient(client);
  }
}

it('with an identity the store serves whoever holds it, and nobody else', async () => {
  const identity = identityIn('own');
  const other = identityIn('other');
  const worker = await startEventStoreWorker({ port: 0, directory: null, identity });
  onTestFinished(() => worker.stop());
  const url = worker.connectionString;
  const certificate = encodeURIComponent(identity.certificateFile);
  const [otherCertificate, otherKey] = [other.certificateFile, other.keyFile].map(encodeURIComponent);
  expect(await append(url)).toBe('appended');
  expect(await append(url.replace('esdb:', 'esdb+discover:'))).toBe('appended');
  expect(await append(`esdb://127.0.0.1:${worker.port}?tls=true&tlsCAFile=${certificate}`)).toContain('certificate required');
  expect(await append(`esdb://127.0.0.1:${worker.port}?tls=true&tlsCAFile=${certificate}&userCertFile=${otherCertificate}&userKeyFile=${otherKey}`)).toContain('UNAVAILABLE');
  expect(await append(`esdb://127.0.0.1:${worker.port}?tls=false`)).toContain('UNAVAILABLE');
  // Nor is anybody else taken for the store.
  expect(await append(url.replace(certificate, otherCertificate as string))).toMatch(/self-signed certificate|unable to verify/);
});

it('a connection that never gets through its handshake does not hold up a stop', async () => {
  const worker = await startEventStoreWorker({ port: 0, directory: null, identity: identityIn('stop') });
  const silent = connect(worker.port, '127.0.0.1').on('error', () => undefined);
  await once(silent, 'connect');
  // Accepted in the order of coming, so the silent one is the server's by now.
  expect(await append(worker.connectionString)).toBe('appended');
  const startedAt = performance.now();
  await worker.stop();
  // By force it would take five seconds.
  expect(performance.now() - startedAt).toBeLessThan(4_000);
});
