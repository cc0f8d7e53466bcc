// Checks the arguments of public functions at the call: the error names the function and the expected value, instead of a
// TypeError deep inside or, at a request, a 500.
import { SallyportError } from "../exchange/errors.ts";
import type { Gateway } from "../exchange/exchange.ts";
import type { Log } from "../exchange/log.ts";
import { isTimeLimit, mayBeNone } from "../exchange/time-limits.ts";
import { MAX_DELAY } from "../exchange/wait.ts";
import { suggestion } from "./did-you-mean.ts";
import { presentNames, renamedText, twiceText } from "./old-names.ts";

/** The faults in the value of the option `name`, a line each. */
export type Check = (value: unknown, name: string) => readonly string[];

/** A check for every option of `T`. */
export type Checks<T> = { readonly [K in keyof Required<T>]: Check };

/** `expected`: "a text". */
export const must =
  (expected: string, fits: (value: unknown) => boolean): Check =>
  (value, name) =>
    fits(value) ? [] : [`${name} must be ${expected}, not ${shown(value)}`];

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isAmount = (value: unknown): boolean => typeof value === "number" && value >= 0;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isListOf = (value: unknown, fits: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(fits);

export const anything: Check = () => [];
export const aText = must("a text that is not empty", isText);
export const anyText = must("a text", (value) => typeof value === "string");
export const texts = must("a list of texts", (value) => isListOf(value, isText));
export const aFlag = must("true or false", (value) => typeof value === "boolean");
export const aCount = must("a whole number from 1", (value) => isWhole(value) && value !== 0);
export const aWhole = must("a whole number from 0", isWhole);
export const byteCount = must("a number of bytes", isAmount);
export const seconds = must(
  "a number of seconds such as 30",
  (value) => isAmount(value) && Number.isFinite(value),
);
export const timeoutSeconds = must(
  "a number of seconds such as 30, at most 24 days",
  (value) => isAmount(value) && Number(value) * 1000 <= MAX_DELAY,
);
export const milliseconds = must(
  "a number of milliseconds such as 30000, at most 24 days",
  (value) => isAmount(value) && Number(value) <= MAX_DELAY,
);
export const aFunction = must("a function", (value) => typeof value === "function");
export const anObject = must("an object", isObject);
export const environment = must("an object of texts by their names", (value) =>
  isListOf(isObject(value) ? Object.values(value) : value, (one) => typeof one === "string"),
);
export const aLog = must(
  "an object with the methods debug, info, warn and error",
  (value) =>
    isObject(value) && ["debug", "info", "warn", "error"].every((name) => typeof value[name] === "function"),
);
export const oneOf = (...known: readonly unknown[]): Check =>
  must(known.map((value) => JSON.stringify(value)).join(" or "), (value) => known.includes(value));
export const textOr = (other: unknown): Check =>
  must(`a text or ${JSON.stringify(other)}`, (value) => isText(value) || value === other);
export const addresses = must(
  'an address such as "127.0.0.1:9000" or "unix:/run/app.sock", or a list of them',
  (value) => isText(value) || isListOf(value, isText),
);

/** Options among options. */
export const options =
  (known: Readonly<Record<string, Check>>): Check =>
  (value, name) =>
    isObject(value) ? problemsIn(value, known, `${name}.`) : anObject(value, name);

const aTimeLimit = must(
  "a number of milliseconds more than 0, such as 30000, or Infinity for none",
  (value) => isAmount(value) && value !== 0,
);
const anEndlessLimit = must("a number of milliseconds such as 30000, or 0 or Infinity for none", (value) =>
  isAmount(value),
);

/** The check of a listener's limit of time. */
export const timeLimit = (name: string): Check => (mayBeNone(name) ? anEndlessLimit : aTimeLimit);

/** Limits of a listener: those of time are checked. */
export const listenerLimits: Check = (value, name) => {
  if (!isObject(value)) return anObject(value, name);
  const times = Object.entries(value).filter(([key, limit]) => isTimeLimit(key) && limit !== undefined);
  return times.flatMap(([key, limit]) => timeLimit(key)(limit, `${name}.${key}`));
};

/** The options of every listener. */
export const LISTENER_CHECKS = {
  handler: must(
    "a function that gets every exchange, such as (exchange) => gateway.handle(exchange)",
    (value) => typeof value === "function",
  ),
  log: aLog,
  limits: listenerLimits,
} as const;

/** Throws CONFIG_INVALID for options of the listener that `place` makes. */
export function checkListener(place: string, given: unknown, known: Readonly<Record<string, Check>>): void {
  checkOptions(place, given, known, "{ handler, log }");
  const { handler, log } = given as Readonly<Record<string, unknown>>;
  checkArgument(place, "handler", handler, LISTENER_CHECKS.handler);
  checkArgument(place, "log", log, LISTENER_CHECKS.log);
}

/** An object with `handle`. Frameworks have another `handle`, but are functions, or have `fetch`. */
export const isGateway = (value: unknown): value is Gateway =>
  typeof value === "object" &&
  typeof (value as Gateway | null)?.handle === "function" &&
  !("fetch" in (value as object));

export const aGateway: Check = (value, name) =>
  isGateway(value) ? [] : [`${name} must be a gateway, such as wsgi("shop:app"), not ${shownApp(value)}`];

/**
 * Gives the options under their present names; their log hears of old ones. Throws CONFIG_INVALID for options of `place`
 * ("wsgi()") that it does not know, that are given by two names, or whose values are of another type. `example`: options
 * as they might be.
 */
export function checkOptions<T>(
  place: string,
  given: T,
  known: Readonly<Record<string, Check>>,
  example: string,
): T {
  if (!isObject(given) || isGateway(given))
    throw invalid(place, [`the options must be an object such as ${example}, not ${shownApp(given)}`]);
  const options = underPresentNames(place, given, known, given.log as Log | undefined);
  throwProblems(place, problemsIn(options, known, ""));
  return options;
}

/** Puts options given by an old name under their present one, and logs that. Throws CONFIG_INVALID for those given twice. */
export function underPresentNames<T extends object>(
  place: string,
  given: T,
  known: Readonly<Record<string, Check>>,
  log: Log | undefined,
): T {
  const { value, renamed, twice } = presentNames(given, Object.keys(known));
  throwProblems(
    place,
    twice.map((names) => twiceText(...names)),
  );
  for (const names of renamed) log?.warn?.(`${place}: ${renamedText(...names)}`);
  return value;
}

/** Throws CONFIG_INVALID. `name`: "the first argument". */
export function checkArgument(place: string, name: string, value: unknown, check: Check): void {
  throwProblems(place, check(value, name));
}

function problemsIn(
  given: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, Check>>,
  prefix: string,
): string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    if (!Object.hasOwn(known, name))
      return [`unknown option ${prefix}${name}${suggestion(name, Object.keys(known), prefix)}`];
    // An undefined option counts as not given; a required one is checked by its own function.
    return value === undefined ? [] : [...(known[name] as Check)(value, prefix + name)];
  });
}

function throwProblems(place: string, problems: readonly string[]): void {
  if (problems.length > 0) throw invalid(place, problems);
}

function invalid(place: string, problems: readonly string[]): SallyportError {
  return new SallyportError("CONFIG_INVALID", `${place}: ${problems.join("; ")}`);
}

export const isClass = (value: unknown): boolean =>
  typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));

const LONGEST_TEXT = 60;

/** A value in a few words. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return value.length > LONGEST_TEXT ? `a text of ${value.length} characters` : JSON.stringify(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "function") return isClass(value) ? "a class; give an instance of it" : "a function";
  if (typeof value !== "object" || value === null) return String(value);
  const name = value.constructor?.name;
  return name && name !== "Object" ? `an instance of ${name}` : "an object";
}

/** A value that may be an app of another kind, with a hint how to pass it. */
function shownApp(value: unknown): string {
  if (isGateway(value)) return "a gateway";
  if (typeof (value as Promise<unknown> | null)?.then === "function") return "a promise; await it first";
  if (typeof value === "function" && !isClass(value))
    return "a function; nodeApp() and fetchApp() make gateways of such";
  if (typeof (value as { fetch?: unknown } | null)?.fetch === "function")
    return `${shown(value)} with a fetch method; fetchApp() makes a gateway of it`;
  return shown(value);
}
