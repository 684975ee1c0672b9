/**
 * Events on the one stream by which an event store is told from every other. It is written by ourselves, because a real
 * server offers no identity over the client. Internal: never published.
 */
export const STORE_STREAM = 'paynotify-store';

/** The first event of the stream, written at no-stream. */
export interface StoreIdentified {
  /** UUID of the store; also the event's id. */
  readonly storeId: string;
  readonly identifiedAt: string;
}

/** An operator took this store as the truth from here on, in place of another one or of a later state of itself. */
export interface StoreAdopted {
  readonly storeId: string;
  /** Rises with each adoption; positions compare only within one. */
  readonly generation: string;
  /** Name of the operator's token. */
  readonly adoptedBy: string;
  readonly adoptedAt: string;
}

export const STORE_IDENTIFIED_EVENT_TYPE = 'StoreIdentified' as const;
export const STORE_ADOPTED_EVENT_TYPE = 'StoreAdopted' as const;

/** Generation of what was written before any adoption, and of messages that do not say. */
export const FIRST_GENERATION = 1n;
