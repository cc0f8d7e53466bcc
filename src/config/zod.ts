// The parts of zod that the schema uses. The build makes one file of this and leaves the rest out
// (scripts/build.mjs): most of zod's hundred files are its messages in other languages, and every start would read them.
export type { core, input, output, ZodNumber, ZodRawShape, ZodType } from "zod";
export {
  array,
  boolean,
  custom,
  enum,
  globalRegistry,
  literal,
  NEVER,
  number,
  record,
  strictObject,
  string,
  toJSONSchema,
  union,
} from "zod";
