// `${NAME}` and `${NAME:-default}` in the texts of a configuration file; `$${` stands for `${`.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references that the file is about
import { suggestion } from "../options/did-you-mean.ts";
import { config } from "./config.ts";
import { errorLine, type KeyPath, type Origin } from "./error-lines.ts";
import type * as z from "./zod.ts";

export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

/** An escape, a reference, or what was probably meant as one. */
const REFERENCE = /\$\$\{|\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}|\$\{[^}]*\}?/g;
const FORM = `must be of the form \${NAME} or \${NAME:-default}; $\${ stands for \${`;

interface Expanded {
  readonly value: unknown;
  /** A line for each reference that has no value, or is not one. */
  readonly errors: readonly string[];
}

/** A copy of `value` with its references replaced. Where a number or true and false are wanted, a text becomes one. */
export function expandVariables(value: unknown, variables: EnvironmentVariables, origin: Origin): Expanded {
  const expansion = new Expansion(variables, origin);
  const texts = expansion.of(value, []);
  if (expansion.whole.size === 0) return { value: texts, errors: expansion.errors };
  const result = config.safeParse(texts, { jitless: true });
  const wanted = result.success ? [] : result.error.issues.flatMap((issue) => wantedTypes(issue, []));
  const typed = new Map(wanted.filter(([key]) => expansion.whole.has(key)));
  return { value: withTypes(texts, typed, []), errors: expansion.errors };
}

const keyOf = (path: KeyPath): string => path.join("\0");
const isSection = (value: unknown): value is object =>
  typeof value === "object" &&
  value !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value));

/** The same value with each text in it, and its path, passed through `change`. */
function mapTexts(value: unknown, path: KeyPath, change: (text: string, path: KeyPath) => unknown): unknown {
  if (typeof value === "string") return change(value, path);
  if (Array.isArray(value)) return value.map((one, i) => mapTexts(one, [...path, i], change));
  if (!isSection(value)) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, mapTexts(one, [...path, key], change)]);
  return Object.fromEntries(entries);
}

class Expansion {
  readonly errors: string[] = [];
  /** Paths of texts that were nothing but a reference. */
  readonly whole = new Set<string>();
  readonly #variables: EnvironmentVariables;
  readonly #origin: Origin;

  constructor(variables: EnvironmentVariables, origin: Origin) {
    this.#variables = variables;
    this.#origin = origin;
  }

  of(value: unknown, path: KeyPath): unknown {
    return mapTexts(value, path, (text, at) => this.#text(text, at));
  }

  #text(text: string, path: KeyPath): string {
    return text.replace(
      REFERENCE,
      (found: string, name: string | undefined, fallback: string | undefined) => {
        if (found === "$${") return "${";
        if (name === undefined) return this.#fails(path, `${found} ${FORM}`);
        if (found === text) this.whole.add(keyOf(path));
        const value = this.#variables[name];
        if (fallback !== undefined) return value || fallback;
        return value ?? this.#fails(path, this.#missing(name));
      },
    );
  }

  #missing(name: string): string {
    const known = Object.keys(this.#variables);
    return `the environment variable ${name} is not set${suggestion(name, known)}; \${${name}:-...} gives a default`;
  }

  #fails(path: KeyPath, message: string): string {
    this.errors.push(errorLine(this.#origin, path, message));
    return "";
  }
}

// Types: a variable is always a text.

type Typed = (text: string) => unknown;

const asNumber: Typed = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);
const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false };
const asBoolean: Typed = (text) => BOOLEANS[text] ?? text;
const TYPES: Readonly<Record<string, Typed>> = { number: asNumber, int: asNumber, boolean: asBoolean };

/** The paths where something else than a text is wanted, in any of the choices. */
function wantedTypes(issue: z.core.$ZodIssue, above: KeyPath): [string, Typed][] {
  const path = [...above, ...(issue.path as KeyPath)];
  if (issue.code === "invalid_union")
    return issue.errors.flatMap((issues) => issues.flatMap((inner) => wantedTypes(inner, path)));
  const typed = issue.code === "invalid_type" ? TYPES[issue.expected] : undefined;
  return typed ? [[keyOf(path), typed]] : [];
}

const withTypes = (value: unknown, typed: ReadonlyMap<string, Typed>, path: KeyPath): unknown =>
  mapTexts(value, path, (text, at) => typed.get(keyOf(at))?.(text) ?? text);
