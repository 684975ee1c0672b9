import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { MalformedMessageError } from '../protobuf/protobuf-reader.ts';
import { FrameParser } from './frame-parser.ts';
import type { GrpcStatus } from './grpc-status.ts';
import { GRPC_CODE, GrpcError, HandlerFailure, statusTrailers } from './grpc-status.ts';

const RESPONSE_HEADERS = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity' };

/** A caller that goes on sending after its call has ended is cut off, so that its stream does not stay open. */
const LINGER_MS = 5_000;

/** Node's timers hold 31 bits of milliseconds; a deadline beyond that (24 days) is no deadline. */
const TIMER_MAX_MS = 0x7fffffff;

const TIMEOUT_UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

export interface CallReceiver {
  /** One request message. A throw ends the call: GrpcError as it says, a malformed message as UNKNOWN. */
  message(message: Buffer): void;
  /** The caller has sent everything. */
  halfClose(): void;
  /** The call is over, whoever ended it. Runs exactly once. */
  closed(): void;
}

/**
 * One gRPC call over one HTTP/2 stream. Headers go out with the first message; a call that ends before
 * any message is answered with headers only. After the end, everything is a no-op.
 */
export class GrpcCall {
  readonly path: string;
  #open = true;
  #headersSent = false;
  #lastStatus: GrpcStatus | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #waiting: (() => void)[] = [];
  readonly #closeListeners: (() => void)[] = [];
  readonly #stream: ServerHttp2Stream;
  readonly #parser = new FrameParser();
  #receiver: CallReceiver | null = null;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.path = headers[':path'] ?? '';
    stream.on('wantTrailers', () => this.#sendTrailers());
    stream.on('drain', () => this.#wake());
    stream.on('aborted', () => this.#close());
    stream.on('close', () => this.#close());
    // A reset by the peer arrives as an error; "close" follows it and does the work.
    stream.on('error', () => undefined);
    this.#startDeadline(headers['grpc-timeout']);
  }

  get open(): boolean {
    return this.#open;
  }

  /** True while the caller does not read as fast as we write. */
  get congested(): boolean {
    return this.#open && this.#stream.writableNeedDrain;
  }

  /** Bytes sent that the caller has not taken yet. */
  get unreadBytes(): number {
    return this.#stream.writableLength;
  }

  /** Runs once when the call is over, at once if it already is. */
  onClosed(run: () => void): void {
    if (this.#open) this.#closeListeners.push(run);
    else run();
  }

  receive(receiver: CallReceiver): void {
    this.#receiver = receiver;
    this.#stream.on('data', (chunk: Buffer) => this.#guarded(() => this.#onData(chunk)));
    this.#stream.on('end', () => this.#guarded(() => this.#onEnd()));
  }

  /** Sends complete frames. */
  send(frames: Buffer): void {
    if (!this.#open || this.#stream.destroyed) return;
    if (!this.#headersSent) {
      this.#headersSent = true;
      this.#stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
    }
    this.#stream.write(frames);
  }

  /** Resolves when the caller has room for more, or the call is over. */
  writable(): Promise<void> {
    if (!this.congested) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pauseReading(): void {
    this.#stream.pause();
  }

  resumeReading(): void {
    this.#stream.resume();
  }

  finish(status: GrpcStatus): void {
    if (!this.#open) return;
    this.#lastStatus = status;
    if (this.#stream.destroyed) this.#headersSent = false;
    else if (this.#headersSent) this.#stream.end();
    else this.#stream.respond({ ...RESPONSE_HEADERS, ...statusTrailers(status) }, { endStream: true });
    this.#close();
    this.#discardRest();
  }

  /** Ends the call with what was thrown. An unforeseen error is INTERNAL, and its text goes to the caller. */
  fail(error: unknown): void {
    if (error instanceof GrpcError) this.finish(error);
    else if (error instanceof MalformedMessageError) this.finish(new HandlerFailure(`malformed request: ${error.message}`));
    else this.finish(new GrpcError(GRPC_CODE.INTERNAL, error instanceof Error ? error.message : String(error)));
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fail(error);
    }
  }

  #onData(chunk: Buffer): void {
    if (!this.#open) return;
    for (const message of this.#parser.push(chunk)) this.#deliver(message);
  }

  /** A message may end the call; those that came with it in one chunk are then dropped. */
  #deliver(message: Buffer): void {
    if (this.#open) this.#receiver?.message(message);
  }

  #onEnd(): void {
    if (!this.#open) return;
    if (this.#parser.incomplete) throw new GrpcError(GRPC_CODE.INTERNAL, 'the request ended inside a message');
    this.#receiver?.halfClose();
  }

  #sendTrailers(): void {
    if (this.#lastStatus !== null && !this.#stream.destroyed) this.#stream.sendTrailers(statusTrailers(this.#lastStatus));
  }

  #startDeadline(timeout: string | string[] | undefined): void {
    const match = typeof timeout === 'string' ? /^(\d{1,8})([HMSmun])$/u.exec(timeout) : null;
    if (match === null) return;
    const ms = Number(match[1]) * (TIMEOUT_UNIT_MS[match[2] ?? 'm'] ?? 1);
    if (ms > TIMER_MAX_MS) return;
    const expire = (): void => this.finish(new GrpcError(GRPC_CODE.DEADLINE_EXCEEDED, 'deadline exceeded'));
    this.#deadline = setTimeout(expire, Math.ceil(ms));
    this.#deadline.unref();
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#wake();
    this.#receiver?.closed();
    for (const run of this.#closeListeners) run();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Unread request bytes would block the connection's flow control, so they are read and dropped. */
  #discardRest(): void {
    if (this.#stream.destroyed || this.#stream.readableEnded) return;
    this.#stream.resume();
    const timer = setTimeout(() => this.#stream.close(constants.NGHTTP2_NO_ERROR), LINGER_MS);
    timer.unref();
    this.#stream.once('close', () => clearTimeout(timer));
  }
}
