// Finds the line of a key in a configuration file: exactly in YAML and JSON, by its text in TOML, and in code only where
// no mistake is possible. A missing line number is better than a wrong one.
// Tested by test/config/file.test.ts.
import {
  type Document,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import type { KeyPath } from "./error-lines.ts";

export type LineOf = (path: KeyPath) => number | undefined;

export interface ParsedYaml {
  readonly value: unknown;
  readonly errors: readonly Pick<YAMLError, "message" | "pos">[];
  readonly lineOf: LineOf;
  /** The line of an offset into the text. */
  readonly lineAt: (offset: number) => number;
}

/** YAML, and JSON, which is part of it. */
export function parseYaml(source: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const lineOf: LineOf = (path) => {
    const offset = offsetOf(document, path);
    return offset === undefined ? undefined : lineAt(offset);
  };
  return { ...resolved(document), lineOf, lineAt };
}

/** Aliases are resolved only now: one may name an anchor that is not there, or there are so many that it looks like an attack. */
function resolved(document: Document.Parsed): Pick<ParsedYaml, "value" | "errors"> {
  const { errors } = document;
  if (errors.length > 0) return { value: undefined, errors };
  try {
    return { value: document.toJS(), errors };
  } catch (error) {
    const { message } = error as Error;
    let pos: [number, number] = [0, 0];
    visit(document, {
      Alias(_, { source, range }) {
        if (!message.endsWith(`: ${source}`)) return undefined;
        pos = [range?.[0] ?? 0, range?.[1] ?? 0];
        return visit.BREAK;
      },
    });
    return { value: undefined, errors: [{ message, pos }] };
  }
}

/** The offset of the key at the end of `path`, or of the section in which it is missing. */
function offsetOf(document: Document, path: KeyPath): number | undefined {
  let offset = document.contents?.range?.[0];
  let node: unknown = document.contents;
  for (const key of path) {
    const child = childOf(node, key);
    if (!child) break;
    offset = child.at.range?.[0] ?? offset;
    node = child.value;
  }
  return offset;
}

function childOf(node: unknown, key: string | number): { at: Node; value: unknown } | undefined {
  if (isMap(node)) {
    const pair = node.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
    );
    return pair && { at: pair.key as Node, value: pair.value };
  }
  const item = (node as { items?: Node[] } | null)?.items?.[Number(key)];
  return item && { at: item, value: item };
}

const TOML_TABLE = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$/;
const TOML_KEY = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/;

/** The lines of TOML: those of tables and keys; keys inside an inline value have the line of that value's key. */
export function locateToml(source: string): LineOf {
  const lines = new Map<string, number>();
  const arrays = new Map<string, number>();
  let table: string[] = [];
  for (const [i, line] of source.split("\n").entries()) {
    const header = TOML_TABLE.exec(line)?.[1];
    const key = TOML_KEY.exec(line)?.[1];
    if (header) table = tablePath(line, dotted(header), arrays);
    else if (!key) continue;
    note(lines, header ? table : [...table, ...dotted(key as string)], i + 1);
  }
  return (path) => longestKnown(lines, path);
}

/** `[[routes]]` is the next of its name: `routes.0`, `routes.1`; keys below a list belong to its last element. */
function tablePath(line: string, keys: string[], arrays: Map<string, number>): string[] {
  const isArray = line.trimStart().startsWith("[[");
  const name = keys.join(".");
  if (isArray) arrays.set(name, (arrays.get(name) ?? -1) + 1);
  const path: string[] = [];
  for (const [i, key] of keys.entries()) {
    path.push(key);
    const last = arrays.get(keys.slice(0, i + 1).join("."));
    if (last !== undefined) path.push(String(last));
  }
  return path;
}

const dotted = (keys: string): string[] =>
  (keys.match(/[\w-]+|"[^"]*"|'[^']*'/g) ?? []).map((key) => key.replace(/^(["'])(.*)\1$/, "$2"));

/** Sets the line of a path, and of the parts of it that have none yet. */
function note(lines: Map<string, number>, path: readonly string[], line: number): void {
  for (let length = 1; length <= path.length; length++) {
    const key = path.slice(0, length).join("\0");
    if (!lines.has(key)) lines.set(key, line);
  }
}

function longestKnown(lines: ReadonlyMap<string, number>, path: KeyPath): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(path.slice(0, length).join("\0"));
    if (line !== undefined) return line;
  }
  return undefined;
}

/** The line in a TypeScript or JavaScript file, when the key is written there exactly once. */
export function locateCode(source: string): LineOf {
  return (path) => {
    const key = path.findLast((part) => typeof part === "string");
    if (key === undefined) return undefined;
    const found = [...source.matchAll(new RegExp(`(?<![\\w$.])(["']?)${escaped(key)}\\1\\s*:`, "g"))];
    const offset = found.length === 1 ? found[0]?.index : undefined;
    return offset === undefined ? undefined : source.slice(0, offset).split("\n").length;
  };
}

/** The line of the file at `path` that an error was thrown in, by its stack. */
export function lineThrown(path: string, { stack = "" }: Pick<Error, "stack">): number | undefined {
  const line = new RegExp(`${escaped(path)}:(\\d+)`).exec(stack)?.[1];
  return line === undefined ? undefined : Number(line);
}

/** As a part of a regular expression. */
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
