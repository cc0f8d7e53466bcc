// A child that the launcher started for us: the same `Child` as one of our own, told about from afar.
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { type Child, DEFAULT_STDIO, failedChild, type SpawnOptions } from "./child.ts";
import type { Exit } from "./exit.ts";
import { signalGroup } from "./groups.ts";
import type { LauncherMessage, StartMessage } from "./launcher-messages.ts";
import { readLines } from "./printing.ts";

/** Milliseconds that its connections may be seen later than its end. */
const CONNECTIONS_LATE = 1_000;

type LaunchedDescriptor = "pipe" | "ignore" | "lines";

/** Only what can be said to another process: no streams are handed down. */
export interface LaunchOptions extends SpawnOptions {
  readonly stdio?: readonly LaunchedDescriptor[];
}

/** Collects what belongs to one child until it is complete: the notice of its start, and its connections. */
export class Launched implements Child {
  readonly token: string = randomBytes(16).toString("hex");
  readonly exited: Promise<Exit>;
  /** Resolves with this child, or with one that never was. */
  readonly launched: Promise<Child>;
  readonly #id: number;
  readonly #options: LaunchOptions;
  readonly #send: (order: LauncherMessage) => void;
  readonly #sockets: (Socket | undefined)[] = [];
  #pid: number | undefined;
  #awaited: number;
  #gone = false;
  #printed: Promise<void> = Promise.resolve();
  #resolveLaunched!: (child: Child) => void;
  #resolveExited!: (exit: Exit) => void;

  constructor(id: number, options: LaunchOptions, order: (order: LauncherMessage) => void) {
    this.#id = id;
    this.#options = options;
    this.#send = order;
    this.#awaited = this.#connected.filter(Boolean).length;
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

  /** The order that starts it. */
  get startOrder(): StartMessage {
    const { command, args = [], env = {}, cwd } = this.#options;
    const [id, token, connected] = [this.#id, this.token, this.#connected];
    return { do: "start", id, token, command, args, env, cwd, connected };
  }

  signal(signal: NodeJS.Signals): void {
    this.#send({ do: "signal", id: this.#id, signal });
  }

  stop(grace: number): Promise<Exit> {
    this.#send({ do: "stop", id: this.#id, grace });
    return this.exited;
  }

  sweep(): void {
    if (this.#pid !== undefined) this.#send({ do: "sweep", group: this.#pid });
  }

  // What the launcher tells.

  /** Its connection for a descriptor has come. */
  connect(descriptor: number, end: Socket): void {
    if (this.#gone || !this.#connected[descriptor] || this.#sockets[descriptor]) {
      end.destroy();
      return;
    }
    end.on("error", () => end.destroy());
    this.#sockets[descriptor] = end;
    this.#awaited--;
    this.#check();
  }

  started(pid: number): void {
    this.#pid = pid;
    this.#check();
  }

  failed(reason: string): void {
    this.#finish();
    this.#resolveLaunched(failedChild(this.#options.command, new Error(reason)));
  }

  /** Perhaps before its last connection has been seen: another channel brings those. */
  ended(exit: Exit): void {
    this.#resolveExited(exit);
    // Or it never comes: the system drops what we have no descriptor for.
    if (this.#awaited > 0) setTimeout(() => this.#giveUp(), CONNECTIONS_LATE);
  }

  #giveUp(): void {
    if (this.#awaited > 0) this.failed("its connections to us were lost");
  }

  /** The launcher is gone, and nobody else will end the child or see how it ends. */
  orphaned(): void {
    if (this.#pid !== undefined) signalGroup(this.#pid, "SIGKILL");
    this.#finish();
    this.#resolveExited({ code: null, signal: null });
    // Of no effect if it had been launched.
    this.#resolveLaunched(failedChild(this.#options.command, new Error("the launcher ended")));
  }

  get #connected(): boolean[] {
    return (this.#options.stdio ?? DEFAULT_STDIO).map((kind) => kind !== "ignore");
  }

  #select(wanted: LaunchedDescriptor): (Socket | undefined)[] {
    const stdio = this.#options.stdio ?? DEFAULT_STDIO;
    return stdio.map((kind, at) => (kind === wanted ? this.#sockets[at] : undefined));
  }

  #check(): void {
    if (this.#awaited > 0 || this.#pid === undefined) return;
    this.#printed = readLines(this.#select("lines"), this.exited, this.#options.onLine ?? (() => {}));
    this.#resolveLaunched(this);
  }

  #finish(): void {
    this.#gone = true;
    for (const end of this.#sockets) end?.destroy();
  }
}
