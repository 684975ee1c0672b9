import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { behindEvent, type Position } from '../../platform/event-store/position.ts';

export interface PageProof {
  /** Everything published up to here is held by the module. */
  readonly provenTo: Position;
  /** Published events of the page that the module does not hold. */
  readonly missing: readonly StoredEvent[];
}

/**
 * Pure. The proven position ends in front of the first missing event; events behind it may well be held.
 * @param published events after `proven`, oldest first. @param pageEnd place up to which the log was looked at.
 */
export function provePage(published: readonly StoredEvent[], held: ReadonlySet<string>, proven: Position, pageEnd: Position): PageProof {
  const missing = published.filter((event) => !held.has(event.id));
  if (missing[0] === undefined) return { provenTo: pageEnd, missing };
  const lastHeld = published[published.indexOf(missing[0]) - 1];
  return { provenTo: lastHeld === undefined ? proven : behindEvent(lastHeld.position), missing };
}
