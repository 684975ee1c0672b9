import { excludeSystemEvents, isMetastream, isSystemStream, jsonEvent, metastreamOf, originalStreamOf, streamNameFilter } from '@eventstore/db-client';
import type { AllStreamSubscription } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { collect, events, newStream, revisions } from './test-events.ts';

export function systemStreamsContract(fixture: Fixture): void {
  describe('system streams', () => {
    it.each([
      ['order-1', false, false],
      ['', false, false],
      ['$order', true, false],
      ['$$order-1', true, true],
    ])('are known by their names: %j', (name, isSystem, isMeta) => {
      expect([isSystemStream(name), isMetastream(name)]).toEqual([isSystem, isMeta]);
    });

    it('hold the metadata of a stream, under the name that the client gives them', async () => {
      const stream = newStream('system');
      const metastream = metastreamOf(stream);
      expect(originalStreamOf(metastream)).toBe(stream);
      const { position } = await fixture.client.setStreamMetadata(stream, { purpose: 'test' });
      const [read] = await collect(fixture.client.readStream(metastream));
      expect(read?.event).toMatchObject({ streamId: metastream, type: '$metadata', data: { purpose: 'test' }, isJson: true, position });
      const [fromAll] = await collect(fixture.client.readAll({ fromPosition: position!, maxCount: 1 }));
      expect(fromAll?.event?.id).toBe(read?.event?.id);
    });

    it('take metadata that is written as an event, which then holds', async () => {
      const stream = newStream('system');
      await fixture.client.appendToStream(stream, events(5));
      await fixture.client.appendToStream(metastreamOf(stream), jsonEvent({ type: '$metadata', data: { $maxCount: 2 } }));
      expect(revisions(await collect(fixture.client.readStream(stream)))).toEqual([3n, 4n]);
      expect((await fixture.client.getStreamMetadata(stream)).metadata).toEqual({ maxCount: 2 });
    });

    it('can be written, read and deleted like others', async () => {
      const stream = `$${newStream('system')}`;
      await fixture.client.appendToStream(stream, events(3), { expectedRevision: 'no_stream' });
      expect(revisions(await collect(fixture.client.readStream(stream)))).toEqual([0n, 1n, 2n]);
      await fixture.client.deleteStream(stream, { expectedRevision: 2n });
      await expect(collect(fixture.client.readStream(stream))).rejects.toMatchObject({ type: 'stream-not-found' });
    });

    it('are left out by their name or by the types of their events, which are two things', async () => {
      const [ordinary, system] = [newStream('ordinary'), `$${newStream('system')}`];
      const { position: fromPosition } = await fixture.client.appendToStream(newStream('mark'), events(1));
      await fixture.client.appendToStream(system, events(1, 'InSystemStream'));
      await fixture.client.setStreamMetadata(ordinary, { purpose: 'test' });
      await fixture.client.appendToStream(ordinary, events(1, 'InOrdinaryStream'));
      const types = async (subscription: AllStreamSubscription): Promise<string[]> => {
        const seen: string[] = [];
        for await (const { event } of subscription) {
          if (event?.streamId === system || event?.streamId.endsWith(ordinary) === true) seen.push(event.type);
          if (event?.type === 'InOrdinaryStream') break;
        }
        await subscription.unsubscribe();
        return seen;
      };
      const from = { fromPosition: fromPosition! };
      expect(await types(fixture.client.subscribeToAll(from))).toEqual(['InSystemStream', '$metadata', 'InOrdinaryStream']);
      expect(await types(fixture.client.subscribeToAll({ ...from, filter: excludeSystemEvents() }))).toEqual(['InSystemStream', 'InOrdinaryStream']);
      expect(await types(fixture.client.subscribeToAll({ ...from, filter: streamNameFilter({ regex: '^[^$]' }) }))).toEqual(['InOrdinaryStream']);
    });
  });
}
