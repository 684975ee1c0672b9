import { CourseCharge } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import { isSupportedCurrency, parseMinorUnits } from '../../contracts/money.ts';
import type { Course } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';

export interface CourseOffer {
  readonly name: string;
  readonly companyId: string;
  readonly charge: CourseCharge;
  /** Integer minor units as decimal text. */
  readonly price: string;
  /** ISO 4217. */
  readonly currency: string;
  readonly validDays: number;
}

/**
 * Publishes a course or changes a published one. Selections made before keep the name, price, currency and days they were made with.
 * @throws RequestError 422 when the price does not fit the charge, or nothing can be paid in the currency.
 */
export function publishCourse(db: Database, courseId: string, offer: CourseOffer): Promise<Course> {
  const { name, companyId, charge, currency, validDays } = offer;
  if (!isSupportedCurrency(currency)) throw new RequestError(422, 'currency-not-supported', `Nothing can be paid in ${currency} here.`);
  const price = priceOf(offer);
  return db.course.upsert({
    where: { courseId },
    create: { courseId, name, companyId, charge, price, currency, validDays },
    update: { name, companyId, charge, price, currency, validDays, updatedAt: new Date() },
  });
}

function priceOf({ charge, price }: CourseOffer): bigint {
  const amount = parseMinorUnits(price);
  if (amount === null) throw new RequestError(422, 'price-invalid', 'The price is larger than any price can be.');
  if ((charge === CourseCharge.free) === (amount === 0n)) return amount;
  throw new RequestError(422, 'price-contradicts-charge', charge === CourseCharge.free ? 'A free course has the price "0".' : 'A charged course has a price above "0".');
}
