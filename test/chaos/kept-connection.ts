// A client's connection that is kept, and says in which way a request on it was not answered. Not an agent of a library: those
// take another connection when one was closed, and so hide the very loss that is to be counted.
import { connect, type Socket } from "node:net";

/**
 * refused: no connection. reset, closed: the connection ended without a byte of an answer. cut: it ended within the answer.
 * A status other than 200 goes by its number and our code.
 */
export type Failure = "refused" | "reset" | "closed" | "cut" | "wrong" | "timed out" | `${number} ${string}`;

export interface Reply {
  readonly status: number;
  readonly body: string;
  /** The server said that the connection ends with this response. */
  readonly last: boolean;
}

const HEAD_END = "\r\n\r\n";

export class KeptConnection {
  readonly #socket: Socket;
  #received = "";
  #ended: "closed" | "reset" | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    socket.on("end", () => this.#end("closed"));
    socket.on("error", () => this.#end("reset"));
    socket.on("close", () => this.#end("reset"));
  }

  /** undefined when no connection could be made. */
  static open(port: number): Promise<KeptConnection | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.once("connect", () => resolve(new KeptConnection(socket)));
      socket.once("error", () => resolve(undefined));
    });
  }

  get open(): boolean {
    return this.#ended === undefined;
  }

  /** Sends the pieces, with a moment between them, and waits for the answer. */
  async ask(pieces: readonly Buffer[], deadline: number): Promise<Reply | Failure> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, deadline);
    const answered = this.#answer(() => late);
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, 2));
      if (!this.#socket.destroyed) this.#socket.write(piece);
    }
    const answer = await answered;
    clearTimeout(timer);
    return answer;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #answer(late: () => boolean): Promise<Reply | Failure> {
    for (;;) {
      const reply = this.#take();
      if (reply) return reply;
      if (this.#ended) return this.#received === "" ? this.#ended : "cut";
      if (late()) return "timed out";
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** A whole response, once it is there. */
  #take(): Reply | undefined {
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const head = this.#received.slice(0, end);
    const rest = this.#received.slice(end + HEAD_END.length);
    const body = bodyOf(head, rest);
    if (body === undefined) return undefined;
    this.#received = rest.slice(body.length);
    const last = /^connection: *close/im.test(head);
    return { status: Number(head.slice(9, 12)), body: body.text, last };
  }

  #end(how: "closed" | "reset"): void {
    this.#ended ??= how;
    this.#wake();
  }
}

/** The body's text, and the bytes that it took of `rest`; undefined while some are missing. */
function bodyOf(head: string, rest: string): { text: string; length: number } | undefined {
  const [, length] = /^content-length: *(\d+)/im.exec(head) ?? [];
  if (length === undefined) return chunksOf(rest);
  return rest.length < Number(length)
    ? undefined
    : { text: rest.slice(0, Number(length)), length: Number(length) };
}

function chunksOf(rest: string): { text: string; length: number } | undefined {
  let text = "";
  for (let at = 0; ; ) {
    const line = rest.indexOf("\r\n", at);
    const size = Number.parseInt(rest.slice(at, line), 16);
    const next = line + 2 + size + 2;
    if (line < 0 || next > rest.length) return undefined;
    text += rest.slice(line + 2, line + 2 + size);
    if (size === 0) return { text, length: next };
    at = next;
  }
}
