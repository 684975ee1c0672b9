import { LearningRight } from '../../contracts/codes.ts';

/** Pure. @param validTo end of the my-courses row; null when the user has none for this course. */
export function learningRight(validTo: Date | null, now: Date): LearningRight {
  if (validTo === null) return LearningRight.notSelectedOrUnpaid;
  return validTo.getTime() > now.getTime() ? LearningRight.mayLearn : LearningRight.expired;
}
