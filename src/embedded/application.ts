// A WSGI application in this process: the frames of the link are carried by calls into Python instead of a socket. The other
// side is python/sallyport/embedded/application.py. A call blocks the event loop until the application answers.
// Tested by test/embedded/contract.test.ts.
import { type Log, type ProcessStacks, SallyportError } from "../exchange/index.ts";
import { waitUntil } from "../exchange/wait.ts";
import type { RecyclingOptions } from "../options/processes.ts";
import { ApplicationOutput, escapeBytes } from "../processes/index.ts";
import { CommonParts } from "../workers/common-parts.ts";
import { importFailure } from "../workers/import-failure.ts";
import type { EventLoopOptions, PoolOptions, Runner, RunnerStatus, ThreadOptions } from "../workers/index.ts";
import { FROM_WORKER, FrameReader, FrameWriter, type Payload, TO_WORKER } from "../workers/link.ts";
import { marshal } from "../workers/marshal.ts";
import { RequestQueue } from "../workers/queue.ts";
import { type InterpreterFacts, type Runtime, runtimeOf } from "../workers/runtime.ts";
import type { StreamTransport, WorkerStream } from "../workers/stream.ts";
import { Streams } from "../workers/streams.ts";
import { type Entry, Interpreter } from "./interpreter.ts";

export interface EmbeddedOptions
  extends Omit<
    PoolOptions,
    | keyof ThreadOptions
    | keyof EventLoopOptions
    | keyof RecyclingOptions
    | "interface"
    | "processes"
    | "timeout"
  > {
  /** Milliseconds of one call after which the application is named in the log; 0 for never. */
  readonly slowCall: number;
}

/** Flags of calls and of their results: the same as in python/sallyport/embedded/application.py. */
const MORE_COMES = 1;
const FETCH = 2;
const STEP = 4;
const MORE_IS_HERE = 1 << 30;
const RUNNABLE = 1 << 29;
const SIZE = RUNNABLE - 1;

/** In a PRINTED frame, instead of a descriptor: a record. */
const RECORD = 3;

/** Milliseconds between two calls that fetch what threads of the application have printed. */
const TICK = 250;
/** Milliseconds between two warnings of slow calls. */
const WARN_INTERVAL = 10_000;

export class EmbeddedApplication implements StreamTransport, Runner {
  readonly interface = "wsgi";
  readonly writer: FrameWriter;
  readonly commonParts: CommonParts = new CommonParts();
  readonly log: Log;
  readonly #options: EmbeddedOptions;
  readonly #streams = new Streams();
  #reader = this.#newReader();
  /** Requests of this turn of the loop. */
  readonly #accepted: WorkerStream[] = [];
  readonly #queue: RequestQueue;
  readonly #output: ApplicationOutput;
  /** Responses that may be open at once, as READY says. */
  #maxOpen = Number.POSITIVE_INFINITY;
  #entry: Entry | undefined;
  /** That it has been given. */
  #requests = 0;
  #runtime: Runtime | undefined;
  /** A call is running, or its frames are being read. */
  #busy = false;
  #stepScheduled = false;
  #failure: SallyportError | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EmbeddedOptions) {
    this.#options = options;
    this.log = options.log;
    this.#output = new ApplicationOutput(options.log, () => ({ pid: process.pid }));
    this.#queue = new RequestQueue(options, "response slot");
    this.writer = new FrameWriter(this.#flush);
  }

  /** Imports the application. Rejects with PYTHON_NOT_FOUND or APP_IMPORT. */
  async start(): Promise<void> {
    const { app, chdir, path, env, serverProcesses, constants, startTimeout, python } = this.#options;
    this.#entry = (await Interpreter.of(python)).open();
    const init = {
      app,
      directory: chdir,
      path,
      env,
      processes: serverProcesses,
      constants,
      startTimeout,
      interface: null,
    };
    this.writer.text(TO_WORKER.INIT, 0, marshal(init));
    this.#flush();
    if (this.#failure) {
      this.#output.end();
      throw this.#failure;
    }
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  /** The application answers, up to its first block, at the end of this turn of the loop or soon after. */
  submit(stream: WorkerStream): void {
    if (this.#isFull()) this.#queue.add(stream);
    else this.#accept(stream);
  }

  #accept(stream: WorkerStream): void {
    this.#accepted.push(stream);
    if (this.#accepted.length === 1) setImmediate(this.#beginAccepted);
  }

  /** One call for all requests of a turn of the loop: V8's and Python's code push each other out of the caches. */
  readonly #beginAccepted = (): void => {
    const accepted = this.#accepted.splice(0);
    this.#exclusively(() => {
      for (const stream of accepted) this.#begin(stream);
    });
    this.#flush();
    this.#acceptQueued(); // some may not have begun
  };

  #isFull(): boolean {
    return this.#streams.size + this.#accepted.length >= this.#maxOpen;
  }

  #acceptQueued(): void {
    while (this.#queue.waiting.length > 0 && !this.#isFull()) {
      const stream = this.#queue.next();
      if (stream) this.#accept(stream);
    }
  }

  #begin(stream: WorkerStream): void {
    if (stream.exchange.closed) return;
    const id = this.#streams.nextId();
    this.#requests++;
    stream.exchange.trace?.handedOver();
    try {
      stream.send(this, id);
      this.#streams.add(id, stream);
    } catch (error) {
      stream.fail(SallyportError.from(error));
    }
  }

  /** Python keeps the modules that it has imported: those of a new version would meet those of the old. */
  async reload(): Promise<void> {
    const { app } = this.#options;
    throw new SallyportError(
      "APP_IMPORT",
      `${app} is embedded and lives as long as its server process: serve it by the command line, which replaces server processes, or use daemon mode`,
    );
  }

  status(): RunnerStatus {
    return {
      ...this.#runtime,
      waiting: this.#queue.waiting.length,
      processes: [],
      requests: this.#requests,
      restarts: 0,
    };
  }

  /** A call blocks this very process: whenever it can be asked, there is none. */
  async stacks(): Promise<ProcessStacks[]> {
    const reason =
      "the application is embedded: its calls hold the server process, which can say nothing meanwhile; in daemon mode there are stacks";
    return [{ pid: process.pid, requests: [], others: this.#streams.size, reason }];
  }

  scale(): void {
    throw new SallyportError(
      "NOT_SCALABLE",
      `${this.#options.app} is embedded: it has no processes of its own, but those of the server (serverProcesses)`,
    );
  }

  leave(): void {}

  /** Lets what is under way finish for `grace` milliseconds, then runs the application's exit functions. */
  async close(grace: number): Promise<void> {
    await waitUntil(() => this.#isIdle, grace);
    clearInterval(this.#timer);
    this.#queue.close();
    for (const stream of this.#accepted.splice(0)) stream.fail(stopping());
    for (const stream of this.#streams.all()) stream.giveUp(stopping());
    if (!this.#entry) return;
    this.writer.text(TO_WORKER.STOP, 0, "");
    this.#flush();
    this.#output.end();
  }

  get #isIdle(): boolean {
    return this.#streams.size + this.#accepted.length === 0 && this.#queue.idle;
  }

  // What streams need of a transport.

  done(stream: WorkerStream): void {
    this.#streams.delete(stream.id);
    this.#acceptQueued();
  }

  leaving(): void {}

  returned(): void {}

  streaming(): void {}

  // Calls.

  /**
   * Passes on all frames that were written; during a call, its caller does that when the call has returned. What the application
   * sends in answer may be taken at once, and more be granted: that waits for the next turn of the loop, or a whole response
   * would be made in this one.
   */
  readonly #flush = (): void => {
    if (this.#busy || this.writer.length === 0) return;
    this.#exclusively(() => this.#pass(this.writer.take()));
    if (this.writer.length > 0) this.#scheduleStep();
  };

  /** In one call, or in several where the memory is too small. */
  #pass(pieces: readonly (string | Uint8Array)[]): void {
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
        if (!this.#call(at, MORE_COMES)) return;
        at = 0;
      }
    }
    this.#call(at, 0);
  }

  /** False if Python has failed, and lost what it was given. */
  #call(size: number, flags: number): boolean {
    const { call, sent } = this.#entry as Entry;
    const begun = performance.now();
    let answer = call(size, flags);
    this.#warnIfSlow(begun);
    let readable = true;
    for (;;) {
      if (answer < 0) {
        this.commonParts.clear(); // some may be among what it has not read
        this.#failAll(new SallyportError("INTERNAL", "the embedded interpreter failed; see its message"));
        return false;
      }
      if (readable && answer & SIZE) readable = this.#read(sent.subarray(0, answer & SIZE));
      if ((answer & MORE_IS_HERE) === 0) break;
      answer = call(0, FETCH);
    }
    // Python has sent all it had, so its next bytes begin with a whole frame.
    if (!readable) this.#reader = this.#newReader();
    if (answer & RUNNABLE) this.#scheduleStep();
    return true;
  }

  #newReader(): FrameReader {
    return new FrameReader((kind, id, payload) => this.#frame(kind, id, payload));
  }

  /** False if these bytes are no frames; the rest of this result then cannot be read either. */
  #read(data: Buffer): boolean {
    try {
      this.#reader.push(data);
      return true;
    } catch (error) {
      this.#failAll(SallyportError.from(error));
      return false;
    }
  }

  /**
   * Fails the requests under way; the server goes on. The application learns that they are over: their iterables are closed
   * (PEP 3333, "Specification Details").
   */
  #failAll(error: SallyportError): void {
    this.#failure ??= error;
    this.log.error(error.message, { code: error.code });
    const streams = this.#streams.all();
    this.#streams.clear();
    for (const stream of streams) {
      this.writer.text(TO_WORKER.CANCEL, stream.id, "");
      stream.lose(error);
    }
    this.#acceptQueued();
  }

  /** The rest of a response is made block by block, with a turn of the loop between two calls. */
  #scheduleStep(): void {
    if (this.#stepScheduled) return;
    this.#stepScheduled = true;
    setImmediate(this.#step);
  }

  readonly #step = (): void => {
    this.#stepScheduled = false;
    if (this.#busy) return this.#scheduleStep();
    this.#exclusively(() => this.#call(0, STEP));
    this.#flush();
  };

  #tick(): void {
    this.#queue.expire();
    if (this.#busy) return;
    this.#exclusively(() => this.#call(0, FETCH));
    this.#flush();
  }

  /** One call at a time: frames that are written meanwhile wait for the next one. */
  #exclusively(act: () => void): void {
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
    const ready = JSON.parse(payload.toString("utf8")) as InterpreterFacts & { readonly open: number };
    this.#maxOpen = ready.open;
    this.#runtime = runtimeOf(ready);
  }

  #failed(payload: Buffer): void {
    this.#failure = importFailure(payload, this.#options);
  }

  #printed(text: string, descriptor: number): void {
    if (descriptor === RECORD) this.#output.record(text, 2);
    else this.#output.line(escapeBytes(text), descriptor);
  }

  #warnIfSlow(begun: number): void {
    const now = performance.now();
    const { slowCall, app } = this.#options;
    if (slowCall === 0 || now - begun < slowCall || now - this.#warnedAt < WARN_INTERVAL) return;
    this.#warnedAt = now;
    const seconds = ((now - begun) / 1000).toFixed(1);
    this.log.warn(`${app} held this server process for ${seconds} s in one call; see "Embedded or daemon?"`);
  }
}

const stopping = (): SallyportError => new SallyportError("STOPPING", "the application is being stopped");

/** Copies `size` bytes of `piece`, beginning at `from`, to `at`. */
function put(memory: Buffer, at: number, piece: string | Uint8Array, from: number, size: number): void {
  if (typeof piece !== "string") memory.set(piece.subarray(from, from + size), at);
  else memory.write(size === piece.length ? piece : piece.slice(from, from + size), at, size, "latin1");
}
