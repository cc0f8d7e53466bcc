// What a server counts, and how the counts of several processes come together. Printing them is the admin listener's part.
export { Counts, NO_APP } from "./counts.ts";
export type { Snapshot } from "./snapshot.ts";
export { Totals } from "./totals.ts";
