import { CourseCharge, SelectionStatus, SelectionType } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { Course, Selection } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import { refreshMyCourses } from './my-courses.ts';

export interface SelectCourseDeps {
  readonly db: Database;
  readonly now: () => Date;
  readonly newId: () => Promise<string>;
}

export interface SelectedCourse {
  readonly selection: Selection;
  /** `reused`: an open (charged) or still valid (free) selection of the user was there already. */
  readonly outcome: 'created' | 'reused' | 'renewed';
}

const DAY_MS = 86_400_000;
/** An open selection can be paid between being found in the way and being read; that happens once, hardly twice. */
const ATTEMPTS_MAX = 3;

/**
 * However many requests race, a user has at most one free and one open charged selection of a course: partial unique
 * indexes decide, and a request that loses reads what the winner wrote.
 * @throws RequestError 404 when there is no such course.
 */
export async function selectCourse(deps: SelectCourseDeps, userId: string, courseId: string): Promise<SelectedCourse> {
  const course = await deps.db.course.findUnique({ where: { courseId } });
  if (course === null) throw new RequestError(404, 'course-unknown', `There is no course ${courseId}.`);
  return course.charge === CourseCharge.free ? selectFree(deps, userId, course) : selectCharged(deps, userId, course);
}

/** Valid at once. An expired one begins anew today. */
async function selectFree({ db, now, newId }: SelectCourseDeps, userId: string, course: Course): Promise<SelectedCourse> {
  const selectionId = await newId();
  return db.$transaction(async (transaction) => {
    await lockSelections(transaction, userId, course.courseId);
    const validFrom = now();
    const validTo = new Date(validFrom.getTime() + course.validDays * DAY_MS);
    const [written] = await transaction.$queryRaw<{ is_new: boolean }[]>`
      INSERT INTO selections (selection_id, course_id, course_name, company_id, user_id, selection_type, price, currency, valid_days, status, valid_from, valid_to)
      VALUES (${selectionId}, ${course.courseId}, ${course.name}, ${course.companyId}, ${userId}, ${SelectionType.free}, 0, ${course.currency},
              ${course.validDays}, ${SelectionStatus.selected}, ${validFrom}, ${validTo})
      ON CONFLICT (user_id, course_id) WHERE selection_type = '700001' DO UPDATE
        SET course_name = excluded.course_name, company_id = excluded.company_id, valid_days = excluded.valid_days,
            valid_from = excluded.valid_from, valid_to = excluded.valid_to, updated_at = now()
        WHERE selections.valid_to <= excluded.valid_from
      RETURNING xmax = 0 AS is_new`;
    if (written !== undefined) await refreshMyCourses(transaction, [{ userId, courseId: course.courseId }]);
    const selection = await transaction.selection.findFirstOrThrow({ where: { userId, courseId: course.courseId, selectionType: SelectionType.free } });
    if (written === undefined) return { selection, outcome: 'reused' };
    return { selection, outcome: written.is_new ? 'created' : 'renewed' };
  });
}

/**
 * A payment or refund of the same course that is being written holds its selection until it commits. Waiting for it here,
 * before anything is read, keeps the my-courses row that follows from being computed of what was true before.
 */
async function lockSelections(transaction: Transaction, userId: string, courseId: string): Promise<void> {
  await transaction.$executeRaw`SELECT 1 FROM selections WHERE user_id = ${userId} AND course_id = ${courseId} ORDER BY selection_id FOR UPDATE`;
}

/** Awaits payment; nothing goes to my-courses yet. An open one keeps the price it was made with, for its order has it too. */
async function selectCharged({ db, newId }: SelectCourseDeps, userId: string, course: Course): Promise<SelectedCourse> {
  const { courseId } = course;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const created = await insertOpen(db, await newId(), userId, course);
    const where = created ? { selectionId: created } : { userId, courseId, status: SelectionStatus.awaitingPayment };
    const selection = await db.selection.findFirst({ where });
    if (selection !== null) return { selection, outcome: created === null ? 'reused' : 'created' };
  }
  throw new Error(`open selections of user ${userId} and course ${courseId} are paid as fast as they are made`);
}

/** @returns its id, or null when one is open already. */
async function insertOpen(db: Database | Transaction, selectionId: string, userId: string, course: Course): Promise<string | null> {
  const count = await db.$executeRaw`
    INSERT INTO selections (selection_id, course_id, course_name, company_id, user_id, selection_type, price, currency, valid_days, status)
    VALUES (${selectionId}, ${course.courseId}, ${course.name}, ${course.companyId}, ${userId}, ${SelectionType.charged}, ${course.price},
            ${course.currency}, ${course.validDays}, ${SelectionStatus.awaitingPayment})
    ON CONFLICT (user_id, course_id) WHERE status = '701002' DO NOTHING`;
  return count === 1 ? selectionId : null;
}
