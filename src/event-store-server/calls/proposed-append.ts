import { GRPC_CODE, GrpcError } from '../grpc/grpc-status.ts';
import type { ProposedEvent } from '../wire/proposed-event.ts';

/** The real server's default. It counts the data of the events only, not their metadata and types. */
export const APPEND_DATA_MAX_BYTES = 1024 * 1024;

/** The real log takes no record beyond 16 MiB, and the client receives no message beyond 17 MiB. */
const EVENT_MAX_BYTES = 16 * 1024 * 1024;

/** Metadata is not counted by the real server; without any bound one caller could fill the memory. */
const APPEND_TOTAL_MAX_BYTES = 32 * 1024 * 1024;

/** The events of one append while they arrive. */
export class ProposedAppend {
  readonly events: ProposedEvent[] = [];
  #dataBytes = 0;
  #totalBytes = 0;

  /** False when the append has become too large. Throws INVALID_ARGUMENT for an event too large by itself. */
  add(event: ProposedEvent): boolean {
    const bytes = event.data.length + event.metadata.length;
    if (bytes > EVENT_MAX_BYTES) throw new GrpcError(GRPC_CODE.INVALID_ARGUMENT, `Record is too big: ${bytes} bytes, the maximum is ${EVENT_MAX_BYTES}`);
    this.#dataBytes += event.data.length;
    this.#totalBytes += bytes;
    this.events.push(event);
    return this.#dataBytes <= APPEND_DATA_MAX_BYTES && this.#totalBytes <= APPEND_TOTAL_MAX_BYTES;
  }
}
