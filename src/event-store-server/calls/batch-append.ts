import type { CallReceiver, GrpcCall } from '../grpc/grpc-call.ts';
import { GrpcError, HandlerFailure, OK_STATUS } from '../grpc/grpc-status.ts';
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import type { EventStore } from '../store/event-store.ts';
import { StoreError } from '../store/store-error.ts';
import type { WriteOutcome } from '../store/stream-writer.ts';
import type { BatchAddress, BatchChunk, BatchFailure } from '../wire/batch-append-messages.ts';
import { batchFailureFrame, batchStoredFrame, decodeBatchChunk } from '../wire/batch-append-messages.ts';
import { decodeProposedEvent } from '../wire/proposed-event.ts';
import type { WriteOptions } from '../wire/write-options.ts';
import { decodeStreamName, decodeWriteOptions } from '../wire/write-options.ts';
import { APPEND_DATA_MAX_BYTES, ProposedAppend } from './proposed-append.ts';
import { storeFailure } from './write-error.ts';

/** The real server's write timeout: an append whose last chunk does not come is given up after this. */
const INCOMPLETE_APPEND_MAX_MS = 2_000;

/** Answers a caller has not read yet. Beyond this many bytes we stop reading its requests. */
const UNREAD_ANSWERS_MAX_BYTES = 1024 * 1024;

interface IncompleteAppend {
  to: BatchAddress;
  options: WriteOptions;
  append: ProposedAppend;
  timer: NodeJS.Timeout | null;
}

/** Streams.BatchAppend. */
export function serveBatchAppend(store: EventStore, call: GrpcCall, now: () => number): void {
  const batch = new BatchAppendCall(store, call, now);
  call.receive(batch.receiver());
}

/**
 * One long call that carries many appends, told apart by correlation id, their chunks interleaved.
 * Each correlation id is answered exactly once, and no other id ever: the client crashes on one it does not know.
 * Chunks of an append that was already answered (too large, too late) are passed over.
 */
class BatchAppendCall {
  readonly #store: EventStore;
  readonly #call: GrpcCall;
  readonly #now: () => number;
  readonly #incomplete = new Map<string, IncompleteAppend>();
  #queued = 0;
  #halfClosed = false;
  #answers: Buffer[] = [];
  #reading = true;

  constructor(store: EventStore, call: GrpcCall, now: () => number) {
    this.#store = store;
    this.#call = call;
    this.#now = now;
  }

  receiver(): CallReceiver {
    return {
      message: (message) => this.#onChunk(decodeBatchChunk(message)),
      halfClose: () => this.#onHalfClose(),
      closed: () => this.#forgetAll(),
    };
  }

  #onChunk(chunk: BatchChunk): void {
    if (chunk.options !== null && !this.#incomplete.has(chunk.correlationId)) this.#begin(chunk, chunk.options);
    const current = this.#incomplete.get(chunk.correlationId);
    if (current === undefined) return;
    try {
      if (!addAll(current.append, chunk.events)) {
        this.#giveUp(chunk.correlationId, { kind: 'too_large', maxBytes: APPEND_DATA_MAX_BYTES });
      } else if (chunk.isFinal) this.#queue(chunk.correlationId, current);
      else this.#limitTime(chunk.correlationId, current);
    } catch (error) {
      this.#giveUp(chunk.correlationId, badRequest(error));
    }
  }

  #begin(chunk: BatchChunk, optionsMessage: Buffer): void {
    const to = { correlationMessage: chunk.correlationMessage, streamName: nameInOptions(optionsMessage) };
    let options: WriteOptions;
    try {
      options = decodeWriteOptions(new ProtobufReader(optionsMessage), this.#now());
    } catch (error) {
      this.#answer(batchFailureFrame(to, badRequest(error)));
      return;
    }
    if (options.deadlineAtMs !== null && options.deadlineAtMs <= this.#now()) this.#answer(batchFailureFrame(to, { kind: 'timeout' }));
    else this.#incomplete.set(chunk.correlationId, { to, options, append: new ProposedAppend(), timer: null });
  }

  #limitTime(correlationId: string, current: IncompleteAppend): void {
    if (current.timer !== null) return;
    const left = (current.options.deadlineAtMs ?? Infinity) - this.#now();
    current.timer = setTimeout(() => this.#giveUp(correlationId, { kind: 'timeout' }), Math.min(left, INCOMPLETE_APPEND_MAX_MS));
    current.timer.unref();
  }

  #queue(correlationId: string, current: IncompleteAppend): void {
    this.#remove(correlationId);
    this.#queued += 1;
    this.#store.append(current.options, current.append.events, this.#call, (outcome) => {
      this.#queued -= 1;
      this.#answerOutcome(current, outcome);
    });
  }

  #answerOutcome({ to, options }: IncompleteAppend, outcome: WriteOutcome | StoreError): void {
    if (outcome instanceof StoreError) this.#onStoreError(to, outcome);
    else if (outcome.kind === 'stored') this.#answer(batchStoredFrame(to, outcome));
    else if (outcome.kind === 'stream_deleted') this.#answer(batchFailureFrame(to, { kind: 'stream_deleted' }));
    else this.#answer(batchFailureFrame(to, { kind: 'wrong_version', current: outcome.current, expected: options.expected }));
  }

  /** After a failed fsync the outcome is unknown, and the only answer that says so is the end of the call. */
  #onStoreError(to: BatchAddress, error: StoreError): void {
    if (error.code === 'failed') this.#call.fail(storeFailure(error));
    else this.#answer(batchFailureFrame(to, { kind: 'unknown', message: error.message }));
  }

  #giveUp(correlationId: string, failure: BatchFailure): void {
    const given = this.#remove(correlationId);
    if (given !== undefined) this.#answer(batchFailureFrame(given.to, failure));
  }

  #remove(correlationId: string): IncompleteAppend | undefined {
    const removed = this.#incomplete.get(correlationId);
    if (removed?.timer != null) clearTimeout(removed.timer);
    this.#incomplete.delete(correlationId);
    return removed;
  }

  /** The answers of one commit leave in one write. */
  #answer(answer: Buffer): void {
    this.#answers.push(answer);
    if (this.#answers.length === 1) process.nextTick(() => this.#send());
  }

  #send(): void {
    const answers = this.#answers;
    this.#answers = [];
    this.#call.send(answers.length === 1 ? (answers[0] as Buffer) : Buffer.concat(answers));
    if (this.#call.unreadBytes > UNREAD_ANSWERS_MAX_BYTES) this.#pauseUntilRead();
    this.#finishIfDone();
  }

  #pauseUntilRead(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#call.pauseReading();
    void this.#call.writable().then(() => {
      this.#reading = true;
      this.#call.resumeReading();
    });
  }

  #onHalfClose(): void {
    this.#halfClosed = true;
    for (const correlationId of [...this.#incomplete.keys()]) this.#giveUp(correlationId, { kind: 'timeout' });
    this.#finishIfDone();
  }

  /** OK is right only here: the caller itself has ended the call and has all its answers. */
  #finishIfDone(): void {
    if (this.#halfClosed && this.#queued === 0 && this.#answers.length === 0) this.#call.finish(OK_STATUS);
  }

  #forgetAll(): void {
    for (const correlationId of [...this.#incomplete.keys()]) this.#remove(correlationId);
  }
}

function addAll(append: ProposedAppend, events: readonly Buffer[]): boolean {
  return events.every((event) => append.add(decodeProposedEvent(new ProtobufReader(event))));
}

/** Even a refused append is answered with its stream name, as far as one can be read. */
function nameInOptions(options: Buffer): string {
  const reader = new ProtobufReader(options);
  while (reader.next()) {
    if (reader.field === 1) return decodeStreamName(reader.message());
    reader.skip();
  }
  return '';
}

function badRequest(error: unknown): BatchFailure {
  if (error instanceof GrpcError) return { kind: 'bad_request', message: error instanceof HandlerFailure ? error.reason : error.message };
  throw error;
}
