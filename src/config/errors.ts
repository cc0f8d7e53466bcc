// Checks a configuration by the schema; its errors are told in words of ours.
// Tested by test/config/file.test.ts.

import { presentNames, renamedText, twiceText } from "../options/old-names.ts";
import { APP_KINDS } from "./apps.ts";
import { type Config, config, type Settings } from "./config.ts";
import { configError, errorLine, type KeyPath, NOWHERE, type Origin } from "./error-lines.ts";
import type * as z from "./zod.ts";

type Issue = z.core.$ZodIssue;

/** The settings that `value` asks for. Throws CONFIG_INVALID with all of its errors. */
export function checkConfig(value: Config | unknown, origin: Origin = NOWHERE): Settings {
  if (isUnits(value)) throw configError([errorLine(origin, [], UNIT)]);
  const { present, written, renamed } = withPresentNames(value, origin);
  // Code made for this schema would be fast the second time, and there is none.
  const result = config.safeParse(present, { jitless: true });
  if (!result.success)
    throw configError(result.error.issues.flatMap((issue) => errorLines(issue, present, [], written)));
  return renamed.length > 0 ? { ...result.data, renamed } : result.data;
}

/** The value under the present names, and where its keys were written. Throws CONFIG_INVALID for a key given twice. */
function withPresentNames(
  value: unknown,
  origin: Origin,
): { readonly present: unknown; readonly written: Origin; readonly renamed: readonly string[] } {
  if (!isSection(value)) return { present: value, written: origin, renamed: [] };
  const { value: present, renamed, twice } = presentNames(value, Object.keys(config.shape));
  if (renamed.length === 0) return { present, written: origin, renamed: [] };
  const lines = (names: typeof renamed, text: typeof renamedText): string[] =>
    names.map(([old, now]) => errorLine(origin, [], text(old, now), [old]));
  if (twice.length > 0) throw configError(lines(twice, twiceText));
  return { present, written: underOldNames(origin, renamed), renamed: lines(renamed, renamedText) };
}

const UNIT = "this is a configuration of NGINX Unit; docs/moving.md has its keys and ours, side by side";
/** Errors of each of its keys would help nobody. */
const isUnits = (value: unknown): boolean =>
  isSection(value) && "listeners" in value && !("apps" in value || "listen" in value);

const isSection = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Errors name the keys as they were written. */
function underOldNames(origin: Origin, renamed: readonly (readonly [string, string])[]): Origin {
  const old = new Map<unknown, string>(renamed.map(([name, present]) => [present, name]));
  const asWritten = ([first, ...rest]: KeyPath): KeyPath =>
    first === undefined ? [] : [old.get(first) ?? first, ...rest];
  return {
    ...origin,
    lineOf: (path) => origin.lineOf(asWritten(path)),
    keyOf: (path) => origin.keyOf?.(asWritten(path)) ?? asWritten(path),
  };
}

function errorLines(issue: Issue, root: unknown, above: KeyPath, origin: Origin): string[] {
  const path = [...above, ...(issue.path as KeyPath)];
  if (issue.code === "unrecognized_keys") {
    const messages = issue.message.split("\n");
    return issue.keys.map((key, i) => {
      const message = isSecondKind(path, key) ? SECOND_KIND : (messages[i] ?? "unknown key");
      return errorLine(origin, [...path, key], message);
    });
  }
  const nearest = issue.code === "invalid_union" ? nearestChoice(issue.errors, root, path) : undefined;
  if (nearest) return nearest.flatMap((inner) => errorLines(inner, root, path, origin));
  const value = valueAt(root, path);
  const written = value === undefined ? path.slice(0, -1) : path;
  return [errorLine(origin, path, messageOf(issue, value), written)];
}

const SECOND_KIND = "an app is of one kind, and another key names it already; make two apps of it";
const isSecondKind = (path: KeyPath, key: string): boolean =>
  path.length === 2 && path[0] === "apps" && key in APP_KINDS;

/** The issues of the choice whose identifying key is there; undefined when there is none. */
function nearestChoice(choices: readonly Issue[][], root: unknown, path: KeyPath): Issue[] | undefined {
  return choices.find((issues) => !issues.some((issue) => isOtherChoice(issue, root, path)));
}

/** Whether an issue rules a choice out: it is of another type, or the key that identifies it is missing. */
function isOtherChoice(issue: Issue, root: unknown, path: KeyPath): boolean {
  if (issue.code === "unrecognized_keys") return false;
  if (issue.path.length !== 1) return issue.path.length === 0;
  return valueAt(root, [...path, ...(issue.path as KeyPath)]) === undefined;
}

function messageOf(issue: Issue, value: unknown): string {
  if (value === undefined && issue.code !== "custom") return "is missing";
  if (issue.code === "invalid_type")
    return `must be ${ARTICLES[issue.expected] ?? issue.expected}, not ${kindOf(value)}`;
  if (issue.code === "invalid_value") {
    const values = issue.values.map((known) => JSON.stringify(known));
    return `must be ${values.length > 1 ? "one of " : ""}${values.join(", ")}, not ${JSON.stringify(value)}`;
  }
  if (issue.code === "too_small" && issue.origin !== "string")
    return `must be at least ${issue.minimum}${issue.origin === "array" ? " long" : ""}`;
  if (issue.code === "too_big") return `must be at most ${issue.maximum}`;
  if (issue.code === "invalid_key") return "is not a name that may stand here";
  return issue.message;
}

const ARTICLES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a section of keys",
  record: "a section of keys",
  array: "a list",
};

function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a section of keys";
  return JSON.stringify(value) ?? typeof value;
}

function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root;
  for (const key of path) value = (value as Record<string | number, unknown> | null | undefined)?.[key];
  return value;
}
