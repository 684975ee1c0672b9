/** The parts of a stream's metadata that change how it is read. Everything else is stored and given back. */
export interface StreamMetadata {
  /** Events below this revision are hidden. */
  truncateBefore: number | null;
  maxCount: number | null;
  maxAgeMs: number | null;
  /** A deleted stream has the largest possible $tb until something is appended again. */
  softDeleted: boolean;
}

export const NO_METADATA: StreamMetadata = { truncateBefore: null, maxCount: null, maxAgeMs: null, softDeleted: false };

/** A metadata stream shows only its newest event; this is built into the real server. */
export const METASTREAM_METADATA: StreamMetadata = { ...NO_METADATA, maxCount: 1 };

/** What a soft delete writes: the number is the largest signed 64-bit integer, which JSON.stringify cannot print. */
export const SOFT_DELETE_JSON = '{"$tb":9223372036854775807}';

export function isMetastream(name: string): boolean {
  return name.startsWith('$$');
}

export function metastreamOf(name: string): string {
  return `$$${name}`;
}

export function originalStreamOf(metastream: string): string {
  return metastream.slice(2);
}

/** Metadata that is no JSON object counts as none, as on the real server. */
export function parseStreamMetadata(json: string): StreamMetadata {
  const fields = parseObject(json);
  if (fields === null) return NO_METADATA;
  const truncateBefore = wholeNumber(fields['$tb']);
  const maxAgeSeconds = wholeNumber(fields['$maxAge']);
  return {
    truncateBefore,
    maxCount: wholeNumber(fields['$maxCount']),
    maxAgeMs: maxAgeSeconds === null ? null : maxAgeSeconds * 1000,
    softDeleted: truncateBefore !== null && truncateBefore >= Number.MAX_SAFE_INTEGER,
  };
}

/** The same metadata with the stream starting anew at `revision`, or null when it is no JSON object. */
export function withTruncateBefore(json: string, revision: number): string | null {
  const fields = parseObject(json);
  return fields === null ? null : JSON.stringify({ ...fields, $tb: revision });
}

/** The first revision that may be read; events after it may still be hidden by their age. */
export function firstReadableRevision(metadata: StreamMetadata, lastRevision: number): number {
  const byCount = metadata.maxCount === null ? 0 : lastRevision - metadata.maxCount + 1;
  return Math.max(0, metadata.truncateBefore ?? 0, byCount);
}

export function isExpired(metadata: StreamMetadata, createdMs: number, nowMs: number): boolean {
  return metadata.maxAgeMs !== null && createdMs < nowMs - metadata.maxAgeMs;
}

/** Whether a reader of the stream does not get the event. */
export function isHidden(metadata: StreamMetadata, lastRevision: number, event: { revision: number; createdMs: number }, nowMs: number): boolean {
  return metadata.softDeleted || event.revision < firstReadableRevision(metadata, lastRevision) || isExpired(metadata, event.createdMs, nowMs);
}

function parseObject(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function wholeNumber(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : null;
}
