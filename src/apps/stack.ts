// An application's stack without the frames of Node, of the loader, and of Sallyport.
// Tested by test/apps/load.test.ts.
import { fileURLToPath } from "node:url";
import { thrownOf } from "../exchange/thrown.ts";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const OURS = /[( ](?:node:|<anonymous>\))|[\\/]node_modules[\\/](?:jiti|tsx|esbuild)[\\/]/;
const isTheirs = (frame: string): boolean => !OURS.test(frame) && !frame.includes(HERE);

/** The text of an error's stack; undefined when `error` is no Error. */
export function ownStack(error: unknown): string | undefined {
  const { stack } = thrownOf(error);
  return stack === "" ? undefined : withoutFrames(stack, isTheirs).trim();
}

export function withoutFrames(stack: string, keep: (frame: string) => boolean): string {
  return stack
    .split("\n")
    .filter((line) => !/^\s+at /.test(line) || keep(line))
    .join("\n");
}
