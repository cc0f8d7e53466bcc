// Joins lines that belong together in what a process prints: a traceback of Python, the stacks of faulthandler, a warning,
// an error of PHP. Such a block is complete when a line comes that cannot belong to it, or none for a moment.

/** The levels of a log. */
export type PrintedLevel = "debug" | "info" | "warn" | "error";

/** Lines that belong together. */
export interface Block {
  /** The line that says most. */
  readonly title: string;
  readonly lines: readonly string[];
  readonly level: PrintedLevel;
}

/** A block that is larger ends there, and begins no other. */
const MOST_LINES = 1_000;
const MOST_CHARACTERS = 65_536;
/** Milliseconds without another line, and from the first to the last. */
const PAUSE = 100;
const LONGEST = 1_000;

/** What one kind of block looks like. */
interface Kind {
  readonly begins: RegExp;
  readonly level: PrintedLevel;
  /** Whether `line` belongs to the block of these lines. */
  goesOn(line: string, lines: readonly string[]): boolean;
  title(lines: readonly string[]): string;
}

const INDENTED = /^\s/;
const HEADER = /^(?: {2}\+ Exception Group )?Traceback \(most recent call last\):$/;
const CHAIN =
  /^(?:During handling of the above exception, another exception occurred|The above exception was the direct cause of the following exception):$/;
const INTRODUCTION =
  /^(?:Exception in thread .+:|Exception ignored (?:in|on|while)\b.*|--- Logging error ---)$/;
const LOGGING = /^(?:Call stack:|Message: |Arguments: )/;

const firstLine = ([line = ""]: readonly string[]): string => line;

const TRACEBACK: Kind = {
  begins: HEADER,
  level: "error",
  goesOn: (line, lines) => {
    const last = lines.at(-1) ?? "";
    if (INDENTED.test(line) || line === "") return true;
    if (last === "") return CHAIN.test(line) || (HEADER.test(line) && CHAIN.test(lines.at(-2) ?? ""));
    if (LOGGING.test(line)) return lines[0] === "--- Logging error ---";
    return !hasException(lines);
  },
  title: (lines) => {
    const [first = ""] = lines;
    const exception = exceptionOf(lines);
    return INTRODUCTION.test(first) && exception !== first ? `${first} ${exception}` : exception;
  },
};

const KINDS: readonly Kind[] = [
  TRACEBACK,
  {
    begins: INTRODUCTION,
    level: "error",
    goesOn: (line, lines) => (lines.length === 1 ? HEADER.test(line) : TRACEBACK.goesOn(line, lines)),
    title: (lines) => TRACEBACK.title(lines),
  },
  {
    begins:
      /^(?:Fatal Python error: |Timeout \(\d|(?:Current t|T)hread 0x[0-9a-f]+.* \(most recent call first\):$)/,
    level: "error",
    goesOn: (line) =>
      line === "" ||
      /^(?:\s|<|(?:Current t|T)hread 0x|Python runtime state|Extension modules|Stack \(|Current thread's C stack)/.test(
        line,
      ),
    title: firstLine,
  },
  {
    begins: /^\S.*:\d+: \w*Warning: /,
    level: "warn",
    goesOn: (line, lines) => lines.length === 1 && INDENTED.test(line),
    title: firstLine,
  },
  {
    begins: /^(?:PHP message: )?PHP (?:Fatal|Parse|Recoverable fatal|Core|Compile) error: /,
    level: "error",
    goesOn: (line) => /^(?:Stack trace:$|#\d+ | {2}thrown in )/.test(line),
    title: firstLine,
  },
];

/** Whether the last part of a traceback has its exception. Every line of an exception group is indented. */
function hasException(lines: readonly string[]): boolean {
  const header = lines.findLastIndex((line) => HEADER.test(line));
  if (lines[header]?.startsWith(" ")) return true;
  return lines.slice(header + 1).some((line) => line !== "" && !INDENTED.test(line));
}

/** The last exception; of a group its own line, not that of an exception in it. */
function exceptionOf(lines: readonly string[]): string {
  const header = lines.findLastIndex((line) => HEADER.test(line));
  const after = lines.slice(header + 1);
  const inGroup = after.map((line) => /^ {2}\| (\S.*)$/.exec(line)?.[1]).find((line) => line !== undefined);
  return after.find((line) => line !== "" && !INDENTED.test(line)) ?? inGroup ?? firstLine(lines);
}

export class BlockJoiner {
  readonly #onLine: (line: string) => void;
  readonly #onBlock: (block: Block) => void;
  #kind: Kind | undefined;
  #lines: string[] = [];
  #characters = 0;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onLine` gets the lines that belong to no block. */
  constructor(onLine: (line: string) => void, onBlock: (block: Block) => void) {
    this.#onLine = onLine;
    this.#onBlock = onBlock;
  }

  add(line: string): void {
    if (this.#kind && !this.#kind.goesOn(line, this.#lines)) this.end();
    if (!this.#kind) this.#begin(line);
    if (!this.#kind) return this.#onLine(line);
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#isFull) this.end();
    else this.#wait();
  }

  /** Nothing more belongs to the block. */
  end(): void {
    const kind = this.#kind;
    if (!kind) return;
    clearTimeout(this.#timer);
    const lines = this.#lines;
    this.#kind = undefined;
    this.#lines = [];
    if (lines.length === 1) return this.#onLine(lines[0] as string);
    while (lines.at(-1) === "") lines.pop();
    this.#onBlock({ title: kind.title(lines), lines, level: kind.level });
  }

  #begin(line: string): void {
    this.#kind = KINDS.find(({ begins }) => begins.test(line));
    this.#characters = 0;
    this.#since = performance.now();
  }

  get #isFull(): boolean {
    return (
      this.#lines.length >= MOST_LINES ||
      this.#characters >= MOST_CHARACTERS ||
      performance.now() - this.#since > LONGEST
    );
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), PAUSE);
  }
}
