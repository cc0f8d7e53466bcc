// Errors that nobody caught: an app in this process left them to chance, or Sallyport has a defect. The log hears of
// both; a stack only of the first, whose frames tell its author where to look.
import { fileURLToPath } from "node:url";
import type { Log } from "../exchange/index.ts";

/** Everything of Sallyport lies below this directory. */
const OURS = fileURLToPath(new URL("..", import.meta.url));

export function noteUncaught(log: Log, error: unknown, debug: boolean): void {
  if (!(error instanceof Error)) return log.error(`an error that nobody caught: ${String(error)}`);
  const detail = debug ? error.stack : appStack(error.stack ?? "");
  log.error(`an error that nobody caught: ${error.name}: ${error.message}`, { detail });
}

/** The stack without frames of ours and of node; undefined when no other is left. */
function appStack(stack: string): string | undefined {
  const lines = stack.split("\n");
  const frames = lines.filter((line) => isFrame(line) && !line.includes(OURS) && !/[( ]node:/.test(line));
  return frames.length === 0 ? undefined : [...lines.filter((line) => !isFrame(line)), ...frames].join("\n");
}

const isFrame = (line: string): boolean => /^\s+at /.test(line);
