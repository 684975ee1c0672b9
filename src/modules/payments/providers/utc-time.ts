const FOUR_DIGIT_YEAR = /^\d{4}-/;

/**
 * A provider's time in ISO 8601 in UTC. Years that need more than four digits in UTC, and the year 0, which PostgreSQL does
 * not have, are none: a payment dated so would be stored and could never be applied.
 * @param text with its zone. @returns null for what is no such time.
 */
export function utcTime(text: string): string | null {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return null;
  const utc = time.toISOString();
  return FOUR_DIGIT_YEAR.test(utc) && !utc.startsWith('0000') ? utc : null;
}
