import { randomInt } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { createRowIds } from '../../platform/database/row-ids.ts';
import type { Database } from '../../platform/database/database.ts';
import { courseRoutes } from './course-routes.ts';
import { myCourseRoutes } from './my-course-routes.ts';
import { selectionRoutes } from './selection-routes.ts';

export interface LearningRoutesDeps {
  readonly db: Database;
  readonly now: () => Date;
  /** Uniform integer from 0 to `bound` - 1; part of new ids. */
  readonly random?: (bound: number) => number;
}

/** The shop's side of learning: courses, selections, my-courses. Authentication belongs to whoever registers this. */
export function learningRoutes({ db, now, random = (bound) => randomInt(bound) }: LearningRoutesDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(courseRoutes(db), { prefix: '/learning' });
    await app.register(selectionRoutes({ db, now, newId: createRowIds({ now, random, newestStored: () => newestStored(db) }) }), { prefix: '/learning' });
    await app.register(myCourseRoutes(db, now), { prefix: '/learning' });
  };
}

/** Ids of another form (brought in by hand) are not in the row that is counted on. */
async function newestStored(db: Database): Promise<string | null> {
  const [row] = await db.$queryRaw<{ readonly newest: string }[]>`SELECT selection_id AS newest FROM selections WHERE selection_id ~ '^[0-9]{19}$' ORDER BY selection_id DESC LIMIT 1`;
  return row?.newest ?? null;
}
