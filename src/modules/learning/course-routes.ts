import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { CourseCharge } from '../../contracts/codes.ts';
import type { Database } from '../../platform/database/database.ts';
import { DecimalString, Id, problemResponses } from '../../platform/http/schemas.ts';
import { CourseParams, CourseView, Name, TAGS } from './learning-schemas.ts';
import { publishCourse } from './publish-course.ts';

/** A century; keeps every end of validity a date that all systems can write. */
const VALID_DAYS_MAX = 36_500;

const CourseOffer = Type.Object({
  name: Name,
  companyId: Id,
  charge: Type.Enum(Object.values(CourseCharge), { description: '201000 free, 201001 charged' }),
  price: DecimalString,
  currency: Type.String({ pattern: '^[A-Z]{3}$', default: 'CNY', description: 'ISO 4217' }),
  validDays: Type.Integer({ minimum: 1, maximum: VALID_DAYS_MAX, description: 'How long a selection is valid, in days of 24 hours' }),
});

export function courseRoutes(db: Database): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.put('/courses/:courseId', {
      schema: {
        ...TAGS,
        summary: 'Publish a course, or change a published one',
        params: CourseParams,
        body: CourseOffer,
        response: { 200: CourseView, ...problemResponses },
      },
    }, async ({ params, body }) => {
      const { price, ...course } = await publishCourse(db, params.courseId, body);
      return { ...course, price: price.toString() };
    });
  };
}
