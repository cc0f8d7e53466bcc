// Runs inside the process of one test file, as its node:test reporter: passes each event on to the runner.
import { inspect } from "node:util";

// A runner that is gone has no use for us, nor for what we have started in our group.
process.once("disconnect", () => process.kill(-process.pid, "SIGKILL"));
process.channel?.unref();

const TYPES = new Set(["test:dequeue", "test:pass", "test:fail"]);

export default async function* events(source) {
  for await (const { type, data } of source) {
    if (TYPES.has(type)) process.send?.(message(type, data));
  }
  process.send?.({ type: "end" });
  yield "";
}

const message = (type, data) => ({
  type,
  name: data.name,
  nesting: data.nesting,
  suite: data.details?.type === "suite",
  skip: reason(data.skip) ?? reason(data.todo, "todo"),
  failure: data.details?.error && failure(data.details.error),
});

/** A skip's reason; "" when it has none; undefined when the test was not skipped. */
function reason(value, otherwise = "") {
  if (value === undefined || value === false) return undefined;
  return typeof value === "string" ? value : otherwise;
}

/** node:test wraps what a test threw; the wrapper's own stack says nothing. */
function failure(error) {
  const cause = error.cause ?? error;
  return {
    kind: error.failureType,
    text: typeof cause === "string" ? cause : trimmed(inspect(cause, { depth: 6 })),
  };
}

/** Without the frames of node:test itself. */
const trimmed = (text) =>
  text
    .split("\n")
    .filter((line) => !/^\s+at .*\(node:(internal\/test_runner|async_hooks)/.test(line))
    .join("\n");
