import { MODULE_NAMES, type ModuleName } from '../../contracts/topology.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent, type Landmark } from '../../platform/event-store/position.ts';
import { eventsHeld } from './module-holdings.ts';
import { isPublished, PAYMENT_STREAMS } from './published-events.ts';

/** What would be sent when everything behind a landmark is published again. */
export interface AdoptionSurvey {
  readonly events: number;
  /** False: at least so many. */
  readonly isExact: boolean;
  /** Of those, how many each module neither applied nor parked: the others are recognised and change nothing. */
  readonly missing: Readonly<Record<ModuleName, number>>;
  /** The first of them, oldest first. */
  readonly first: readonly StoredEvent[];
}

const PAGE_SIZE = 500;
/** An operator waits for it, and gives up after ADMIN_TIMEOUT_MS; the decision does not hang on what is not counted by then. */
const SURVEY_LIMIT_MS = 10_000;
/** Enough to recognise them by. */
const FIRST_MAX = 20;

/** @throws DependencyUnavailableError */
export async function surveyAdoption(landmark: Landmark | null, db: Database, store: Pick<EventStore, 'readAll'>): Promise<AdoptionSurvey> {
  const missing = Object.fromEntries(MODULE_NAMES.map((module) => [module, 0])) as Record<ModuleName, number>;
  const first: StoredEvent[] = [];
  const endsAt = performance.now() + SURVEY_LIMIT_MS;
  let events = 0;
  for (let from = landmark === null ? BEFORE_ALL : behindEvent(landmark.position); ; ) {
    const page = await store.readAll(from, PAYMENT_STREAMS, PAGE_SIZE);
    const published = page.events.filter(isPublished);
    const held = await eventsHeld(db, MODULE_NAMES, published.map(({ id }) => id));
    for (const module of MODULE_NAMES) missing[module] += published.filter(({ id }) => held.get(module)?.has(id) !== true).length;
    first.push(...published.slice(0, FIRST_MAX - first.length));
    events += published.length;
    if (page.atEnd || performance.now() > endsAt) return { events, isExact: page.atEnd, missing, first };
    from = page.scannedTo;
  }
}
