// Why an application failed, for a reader: the frames of a Python traceback or of a JavaScript stack, with the source around
// each, and which of them are the application's own.
import { readFileSync } from "node:fs";
import { isAbsolute, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export interface SourceLine {
  readonly number: number;
  readonly text: string;
}

export interface Frame {
  readonly file: string;
  readonly line: number;
  /** The function; "" at the top level of a module, and where a syntax error stands. */
  readonly name: string;
  /** The application's: no library that is installed, and nothing of Python or of ours. */
  readonly own: boolean;
  /** The lines around it; empty when the file cannot be read. */
  readonly source: readonly SourceLine[];
}

/** Lines of source before and after the one at fault. */
const AROUND = 4;
/** Frames that are shown: a recursion without end has a thousand. */
const MOST_FRAMES = 60;
/** Bytes of a source file that are read. */
const LARGEST_SOURCE = 2_000_000;

const PYTHON_FRAME = /^ {2}File "(.+)", line (\d+)(?:, in (.+))?$/;
const NODE_FRAME = /^\s+at (?:(.+?) \()?((?:file:\/\/)?\/[^()]+?):(\d+)(?::\d+)?\)?$/;
/** Node's way to say where a syntax error stands: alone on a line, before the source. */
const NODE_PLACE = /^((?:file:\/\/)?\/.+?):(\d+)$/;

/** Directories of what was installed, wherever the application's own directory begins. */
const INSTALLED = /[\\/](?:site-packages|dist-packages|node_modules)[\\/]|[\\/]lib[\\/]python3\.\d+[\\/]/;

/** Sallyport. */
const OURS = fileURLToPath(new URL("../..", import.meta.url));

/** The frames of `text` in the order in which they were called: the last one is where it happened. */
export function framesOf(text: string, directory: string): Frame[] {
  const lines = text.split("\n");
  const python = lines.flatMap((line) =>
    match(PYTHON_FRAME.exec(line), ([, file, at, name]) => [file, at, name]),
  );
  const places =
    python.length > 0
      ? python
      : [
          // A stack begins where it happened.
          ...lines
            .flatMap((line) => match(NODE_FRAME.exec(line), ([, name, file, at]) => [file, at, name]))
            .reverse(),
          ...lines.flatMap((line) => match(NODE_PLACE.exec(line), ([, file, at]) => [file, at, ""])),
        ];
  return places.slice(-MOST_FRAMES).map(([file, at, name]) => frameOf(file, Number(at), name, directory));
}

type Place = readonly [file: string, line: string, name: string];

function match(found: RegExpExecArray | null, place: (parts: string[]) => (string | undefined)[]): Place[] {
  if (!found) return [];
  const [file = "", line = "0", name = ""] = place([...found].map((part) => part ?? ""));
  return [[file, line, name === "<module>" ? "" : name]];
}

function frameOf(given: string, line: number, name: string, directory: string): Frame {
  const file = given.startsWith("file://") ? pathOf(given) : given;
  return { file, line, name, own: isOwn(file, directory), source: sourceAround(file, line) };
}

/** What is not installed is worked on: a sibling of the application's directory, too. */
function isOwn(file: string, directory: string): boolean {
  if (!isAbsolute(file) || INSTALLED.test(file)) return false;
  const inside = !relative(directory, file).startsWith(`..${sep}`);
  return inside || !file.startsWith(OURS);
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}

function sourceAround(file: string, line: number): SourceLine[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8").slice(0, LARGEST_SOURCE);
  } catch {
    return [];
  }
  const first = Math.max(1, line - AROUND);
  return text
    .split("\n")
    .slice(first - 1, line + AROUND)
    .map((source, i) => ({ number: first + i, text: source }));
}

/** The line that names the exception: a traceback of Python ends with it, a stack of Node begins with it. */
export function titleOf(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (!text.includes("Traceback (most recent call last)") && !PYTHON_FRAME.test(lines[0] ?? ""))
    return lines.find((line) => /^\S*(?:Error|Exception)\b/.test(line)) ?? "";
  return lines.findLast((line) => /^[\w.]+(?:: |$)/.test(line)) ?? "";
}
