/** Seconds that the longest test files take, by their paths. */
export const LONGEST: Readonly<Record<string, number>>;
