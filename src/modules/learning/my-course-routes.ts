import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Database } from '../../platform/database/database.ts';
import { problemResponses } from '../../platform/http/schemas.ts';
import { learningRight } from './learning-right.ts';
import { MyCourseView, PageQuery, RightCode, TAGS, UserCourseParams, UserParams } from './learning-schemas.ts';

export function myCourseRoutes(db: Database, now: () => Date): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/users/:userId/courses', {
      schema: {
        ...TAGS,
        summary: 'Courses of a user, the newest first, with their validity; expired ones included',
        params: UserParams,
        querystring: PageQuery,
        response: { 200: Type.Object({ courses: Type.Array(MyCourseView), page: Type.Integer(), pageSize: Type.Integer(), total: Type.Integer() }), ...problemResponses },
      },
    }, async ({ params: { userId }, query: { page, pageSize } }) => {
      const [rows, total] = await Promise.all([
        db.myCourse.findMany({ where: { userId }, orderBy: [{ validFrom: 'desc' }, { courseId: 'asc' }], skip: (page - 1) * pageSize, take: pageSize }),
        db.myCourse.count({ where: { userId } }),
      ]);
      return { courses: rows.map((row) => ({ ...row, validFrom: row.validFrom.toISOString(), validTo: row.validTo.toISOString() })), page, pageSize, total };
    });

    app.get('/users/:userId/courses/:courseId/right', {
      schema: {
        ...TAGS,
        summary: 'May this user learn this course now?',
        params: UserCourseParams,
        response: { 200: Type.Object({ userId: Type.String(), courseId: Type.String(), right: RightCode, validTo: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]) }), ...problemResponses },
      },
    }, async ({ params: { userId, courseId } }) => {
      const row = await db.myCourse.findUnique({ where: { userId_courseId: { userId, courseId } } });
      const validTo = row?.validTo ?? null;
      return { userId, courseId, right: learningRight(validTo, now()), validTo: validTo?.toISOString() ?? null };
    });
  };
}
