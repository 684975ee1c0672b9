import { randomUUID } from 'node:crypto';
import { binaryEvent, jsonEvent } from '@eventstore/db-client';
import type { AppendToStreamOptions } from '@eventstore/db-client';
import { expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { collect, newStream } from './test-events.ts';

/** What is in an event comes back as it was given, by whichever way it was appended. */
export function eventContents(fixture: Fixture, extra: AppendToStreamOptions): void {
  it('keeps type, data, metadata, id and content type of JSON and binary events', async () => {
    const stream = newStream('append');
    const json = jsonEvent({ id: randomUUID(), type: '付款成功', data: { text: 'ünï ☃', n: 1 }, metadata: { from: 'test' } });
    const binary = binaryEvent({ id: randomUUID(), type: 'Blob', data: Buffer.from([0, 1, 254, 255]), metadata: Buffer.from([7]) });
    await fixture.client.appendToStream(stream, [json, binary], extra);
    const [first, second] = await collect(fixture.client.readStream(stream));
    expect(first?.event).toMatchObject({ id: json.id, type: json.type, data: json.data, metadata: json.metadata, isJson: true, streamId: stream });
    expect(second?.event).toMatchObject({ id: binary.id, isJson: false });
    expect([...(second?.event?.data as Uint8Array)]).toEqual([0, 1, 254, 255]);
    expect(Math.abs(Date.now() - (first?.event?.created.getTime() ?? 0))).toBeLessThan(60_000);
  });

  it.each<[what: string, data: unknown]>([
    ['text', 'CC ‐ 1830'],
    ['a number', 42.5],
    ['a list', [1, 'two', null]],
    ['text with control characters and characters of several bytes', { cancel: '\u0018', ogonek: 'Ę', emoji: '🦃', zero: '\u0000' }],
    ['an empty object', {}],
  ])('keeps JSON data that is %s', async (_what, data) => {
    const stream = newStream('contents');
    await fixture.client.appendToStream(stream, jsonEvent({ type: 'Json', data: data as never }), extra);
    const [read] = await collect(fixture.client.readStream(stream));
    expect(read?.event?.data).toStrictEqual(data);
  });

  const bytes = Buffer.from('not {JSON}');
  const metadataForms: [what: string, metadata: unknown, readAs: unknown][] = [
    ['no metadata', undefined, undefined],
    ['JSON metadata', { from: 'test', deep: { n: [1] } }, { from: 'test', deep: { n: [1] } }],
    ['metadata in a buffer', bytes, [...bytes]],
    ['metadata in bytes', Uint8Array.from(bytes), [...bytes]],
  ];
  it.each(metadataForms)('keeps %s of JSON and of binary events', async (_what, metadata, readAs) => {
    const stream = newStream('contents');
    const forms = [jsonEvent({ type: 'Json', data: {}, metadata: metadata as never }), binaryEvent({ type: 'Blob', data: Buffer.from([1]), metadata: metadata as never })];
    await fixture.client.appendToStream(stream, forms, extra);
    for (const { event } of await collect(fixture.client.readStream(stream))) {
      expect(event?.metadata instanceof Uint8Array ? [...event.metadata] : event?.metadata).toEqual(readAs);
    }
  });
}
