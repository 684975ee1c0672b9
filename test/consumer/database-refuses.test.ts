import { describe, expect, it } from 'vitest';
import { LONELY_FAILURES_MAX } from '../../src/platform/consumer/lonely-failures.ts';
import { TRIES_BEFORE_SEEKING } from '../../src/platform/consumer/settle.ts';
import { createRig, outgoing, paymentMessage, SETTINGS, until, type Rig } from './rig.ts';
import { effectCount, effectsOf } from './recording-module.ts';

/*
 * The database answers and refuses. Certain: nothing is parked while it refuses everybody, and every message is applied once
 * and in order when it does no longer; one that it refuses alone stands in nobody's way and is parked in the end. Not certain:
 * how many transactions that takes.
 */

const messagesOf = (count: number, payments: number) => Array.from({ length: count }, (_, index) => paymentMessage(`P${index % payments}`));
const publishAll = (rig: Rig, messages: ReturnType<typeof messagesOf>) => rig.publish(messages.map((message) => outgoing(message)));
const run = async (rig: Rig, ...statements: string[]) => {
  for (const statement of statements) await rig.db.$executeRawUnsafe(statement);
};

/** Refuses rows of `effects` by `action`; with `when` only some. */
const trigger = (action: string, when = 'true') => [
  `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF ${when} THEN ${action} END IF; RETURN NEW; END $$`,
  'CREATE TRIGGER refuse BEFORE INSERT ON effects FOR EACH ROW EXECUTE FUNCTION refuse()',
];
const raise = (code: string) => `RAISE EXCEPTION 'not now' USING ERRCODE = '${code}';`;
const TERMINATE = 'PERFORM pg_terminate_backend(pg_backend_pid());';
const UNDO = ['DROP FUNCTION refuse CASCADE'];

async function failures(rig: Rig): Promise<number> {
  return Number(/consumer_retries_total\{[^}]*kind="infrastructure"[^}]*\} (\d+)/.exec(await rig.metrics.registry.metrics())?.[1] ?? 0);
}

async function expectOnceInOrder(rig: Rig, messages: ReturnType<typeof messagesOf>): Promise<void> {
  const effects = await effectsOf(rig.db);
  expect(effects).toHaveLength(messages.length);
  for (const payNo of new Set(messages.map(({ payment }) => payment.payNo))) {
    const wanted = messages.filter(({ payment }) => payment.payNo === payNo).map(({ eventId }) => eventId);
    expect(effects.filter((effect) => effect.pay_no === payNo).map(({ event_id }) => event_id)).toEqual(wanted);
  }
}

/** Side by side, because most of their time is the pauses between transactions that are refused. */
describe.concurrent('a database that answers and refuses', () => {
  it.for<[string, string[], string[]]>([
    ['a table renamed away', ['ALTER TABLE effects RENAME TO elsewhere'], ['ALTER TABLE elsewhere RENAME TO effects']],
    ['an internal error', trigger(raise('XX000')), UNDO],
    ['a prepared statement that is not known', trigger(raise('26000')), UNDO],
    ['a right withdrawn', trigger(raise('42501')), UNDO],
    ['a trigger of somebody', trigger(raise('P0001')), UNDO],
    ['a conflict that shows at the commit', [...trigger(raise('40001')).slice(0, 1), 'CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON effects DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()'], UNDO],
  ])('waits while the database refuses everybody, says why, parks nothing, and applies everything afterwards: %s', async ([, begin, end], { onTestFinished }) => {
    const rig = await createRig({}, onTestFinished);
    const messages = messagesOf(120, 12);
    // With one attempt per message, any failure that counted against a message would park it.
    const consumer = await rig.consume({ settings: { ...SETTINGS, attemptsMax: 1 } });
    await publishAll(rig, messages.slice(0, 40));
    await until('some effects', async () => (await effectCount(rig.db)) >= 40);
    await run(rig, ...begin);
    const startedAt = performance.now();
    await publishAll(rig, messages.slice(40));
    await until('the reason', () => /not now|"?effects"? does not exist/.test(consumer.worker.health?.().reason ?? ''));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(consumer.worker.health?.().status).toBe('degraded');
    // Past the first tries, and past looking for the message whose fault it is.
    await until('a search in vain', async () => (await failures(rig)) > 2 * TRIES_BEFORE_SEEKING);
    expect(await rig.db.parkedMessage.count()).toBe(0);
    await run(rig, ...end);
    await until('all effects', async () => (await effectCount(rig.db)) >= messages.length);
    await until('health', () => consumer.worker.health?.().status === 'ok');
    await consumer.stop();
    await expectOnceInOrder(rig, messages);
    expect(await rig.db.parkedMessage.count()).toBe(0);
    expect(await rig.leftOver()).toBe(0);
  });

  it.for<[string, string, RegExp]>([
    ['refused', raise('XX000'), /not now/],
    ['refused by the end of its connection', TERMINATE, /terminat/],
  ])('applies the neighbours of a message that is %s, again and again, and parks it in the end', async ([, action, cause], { onTestFinished }) => {
    const rig = await createRig({}, onTestFinished);
    await run(rig, ...trigger(action, `NEW.pay_no = 'P3'`));
    const messages = messagesOf(30, 10);
    const consumer = await rig.consume({ lonelyDelayMs: () => 100 });
    await publishAll(rig, messages);
    await until('the neighbours', async () => (await effectCount(rig.db)) >= 27);
    const bad = messages[3]!;
    await until('the reason', () => (consumer.worker.health?.().reason ?? '').includes(bad.eventId));
    expect(await rig.db.parkedMessage.count()).toBe(0);
    const more: ReturnType<typeof messagesOf> = [];
    await until('the end of patience', async () => {
      more.push(paymentMessage(`N${more.length}`));
      await publishAll(rig, more.slice(-1));
      return (await rig.db.parkedMessage.count()) === 3;
    });
    expect(more.length).toBeGreaterThanOrEqual(LONELY_FAILURES_MAX);
    const parked = await rig.db.parkedMessage.findMany({ orderBy: { id: 'asc' } });
    expect(parked.map(({ reason, payNo }) => [reason, payNo])).toEqual([['fails-alone', 'P3'], ['behind-parked', 'P3'], ['behind-parked', 'P3']]);
    expect(parked[0]).toMatchObject({ eventId: bad.eventId, cause: expect.stringMatching(cause) });
    await until('health', () => consumer.worker.health?.().status === 'ok');
    await until('all others', async () => (await effectCount(rig.db)) === 27 + more.length);
    await consumer.stop();
    await expectOnceInOrder(rig, [...messages.filter(({ payment }) => payment.payNo !== 'P3'), ...more]);
    expect(await rig.leftOver()).toBe(0);
  });

  it('never parks a message that the database refuses while no other is applied', async ({ onTestFinished }) => {
    const rig = await createRig({}, onTestFinished);
    await run(rig, ...trigger(raise('42501')));
    const [only] = messagesOf(1, 1) as [ReturnType<typeof paymentMessage>];
    const consumer = await rig.consume({ lonelyDelayMs: () => 20 });
    await publishAll(rig, [only]);
    await until('many tries', () => rig.recorder.executions.length > 3 * (LONELY_FAILURES_MAX + TRIES_BEFORE_SEEKING));
    expect(await rig.db.parkedMessage.count()).toBe(0);
    expect(consumer.worker.health?.()).toMatchObject({ status: 'degraded', reason: expect.stringContaining('not now') });
    await run(rig, ...UNDO);
    await until('its effect', async () => (await effectCount(rig.db)) === 1);
    await until('health', () => consumer.worker.health?.().status === 'ok');
  });
});
