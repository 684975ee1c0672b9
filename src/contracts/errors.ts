/**
 * Every error the program throws on purpose, ordered by severity. `code` is stable and safe to match on; the cause is
 * kept. Expected outcomes (a duplicate, a mismatch) are return values and have no class here.
 */
export abstract class PaynotifyError extends Error {
  abstract readonly code: string;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A setting is missing or malformed. The process does not start. */
export class ConfigError extends PaynotifyError {
  readonly code = 'config-invalid';
}

/** Another process owns the data directory. This one ends without touching it. */
export class DataDirectoryInUseError extends PaynotifyError {
  readonly code = 'data-directory-in-use';
}

/** An embedded service (PostgreSQL, RabbitMQ, event store) could not be started; the message says what to do. */
export class EmbeddedServiceError extends PaynotifyError {
  readonly code = 'embedded-service-failed';
}

/** The database's schema cannot be brought up to date; the message says what a person has to do. The process does not start. */
export class MigrationError extends PaynotifyError {
  readonly code = 'migration-failed';
}

/**
 * The database answers, but cannot be used as it is. The message is one sentence of what was found and the cure. Of some
 * kinds only a person can put it right, and the process does not start; the others may pass, and are waited for.
 */
export class DatabaseUnfitError extends PaynotifyError {
  readonly code = 'database-unfit';
  readonly kind: DatabaseUnfitKind;
  constructor(kind: DatabaseUnfitKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * | kind        | what was found                                                                | the process    |
 * | ----------- | ----------------------------------------------------------------------------- | -------------- |
 * | `version`   | a server older than those that are tested                                     | does not start |
 * | `encoding`  | a database that cannot hold every letter                                      | does not start |
 * | `pooler`    | a pooler that gives each transaction another session, so that no setting holds | does not start |
 * | `standby`   | a server that only follows another one                                        | waits          |
 * | `read-only` | sessions that are set to write nothing                                        | waits          |
 * | `schema`    | the schema that was asked for does not exist                                  | waits          |
 * | `grant`     | the role may not do what the migration needs                                  | waits          |
 */
export type DatabaseUnfitKind = 'version' | 'encoding' | 'pooler' | 'standby' | 'read-only' | 'schema' | 'grant';

/** The broker's topology is not what it must be (wrong type or arguments, no permission to bind). Publishing is blocked. */
export class TopologyError extends PaynotifyError {
  readonly code = 'topology-invalid';
}

/** This instance lost the projector lease to another one. It must stop publishing and may not move the checkpoint. */
export class FencedError extends PaynotifyError {
  readonly code = 'projector-fenced';
}

/**
 * The event store is not the one that the database remembers: emptied, replaced, or an older state of it. Nothing may be
 * published until a person has put it right; the message says how.
 */
export class StoreMismatchError extends PaynotifyError {
  readonly code = 'event-store-mismatch';
  readonly kind: StoreMismatchKind;
  constructor(kind: StoreMismatchKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * | kind                  | what was found                                                                                   |
 * | --------------------- | ------------------------------------------------------------------------------------------------ |
 * | `another-store`       | the store has another identity than the one this database is bound to, or none                   |
 * | `older-state`         | the store is the right one, but no longer holds the last event that was handled: an older backup |
 * | `unbound-database`    | this database was never bound, and holds nothing that belongs to the payments in the store       |
 * | `unreadable-identity` | the stream of the identity holds something that we did not write                                 |
 */
export type StoreMismatchKind = 'another-store' | 'older-state' | 'unbound-database' | 'unreadable-identity';

/** A place that is none of this log: it was remembered from another one. */
export class PositionUnknownError extends PaynotifyError {
  readonly code = 'event-store-position-unknown';
}

/**
 * A dependency (event store, broker, database) is away or too slow. Nothing is wrong with the data: wait and try again,
 * for ever where a message waits behind it.
 */
export class DependencyUnavailableError extends PaynotifyError {
  readonly code = 'dependency-unavailable';
  readonly dependency: 'event-store' | 'broker' | 'database';
  constructor(dependency: 'event-store' | 'broker' | 'database', message: string, options?: ErrorOptions) {
    super(message, options);
    this.dependency = dependency;
  }
}

/** The outcome of an append is unknown and stays unknown after retries (e.g. deadline). The caller must not report success. */
export class AppendOutcomeUnknownError extends PaynotifyError {
  readonly code = 'append-outcome-unknown';
}

/**
 * An event, or the name of a stream, breaks a rule of our own that is checked before anything is sent: what was to be
 * stored cannot be named or held by the event store. Nothing was stored. A mistake of ours: whatever comes from outside
 * is held to these rules where it comes in.
 */
export class UnstorableError extends PaynotifyError {
  readonly code = 'unstorable';
}

/**
 * A stream of a payment or a trade was deleted, or lost its beginning, by somebody with access to the event store. What is
 * left of it is not judged, and nothing is appended to it.
 */
export class DamagedStreamError extends PaynotifyError {
  readonly code = 'stream-damaged';
  readonly stream: string;
  constructor(stream: string, damage: string, options?: ErrorOptions) {
    super(`stream ${stream}: ${damage}`, options);
    this.stream = stream;
  }
}

/** One message cannot be applied (its selection or order does not exist, its body is foreign). Three attempts, then parked. */
export class MessageError extends PaynotifyError {
  readonly code: string;
  /** False when trying again cannot help (an unparseable body): parked at once. */
  readonly retryable: boolean;
  constructor(code: string, message: string, options: ErrorOptions & { retryable?: boolean } = {}) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? true;
  }
}

/** The caller asked for something that cannot be done; becomes an RFC 9457 problem with this status and type. */
export class RequestError extends PaynotifyError {
  readonly code: string;
  readonly status: number;
  /** Extra members of the problem document. */
  readonly extensions: Readonly<Record<string, unknown>>;
  constructor(status: number, code: string, message: string, extensions: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.extensions = extensions;
  }
}
