// The client's half of HTTP/1.1, strict (RFC 9112, 4, 6.3, 7.1): reads the answers of a connection one after the other.
// Written only for the suite, so that no codec tests itself.
import type { Socket } from "node:net";
import type { Headers } from "../exchange/index.ts";
import { header } from "../exchange/index.ts";

/** How the end of a body is found. */
export type AnswerFraming = "none" | "length" | "chunked" | "close";

/** An answer as far as the client has received it. */
export interface Answer {
  status: number;
  reason: string;
  headers: Headers;
  /** The pieces so far. */
  readonly body: Buffer[];
  size: number;
  framing: AnswerFraming;
  readonly informs: number[];
  trailers: Headers;
  /** It has ended as its framing says. */
  complete: boolean;
  /** Another answer may follow on the connection. */
  persistent: boolean;
  /** The rule of HTTP that the answer broke. */
  broken: string | undefined;
}

const LONGEST_LINE = 65_536;

/** Thrown within this file: the connection ended where more must come. */
class Ended extends Error {}

/** Thrown within this file: the bytes are not HTTP. */
class Broken extends Error {}

export class AnswerReader {
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #ended = false;
  #reset = false;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = this.#buffer.length > 0 ? Buffer.concat([this.#buffer, chunk]) : chunk;
      this.#wakeUp();
    });
    socket.on("end", () => this.#end());
    // "close" follows. After a reset, a body that ends with the connection is not complete.
    socket.on("error", () => {
      this.#reset = true;
    });
    socket.on("close", () => this.#end());
  }

  /** No more bytes will come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Reads the answer to a request with `method` into `answer`, which is returned at once; `done` resolves at its end. */
  read(method: string): { answer: Answer; done: Promise<void> } {
    const answer: Answer = {
      status: 0,
      reason: "",
      headers: [],
      body: [],
      size: 0,
      framing: "none",
      informs: [],
      trailers: [],
      complete: false,
      persistent: false,
      broken: undefined,
    };
    return { answer, done: this.#read(method, answer) };
  }

  /** Reads no more from the connection. */
  pause(): void {
    this.#socket.pause();
  }

  /** Resolves when bytes have arrived, or the connection has ended. */
  async change(): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #read(method: string, answer: Answer): Promise<void> {
    try {
      await this.#readHead(answer);
      answer.framing = framingOf(method, answer);
      await this.#readBody(answer);
      answer.complete = true;
      answer.persistent = answer.framing !== "close" && !says(answer.headers, "close");
    } catch (error) {
      if (error instanceof Broken) answer.broken = error.message;
      else if (!(error instanceof Ended)) throw error;
    }
  }

  async #readHead(answer: Answer): Promise<void> {
    for (;;) {
      const line = await this.#line();
      const [, status, reason = ""] = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(line) ?? [];
      if (status === undefined) throw new Broken(`a malformed status line: ${JSON.stringify(line)}`);
      const headers = await this.#fields();
      if (Number(status) < 200) answer.informs.push(Number(status));
      else {
        Object.assign(answer, { status: Number(status), reason, headers });
        return;
      }
    }
  }

  async #readBody(answer: Answer): Promise<void> {
    if (answer.framing === "length") await this.#exactly(lengthOf(answer.headers) ?? 0, answer);
    else if (answer.framing === "chunked") await this.#chunks(answer);
    else if (answer.framing === "close") await this.#untilEnd(answer);
  }

  async #chunks(answer: Answer): Promise<void> {
    for (;;) {
      const line = await this.#line();
      if (!/^[0-9a-fA-F]{1,12}$/.test(line))
        throw new Broken(`a malformed chunk size: ${JSON.stringify(line)}`);
      const size = Number.parseInt(line, 16);
      if (size === 0) break;
      await this.#exactly(size, answer);
      if ((await this.#line()) !== "") throw new Broken("chunk data not followed by CRLF");
    }
    answer.trailers = await this.#fields();
  }

  async #exactly(size: number, answer: Answer): Promise<void> {
    for (let owed = size; owed > 0; ) {
      await this.#some();
      const piece = this.#take(Math.min(owed, this.#buffer.length));
      owed -= piece.length;
      addPiece(answer, piece);
    }
  }

  async #untilEnd(answer: Answer): Promise<void> {
    for (;;) {
      if (this.#buffer.length > 0) addPiece(answer, this.#take(this.#buffer.length));
      else if (!this.#ended) await this.change();
      else if (this.#reset) throw new Ended();
      else return;
    }
  }

  async #fields(): Promise<string[]> {
    const fields: string[] = [];
    for (let line = await this.#line(); line !== ""; line = await this.#line()) {
      const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === undefined || value === undefined)
        throw new Broken(`a malformed field line: ${JSON.stringify(line)}`);
      fields.push(name, value);
    }
    return fields;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf("\n");
      if (end >= 0) return lineOf(this.#take(end + 1));
      if (this.#buffer.length > LONGEST_LINE) throw new Broken("a line without end");
      if (this.#ended) throw new Ended();
      await this.change();
    }
  }

  /** Resolves when there are bytes to take. */
  async #some(): Promise<void> {
    while (this.#buffer.length === 0) {
      if (this.#ended) throw new Ended();
      await this.change();
    }
  }

  #take(size: number): Buffer {
    const piece = this.#buffer.subarray(0, size);
    this.#buffer = this.#buffer.subarray(size);
    return piece;
  }

  #end(): void {
    this.#ended = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function lineOf(bytes: Buffer): string {
  const line = bytes.toString("latin1");
  if (!line.endsWith("\r\n")) throw new Broken(`a line not ended by CRLF: ${JSON.stringify(line)}`);
  return line.slice(0, -2);
}

function addPiece(answer: Answer, piece: Buffer): void {
  answer.body.push(piece);
  answer.size += piece.length;
}

function framingOf(method: string, { status, headers }: Answer): AnswerFraming {
  if (method === "HEAD" || status === 204 || status === 304) return "none";
  const coding = header(headers, "transfer-encoding");
  const length = lengthOf(headers);
  if (coding !== undefined && length !== undefined) throw new Broken("both lengths and chunks");
  if (coding !== undefined && coding !== "chunked") throw new Broken(`the transfer coding ${coding}`);
  return coding ? "chunked" : length === undefined ? "close" : "length";
}

function lengthOf(headers: Headers): number | undefined {
  const values = headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === "content-length");
  if (values.length > 1 || !/^\d*$/.test(values[0] ?? "")) throw new Broken("a malformed Content-Length");
  return values[0] === undefined ? undefined : Number(values[0]);
}

const says = (headers: Headers, word: string): boolean =>
  header(headers, "connection")?.toLowerCase().includes(word) ?? false;
