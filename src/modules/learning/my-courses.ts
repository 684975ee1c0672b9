import { Prisma } from '../../generated/prisma/client.ts';
import type { Transaction } from '../../platform/database/database.ts';

export interface UserCourse {
  readonly userId: string;
  readonly courseId: string;
}

/*
 * A my-courses row is never calculated forward ("add the days of this payment") but always computed anew from the
 * selections of its user and course. So payments may arrive in any order and any number of times: the same selections
 * give the same row.
 *
 * Order: selections written (by the caller) → my-courses row inserted or locked → row computed. The second step waits for
 * any other transaction at the same row; the third is a statement of its own, so that it sees what the other committed.
 */

/** Rows are touched in the order of their key, so two transactions never wait for each other in a ring. */
export async function refreshMyCourses(transaction: Transaction, keys: readonly UserCourse[]): Promise<void> {
  const userIds = keys.map(({ userId }) => userId);
  const courseIds = keys.map(({ courseId }) => courseId);
  await insertOrLock(transaction, userIds, courseIds);
  await compute(transaction, userIds, courseIds);
}

async function insertOrLock(transaction: Transaction, userIds: readonly string[], courseIds: readonly string[]): Promise<void> {
  await transaction.$executeRaw`
    INSERT INTO my_courses (user_id, course_id, selection_id, course_name, company_id, course_type, valid_from, valid_to)
    SELECT k.user_id, k.course_id, n.selection_id, n.course_name, n.company_id, n.selection_type, n.valid_from, n.latest_end
    FROM ${newestSelections(userIds, courseIds)}
    ORDER BY k.user_id, k.course_id
    ON CONFLICT (user_id, course_id) DO UPDATE SET updated_at = my_courses.updated_at`;
}

async function compute(transaction: Transaction, userIds: readonly string[], courseIds: readonly string[]): Promise<void> {
  await transaction.$executeRaw`
    UPDATE my_courses m
    SET selection_id = n.selection_id, course_name = n.course_name, company_id = n.company_id, course_type = n.selection_type,
        valid_from = n.valid_from, valid_to = n.latest_end, updated_at = now()
    FROM ${newestSelections(userIds, courseIds)}
    WHERE m.user_id = k.user_id AND m.course_id = k.course_id
      AND (m.selection_id, m.course_name, m.company_id, m.course_type, m.valid_from, m.valid_to)
          IS DISTINCT FROM (n.selection_id, n.course_name, n.company_id, n.selection_type, n.valid_from, n.latest_end)`;
}

/**
 * The newest selected selection gives a row its content; none of the others may shorten it. Looked up per key (LATERAL):
 * as a plain join, the planner reads all selections as long as its statistics say that hardly any is selected.
 */
function newestSelections(userIds: readonly string[], courseIds: readonly string[]): Prisma.Sql {
  return Prisma.sql`
    (SELECT DISTINCT user_id, course_id FROM unnest(${userIds}::text[], ${courseIds}::text[]) AS t (user_id, course_id)) k
    CROSS JOIN LATERAL (
      SELECT s.*, max(s.valid_to) OVER () AS latest_end FROM selections s
      WHERE s.user_id = k.user_id AND s.course_id = k.course_id AND s.status = '701001'
      ORDER BY s.valid_from DESC, s.selection_id DESC
      LIMIT 1
    ) n`;
}
