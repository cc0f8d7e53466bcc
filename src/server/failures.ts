// Several parts of a server fail together: one error tells of all of them.
// Tested by test/server/reload.test.ts.
import { type ErrorName, SallyportError } from "../exchange/index.ts";
import { isDisagreed } from "../exchange/reloads.ts";

/** Throws the only failure, or one error that lists all of them by the names of their parts. */
export function throwFailures(
  what: "started" | "reloaded",
  names: readonly string[],
  results: readonly PromiseSettledResult<unknown>[],
): void {
  const failures = results.flatMap((result, i) =>
    result.status === "rejected" && !isDisagreed(result.reason)
      ? [{ name: names[i], error: SallyportError.from(result.reason) }]
      : [],
  );
  const [first, second] = failures;
  if (!first) return;
  if (!second) throw first.error;
  const lines = failures.map(({ name, error: { message, code, detail } }) =>
    [`${name}: ${message} [${code}]`, detail ?? []].flat().join("\n"),
  );
  const message = `${failures.length} apps could not be ${what}: ${failures.map(({ name }) => name).join(", ")}`;
  const kind = first.error.code.replace("ERR_SALLYPORT_", "") as ErrorName;
  throw new SallyportError(kind, message, { cause: first.error, detail: lines.join("\n") });
}
