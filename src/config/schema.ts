// The types that the schema of the configuration is made of: sizes, times, paths, and sections that know their keys.
// Tested by test/config/config.test.ts.

import { suggestion } from "../options/did-you-mean.ts";
import {
  A_DURATION,
  A_POSITIVE_TIME,
  A_SIZE,
  A_TIME,
  parseDuration,
  parsePositiveTime,
  parseSize,
  parseTime,
} from "./units.ts";
import * as z from "./zod.ts";

/** An object that takes these keys and no others; an unknown one is named together with the nearest known. */
export const section = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      return issue.keys.map((key) => `unknown key${suggestion(key, Object.keys(shape))}`).join("\n");
    },
  });

type Parse<T> = (text: string | number) => T | undefined;

/** A value that is written as a text or a number, and that `parse` understands. */
export const written = <T>(title: string, parse: Parse<T>, expected: string) =>
  z
    .union([z.string(), z.number()], { error: expected })
    .transform((value, context) => {
      const parsed = parse(value);
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: "custom", message: `${expected}, not ${JSON.stringify(value)}` });
      return z.NEVER;
    })
    .meta({ title });

// Schemas are immutable, and expensive to make: each of these is made once, for all keys of its type.
const SIZE = written("size", parseSize, `must be ${A_SIZE}`);
const TIME = written("time", parseTime, `must be ${A_TIME}`);
const POSITIVE_TIME = written("time", parsePositiveTime, `must be ${A_POSITIVE_TIME}`);
const DURATION = written("time", parseDuration, `must be ${A_DURATION}`);
const COUNTS = [0, 1].map((least) =>
  z.number().int().min(least).max(1_000_000).meta({ title: "number" }),
) as [z.ZodNumber, z.ZodNumber];
/** A section of its own in the documentation. */
export const processBounds = section({
  min: COUNTS[0].describe("the fewest; 0: none until a request comes"),
  max: COUNTS[1].describe("the most"),
  idleTimeout: TIME.exactOptional().describe("how long one must be to spare before it ends (30s)"),
}).refine(({ min, max }) => min <= max, { error: "min must not be more than max", path: ["min"] });
const PROCESS_COUNTS = z
  .union([COUNTS[1], processBounds], {
    error: "must be a number from 1, or bounds such as { min: 1, max: 4 }",
  })
  .meta({ title: "number or bounds" });
const octalOf =
  (fits: RegExp): Parse<number> =>
  (value) =>
    fits.test(String(value)) ? Number.parseInt(String(value), 8) : undefined;
const MODE = written("mode", octalOf(/^[0-7]{3,4}$/), 'must be an octal mode in quotes, such as "660"');
/** A number of two digits may be a decimal one: some languages read 022 as 18, others as 22. */
const MASK = written("mode", octalOf(/^(?:0|[0-7]{3,4})$/), 'must be an octal mask in quotes, such as "027"');
const TEXT = z.string().min(1, "must not be empty");
const PATH = TEXT.meta({ title: "path" });
const FLAG = z.boolean();
const ENVIRONMENT = z.record(z.string().regex(/^[^=\0]+$/), z.string());

export const size = () => SIZE;
export const time = () => TIME;
/** A time for which there has to be a limit. */
export const positiveTime = () => POSITIVE_TIME;
/** A time that no timer waits for, so that it may be longer than a timer can be. */
export const duration = () => DURATION;
export const mode = () => MODE;
export const mask = () => MASK;
export const count = (least: 0 | 1 = 1) => COUNTS[least];
/** A number of processes, or bounds of it. */
export const processCounts = () => PROCESS_COUNTS;
export const text = () => TEXT;
export const path = () => PATH;
export const flag = () => FLAG;
export const environmentSchema = () => ENVIRONMENT;

/** Types that are made for one key: the others are shared. */
const OF_ONE_KEY: readonly string[] = ["optional", "prefault"];

/** A type with its line in the documentation. `describe()` would copy it, which for all keys takes each start milliseconds. */
export function about<T extends z.ZodType>(type: T, description: string): T {
  if (!OF_ONE_KEY.includes(type.def.type)) return type.describe(description) as T;
  z.globalRegistry.add(type, { description });
  return type;
}
