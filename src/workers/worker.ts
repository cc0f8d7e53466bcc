// One process of an application: started, made ready, given streams, ended. The other end is python/sallyport/worker.py.
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { type Log, SallyportError } from "../exchange/index.ts";
import { type Child, describeExit, startChild } from "../processes/index.ts";
import { FROM_WORKER, FrameReader, FrameWriter, TO_WORKER } from "./link.ts";
import type { Carrier, Stream } from "./stream.ts";

export interface WorkerOptions {
  /** Path of the interpreter. */
  readonly python: string;
  /** `module:callable`. */
  readonly app: string;
  /** Working directory, and the first place where modules are looked for. */
  readonly directory: string;
  /** Further places for modules. */
  readonly path: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly threads: number;
  /** How many workers there are in all: `wsgi.multiprocess`. */
  readonly processes: number;
  /** What never changes from request to request. */
  readonly constants: Readonly<Record<string, string>>;
  /** Milliseconds for importing the application. */
  readonly startTimeout: number;
  readonly log: Log;
}

/** Whom a worker tells: its pool. */
export interface WorkerOwner {
  /** There is room for another stream. */
  onRoom(worker: Worker): void;
  /** The process is gone. `unbegun` streams were sent to it but never taken up. */
  onGone(worker: Worker, unbegun: Stream[]): void;
}

type State = "starting" | "ready" | "draining" | "gone";

/** The descriptor of the link in the worker, by agreement with python/sallyport/worker.py. */
const LINK = 3;
const PROGRAM = fileURLToPath(new URL("../../python", import.meta.url));

/** Streams in one worker's hands while it answers each in a moment; spares it a round trip for every request. */
const AHEAD = 16;
/** A request of this many milliseconds is not "a moment": for a while the worker is sent one at a time. */
const SLOW = 4;
const SLOW_PAUSE = 250;
/** Milliseconds for a process that was told to end in the middle of something. */
const KILL_GRACE = 1000;

/** Lines of output kept from a worker that is starting. */
const LAST_LINES = 30;

export class Worker implements Carrier {
  readonly writer: FrameWriter = new FrameWriter();
  readonly log: Log;
  /** What has been sent and is not done, oldest first. */
  readonly streams: Map<number, Stream> = new Map();
  #state: State = "starting";
  #owner: WorkerOwner;
  #options: WorkerOptions;
  #child: Child;
  #link: Socket;
  #lastId = 0;
  #flushing = false;
  #leaves = false;
  #slowUntil = 0;
  /** What it printed while it started: the reason, if it dies of it. */
  #lastLines: string[] = [];
  #started: { resolve(): void; reject(error: SallyportError): void } | undefined;
  /** Resolves once the process is gone and its streams are settled. */
  readonly gone: Promise<void>;

  constructor(options: WorkerOptions, owner: WorkerOwner) {
    this.#options = options;
    this.#owner = owner;
    this.log = options.log;
    this.#child = startChild({
      command: options.python,
      args: [PROGRAM],
      env: { ...inheritedEnv(), ...options.env },
      cwd: options.directory,
      stdio: ["ignore", "lines", "lines", "pipe"],
      online: (line, descriptor) => this.#printed(line, descriptor),
    });
    this.#link = this.#child.streams[LINK] as Socket;
    this.gone = this.#live();
  }

  get state(): State {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How many more streams it may be sent. */
  get room(): number {
    if (this.#state !== "ready") return 0;
    return this.#capacity() - this.streams.size;
  }

  /** Sends INIT; resolves when the application is imported. Rejects with APP_IMPORT or WORKER_DIED, the process ended. */
  async start(): Promise<void> {
    const { app, directory, path, threads, processes, constants } = this.#options;
    this.writer.begin(TO_WORKER.INIT, 0);
    this.writer.value({ app, chdir: directory, path, threads, processes, constants, interface: null });
    this.writer.finish();
    this.flush();
    const timer = setTimeout(() => this.#tooLate(), this.#options.startTimeout);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#started = { resolve, reject };
      });
    } finally {
      clearTimeout(timer);
      this.#started = undefined;
    }
  }

  /** Takes a stream; never fails it for what is wrong with the request: `stream.send` throws and the caller tells. */
  dispatch(stream: Stream, now: number): void {
    this.#lastId = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1;
    stream.send(this, this.#lastId);
    stream.since = now;
    this.streams.set(this.#lastId, stream);
  }

  flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(this.#write);
  }

  done(stream: Stream): void {
    this.streams.delete(stream.id);
    this.#clock(stream);
    this.#owner.onRoom(this);
    if (this.#state === "draining" && this.streams.size === 0) this.#sendStop();
  }

  leaving(): void {
    this.#state = "draining";
    this.#leaves = true;
  }

  /** No new streams; when those it has are done it ends by itself. */
  drain(): void {
    if (this.#state === "gone" || this.#state === "draining") return;
    this.#state = "draining";
    if (this.streams.size === 0) this.#sendStop();
  }

  /** Ends it after `grace` milliseconds at the most, whatever it does. */
  async stop(grace: number): Promise<void> {
    this.drain();
    const timer = setTimeout(() => this.#child.stop(KILL_GRACE), grace);
    await this.gone;
    clearTimeout(timer);
  }

  /** It hangs: has Python write down where (SIGABRT with faulthandler), then kills it. */
  abort(): void {
    this.#state = "draining";
    this.#child.signal("SIGABRT");
    setTimeout(() => this.#child.signal("SIGKILL"), KILL_GRACE).unref();
  }

  /** The stream that is being worked on, where it is one at a time. */
  get current(): Stream | undefined {
    return this.streams.values().next().value;
  }

  get inline(): boolean {
    return this.#options.threads === 1;
  }

  #capacity(): number {
    if (this.#options.threads > 1) return this.#options.threads;
    return performance.now() < this.#slowUntil ? 1 : AHEAD;
  }

  /** What came to be current starts now; what took long tells that the next may too. */
  #clock(finished: Stream): void {
    if (!this.inline) return;
    const now = performance.now();
    if (now - finished.since > SLOW) this.#slowUntil = now + SLOW_PAUSE;
    const current = this.current;
    if (current) current.since = now;
  }

  #write = (): void => {
    this.#flushing = false;
    if (this.writer.length > 0 && this.#link.writable) this.#link.write(this.writer.take());
  };

  async #live(): Promise<void> {
    const closed = this.#read();
    const exit = await this.#child.exited;
    await closed;
    this.#state = "gone";
    const how = describeExit(exit);
    this.#started?.reject(exit.failure ?? this.#diedYoung(how));
    const [inside, unbegun] = this.#split();
    const died = `the worker that ran the request ${how}`;
    for (const stream of inside) stream.fail(new SallyportError("WORKER_DIED", died));
    for (const stream of unbegun) stream.reclaim();
    this.streams.clear();
    this.#owner.onGone(this, unbegun);
  }

  /** Which were begun: one at a time and in order, only the oldest; with threads, all; if it left by itself, none. */
  #split(): [Stream[], Stream[]] {
    const streams = [...this.streams.values()];
    if (this.#leaves) return [[], streams];
    return this.inline ? [streams.slice(0, 1), streams.slice(1)] : [streams, []];
  }

  /** Reads the link to its end. */
  #read(): Promise<void> {
    const reader = new FrameReader((kind, id, payload) => this.#frame(kind, id, payload));
    this.#link.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#broken(error);
      }
    });
    this.#link.on("error", () => {}); // it closes next, and the exit says why
    return new Promise((resolve) => this.#link.once("close", () => resolve()));
  }

  #frame(kind: number, id: number, payload: Buffer): void {
    if (kind === FROM_WORKER.READY) this.#ready();
    else if (kind === FROM_WORKER.FAILED) this.#failed(payload);
    else this.streams.get(id)?.receive(kind, payload);
  }

  #ready(): void {
    if (this.#state !== "starting") return;
    this.#state = "ready";
    this.#lastLines = [];
    this.#started?.resolve();
  }

  #diedYoung(how: string): SallyportError {
    const { app, python } = this.#options;
    const detail = this.#lastLines.join("\n") || undefined;
    return new SallyportError("APP_IMPORT", `${python} ${how} while it imported ${app}`, { detail });
  }

  #failed(payload: Buffer): void {
    const { message, detail } = JSON.parse(payload.toString("utf8")) as Record<string, string>;
    this.#started?.reject(new SallyportError("APP_IMPORT", message ?? "", { detail: detail || undefined }));
  }

  #tooLate(): void {
    const seconds = this.#options.startTimeout / 1000;
    const message = `${this.#options.app} was not imported within ${seconds} s`;
    this.#started?.reject(new SallyportError("APP_IMPORT", message));
    this.abort();
  }

  #broken(error: unknown): void {
    const { message } = SallyportError.from(error);
    this.log.error(`the link to worker ${this.pid} is broken: ${message}`, {
      code: "ERR_SALLYPORT_LINK_BROKEN",
    });
    this.#link.destroy();
    this.#child.signal("SIGKILL");
  }

  /** What the application prints, on standard output or `wsgi.errors`, is our log's. */
  #printed(line: string, descriptor: number): void {
    if (this.#state === "starting") this.#lastLines.push(line);
    if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
    if (descriptor === 1) this.log.info(line, { worker: this.pid });
    else this.log.warn(line, { worker: this.pid });
  }

  #sendStop(): void {
    this.writer.frame(TO_WORKER.STOP, 0);
    this.flush();
  }
}

function inheritedEnv(): Record<string, string> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
