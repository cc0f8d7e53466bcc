// Asks a worker where its requests are. The other end is a thread of its own there, python/sallyport/stacks.py, so that the
// application goes on meanwhile.
import type { Socket } from "node:net";
import type { ProcessStacks, RequestStack, StackFrame } from "../exchange/index.ts";
import type { WorkerStream } from "./stream.ts";

/** Milliseconds for an answer. */
const PATIENCE = 1_000;
/** Characters of an answer: more than python/sallyport/stacks.py ever sends. */
const MOST_TEXT = 524_288;
/** Requests that are told of one process; as many as python/sallyport/stacks.py gives. */
const MOST = 32;
const LONGEST_TARGET = 500;

/** What a worker says of a request. */
interface Said {
  readonly id: number;
  readonly place: "thread" | "task" | "loop";
  readonly frames: readonly StackFrame[];
}

const TOO_BUSY =
  "too busy to give its stack: it did not answer within 1 s. Code in C may hold the interpreter's lock, or the machine has too much to do";
const NO_THREAD = "it cannot be asked: its end of the connection for questions is closed";

/** The requests of one worker and where they are; `open` are those that it has begun. */
export interface OpenRequests {
  readonly pid: number | undefined;
  readonly open: readonly WorkerStream[];
}

export class StackQuestions {
  readonly #socket: Socket | undefined;
  #text = "";
  #answered: ((requests: readonly Said[] | string) => void) | undefined;
  #answer: Promise<readonly Said[] | string> | undefined;
  /** A question has not been answered, though nobody may wait any longer. */
  #isBehind = false;

  constructor(socket: Socket | undefined) {
    this.#socket = socket;
    socket?.setEncoding("utf8");
    socket?.on("data", (text: string) => this.#read(text));
    socket?.once("close", () => this.#answered?.(NO_THREAD));
    socket?.unref();
  }

  /** Takes a second at the most; never rejects. Questions at the same time get one answer. */
  async ask(asked: () => OpenRequests): Promise<ProcessStacks> {
    this.#answer ??= this.#ask().finally(() => {
      this.#answer = undefined;
    });
    const said = await this.#answer;
    const { pid, open } = asked();
    if (typeof said !== "string") return { pid, ...told(open, said) };
    return { pid, ...told(open, []), reason: said };
  }

  #ask(): Promise<readonly Said[] | string> {
    if (!this.#socket?.writable) return Promise.resolve(NO_THREAD);
    // A worker that is held must not find a heap of questions when it goes on.
    if (!this.#isBehind) this.#socket.write("?");
    this.#isBehind = true;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE, TOO_BUSY);
      this.#answered = (said) => {
        clearTimeout(timer);
        resolve(said);
      };
    });
  }

  #read(text: string): void {
    this.#text += text;
    const end = this.#text.indexOf("\n");
    if (end < 0) return this.#checkLength();
    const line = this.#text.slice(0, end);
    this.#text = "";
    this.#isBehind = false;
    this.#answered?.(parsed(line));
    this.#answered = undefined;
  }

  /** The application may write to any descriptor that it finds. */
  #checkLength(): void {
    if (this.#text.length > MOST_TEXT) this.#socket?.destroy();
  }
}

function parsed(line: string): readonly Said[] | string {
  try {
    const { requests, failure = "" } = JSON.parse(line) as { requests?: readonly Said[]; failure?: string };
    return requests ?? `its stacks could not be read: ${failure}`;
  } catch {
    return "its answer is unintelligible: does the application write to descriptors that are not its own?";
  }
}

/** The worker may have begun and ended requests since it looked: only those that are still open are told. */
function told(
  open: readonly WorkerStream[],
  said: readonly Said[],
): Pick<ProcessStacks, "requests" | "others"> {
  const byId = new Map(said.map((each) => [each.id, each]));
  const known = open.filter(({ id }) => byId.has(id));
  const rest = open.filter(({ id }) => !byId.has(id));
  const chosen = [...known, ...rest].slice(0, MOST);
  const requests = chosen.map((stream) => requestStack(stream, byId.get(stream.id)));
  return { requests: requests.sort((a, b) => b.age - a.age), others: open.length - chosen.length };
}

function requestStack({ exchange, takenAt }: WorkerStream, said: Said | undefined): RequestStack {
  const { method, target } = exchange.request;
  const since = exchange.trace?.handedOverAt || takenAt;
  return {
    method,
    target: target.slice(0, LONGEST_TARGET),
    age: since > 0 ? Math.max(0, Math.round(performance.now() - since)) : 0,
    place: said?.place,
    frames: said?.frames ?? [],
  };
}
