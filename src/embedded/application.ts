// A WSGI application in this process: streams, and the frames of the link, but carried by calls into Python instead of a
// socket. The other side is python/sallyport/embedded.py. A call blocks the event loop until the application answers.
import { type Log, SallyportError } from "../exchange/index.ts";
import { escapeBytes } from "../processes/index.ts";
import { Commons } from "../workers/commons.ts";
import type { PoolOptions, Runner } from "../workers/index.ts";
import { FROM_WORKER, FrameReader, FrameWriter, type Payload, TO_WORKER } from "../workers/link.ts";
import { marshal } from "../workers/marshal.ts";
import type { StreamTransport, WorkerStream } from "../workers/stream.ts";
import { Streams } from "../workers/streams.ts";
import { type Entry, Interpreter } from "./interpreter.ts";
import { Queue } from "./queue.ts";

export interface EmbeddedOptions
  extends Pick<
    PoolOptions,
    "app" | "python" | "directory" | "path" | "env" | "serverProcesses" | "constants" | "startTimeout" | "log"
  > {
  /** Milliseconds of one call after which the application is named in the log; 0 for never. */
  readonly slowCall: number;
}

/** As python/sallyport/embedded.py has them. */
const MORE_COMES = 1;
const FETCH = 2;
const STEP = 4;
const MORE_IS_HERE = 1 << 30;
const RUNNABLE = 1 << 29;
const SIZE = RUNNABLE - 1;

/** How often what threads of the application's printed is asked for, in milliseconds. */
const TICK = 250;
/** Slow calls are told at most this often, in milliseconds. */
const TOLD = 10_000;

export class EmbeddedApplication implements StreamTransport, Runner {
  readonly interface = "wsgi";
  readonly writer: FrameWriter = new FrameWriter();
  readonly commons: Commons = new Commons();
  readonly log: Log;
  readonly #options: EmbeddedOptions;
  readonly #streams = new Streams();
  #reader = this.#newReader();
  /** Requests of this turn of the loop. */
  readonly #waiting: WorkerStream[] = [];
  readonly #queue = new Queue();
  /** Responses that may be open at once, as Python says. */
  #most = Number.POSITIVE_INFINITY;
  readonly #answer = (): void => this.#answerWaiting();
  readonly #step = (): void => this.#breathed();
  #entry: Entry | undefined;
  /** A call is on, or what it answered is being handed out. */
  #busy = false;
  #stepping = false;
  #failure: SallyportError | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EmbeddedOptions) {
    this.#options = options;
    this.log = options.log;
  }

  /** Imports the application. Rejects with PYTHON_NOT_FOUND or APP_IMPORT. */
  async start(): Promise<void> {
    const { app, directory, path, env, serverProcesses, constants, startTimeout, python } = this.#options;
    this.#entry = (await Interpreter.of(python)).open();
    const init = { app, path, env, constants, startTimeout, processes: serverProcesses, chdir: directory };
    this.writer.text(TO_WORKER.INIT, 0, marshal({ ...init, interface: null }));
    this.flush();
    if (this.#failure) throw this.#failure;
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  /** Has the application answer, to its first block, at the end of this turn of the loop or soon after. */
  submit(stream: WorkerStream): void {
    if (this.#isFull()) this.#queue.add(stream);
    else this.#accept(stream);
  }

  #accept(stream: WorkerStream): void {
    this.#waiting.push(stream);
    if (this.#waiting.length === 1) setImmediate(this.#answer);
  }

  /** What one turn of the loop has brought goes in one call: V8's and Python's code push each other out of the caches. */
  #answerWaiting(): void {
    const waiting = this.#waiting.splice(0);
    this.#alone(() => {
      for (const stream of waiting) this.#begin(stream);
    });
    this.flush();
    this.#admit(); // some may not have begun
  }

  #isFull(): boolean {
    return this.#streams.size + this.#waiting.length >= this.#most;
  }

  /** A response has ended: there is room for another. */
  #admit(): void {
    while (this.#queue.length > 0 && !this.#isFull()) {
      const stream = this.#queue.next();
      if (stream) this.#accept(stream);
    }
  }

  #begin(stream: WorkerStream): void {
    if (stream.exchange.closed) return;
    const id = this.#streams.nextId();
    try {
      stream.send(this, id);
      this.#streams.add(id, stream);
    } catch (error) {
      stream.fail(SallyportError.from(error));
    }
  }

  /** What Python has imported it keeps; modules of a new version would meet those of the old. */
  async reload(): Promise<void> {
    const { app } = this.#options;
    throw new SallyportError(
      "APP_IMPORT",
      `${app} is embedded and lives as long as its server process: serve it by the command line, which replaces server processes, or use daemon mode`,
    );
  }

  leave(): void {}

  /** Runs the application's exit functions. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const stream of [...this.#waiting.splice(0), ...this.#queue.clear()])
      stream.fail(new SallyportError("STOPPING", "the application is being stopped"));
    if (!this.#entry) return;
    this.writer.text(TO_WORKER.STOP, 0, "");
    this.flush();
  }

  // What streams ask of a carrier.

  flush(): void {
    if (this.#busy) return;
    this.#alone(() => {
      while (this.writer.length > 0) this.#hand(this.writer.take());
    });
  }

  done(stream: WorkerStream): void {
    this.#streams.delete(stream.id);
    this.#admit();
  }

  leaving(): void {}

  // Calls.

  /** In one call, or in as many as there are pieces of the memory's size. */
  #hand(pieces: readonly (string | Uint8Array)[]): void {
    const { received } = this.#entry as Entry;
    let left = pieces.reduce((sum, { length }) => sum + length, 0);
    let at = 0;
    for (const piece of pieces) {
      for (let from = 0; from < piece.length; ) {
        const size = Math.min(piece.length - from, received.length - at);
        put(received, at, piece, from, size);
        from += size;
        at += size;
        left -= size;
        if (at < received.length || left === 0) continue;
        this.#call(at, MORE_COMES);
        at = 0;
      }
    }
    this.#call(at, 0);
  }

  #call(size: number, flags: number): void {
    const { call, sent } = this.#entry as Entry;
    const begun = performance.now();
    let answer = call(size, flags);
    this.#clock(begun);
    let readable = true;
    for (;;) {
      if (answer < 0)
        return this.#lose(new SallyportError("INTERNAL", "the embedded interpreter failed; see its message"));
      if (readable && answer & SIZE) readable = this.#read(sent.subarray(0, answer & SIZE));
      if ((answer & MORE_IS_HERE) === 0) break;
      answer = call(0, FETCH);
    }
    // All that was to be sent has been: what comes next begins with a frame.
    if (!readable) this.#reader = this.#newReader();
    if (answer & RUNNABLE) this.#breathe();
  }

  #newReader(): FrameReader {
    return new FrameReader((kind, id, payload) => this.#frame(kind, id, payload));
  }

  /** False when these bytes are no frames: then nor is what comes with them. */
  #read(data: Buffer): boolean {
    try {
      this.#reader.push(data);
      return true;
    } catch (error) {
      this.#lose(SallyportError.from(error));
      return false;
    }
  }

  /** What is under way cannot be answered any more; the server can. */
  #lose(error: SallyportError): void {
    this.#failure ??= error;
    this.log.error(error.message, { code: error.code });
    for (const stream of this.#streams.all()) {
      stream.fail(error); // which tells Python, too
      stream.lose(error);
    }
    this.#streams.clear();
  }

  /** The rest of a response is asked for block by block, with a turn of the loop between. */
  #breathe(): void {
    if (this.#stepping) return;
    this.#stepping = true;
    setImmediate(this.#step);
  }

  #breathed(): void {
    this.#stepping = false;
    if (this.#busy) return this.#breathe();
    this.#alone(() => this.#call(0, STEP));
    this.flush();
  }

  #tick(): void {
    this.#queue.expire();
    if (this.#busy) return;
    this.#alone(() => this.#call(0, FETCH));
    this.flush();
  }

  /** One call at a time: what an answer gives rise to is asked for after it. */
  #alone(act: () => void): void {
    this.#busy = true;
    try {
      act();
    } finally {
      this.#busy = false;
    }
  }

  #frame(kind: number, id: number, payload: Payload): void {
    if (kind === FROM_WORKER.FAILED) this.#failed(payload.bytes);
    else if (kind === FROM_WORKER.PRINTED) this.#printed(payload.bytes.toString("utf8"), id);
    else if (kind === FROM_WORKER.READY) this.#ready(payload.bytes);
    else this.#streams.get(id)?.receive(kind, payload);
  }

  #ready(payload: Buffer): void {
    this.#most = (JSON.parse(payload.toString("utf8")) as { readonly open: number }).open;
  }

  #failed(payload: Buffer): void {
    const { message, detail } = JSON.parse(payload.toString("utf8")) as Record<string, string>;
    this.#failure = new SallyportError("APP_IMPORT", message ?? "", { detail: detail || undefined });
  }

  #printed(text: string, descriptor: number): void {
    const line = escapeBytes(text);
    if (descriptor === 1) this.log.info(line);
    else this.log.warn(line);
  }

  #clock(begun: number): void {
    const now = performance.now();
    const { slowCall, app } = this.#options;
    if (slowCall === 0 || now - begun < slowCall || now - this.#toldAt < TOLD) return;
    this.#toldAt = now;
    const seconds = ((now - begun) / 1000).toFixed(1);
    this.log.warn(`${app} held this server process for ${seconds} s in one call; see "Embedded or daemon?"`);
  }
}

function put(memory: Buffer, at: number, piece: string | Uint8Array, from: number, size: number): void {
  if (typeof piece !== "string") memory.set(piece.subarray(from, from + size), at);
  else memory.write(size === piece.length ? piece : piece.slice(from, from + size), at, size, "latin1");
}
