/** A provider's endpoint is set up for some dozens of types at most; each is a time series that is never forgotten. */
export const LABELS_MAX = 100;
/** A type of a provider's is a word or two. */
export const LABEL_LENGTH_MAX = 64;

/**
 * Values that somebody else chooses, as values of a label: the first of each group are told apart, all later ones are one.
 * @returns the value, or `other`.
 */
export function createFewLabels(labelsMax: number = LABELS_MAX): (group: string, value: string) => string {
  const seen = new Map<string, Set<string>>();
  return (group, value) => {
    const values = seen.get(group) ?? new Set<string>();
    seen.set(group, values);
    if (values.has(value)) return value;
    if (values.size >= labelsMax || value.length > LABEL_LENGTH_MAX) return 'other';
    values.add(value);
    return value;
  };
}
