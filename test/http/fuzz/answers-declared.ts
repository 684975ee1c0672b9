import { expect } from 'vitest';
import { seedOfRun } from '../../harness/random.ts';
import { openSite } from '../../harness/site.ts';
import { assertFixedRequestsAreRefused } from './fixed-requests.ts';
import { fuzzRoutes } from './fuzz-routes.ts';
import { PERSON } from './hostile-request.ts';
import { makeKnownThings } from './known-things.ts';

const FAILURES_SHOWN_MAX = 10;
/** Routes whose success takes a state that is not always there: a replay that still runs, an event store that was replaced. */
const NEVER_SUCCEEDED_MAX = 6;

/** Sends so many requests to each route of a whole application, and looks at every answer, and at the log. */
export async function assertAnswersAreDeclared(cases: number): Promise<void> {
  const seed = seedOfRun();
  const site = await openSite();
  try {
    await (await site.start()).ready;
    const things = await makeKnownThings(site);
    await assertFixedRequestsAreRefused(site, things);
    const { failures, neverSucceeded, ...counts } = await fuzzRoutes(site, things, cases, seed);
    console.log(`requests to every route: ${JSON.stringify({ seed, failed: failures.length, neverSucceeded, ...counts })}`);
    expect(failures.slice(0, FAILURES_SHOWN_MAX).join('\n\n')).toBe('');
    expect(neverSucceeded.length).toBeLessThanOrEqual(NEVER_SUCCEEDED_MAX);
    for (const mark of Object.values(PERSON)) expect(site.app.output()).not.toContain(mark);
    expect(site.app.isRunning).toBe(true);
  } finally {
    await site.close();
  }
}
