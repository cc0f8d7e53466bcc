// What the log says of server processes that end though they were not told to.
// Tested by test/cluster/ending.test.ts.
import { describeExit, type Exit } from "../processes/exit.ts";
import type { ServerProcess } from "./process.ts";

const startsIn = (pause: number): string => `another starts${pause > 0 ? ` in ${pause} ms` : ""}`;

/** `pause` is in milliseconds, `others` the number of those that serve. */
export const hasEnded = ({ pid }: ServerProcess, exit: Exit, others: number, pause: number): string =>
  `server process ${pid} ${describeExit(exit)}: the requests inside it were cut` +
  `${others > 0 ? ", the others serve on" : ""}; ${startsIn(pause)}`;

export const isEnding = ({ pid }: ServerProcess, pause: number): string =>
  `server process ${pid} stops, though it was not told to; its requests are answered first; ${startsIn(pause)}`;

/** undefined where all of its requests were answered. */
export function whatItCut({ pid, load }: ServerProcess, exit: Exit): string | undefined {
  const cut = load.cut + load.inFlight;
  return cut > 0 ? `server process ${pid} ${describeExit(exit)}: ${cut} of its requests were cut` : undefined;
}
