// One process of an application: started, made ready, given streams, ended. The other end is python/sallyport/worker.py.
// Tested by test/workers/max-requests.test.ts.
import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Leaving,
  type Log,
  type ProcessStacks,
  type ProcessState,
  type ProcessStatus,
  SallyportError,
} from "../exchange/index.ts";
import { timerDelay } from "../exchange/wait.ts";
import {
  ApplicationOutput,
  type Child,
  describeExit,
  type Exit,
  inheritedEnvironment,
  isolated,
  Lifespan,
  memoryOf,
  startChild,
} from "../processes/index.ts";
import { shareReadBuffer } from "../sockets/accepted.ts";
import { Capacity } from "./capacity.ts";
import { CommonParts } from "./common-parts.ts";
import { Ending } from "./ending.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Interface } from "./interface.ts";
import { FROM_WORKER, type FrameWriter, type Payload, TO_WORKER } from "./link.ts";
import { marshal } from "./marshal.ts";
import type { WorkerOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { type Runtime, runtimeOf } from "./runtime.ts";
import { StackQuestions } from "./stacks.ts";
import { initOf, PROGRAM, Start } from "./start.ts";
import type { StreamTransport, WorkerStream } from "./stream.ts";
import { Streams } from "./streams.ts";
import { type LastState, WorkerLink } from "./worker-link.ts";

export interface WorkerEvents {
  /** There is room for another stream. */
  readonly onRoom: (worker: Worker) => void;
  /** It has taken as many requests as one process should; again with each further one. */
  readonly onServed: (worker: Worker) => void;
  /** The stream was sent ahead and is given back. */
  readonly onReturned: (stream: WorkerStream) => void;
  /** It ends by itself and takes no more. `unbegun` streams were sent to it but never begun. */
  readonly onLeaving: (worker: Worker, unbegun: WorkerStream[]) => void;
  /** The process is gone; `unbegun` as with `onLeaving`. */
  readonly onGone: (worker: Worker, unbegun: WorkerStream[]) => void;
}

/** "leaving": the process ends by itself, as its application asked it to. */
type State = "starting" | "ready" | "draining" | "leaving" | "gone";

/** The descriptor of the link in the worker, by agreement with python/sallyport/worker.py. */
const LINK = 3;
/** That of questions about stacks; between them is the outbox. */
const STACKS = 5;

/** Milliseconds between the end of the link and that of the process. */
const LINK_GRACE = 1_000;
/** Milliseconds for the last output of a process that has ended. */
const LAST_OUTPUT = 250;

/** Requests of one turn of the event loop after which the first of them leave: the worker begins while we read on. */
const BATCH = 16;

export class Worker implements StreamTransport {
  readonly writer: FrameWriter;
  readonly commonParts: CommonParts = new CommonParts();
  readonly log: Log;
  /** All that were sent and are not done. */
  readonly streams: Streams = new Streams();
  readonly capacity: Capacity = new Capacity(this.streams);
  readonly heartbeat: Heartbeat = new Heartbeat();
  /** Milliseconds, `performance.now`. */
  readonly startedAt: number = performance.now();
  /** Resolves once the process is gone and its streams are settled. */
  readonly gone: Promise<void>;
  readonly #options: WorkerOptions;
  readonly #events: WorkerEvents;
  readonly #child: Child;
  readonly #link: WorkerLink;
  readonly #stackQuestions: StackQuestions;
  readonly #start: Start;
  /** Marks the records in its output. */
  readonly #token = randomBytes(16).toString("hex");
  readonly #output: ApplicationOutput;
  #state: State = "starting";
  #runtime: Runtime | undefined;
  /** Requests that it has been given. */
  requests = 0;
  /** Of these, those that it had not begun when it ended. */
  #unbegun = 0;
  /** Of the application, as its pool counts them. */
  generation = 1;
  /** Once it is gone. */
  exit: Exit | undefined;
  /** After how many requests, and when else, it is replaced. */
  readonly #lifespan: Lifespan;
  /** When an event loop was asked how late it is (milliseconds, `performance.now`); 0 once it has answered. */
  #probedAt = 0;
  #lag = 0;
  /** Why we ended it. */
  #endedFor: SallyportError | undefined;
  readonly #ending: Ending;

  /** `expected`: the interface that earlier workers of the application found; another one is refused. */
  constructor(options: WorkerOptions, events: WorkerEvents, expected: Interface | undefined) {
    this.#options = options;
    this.#events = events;
    this.#start = new Start(options, expected);
    this.#lifespan = new Lifespan(options);
    this.log = options.log;
    this.#output = new ApplicationOutput(options.log, () => ({ pid: this.pid }));
    const outbox = Outbox.open(options.threads);
    this.#child = this.#startProcess(outbox);
    this.#ending = new Ending(this.#child, options.log, options.app);
    this.#link = this.#openLink(outbox);
    this.writer = this.#link.writer;
    this.#stackQuestions = new StackQuestions(this.#child.streams[STACKS]);
    this.gone = this.#untilGone();
  }

  get state(): State {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Undefined until it was ready. */
  get runtime(): Runtime | undefined {
    return this.#runtime;
  }

  get status(): ProcessStatus {
    return {
      pid: this.pid,
      state: this.#processState,
      age: performance.now() - this.startedAt,
      requests: this.requests,
      inFlight: this.streams.size - this.capacity.ahead,
      generation: this.generation,
    };
  }

  /** Takes a second at the most. Never rejects. */
  stacks(): Promise<ProcessStacks> {
    return this.#stackQuestions.ask(() => ({ pid: this.pid, open: this.capacity.begun }));
  }

  get #processState(): ProcessState {
    if (this.#state === "ready") return this.streams.size > 0 ? "busy" : "idle";
    return this.#state === "leaving" ? "draining" : this.#state;
  }

  /** It was ready and has been given a request, which it did not give back with its end. */
  get servedOnce(): boolean {
    return this.requests > this.#unbegun;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** The application was imported, whatever came after. */
  get wasReady(): boolean {
    return this.capacity.most > 0;
  }

  /** Bytes; 0 where no limit asks for them. */
  get memory(): number {
    return memoryOf(this.pid, this.#options);
  }

  /** Why another process should take its place, to follow its name; undefined: it need not. */
  whyReplace(memory: number): string | undefined {
    return this.#lifespan.whyReplace(this.requests, performance.now() - this.startedAt, memory);
  }

  /** Ends it at once if it holds too much memory. True if so. */
  endIfAbove(memory: number): boolean {
    const why = this.#lifespan.whyEnd(memory);
    if (why === undefined || this.#endedFor) return false;
    this.#endedFor = new SallyportError("MEMORY_LIMIT", `worker ${this.pid} was ended: ${why}`);
    this.#child.signal("SIGKILL");
    this.log.error(this.#endedFor.message, { code: this.#endedFor.code });
    return true;
  }

  /** How many more streams it may be sent. */
  get room(): number {
    if (this.#state !== "ready" || this.#link.isFull || this.capacity.held) return 0;
    return this.capacity.most - this.streams.size;
  }

  /** Resolves when the application is imported. Rejects with APP_IMPORT or WORKER_DIED, the process ended. */
  async start(): Promise<Interface> {
    this.#sendInit();
    return this.#start.ready(() => this.abort());
  }

  // Streams.

  /** Sends a stream. Throws what `stream.send` throws for a request that cannot be sent; the caller then fails the stream. */
  dispatch(stream: WorkerStream): void {
    this.requests++;
    const id = this.streams.nextId();
    if (stream.exchange.trace) this.capacity.mark(stream.exchange.trace, this.pid);
    stream.send(this, id);
    stream.since = 0;
    this.streams.add(id, stream);
    if (++this.#link.unsent === BATCH) this.#link.send();
    if (this.requests >= this.#lifespan.maxRequests) this.#events.onServed(this);
  }

  done(stream: WorkerStream): void {
    this.streams.delete(stream.id);
    this.capacity.held = false;
    if (stream.exchange.trace) this.capacity.nextBegun(stream.id)?.exchange.trace?.handedOver(this.pid);
    this.#events.onRoom(this);
    if (this.#state === "draining" && this.streams.size === 0) this.#sendStop();
  }

  returned(stream: WorkerStream): void {
    this.streams.delete(stream.id);
    stream.reclaim();
    this.#events.onReturned(stream);
    if (this.#state === "draining" && this.streams.size === 0) this.#sendStop();
  }

  /** Without threads nothing more is sent: it would wait behind a response that may take any time. */
  streaming(): void {
    if (this.capacity.mode === "inline") this.capacity.held = true;
  }

  /** Has streams that would never end by themselves come to an end. */
  leave(why: Leaving): void {
    for (const stream of this.streams.all()) stream.leave(why);
  }

  /** From now on others may run beside it: a WSGI application can ask (`wsgi.multiprocess`). */
  becomeMultiprocess(): void {
    if (this.#state !== "gone" && this.#state !== "leaving") this.#send(TO_WORKER.MULTIPROCESS);
  }

  /** Fails all streams that it still has. */
  giveUp(error: SallyportError): void {
    for (const stream of this.streams.all()) stream.giveUp(error);
  }

  // The end of the process.

  /** Without threads, which alone can end so, it had begun none of the others; all frames of earlier ones have come. */
  leaving(stream: WorkerStream): void {
    this.#state = "leaving";
    this.streams.delete(stream.id);
    const unbegun = this.streams.all();
    for (const other of unbegun) other.reclaim();
    this.streams.clear();
    this.#ending.limitExit();
    this.#events.onLeaving(this, unbegun);
  }

  /** The process may have closed its link and live on, as an application can have threads that go on. */
  #unlinked(): void {
    if (this.#state === "starting") return;
    if (this.#state === "ready") this.#state = "draining"; // before anything can be given to it
    const late = setTimeout(() => {
      // Requests that it still has wait for its end: those that it had not begun go to others.
      this.#ending.limitExit(this.streams.size > 0 ? 0 : undefined);
      this.#events.onLeaving(this, []);
    }, LINK_GRACE);
    void this.gone.then(() => clearTimeout(late));
  }

  /** No new streams; the process ends when it is done with those it has: at once if it was never ready. */
  drain(): void {
    if (this.#state !== "starting" && this.#state !== "ready") return;
    if (this.#state === "starting") this.#ending.end();
    else if (this.streams.size === 0) this.#sendStop();
    this.#state = "draining";
  }

  /** Ends it, after `grace` milliseconds at the latest, and the processes that the application has started in its group. */
  async stop(grace: number): Promise<void> {
    this.#ending.stopping();
    this.drain();
    const timer = setTimeout(() => this.#end(), timerDelay(grace));
    await this.gone;
    clearTimeout(timer);
    this.#child.sweep();
    await Promise.race([this.#child.printed, delay(LAST_OUTPUT)]);
    this.#output.end();
  }

  #end(): void {
    if (this.#ending.hasShutdown)
      this.giveUp(new SallyportError("STOPPING", "the application was stopped in the middle of the request"));
    this.#ending.end();
  }

  /** It hangs: has Python print its stacks (SIGABRT with faulthandler), then kills it. */
  abort(): void {
    if (this.#state !== "leaving") this.#state = "draining";
    this.#ending.abort();
  }

  /** Aborts it after `grace` milliseconds, or sooner if asked again, unless it is gone by then. False if it was asked before. */
  abortAfter(grace: number): boolean {
    return this.#ending.abortAfter(grace, () => this.abort());
  }

  // The heartbeat of an event loop.

  /** To be called every `milliseconds`: asks an event loop that has streams and is silent for a sign of life. */
  tick(milliseconds: number): void {
    if (this.streams.size === 0) this.heartbeat.heard();
    else if (this.heartbeat.tick(milliseconds)) this.#send(TO_WORKER.PING);
    if (this.heartbeat.becameBlocked) this.#warnOfBlocked();
  }

  /**
   * Asks an event loop for an answer, which takes as long as a turn of the loop, and gives how many milliseconds the last
   * answer took or this one has taken. `late`: we ourselves may have been too late to read it.
   */
  probe(now: number, late: boolean): number {
    if (this.capacity.mode !== "loop" || (this.#probedAt === 0 && this.streams.size === 0)) return 0;
    if (late) {
      this.#probedAt &&= now;
      this.#lag = 0;
    }
    if (this.#probedAt > 0) return now - this.#probedAt;
    this.#probedAt = now;
    this.#send(TO_WORKER.PING);
    return this.#lag;
  }

  #answered(): void {
    if (this.#probedAt > 0) this.#lag = performance.now() - this.#probedAt;
    this.#probedAt = 0;
  }

  /** The worker itself reports where it is blocked, if it still can. */
  #warnOfBlocked(): void {
    const { app } = this.#options;
    const message = `the event loop of worker ${this.pid} does not answer; new requests go to others, if there are any`;
    this.log.warn(message, { app, streams: this.streams.size });
  }

  // The process.

  #startProcess(outbox: Outbox | undefined): Child {
    const { python, isolation, inheritEnv, env, chdir } = this.#options;
    return startChild({
      ...isolated(python, [PROGRAM], isolation),
      env: { ...inheritedEnvironment(inheritEnv), ...isolation.env, ...env },
      cwd: chdir,
      stdio: ["ignore", "lines", "lines", "pipe", outbox?.descriptor ?? "ignore", "pipe"],
      onLine: (line, descriptor) => this.#printed(line, descriptor),
      records: {
        token: this.#token,
        onRecord: (json, descriptor) => this.#output.record(json, descriptor),
      },
    });
  }

  async #untilGone(): Promise<void> {
    void this.#link.closed.then(() => this.#unlinked());
    const exit = await this.#child.exited;
    await this.#link.readToEnd();
    const last = this.#link.finish();
    const left = this.#state === "leaving";
    this.#state = "gone";
    this.#ending.gone();
    this.exit = exit;
    this.#start.died(exit);
    const lost = left && this.capacity.mode !== "loop" ? [] : this.#running(last);
    const unbegun = this.streams.all().filter((stream) => !lost.includes(stream));
    this.#unbegun = unbegun.length;
    const died = `the worker that ran the request ${describeExit(exit)}`;
    for (const stream of lost) stream.lose(this.#endedFor ?? new SallyportError("WORKER_DIED", died));
    for (const stream of unbegun) stream.reclaim();
    this.streams.clear();
    this.commonParts.clear();
    this.#events.onGone(this, unbegun);
  }

  /**
   * What it was running when it died: the requests that it named last, or all that an event loop had read. Where answers were
   * lost with the link, all that it had begun: what was answered must not be run again.
   */
  #running(last: LastState | undefined): WorkerStream[] {
    if (!last) return this.capacity.begun;
    if (this.capacity.mode === "loop")
      return this.capacity.begun.filter(({ sentTo }) => sentTo <= last.bytesRead);
    if (!last.isWhole) return this.streams.until(last.requests);
    return last.requests.flatMap((id) => this.streams.get(id) ?? []);
  }

  /** Output of the application, on standard output or `wsgi.errors`, goes to our log. */
  #printed(line: string, descriptor: number): void {
    if (this.#state === "starting") this.#start.printed(line);
    this.#output.line(line, descriptor);
  }

  // The link.

  #openLink(outbox: Outbox | undefined): WorkerLink {
    // A process that could not be started has none; its exit says why.
    const socket = this.#child.streams[LINK];
    return new WorkerLink(socket ? shareReadBuffer(socket) : new Socket().destroy(), outbox, {
      onFrame: this.#frame,
      onDrain: () => this.#events.onRoom(this),
      onBroken: (error) => this.#broken(error),
      isBusy: () => this.#state !== "gone" && this.streams.size > 0,
    });
  }

  #sendInit(): void {
    const outbox = this.#link.outboxRoom ?? null;
    this.#send(
      TO_WORKER.INIT,
      marshal({ ...initOf(this.#options), outbox, records: this.#token, stacks: true }),
    );
  }

  #sendStop(): void {
    this.#send(TO_WORKER.STOP);
    this.#ending.limitExit();
  }

  #send(kind: number, payload = ""): void {
    this.writer.text(kind, 0, payload);
    this.writer.flush();
  }

  readonly #frame = (kind: number, id: number, payload: Payload): void => {
    if (this.capacity.mode === "loop" && this.heartbeat.heard())
      this.log.info(`the event loop of worker ${this.pid} answers again`);
    const stream = this.streams.get(id);
    if (stream) stream.receive(kind, payload);
    else if (kind === FROM_WORKER.PREFETCH) this.#setCapacity(payload.uint32(0));
    else if (kind === FROM_WORKER.PONG) this.#answered();
    else if (kind === FROM_WORKER.READY) this.#ready(payload.bytes);
    else if (kind === FROM_WORKER.FAILED) this.#start.failed(payload.bytes);
  };

  #setCapacity(count: number): void {
    if (count === 0) return this.#ends();
    this.capacity.most = count;
    this.#events.onRoom(this);
  }

  /** An event loop that others end, or a task of its application: it begins nothing more, and what it had read is lost with it. */
  #ends(): void {
    if (this.#state !== "ready") return;
    this.#state = "leaving";
    this.#ending.limitExit();
    this.#events.onLeaving(this, []);
  }

  #ready(payload: Buffer): void {
    const ready = this.#state === "starting" ? this.#start.readyOf(payload) : undefined;
    if (ready === undefined) return;
    const { interface: found } = ready;
    this.#runtime = runtimeOf(ready);
    this.capacity.begin(found, this.#options);
    this.#link.watchesOutbox = this.capacity.mode !== "loop";
    this.#ending.hasShutdown = this.capacity.mode === "loop";
    this.#state = "ready";
    this.#start.succeeded(found);
  }

  #broken(error: unknown): void {
    const { message } = SallyportError.from(error);
    this.log.error(`the link to worker ${this.pid} is broken: ${message}`, {
      code: "ERR_SALLYPORT_LINK_BROKEN",
    });
    this.#link.destroy();
    this.#child.signal("SIGKILL");
  }
}
