import { connect } from 'node:net';
import { signSuccess, type SigningKey } from '../../../src/modules/payments/index.ts';
import { AMOUNT, payNoOf, tradeNoOf } from '../setup/payments.ts';

/*
 * The provider, in a process of its own so that it does not measure itself in the application's loop. All requests are
 * signed before the clock starts, and the answers are read no further than their status and length: what is left costs
 * little, but it does share the two cores with what it measures.
 */
export interface LoadOrder {
  readonly url: string;
  readonly prefix: string;
  readonly count: number;
  readonly concurrency: number;
  readonly key: SigningKey;
}

export interface LoadResult {
  readonly accepted: number;
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  readonly cpuUs: number;
}

process.once('message', (order: LoadOrder) => void serve(order));
// An orphan has nobody to report to.
process.once('disconnect', () => process.exit(1));

async function serve(order: LoadOrder): Promise<void> {
  const { host, hostname, port } = new URL(order.url);
  const requests = Array.from({ length: order.count }, (_, index) => requestOf(order, host, index));
  process.once('message', () => void run(requests, hostname, Number(port), order.concurrency).then((result) => process.send?.(result)));
  process.send?.('prepared');
}

function requestOf({ prefix, key }: LoadOrder, host: string, index: number): Buffer {
  const payNo = payNoOf(prefix, index);
  const facts = { payNo, tradeNo: tradeNoOf(payNo), amount: AMOUNT, currency: 'CNY', paidAt: new Date(), notificationId: `msg_${payNo}` };
  const { path, headers, body } = signSuccess(key, facts);
  const lines = Object.entries({ ...headers, host, 'content-length': String(Buffer.byteLength(body)) }).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from([`POST ${path} HTTP/1.1`, ...lines, '', body].join('\r\n'));
}

async function run(requests: readonly Buffer[], host: string, port: number, concurrency: number): Promise<LoadResult> {
  const before = process.cpuUsage();
  const latencies: number[] = [];
  let next = 0;
  let accepted = 0;
  const take = (): Buffer | undefined => requests[next++];
  const answered = (status: number, ms: number): void => {
    latencies.push(ms);
    if (status === 200) accepted++;
  };
  await Promise.all(Array.from({ length: concurrency }, () => converse(host, port, take, answered)));
  const { user, system } = process.cpuUsage(before);
  latencies.sort((a, b) => a - b);
  const percentile = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { accepted, latencyP50Ms: percentile(0.5), latencyP99Ms: percentile(0.99), cpuUs: user + system };
}

/** One connection, one request at a time, until there are none left. */
function converse(host: string, port: number, take: () => Buffer | undefined, answered: (status: number, ms: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    let received = '';
    let sentAt = 0;
    const send = (): void => {
      const request = take();
      if (request === undefined) return void socket.end(resolve);
      sentAt = performance.now();
      socket.write(request);
    };
    socket.setEncoding('latin1');
    socket.once('connect', send);
    socket.once('error', reject);
    socket.on('data', (chunk: string) => {
      received += chunk;
      const status = completeAnswer(received);
      if (status === null) return;
      received = '';
      answered(status, performance.now() - sentAt);
      send();
    });
  });
}

/** @returns the status once the whole answer is there. Every answer of ours says how long it is. */
function completeAnswer(text: string): number | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
  return text.length >= end + 4 + length ? Number(text.slice(9, 12)) : null;
}
