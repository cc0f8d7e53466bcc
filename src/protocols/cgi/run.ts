// One run of a CGI program for one exchange: input in, header and body out, and the meaning of its end (RFC 3875, 6):
//
//   head --document--> body --end of output--> over
//     \---no answer, local redirect, failure, client gone---^
//
// In `over` the program may still run: it is given time, or stopped when it is of no use any more.
// Tested by test/protocols/cgi/endings.test.ts.
import type { Socket } from "node:net";
import { bodyLength } from "../../cgi/body-length.ts";
import { type CgiResponse, ResponseReader } from "../../cgi/response-reader.ts";
import {
  type Exchange,
  type Log,
  type ProcessStatus,
  type RequestBody,
  SallyportError,
} from "../../exchange/index.ts";
import type { Member } from "../../exchange/members.ts";
import { ResponseBuffer } from "../../exchange/response-buffer.ts";
import { type Child, describeExit, type Exit, scriptFault, succeeded } from "../../processes/index.ts";
import { feed } from "./input.ts";
import type { StderrLog } from "./stderr.ts";

export interface RunOptions {
  /** Path of the program. */
  readonly file: string;
  /** Of the program, for messages. */
  readonly name: string;
  readonly nph: boolean;
  /** Milliseconds until the head, counted from the last byte of request body that the program took; 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds for all of it; 0 for no limit. */
  readonly totalTimeout: number;
  /** Milliseconds between TERM and KILL. */
  readonly killGrace: number;
  readonly log: Log;
  readonly stderr: StderrLog;
  /** Answers the exchange from another path. Throws CGI_REDIRECT_LOOP. */
  readonly redirect: (location: string) => void;
}

type State = "head" | "body" | "over";

/** Output that goes on after the program's exit comes from its children; silent for this long, it counts as ended (C15). */
const SILENCE = 2000;
/** How long after the end of its output a program may exit, and so tell how it was meant. */
const EXIT_AFTER_OUTPUT = 1000;
/** How long the last lines on standard error may take after the exit. */
const STDERR_AFTER_EXIT = 500;

/** Exit status of shells and of `env`: there is no such program (POSIX, 2.8.2). */
const NOT_FOUND = 127;

export class Run implements Member {
  place = -1;
  /** Milliseconds, `performance.now`. */
  readonly #startedAt = performance.now();
  readonly #exchange: Exchange;
  readonly #child: Child;
  readonly #options: RunOptions;
  readonly #output: Socket;
  readonly #reader: ResponseReader;
  readonly #outputClosed: Promise<void>;
  readonly #timers = new Set<NodeJS.Timeout>();
  #state: State = "head";
  /** Takes the body at the program's pace, so that no program waits for its client. */
  #buffer: ResponseBuffer | undefined;
  /** Bytes that it has not taken yet. */
  #held = 0;
  /** Bytes of body still to come; infinite when only the end of the output tells. */
  #owed = Number.POSITIVE_INFINITY;
  #heard = false;
  #exited = false;
  /** Its process group may be another's by now. */
  #reaped = false;
  #headTimer: NodeJS.Timeout | undefined;
  #waitsForClient = false;

  constructor(exchange: Exchange, child: Child, options: RunOptions) {
    this.#exchange = exchange;
    this.#child = child;
    this.#options = options;
    this.#output = child.streams[1] as Socket;
    this.#reader = new ResponseReader({ nph: options.nph });
    this.#outputClosed = new Promise((resolve) => this.#output.once("close", () => resolve()));
    void child.exited.then(() => {
      this.#exited = true;
    });
  }

  /** Resolves when the program is reaped; its client may still take what is buffered. Never rejects. */
  async finish(body: RequestBody): Promise<void> {
    const { timeout, totalTimeout } = this.#options;
    this.#exchange.whenClosed(({ complete }) => complete || this.#abandon());
    this.#headTimer = this.#after(timeout, () => this.#late());
    this.#after(totalTimeout, () => this.#fail(this.#tooSlow(`still running after ${totalTimeout} ms`)));
    this.#readOutput();
    this.#feedInput(body);
    await this.#awaitEnd();
    await this.#child.exited;
    this.#reaped = true;
    this.#clear();
  }

  get status(): ProcessStatus {
    const age = performance.now() - this.#startedAt;
    return { pid: this.#child.pid, state: "busy", age, requests: 1, inFlight: 1 };
  }

  /** The server ends: the program must, too. */
  stop(error: SallyportError): void {
    this.#fail(error);
    this.#abandon();
  }

  #readOutput(): void {
    this.#output.on("data", (chunk: Buffer) => this.#receive(chunk));
    // A socket, unlike a pipe, has a second direction, which programs do not expect of their output.
    this.#output.end();
  }

  #feedInput(body: RequestBody): void {
    const input = this.#child.streams[0];
    if (!input) return;
    feed(input, body, (waits) => this.#watchInput(waits)).catch((error: unknown) => {
      this.#fail(SallyportError.from(error));
    });
  }

  /** The program's time begins again with each piece of body. A timer that was cleared is not started by this. */
  #watchInput(waitsForClient: boolean): void {
    this.#waitsForClient = waitsForClient;
    if (!waitsForClient) this.#headTimer?.refresh();
  }

  #late(): void {
    if (this.#waitsForClient) this.#headTimer?.refresh();
    else this.#fail(this.#tooSlow(`no header within ${this.#options.timeout} ms`));
  }

  #receive(chunk: Buffer): void {
    this.#heard = true;
    this.#exchange.trace?.answered(chunk);
    if (this.#state === "body" && this.#buffer) this.#write(this.#buffer, chunk);
    else if (this.#state === "head") this.#readHead(chunk);
  }

  #readHead(chunk: Buffer): void {
    try {
      const response = this.#reader.feed(chunk);
      if (response) this.#begin(response);
    } catch (error) {
      this.#fail(SallyportError.from(error));
    }
  }

  #begin(response: CgiResponse): void {
    clearTimeout(this.#headTimer);
    if (response.kind === "localRedirect") {
      this.#over();
      this.#options.redirect(response.location);
      return;
    }
    this.#state = "body";
    this.#owed = bodyLength(this.#exchange.request.method, response.head);
    this.#exchange.start(response.head);
    const buffer = new ResponseBuffer(this.#exchange, (bytes) => this.#accepted(bytes));
    this.#buffer = buffer;
    this.#write(buffer, response.rest);
  }

  #write(buffer: ResponseBuffer, chunk: Uint8Array): void {
    this.#held += chunk.length;
    if (chunk.length > 0) buffer.push(chunk);
    if (this.#exchange.closed) return;
    this.#owed -= chunk.length;
    if (this.#owed <= 0) this.#complete();
    else if (this.#held > 0) this.#output.pause();
  }

  /** When the buffer has taken all, the program may go on. */
  #accepted(bytes: number): void {
    this.#held -= bytes;
    if (this.#held === 0) this.#output.resume();
  }

  /** The response is whole, except for what the client has still to take. */
  #complete(): void {
    this.#over();
    this.#buffer?.end();
  }

  #fail(error: SallyportError): void {
    if (this.#state === "over") return;
    this.#exchange.fail(error);
    this.#abandon();
  }

  /** From now on output is thrown away, and the program has `timeout` to end, if there is one. */
  #over(): void {
    this.#state = "over";
    this.#output.resume();
    this.#after(this.#options.timeout, () => this.#abandon());
  }

  /** The program is of no use any more. */
  #abandon(): void {
    if (this.#reaped) return;
    if (this.#state !== "over") this.#over();
    if (this.#exited) this.#child.sweep();
    else void this.#child.stop(this.#options.killGrace);
  }

  async #awaitEnd(): Promise<void> {
    const { exited } = this.#child;
    await Promise.race([this.#outputClosed, exited]);
    await Promise.race([this.#outputClosed, exited.then(() => this.#silence())]);
    const exit = await Promise.race([exited, this.#elapsed(EXIT_AFTER_OUTPUT)]);
    await this.#checkEnd(exit ?? undefined, this.#output.closed);
    if (!this.#output.closed) this.#child.sweep();
  }

  /** Resolves when the output has been silent for a while although we were reading, or is of no use any more. */
  #silence(): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = true;
      const timer = setInterval(() => {
        if (this.#state === "over" || (!this.#heard && !this.#output.isPaused())) resolve();
        this.#heard = false;
      }, SILENCE);
      this.#timers.add(timer);
    });
  }

  /** The meaning of the end of output and program. `exit` is undefined when the program goes on without output. */
  async #checkEnd(exit: Exit | undefined, ended: boolean): Promise<void> {
    if (this.#state === "over") return;
    if (this.#state === "head") return this.#noAnswer(exit);
    const words = `${this.#options.name} ${exit ? describeExit(exit) : "closed its output"}`;
    const cut = exit && (exit.code === null || (!ended && !succeeded(exit)));
    if (cut) return this.#fail(new SallyportError("WORKER_DIED", `${words} in the middle of its response`));
    if (exit && !succeeded(exit)) this.#options.log.warn(`${words} after its response`);
    this.#complete();
  }

  async #noAnswer(exit: Exit | undefined): Promise<void> {
    await Promise.race([this.#child.printed, this.#elapsed(STDERR_AFTER_EXIT)]);
    const how = exit ? describeExit(exit) : "closed its output";
    const text = `${this.#options.name} ${how} without an answer: ${this.#reader.end().message}${this.#faultOf(exit)}`;
    this.#fail(new SallyportError("CGI_NO_HEADER", text, { detail: this.#options.stderr.tail }));
  }

  /** By its exit status, `env` did not find the interpreter that the first line of the script names. */
  #faultOf(exit: Exit | undefined): string {
    const fault = exit?.code === NOT_FOUND ? scriptFault(this.#options.file) : undefined;
    return fault === undefined ? "" : `; ${fault}`;
  }

  #tooSlow(what: string): SallyportError {
    const detail = this.#options.stderr.tail;
    return new SallyportError("APP_TIMEOUT", `${this.#options.name}: ${what}`, { detail });
  }

  /** 0: never. */
  #after(milliseconds: number, action: () => void): NodeJS.Timeout | undefined {
    if (milliseconds === 0) return undefined;
    const timer = setTimeout(action, milliseconds);
    this.#timers.add(timer);
    return timer;
  }

  #elapsed(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#after(milliseconds, resolve));
  }

  #clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const end of this.#child.streams) end?.destroy();
  }
}
