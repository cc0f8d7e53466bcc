// Sizes at which buffers and records end, for both directions.
// Tested by test/matrix/matrix.test.ts.

export const SIZES: readonly number[] = [0, 1, 65_535, 65_536, 65_537, 1_048_576];

/** Every byte once. */
export const ALL_BYTES: string = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
