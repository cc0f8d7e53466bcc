// One launcher process as its parent sees it: its channel, its children, its pipes, and the socket that their descriptors
// connect to where there are no pipes.
// Tested by test/processes/launcher.test.ts.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeSocketDirectory } from "../sockets/socket-path.ts";
import type { Child } from "./child.ts";
import { withoutDebugSignal } from "./debug-signal.ts";
import { Launched, type LaunchOptions } from "./launched.ts";
import type { ChildNotice, LauncherMessage, LauncherNotice } from "./launcher-messages.ts";
import type { PipeEnds } from "./pipe-maker.ts";
import { isShortage, PipeStock } from "./pipe-stock.ts";

const IS_SOURCE = import.meta.url.endsWith(".ts");
const PROGRAM = fileURLToPath(new URL(`./launcher-process${IS_SOURCE ? ".ts" : ".js"}`, import.meta.url));
/** Run from source, the program needs our loader, and no other flag of ours. */
const FLAGS = IS_SOURCE ? process.execArgv.filter((flag) => !/^--(inspect|test)/.test(flag)) : [];

/** In a directory of its own. */
const SOCKET = "launcher";

export class LauncherHost {
  /** Resolves when the process has ended, and its socket and directory are gone. */
  readonly gone: Promise<void>;
  readonly #process: ChildProcess;
  readonly #server: Server;
  readonly #directory: string;
  readonly #pipes = new PipeStock();
  readonly #onUnusable: () => void;
  #retiring = false;
  /** By token, from the request to launch until the child has been launched and has exited. */
  readonly #children = new Map<string, Launched>();

  private constructor(directory: string, server: Server, launcher: ChildProcess, onUnusable: () => void) {
    this.#directory = directory;
    this.#server = server;
    this.#process = launcher;
    this.#onUnusable = onUnusable;
    server.on("connection", (socket) => this.#onConnection(socket));
    launcher.on("message", (notice) => this.#onNotice(notice as LauncherNotice));
    this.gone = new Promise((resolve) => {
      launcher.once("exit", () => {
        // First of all, so that no callback below can use this host again.
        onUnusable();
        resolve(this.#cleanUp());
      });
    });
    process.once("exit", this.#removeDirectory);
    this.#holdLoop(false);
  }

  /** Resolves when the process is ready. Calls `onUnusable` when it can start no more children. Rejects with the failure. */
  static async start(onUnusable: () => void, pipes: boolean): Promise<LauncherHost> {
    const directory = await makeSocketDirectory(SOCKET.length);
    const server = createServer({ allowHalfOpen: true });
    try {
      const path = join(directory, SOCKET);
      await once(server.listen(path), "listening");
      const launcher = await startProcess(path);
      const host = new LauncherHost(directory, server, launcher, onUnusable);
      if (!pipes) host.#pipes.close();
      return host;
    } catch (error) {
      server.close();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Its socket is lost: it can start no more children, and ends with its last one. */
  get retiring(): boolean {
    return this.#retiring;
  }

  launch(options: LaunchOptions): Promise<Child> {
    const child = new Launched(options, (message) => this.#send(message));
    this.#children.set(child.token, child);
    if (this.#children.size === 1) this.#holdLoop(true);
    void this.#start(child);
    void this.#untilEnded(child);
    return child.launched;
  }

  /** Ends the process and with it all children. */
  async close(): Promise<void> {
    this.#holdLoop(true);
    if (this.#process.connected) this.#process.disconnect();
    await this.gone;
  }

  async #start(child: Launched): Promise<void> {
    const pipes = await this.#pipes.take(child.width);
    if (pipes) this.#givePipes(child, pipes);
    if (!child.closed) this.#send(child.startMessage);
  }

  /** Without them it has connections, unless nothing more can be opened at all. */
  #givePipes(child: Launched, pipes: readonly PipeEnds[]): void {
    try {
      child.usePipes(this.#process.pid as number, pipes);
    } catch (error) {
      this.#send({ do: "discard", pipes });
      if (isShortage(error)) child.failed((error as Error).message);
      else this.#pipes.close();
    }
  }

  #send(message: LauncherMessage): void {
    // Without a channel the process is about to end, and its exit settles everything.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  #onNotice(notice: LauncherNotice): void {
    if (notice.is === "ready") return;
    if (notice.is === "pipes") this.#pipes.add(notice.pipes);
    else this.#onChildNotice(notice);
  }

  #onChildNotice(notice: ChildNotice): void {
    const child = this.#children.get(notice.token);
    if (notice.is === "started") return child?.started(notice.pid);
    if (notice.is === "unreachable") this.#retire();
    if (notice.is === "failed" || notice.is === "unreachable") child?.failed(notice.reason);
    else child?.ended({ code: notice.code, signal: notice.signal });
  }

  async #untilEnded(child: Launched): Promise<void> {
    const launched = await child.launched;
    await launched.exited;
    this.#children.delete(child.token);
    if (this.#children.size > 0) return;
    this.#holdLoop(false);
    if (this.#retiring) await this.close();
  }

  #retire(): void {
    this.#retiring = true;
    this.#onUnusable();
  }

  /** The first line of a connection names its child and descriptor; the child's output follows. */
  #onConnection(socket: Socket): void {
    readTag(socket, (token, descriptor) => {
      const child = this.#children.get(token);
      if (child) child.connect(descriptor, socket);
      else socket.destroy();
    });
  }

  /** The launcher keeps our process running only while it has children. */
  #holdLoop(hold: boolean): void {
    for (const part of [this.#process, this.#process.channel, this.#server]) {
      if (hold) part?.ref();
      else part?.unref();
    }
  }

  #cleanUp(): void {
    this.#pipes.close();
    for (const child of this.#children.values()) child.orphaned();
    this.#server.close();
    process.off("exit", this.#removeDirectory);
    this.#removeDirectory();
  }

  readonly #removeDirectory = (): void => rmSync(this.#directory, { recursive: true, force: true });
}

/** Resolves when the process has reported that it is ready. */
async function startProcess(path: string): Promise<ChildProcess> {
  const launcher = fork(PROGRAM, [path], {
    execArgv: [...FLAGS, ...withoutDebugSignal()],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const failed = once(launcher, "exit").then(() => {
    throw new Error("the launcher process ended before it was ready");
  });
  await Promise.race([once(launcher, "message"), failed]);
  return launcher;
}

/** Longest first line of a connection: 32 digits, a space, a descriptor, the line end. */
const TAG_LIMIT = 64;
const LINE_FEED = 0x0a;
const NOTHING = Buffer.alloc(0);

function readTag(socket: Socket, found: (token: string, descriptor: number) => void): void {
  let tag: Buffer = Buffer.alloc(0);
  const giveUp = (): void => void socket.destroy();
  // With read(): the stream must be neither flowing nor paused when its user gets it.
  const onReadable = (): void => {
    tag = Buffer.concat([tag, (socket.read() as Buffer | null) ?? NOTHING]);
    const end = tag.indexOf(LINE_FEED);
    if (end > TAG_LIMIT || (end < 0 && tag.length > TAG_LIMIT)) return giveUp();
    if (end < 0) return;
    socket.off("readable", onReadable).off("error", giveUp).off("end", giveUp);
    if (end + 1 < tag.length) socket.unshift(tag.subarray(end + 1));
    const [token = "", descriptor] = tag.toString("latin1", 0, end).split(" ");
    found(token, Number(descriptor));
  };
  socket.on("readable", onReadable).once("error", giveUp).once("end", giveUp);
}
