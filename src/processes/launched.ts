// A child that the launcher starts for us: the same interface `Child`, made of the launcher's messages.
// Tested by test/processes/launcher.test.ts.
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { timerDelay } from "../exchange/wait.ts";
import { type Child, DEFAULT_STDIO, failedChild, type SpawnOptions } from "./child.ts";
import type { Exit } from "./exit.ts";
import { signalGroup } from "./groups.ts";
import type { LauncherMessage, StartMessage } from "./launcher-messages.ts";
import type { PipeEnds } from "./pipe-maker.ts";
import { closeAll, openOurEnd, streamOf } from "./pipe-stock.ts";
import { readLines } from "./printing.ts";

/** Milliseconds that its connections may arrive later than the notice of its exit. */
const CONNECTIONS_LATE = 1_000;

type LaunchedDescriptor = "pipe" | "ignore" | "lines";

/** Only options that can be sent to another process: no streams. */
export interface LaunchOptions extends SpawnOptions {
  readonly stdio?: readonly LaunchedDescriptor[];
}

/** Waits for the parts of one child: the notice of its start, and its connections where it has no pipes. */
export class Launched implements Child {
  /** Names it in messages, and proves that a connection is its own. */
  readonly token: string = randomBytes(16).toString("hex");
  readonly exited: Promise<Exit>;
  /** Resolves with this child, or with a failed one. */
  readonly launched: Promise<Child>;
  readonly #options: LaunchOptions;
  readonly #send: (message: LauncherMessage) => void;
  readonly #sockets: (Socket | undefined)[] = [];
  /** By descriptor: its pipe, or whether it is a connection to us. */
  #ends: readonly (PipeEnds | boolean)[];
  /** By descriptor: our end of its pipe, before it is started. */
  #fds: (number | undefined)[] = [];
  #pid: number | undefined;
  #ended = false;
  #closed = false;
  #printed: Promise<void> = Promise.resolve();
  #resolveLaunched!: (child: Child) => void;
  #resolveExited!: (exit: Exit) => void;

  constructor(options: LaunchOptions, send: (message: LauncherMessage) => void) {
    this.#options = options;
    this.#send = send;
    this.#ends = (options.stdio ?? DEFAULT_STDIO).map((kind) => kind !== "ignore");
    this.launched = new Promise((resolve) => {
      this.#resolveLaunched = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.#resolveExited = resolve;
    });
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get streams(): readonly (Socket | undefined)[] {
    return this.#select("pipe");
  }

  get printed(): Promise<void> {
    return this.#printed;
  }

  get startMessage(): StartMessage {
    const { command, args = [], env = {}, cwd } = this.#options;
    return { do: "start", token: this.token, command, args, env, cwd, ends: this.#ends };
  }

  signal(signal: NodeJS.Signals): void {
    this.#send({ do: "signal", token: this.token, signal });
  }

  stop(grace: number): Promise<Exit> {
    this.#send({ do: "stop", token: this.token, grace: timerDelay(grace) });
    return this.exited;
  }

  sweep(): void {
    if (this.#pid !== undefined) this.#send({ do: "sweep", group: this.#pid });
  }

  // The host's calls.

  /** How many of its descriptors lead to us. */
  get width(): number {
    return this.#ends.filter(Boolean).length;
  }

  /** Whether it was given up before it was started. */
  get closed(): boolean {
    return this.#closed;
  }

  /** It gets these pipes of `holder` instead of connections. Throws as `openOurEnd`; then all is as before. */
  usePipes(holder: number, pipes: readonly PipeEnds[]): void {
    let used = 0;
    const ends = this.#ends.map((end) => end && (pipes[used++] as PipeEnds));
    try {
      for (const [at, end] of ends.entries())
        if (typeof end !== "boolean") this.#fds[at] = openOurEnd(holder, end, at);
      this.#ends = ends;
    } catch (error) {
      this.#closePipes();
      throw error;
    }
  }

  /** Its connection for `descriptor` has arrived. */
  connect(descriptor: number, socket: Socket): void {
    if (this.#closed || this.#ends[descriptor] !== true || this.#sockets[descriptor]) {
      socket.destroy();
      return;
    }
    this.#add(descriptor, socket);
    this.#check();
  }

  started(pid: number): void {
    this.#pid = pid;
    for (const [at, fd] of this.#fds.entries()) if (fd !== undefined) this.#add(at, streamOf(fd, at));
    this.#fds = [];
    this.#check();
  }

  failed(reason: string): void {
    this.#finish();
    this.#resolveLaunched(failedChild(this.#options.command, new Error(reason), this.#options.cwd));
  }

  /** Perhaps before its last connection, which takes another way. */
  ended(exit: Exit): void {
    this.#ended = true;
    this.#resolveExited(exit);
    // A connection may never arrive: without a free descriptor the system drops it.
    if (this.#incomplete) setTimeout(() => this.#giveUp(), CONNECTIONS_LATE);
  }

  #giveUp(): void {
    if (this.#incomplete) this.failed("its connections to us were lost");
  }

  /** The launcher is gone: the child is killed, and its exit status will never be known. */
  orphaned(): void {
    if (this.#pid !== undefined && !this.#ended) signalGroup(this.#pid, "SIGKILL");
    this.#finish();
    this.#resolveExited({ code: null, signal: null });
    // No effect once it has been launched.
    this.#resolveLaunched(failedChild(this.#options.command, new Error("the launcher ended")));
  }

  get #incomplete(): boolean {
    return this.#ends.some((end, at) => end !== false && !this.#sockets[at]);
  }

  #add(descriptor: number, socket: Socket): void {
    socket.on("error", () => socket.destroy());
    this.#sockets[descriptor] = socket;
  }

  #select(wanted: LaunchedDescriptor): (Socket | undefined)[] {
    const stdio = this.#options.stdio ?? DEFAULT_STDIO;
    return stdio.map((kind, at) => (kind === wanted ? this.#sockets[at] : undefined));
  }

  #check(): void {
    if (this.#incomplete || this.#pid === undefined) return;
    this.#printed = readLines(this.#select("lines"), this.exited, this.#options);
    this.#resolveLaunched(this);
  }

  #finish(): void {
    this.#closed = true;
    this.#closePipes();
    for (const socket of this.#sockets) socket?.destroy();
  }

  #closePipes(): void {
    closeAll(this.#fds);
    this.#fds = [];
  }
}
