// Chooses between a file and its precompressed variants (RFC 9110, 12.5.3).
// Tested by test/apps/static.test.ts.
import { SallyportError } from "../exchange/index.ts";
import type { FindFile, FoundFile } from "./static-path.ts";

interface Coding {
  readonly name: string;
  readonly suffix: string;
}

/** In the order of our preference, where the client has none. */
const CODINGS: readonly Coding[] = [
  { name: "br", suffix: ".br" },
  { name: "gzip", suffix: ".gz" },
];

export interface Choice {
  readonly file: FoundFile;
  /** Content-Encoding; undefined for the file as it is. */
  readonly coding: string | undefined;
  /** Whether there are variants, so that the response needs Vary. */
  readonly varies: boolean;
}

/** Looks for the variants of `plain` by `find`, and chooses the one that `accept` ranks highest. */
export async function choose(find: FindFile, plain: FoundFile, accept: string | undefined): Promise<Choice> {
  const variants = await Promise.all(CODINGS.map(({ suffix }) => variantOf(find, plain, suffix)));
  const weights = weightsOf(accept ?? "");
  let best: Choice = { file: plain, coding: undefined, varies: variants.some(Boolean) };
  let bestWeight = 0;
  for (const [i, { name }] of CODINGS.entries()) {
    const file = variants[i];
    const weight = weights.get(name) ?? weights.get("*") ?? 0;
    if (!file || weight <= bestWeight) continue;
    best = { ...best, file, coding: name };
    bestWeight = weight;
  }
  return bestWeight >= (weights.get("identity") ?? 0) ? best : { ...best, file: plain, coding: undefined };
}

async function variantOf(find: FindFile, plain: FoundFile, suffix: string): Promise<FoundFile | undefined> {
  const segments = plain.segments.with(-1, plain.segments.at(-1) + suffix);
  try {
    const file = await find(segments);
    return file.stats.isFile() ? file : undefined;
  } catch (error) {
    if (error instanceof SallyportError) return undefined;
    throw error;
  }
}

/** Coding -> weight. Only the first dozen members count: the header is the client's. */
function weightsOf(accept: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of accept.toLowerCase().split(",", 12)) {
    const [coding = "", ...parameters] = member.split(";").map((part) => part.trim());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = q === undefined ? 1 : Number(q.slice(2));
    if (coding) weights.set(coding === "x-gzip" ? "gzip" : coding, weight >= 0 && weight <= 1 ? weight : 0);
  }
  return weights;
}
