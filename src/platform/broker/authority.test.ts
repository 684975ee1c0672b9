import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { brokerTls } from './authority.ts';

it('believes whom the URL names, whom Node knows where it names nobody, and nobody where the file is not there', () => {
  const file = join(tmpdir(), `authority & ü-${process.pid}.pem`);
  writeFileSync(file, 'a certificate');
  onTestFinished(() => rmSync(file));
  expect(brokerTls(`amqps://u:p@127.0.0.1:1/vhost?cacertfile=${encodeURIComponent(file)}`)).toEqual({ ca: Buffer.from('a certificate') });
  expect(brokerTls('amqps://u:p@127.0.0.1:1?cacertfile=/nowhere')).toEqual({ ca: [] });
  expect(brokerTls('amqps://u:p@127.0.0.1:1')).toBe(true);
  expect(brokerTls(`amqp://u:p@127.0.0.1:1?cacertfile=${encodeURIComponent(file)}`)).toBe(false);
});
