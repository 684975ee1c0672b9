import { setTimeout as wait } from 'node:timers/promises';
import { Connection } from 'rabbitmq-client';
import { brokerTls } from '../broker/authority.ts';

/**
 * Whether a private broker still serves. One that has lost its metadata store (RabbitMQ's Mnesia ends for good when its disk
 * is full) goes on living with an open port, and ends every connection without a word until it is started again.
 */
export interface Pulse {
  /** One whole login costs some milliseconds and leaves no line in the broker's log. */
  readonly intervalMs: number;
  /** After a connection that was ended it is asked again sooner. */
  readonly againMs: number;
}

export const PULSE: Pulse = { intervalMs: 30_000, againMs: 5_000 };

/** A broker that starts, stops or is short of something may end one; not one after the other. */
const ENDED_MAX = 3;
/** Slow is not dead: a connection that takes longer counts for nothing. */
const ANSWER_LIMIT_MS = 10_000;
/** The client's words where the peer ended the connection and gave no reason. A refusal in words is an answer. */
const WITHOUT_A_WORD = /CONN_CLOSE|ECONNRESET|EPIPE|READ_END/;

/** Resolves when the broker serves nobody any more; when `signal` is aborted it resolves with false. Never rejects. */
export async function servesNobody(url: string, signal: AbortSignal, { intervalMs, againMs }: Pulse = PULSE): Promise<boolean> {
  for (let ended = 0; ended < ENDED_MAX; ) {
    await wait(ended === 0 ? intervalMs : againMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return false;
    ended = (await isEndedWithoutAWord(url)) ? ended + 1 : 0;
  }
  return !signal.aborted;
}

async function isEndedWithoutAWord(url: string): Promise<boolean> {
  const connection = new Connection({ url, tls: brokerTls(url), connectionTimeout: ANSWER_LIMIT_MS, connectionName: 'pulse' });
  const answer = Promise.withResolvers<Error | null>();
  connection.once('connection', () => answer.resolve(null));
  connection.on('error', (error: Error) => answer.resolve(error));
  const error = await answer.promise;
  if (error === null) await connection.close().catch(() => undefined);
  // The client would go on trying.
  else connection.unsafeDestroy();
  return error !== null && WITHOUT_A_WORD.test(`${(error as { code?: string }).code} ${error.message}`);
}
