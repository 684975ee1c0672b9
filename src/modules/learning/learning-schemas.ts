import { Type, type Static } from 'typebox';
import { LearningRight, SelectionStatus, SelectionType } from '../../contracts/codes.ts';
import { DecimalString, Id } from '../../platform/http/schemas.ts';

export const TAGS = { tags: ['learning'], security: [{ serviceToken: [] }] };

/** A name a person reads. */
export const Name = Type.String({ minLength: 1, maxLength: 200 });
const Time = Type.String({ format: 'date-time' });

export const CourseParams = Type.Object({ courseId: Id });
export const UserParams = Type.Object({ userId: Id });
export const UserCourseParams = Type.Object({ userId: Id, courseId: Id });

export const CourseView = Type.Object({
  courseId: Type.String(),
  companyId: Type.String(),
  name: Type.String(),
  charge: Type.String({ description: '201000 free, 201001 charged' }),
  price: DecimalString,
  currency: Type.String(),
  validDays: Type.Integer(),
});
export type CourseView = Static<typeof CourseView>;

export const RightCode = Type.Enum(Object.values(LearningRight), {
  description: '702001 may learn, 702002 not selected or not paid, 702003 expired',
});

export const SelectionView = Type.Object({
  selectionId: Type.String(),
  courseId: Type.String(),
  courseName: Type.String(),
  companyId: Type.String(),
  userId: Type.String(),
  selectionType: Type.Enum(Object.values(SelectionType), { description: '700001 free, 700002 charged' }),
  price: DecimalString,
  currency: Type.String(),
  validDays: Type.Integer(),
  status: Type.Enum(Object.values(SelectionStatus), { description: '701001 selected, 701002 awaiting payment' }),
  validFrom: Type.Union([Time, Type.Null()]),
  validTo: Type.Union([Time, Type.Null()]),
  refundedAt: Type.Union([Time, Type.Null()], { description: 'Withdrawn: all that was paid for it was refunded. It gives no right any more, and keeps its status' }),
  createdAt: Time,
});
export type SelectionView = Static<typeof SelectionView>;

export const MyCourseView = Type.Object({
  userId: Type.String(),
  courseId: Type.String(),
  selectionId: Type.String(),
  courseName: Type.String(),
  companyId: Type.String(),
  courseType: Type.String({ description: 'Kind of the selection it comes from: 700001 free, 700002 charged' }),
  validFrom: Time,
  validTo: Time,
});
export type MyCourseView = Static<typeof MyCourseView>;

export const PageQuery = Type.Object({
  page: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 }),
  pageSize: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
});
