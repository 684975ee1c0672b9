import type { PaymentMessage } from '../../../src/contracts/payment-messages.ts';
import { MODULE_QUEUES, type ModuleName } from '../../../src/contracts/topology.ts';
import { connectDatabase, type Database, type Transaction } from '../../../src/platform/database/database.ts';
import type { Bench } from '../setup/bench.ts';
import { createCounter } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { verifyEffects } from '../measure/verify-effects.ts';
import { expectDepth } from '../raw/queues.ts';
import { openRawConnection } from '../raw/raw-connection.ts';
import { publishEach } from './naive-republish.ts';

const POOL_SIZE = 8;
const DAY_MS = 24 * 3_600_000;

/** The tutorial's way: for each message one transaction through the client's own calls, then its acknowledgement. */
export function naiveApply(bench: Bench): Promise<Measurement> {
  return applyEach(bench, async () => undefined);
}

/** Both naive ways at once, from the event store to the last effect. */
export function naiveDrain(bench: Bench): Promise<Measurement> {
  return applyEach(bench, () => publishEach(bench));
}

function applyEach(bench: Bench, alongside: () => Promise<void>): Promise<Measurement> {
  const { servers, broker, meter, counts } = bench;
  return bench.databases.withCopy(async (url) => {
    const db = connectDatabase(url, { poolSizeMax: POOL_SIZE });
    const connection = openRawConnection(servers.broker.url);
    const modules = Object.entries(MODULE_QUEUES) as [ModuleName, string][];
    const applied = createCounter(counts.naive * modules.length);
    await db.$queryRaw`SELECT 1`;
    const running = meter.start();
    const publishing = alongside();
    const consumers = modules.map(([module, queue]) =>
      connection.createConsumer({ queue, queueOptions: { passive: true }, qos: { prefetchCount: 1 } }, async ({ body }: { body: unknown }) => {
        await applyOne(db, module, JSON.parse(String(body)) as PaymentMessage);
        applied.add();
      }),
    );
    // The client gives a message back to the queue when its handler fails, and tells it here; no message of ours may fail.
    const failed = Promise.withResolvers<never>();
    for (const consumer of consumers) consumer.on('error', failed.reject);
    try {
      await finish(Promise.race([failed.promise, Promise.all([applied.reached, publishing])]), 'the naive consumers', () => `${applied.value} effects were committed.`);
      const measurement = running.stop(counts.naive);
      await expectDepth(broker, 0);
      await verifyEffects(url, counts.naive);
      return measurement;
    } finally {
      await Promise.all(consumers.map((consumer) => consumer.close()));
      await Promise.all([connection.close(), db.$disconnect()]);
    }
  });
}

async function applyOne(db: Database, module: ModuleName, message: PaymentMessage): Promise<void> {
  await db.$transaction(async (transaction) => {
    const { eventId, type: eventType, id, payment } = message;
    await transaction.effectLedger.create({ data: { module, eventId, payNo: payment.payNo, eventType, position: BigInt(id), outcome: 'applied' } });
    await (module === 'orders' ? payOrder(transaction, message) : selectCourse(transaction, message));
  });
}

async function payOrder(transaction: Transaction, { id, payment: { payNo, providerTradeNo, paidAt, provider } }: PaymentMessage): Promise<void> {
  const paid = { paidAt: new Date(paidAt ?? 0) };
  const { orderId } = await transaction.payRecord.update({ where: { payNo }, data: { ...paid, status: '601002', providerTradeNo, channel: provider, paidPosition: BigInt(id) } });
  await transaction.order.update({ where: { orderId }, data: { ...paid, status: '600002', paidPayNo: payNo } });
}

async function selectCourse(transaction: Transaction, { businessKey1: selectionId, payment }: PaymentMessage): Promise<void> {
  const validFrom = new Date(payment.paidAt ?? 0);
  const validTo = new Date(validFrom.getTime() + 365 * DAY_MS);
  const { userId, courseId, courseName, companyId, selectionType: courseType } = await transaction.selection.update({ where: { selectionId }, data: { status: '701001', validFrom, validTo } });
  const row = { selectionId, courseName, companyId, courseType, validFrom, validTo };
  await transaction.myCourse.upsert({ where: { userId_courseId: { userId, courseId } }, create: { userId, courseId, ...row }, update: row });
}
