// One process of an application: started, made ready, given streams, ended. The other end is python/sallyport/worker.py.
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { type Log, SallyportError } from "../exchange/index.ts";
import { type Child, describeExit, startChild } from "../processes/index.ts";
import { shareReadBuffer } from "../sockets/accepted.ts";
import { Arrivals, type Last } from "./arrivals.ts";
import { type ConcurrencyMode, concurrencyModeOf, PREFETCH } from "./capacity.ts";
import { Commons } from "./commons.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Interface } from "./interface.ts";
import { FROM_WORKER, type FrameHandler, FrameWriter, type Payload, TO_WORKER } from "./link.ts";
import { marshal } from "./marshal.ts";
import type { WorkerOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { Start } from "./start.ts";
import type { StreamTransport, WorkerStream } from "./stream.ts";
import { Streams } from "./streams.ts";

/** Whom a worker tells: its pool. */
export interface WorkerOwner {
  /** There is room for another stream. */
  onRoom(worker: Worker): void;
  /** The process is gone. `unbegun` streams were sent to it but never taken up. */
  onGone(worker: Worker, unbegun: WorkerStream[]): void;
}

type State = "starting" | "ready" | "draining" | "gone";

/** The descriptor of the link in the worker, by agreement with python/sallyport/worker.py. */
const LINK = 3;
const PROGRAM = fileURLToPath(new URL("../../python", import.meta.url));

/** Milliseconds for a process that was told to end in the middle of something. */
const KILL_GRACE = 1000;
/** The same where it ends with the application's own shutdown (lifespan), for which Python allows as much. */
const SHUTDOWN_GRACE = 12_000;

/** So many requests leave without waiting for the end of the turn. */
const TOGETHER = 16;

/** Bytes that a worker has not read yet; above this it gets no new streams. */
const LINK_FULL = 4_194_304;

export class Worker implements StreamTransport {
  readonly writer: FrameWriter = new FrameWriter();
  readonly commons: Commons = new Commons();
  readonly log: Log;
  /** What has been sent and is not done. */
  readonly streams: Streams = new Streams();
  #state: State = "starting";
  #owner: WorkerOwner;
  #options: WorkerOptions;
  #child: Child;
  #link: Socket;
  readonly #arrivals: Arrivals;
  /** What it tells in memory that outlives it: finished answers, where they leave together, and what it has read. */
  readonly #outbox: Outbox | undefined;
  readonly #isBusy = (): boolean => this.#state !== "gone" && this.streams.size > 0;
  #taken = 0;
  /** Requests after which it is due. */
  readonly #share: number;
  #flushing = false;
  /** Requests that wait for the end of this turn. */
  #unsent = 0;
  #leaves = false;
  readonly #start: Start;
  #interface: Interface | undefined;
  #concurrencyMode: ConcurrencyMode = "inline";
  /** Requests that may be sent to it while it answers others. */
  #prefetch = PREFETCH;
  readonly #heartbeat: Heartbeat = new Heartbeat();
  /** Resolves once the process is gone and its streams are settled. */
  readonly gone: Promise<void>;

  /** `predecessors`: what the workers before it found out; another interface is refused. */
  constructor(options: WorkerOptions, owner: WorkerOwner, predecessors: Interface | undefined) {
    this.#options = options;
    this.#owner = owner;
    this.#start = new Start(options, predecessors);
    this.#share = shareOf(options.maxRequests);
    this.log = options.log;
    this.#outbox = Outbox.open();
    this.#child = startChild({
      command: options.python,
      args: [PROGRAM],
      env: { ...inheritedEnv(), ...options.env },
      cwd: options.directory,
      stdio: ["ignore", "lines", "lines", "pipe", this.#outbox?.descriptor ?? "ignore"],
      online: (line, descriptor) => this.#printed(line, descriptor),
    });
    // There is none where the process could not be started: its end tells why.
    const link = this.#child.streams[LINK];
    this.#link = link ? shareReadBuffer(link) : new Socket().destroy();
    const onFrame: FrameHandler = (kind, id, payload) => this.#frame(kind, id, payload);
    this.#arrivals = new Arrivals(this.#link, this.#outbox, onFrame, (error) => this.#broken(error));
    this.gone = this.#live();
  }

  get state(): State {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What its application is written for; undefined until it is ready. */
  get interface(): Interface | undefined {
    return this.#interface;
  }

  get concurrencyMode(): ConcurrencyMode {
    return this.#concurrencyMode;
  }

  /** Its event loop does not answer. */
  get blocked(): boolean {
    return this.#heartbeat.blocked;
  }

  /** It was ready, and has been given work. */
  get servedOnce(): boolean {
    return this.#taken > 0;
  }

  /** It has taken as many requests as one process should. */
  get retiring(): boolean {
    return this.#taken >= this.#share;
  }

  /** How many more streams it may be sent. */
  get room(): number {
    if (this.#state !== "ready" || this.#link.writableLength > LINK_FULL) return 0;
    return this.#capacity() - this.streams.size;
  }

  /** Sends INIT; resolves when the application is imported. Rejects with APP_IMPORT or WORKER_DIED, the process ended. */
  async start(): Promise<void> {
    const { app, directory, path, threads, constants, lifespan, loop, pathsend } = this.#options;
    const processes = this.#options.processes * this.#options.serverProcesses;
    const shared = { app, chdir: directory, path, processes, interface: this.#options.interface ?? null };
    const outbox = this.#outbox ? true : null;
    const init = marshal({
      ...shared,
      threads,
      constants,
      lifespan,
      loop,
      outbox,
      pathsend: pathsend || null,
    });
    this.writer.text(TO_WORKER.INIT, 0, init);
    this.flush();
    await this.#start.ready(() => this.abort());
  }

  /** Takes a stream; never fails it for what is wrong with the request: `stream.send` throws and the caller tells. */
  dispatch(stream: WorkerStream): void {
    this.#taken++;
    const id = this.streams.nextId();
    stream.send(this, id);
    stream.since = 0;
    this.streams.add(id, stream);
    // The worker begins with the first ones while we read on.
    if (++this.#unsent === TOGETHER) this.#write();
  }

  flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(this.#turnEnded);
  }

  done(stream: WorkerStream): void {
    this.streams.delete(stream.id);
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
    const timer = setTimeout(() => this.#end(), grace);
    await this.gone;
    clearTimeout(timer);
  }

  #end(): void {
    const hasShutdown = this.#concurrencyMode === "loop";
    if (hasShutdown)
      this.giveUp(new SallyportError("STOPPING", "the application was stopped in the middle of the request"));
    void this.#child.stop(hasShutdown ? SHUTDOWN_GRACE : KILL_GRACE);
  }

  /** It hangs: has Python write down where (SIGABRT with faulthandler), then kills it. */
  abort(): void {
    this.#state = "draining";
    this.#child.signal("SIGABRT");
    setTimeout(() => this.#child.signal("SIGKILL"), KILL_GRACE).unref();
  }

  /** The streams that were begun: one at a time and in order, only the oldest. */
  get begun(): WorkerStream[] {
    const streams = this.streams.all();
    return this.#concurrencyMode === "inline" ? streams.slice(0, 1) : streams;
  }

  /** Tells what would never end by itself to end. */
  leave(): void {
    for (const stream of this.streams.all()) stream.leave();
  }

  /** Gives up on all that it still has. */
  giveUp(error: SallyportError): void {
    for (const stream of this.streams.all()) stream.giveUp(error);
  }

  /** Another `milliseconds` have passed: an event loop that has streams and says nothing is asked for a sign of life. */
  tick(milliseconds: number): void {
    if (this.streams.size === 0) this.#heartbeat.heard();
    else if (this.#heartbeat.tick(milliseconds)) this.#ping();
    if (this.#heartbeat.becameBlocked) this.#tellBlocked();
  }

  /** Milliseconds for which its event loop has not answered. */
  get unanswered(): number {
    return this.#heartbeat.unanswered;
  }

  #ping(): void {
    this.writer.text(TO_WORKER.PING, 0, "");
    this.flush();
  }

  /** Where it is blocked the worker says itself, if it still can. */
  #tellBlocked(): void {
    const { app } = this.#options;
    const message = `the event loop of worker ${this.pid} does not answer; new requests go to others, if there are any`;
    this.log.warn(message, { app, streams: this.streams.size });
  }

  #capacity(): number {
    const { threads, concurrency } = this.#options;
    if (this.#concurrencyMode === "loop") return concurrency;
    return this.#concurrencyMode === "threads" ? threads : this.#prefetch;
  }

  readonly #turnEnded = (): void => {
    this.#flushing = false;
    this.#write();
  };

  #write(): void {
    const link = this.#link;
    if (this.writer.length === 0 || !link.writable) return;
    if (this.#concurrencyMode === "inline") this.#arrivals.watch(this.#isBusy);
    this.#unsent = 0;
    const pieces = this.writer.take();
    if (pieces.length > 1) link.cork();
    for (const piece of pieces) link.write(piece, "latin1");
    if (pieces.length > 1) link.uncork();
  }

  async #live(): Promise<void> {
    const closed = this.#linkClosed();
    const exit = await this.#child.exited;
    await closed;
    this.#state = "gone"; // before anything can be given to it
    const last = this.#arrivals.finish();
    this.#start.died(exit);
    const [inside, unbegun] = this.#split(last);
    const died = `the worker that ran the request ${describeExit(exit)}`;
    for (const stream of inside) stream.lose(new SallyportError("WORKER_DIED", died));
    for (const stream of unbegun) stream.reclaim();
    this.streams.clear();
    this.commons.clear();
    this.#owner.onGone(this, unbegun);
  }

  /** Which were begun, and which were not: if it left by itself, none but in an event loop, where all are. */
  #split(last: Last | undefined): [WorkerStream[], WorkerStream[]] {
    const begun = this.#leaves && this.#concurrencyMode !== "loop" ? [] : this.#inside(last);
    return [begun, this.streams.all().filter((stream) => !begun.includes(stream))];
  }

  /** What it was inside when it died: the one that it named, or all that it had read. */
  #inside(last: Last | undefined): WorkerStream[] {
    if (!last) return this.begun;
    if (this.#concurrencyMode !== "inline") return this.begun.filter(({ sentTo }) => sentTo <= last.taken);
    const stream = this.streams.get(last.inside);
    return stream ? [stream] : [];
  }

  /** Resolves when the link has been read to its end. */
  #linkClosed(): Promise<void> {
    this.#link.on("drain", () => this.#owner.onRoom(this));
    this.#link.on("error", () => {}); // it closes next, and the exit says why
    return new Promise((resolve) => this.#link.once("close", () => resolve()));
  }

  #frame(kind: number, id: number, payload: Payload): void {
    if (this.#concurrencyMode === "loop" && this.#heartbeat.heard())
      this.log.info(`the event loop of worker ${this.pid} answers again`);
    const stream = this.streams.get(id);
    if (stream) stream.receive(kind, payload);
    else if (kind === FROM_WORKER.AHEAD) this.#paced(payload.uint32(0));
    else if (kind === FROM_WORKER.READY) this.#ready(payload.bytes);
    else if (kind === FROM_WORKER.FAILED) this.#start.failed(payload.bytes);
  }

  #paced(ahead: number): void {
    this.#prefetch = ahead;
    this.#owner.onRoom(this);
  }

  #ready(payload: Buffer): void {
    const spoken = this.#state === "starting" ? this.#start.read(payload) : undefined;
    if (spoken === undefined) return;
    this.#interface = spoken;
    this.#concurrencyMode = concurrencyModeOf(spoken, this.#options.threads);
    this.#state = "ready";
    this.#start.succeeded();
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
    if (this.#state === "starting") this.#start.printed(line);
    if (descriptor === 1) this.log.info(line, { worker: this.pid });
    else this.log.warn(line, { worker: this.pid });
  }

  #sendStop(): void {
    this.writer.text(TO_WORKER.STOP, 0, "");
    this.flush();
  }
}

/** Up to a tenth less than the most, so that workers of one age do not all go at once. */
const shareOf = (most: number): number =>
  most === 0 ? Number.POSITIVE_INFINITY : Math.ceil(most * (1 - Math.random() / 10));

function inheritedEnv(): Record<string, string> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
