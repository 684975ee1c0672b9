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
 * Order: selections written (by the caller, who holds their locks) → my-courses row inserted or locked → a row that was
 * there before computed → a row that has no selection any more deleted.
 * The second step waits for any other transaction at the same row; the third is a statement of its own, so that it sees
 * what the other committed. A row that is new needs no third step: whoever selects the same course meanwhile finds it,
 * waits, and computes.
 */

/**
 * Courses whose only selections were withdrawn. Whoever selects one of them meanwhile waits for the lock of the withdrawn
 * selection (select-course.ts) before anything is computed, so that no row comes or goes here unseen.
 */
export async function withdrawMyCourses(transaction: Transaction, keys: readonly UserCourse[]): Promise<void> {
  await transaction.$executeRaw`
    DELETE FROM my_courses m
    USING unnest(${keys.map(({ userId }) => userId)}::text[], ${keys.map(({ courseId }) => courseId)}::text[]) AS k (user_id, course_id)
    WHERE m.user_id = k.user_id AND m.course_id = k.course_id
      AND NOT EXISTS (
        SELECT 1 FROM selections s
        WHERE s.user_id = k.user_id AND s.course_id = k.course_id AND s.status = '701001' AND s.refunded_at IS NULL
      )`;
}

/** Rows are touched in the order of their key, so two transactions never wait for each other in a ring. */
export async function refreshMyCourses(transaction: Transaction, keys: readonly UserCourse[]): Promise<void> {
  const existing = await insertOrLock(transaction, keys);
  if (existing.length > 0) await compute(transaction, existing);
}

/** @returns those whose row was there before, and is locked now. A row just inserted is known by its xmax of 0. */
async function insertOrLock(transaction: Transaction, keys: readonly UserCourse[]): Promise<UserCourse[]> {
  return transaction.$queryRaw<UserCourse[]>`
    WITH written AS (
      INSERT INTO my_courses (user_id, course_id, selection_id, course_name, company_id, course_type, valid_from, valid_to)
      SELECT k.user_id, k.course_id, n.selection_id, n.course_name, n.company_id, n.selection_type, n.valid_from, n.latest_end
      FROM ${newestSelections(keys)}
      ORDER BY k.user_id, k.course_id
      ON CONFLICT (user_id, course_id) DO UPDATE SET updated_at = my_courses.updated_at
      RETURNING user_id, course_id, xmax <> 0 AS existed
    )
    SELECT user_id AS "userId", course_id AS "courseId" FROM written WHERE existed`;
}

async function compute(transaction: Transaction, keys: readonly UserCourse[]): Promise<void> {
  await transaction.$executeRaw`
    UPDATE my_courses m
    SET selection_id = n.selection_id, course_name = n.course_name, company_id = n.company_id, course_type = n.selection_type,
        valid_from = n.valid_from, valid_to = n.latest_end, updated_at = now()
    FROM ${newestSelections(keys)}
    WHERE m.user_id = k.user_id AND m.course_id = k.course_id
      AND (m.selection_id, m.course_name, m.company_id, m.course_type, m.valid_from, m.valid_to)
          IS DISTINCT FROM (n.selection_id, n.course_name, n.company_id, n.selection_type, n.valid_from, n.latest_end)`;
}

/**
 * The newest selected selection that was not withdrawn gives a row its content; none of the others may shorten it. Looked up per key (LATERAL):
 * as a plain join, the planner reads all selections as long as its statistics say that hardly any is selected.
 */
function newestSelections(keys: readonly UserCourse[]): Prisma.Sql {
  const userIds = keys.map(({ userId }) => userId);
  const courseIds = keys.map(({ courseId }) => courseId);
  return Prisma.sql`
    (SELECT DISTINCT user_id, course_id FROM unnest(${userIds}::text[], ${courseIds}::text[]) AS t (user_id, course_id)) k
    CROSS JOIN LATERAL (
      SELECT s.*, max(s.valid_to) OVER () AS latest_end FROM selections s
      WHERE s.user_id = k.user_id AND s.course_id = k.course_id AND s.status = '701001' AND s.refunded_at IS NULL
      ORDER BY s.valid_from DESC, s.selection_id DESC
      LIMIT 1
    ) n`;
}
