// Uncaught errors, of an app in this process or of Sallyport itself. The log gets both; a stack only with the frames of
// the app, for its author.
// Tested by test/server/report.test.ts.
import { fileURLToPath } from "node:url";
import type { Log } from "../exchange/index.ts";
import { thrownOf } from "../exchange/thrown.ts";

/** Everything of Sallyport lies below this directory. */
const OURS = fileURLToPath(new URL("..", import.meta.url));

export function logUncaught(log: Log, error: unknown, debug: boolean): void {
  const { name, message, stack } = thrownOf(error);
  if (name === "") return log.error(`an uncaught error: ${message}`);
  const detail = debug ? stack : appStack(stack);
  log.error(`an uncaught error: ${name}: ${message}`, { detail });
}

/** The stack without frames of ours and of node; undefined when no other is left. */
function appStack(stack: string): string | undefined {
  const lines = stack.split("\n");
  const frames = lines.filter((line) => isFrame(line) && !line.includes(OURS) && !/[( ]node:/.test(line));
  return frames.length === 0 ? undefined : [...lines.filter((line) => !isFrame(line)), ...frames].join("\n");
}

const isFrame = (line: string): boolean => /^\s+at /.test(line);
