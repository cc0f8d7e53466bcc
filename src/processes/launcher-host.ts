// One launcher process as seen from here: its channel, the socket that children's descriptors connect to, its children.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Child } from "./child.ts";
import { Launched, type LaunchOptions } from "./launched.ts";
import type { LauncherMessage, LauncherNotice } from "./launcher-messages.ts";

const IS_SOURCE = import.meta.url.endsWith(".ts");
const PROGRAM = fileURLToPath(new URL(`./launcher-process${IS_SOURCE ? ".ts" : ".js"}`, import.meta.url));
/** Run from source, the program needs our loader; nothing else of our flags concerns it. */
const FLAGS = IS_SOURCE ? process.execArgv.filter((flag) => !/^--(inspect|test)/.test(flag)) : [];

export class LauncherHost {
  /** Resolves when the process has ended; what it was responsible for has been cleared up by then. */
  readonly gone: Promise<void>;
  readonly #process: ChildProcess;
  readonly #server: Server;
  readonly #directory: string;
  readonly #onUnusable: () => void;
  #retiring = false;
  readonly #children = new Map<number, Launched>();
  readonly #byToken = new Map<string, Launched>();
  #lastId = 0;
  /** Children whose end, or whose beginning, somebody still waits for. */
  #awaited = 0;

  private constructor(directory: string, server: Server, launcher: ChildProcess, ended: () => void) {
    this.#directory = directory;
    this.#server = server;
    this.#process = launcher;
    this.#onUnusable = ended;
    server.on("connection", (socket) => this.#onConnection(socket));
    launcher.on("message", (notice) => this.#onNotice(notice as LauncherNotice));
    this.gone = new Promise((resolve) => {
      launcher.once("exit", () => {
        // First of all, so that whoever is told of an end below cannot come back to us.
        ended();
        resolve(this.#cleanUp());
      });
    });
    process.once("exit", this.#removeDirectory);
    this.#holdLoop(false);
  }

  /** Resolves when the process can take orders, whose end `ended` will be told. Rejects with what went wrong. */
  static async start(ended: () => void): Promise<LauncherHost> {
    const directory = await mkdtemp(join(tmpdir(), "sallyport-"));
    const server = createServer({ allowHalfOpen: true });
    try {
      const path = join(directory, "launcher");
      await once(server.listen(path), "listening");
      const launcher = await startProcess(path);
      return new LauncherHost(directory, server, launcher, ended);
    } catch (error) {
      server.close();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Its socket is lost: it can start no more children, and ends with the last that it has. */
  get retiring(): boolean {
    return this.#retiring;
  }

  launch(options: LaunchOptions): Promise<Child> {
    const id = ++this.#lastId;
    const child = new Launched(id, options, (order) => this.#send(order));
    this.#children.set(id, child);
    this.#byToken.set(child.token, child);
    this.#send(child.startOrder);
    void this.#untilEnded(child);
    return child.launched;
  }

  /** Ends the process and with it all children. */
  async close(): Promise<void> {
    this.#holdLoop(true);
    if (this.#process.connected) this.#process.disconnect();
    await this.gone;
  }

  #send(order: LauncherMessage): void {
    // Without a channel the process is about to end, and `gone` settles everything.
    if (this.#process.connected) this.#process.send(order, () => {});
  }

  #onNotice(notice: LauncherNotice): void {
    if (notice.is === "ready") return;
    const child = this.#children.get(notice.id);
    if (notice.is === "started") return child?.started(notice.pid);
    this.#children.delete(notice.id);
    if (notice.is === "unreachable") this.#retire();
    if (notice.is === "failed" || notice.is === "unreachable") child?.failed(notice.reason);
    else child?.ended({ code: notice.code, signal: notice.signal });
  }

  async #untilEnded(child: Launched): Promise<void> {
    if (this.#awaited++ === 0) this.#holdLoop(true);
    const launched = await child.launched;
    this.#byToken.delete(child.token);
    await launched.exited;
    if (--this.#awaited > 0) return;
    this.#holdLoop(false);
    if (this.#retiring) await this.close();
  }

  #retire(): void {
    this.#retiring = true;
    this.#onUnusable();
  }

  /** A connection says in its first line whose descriptor it is; what follows is the child's output already. */
  #onConnection(socket: Socket): void {
    readTag(socket, (token, descriptor) => {
      const child = this.#byToken.get(token);
      if (child) child.connect(descriptor, socket);
      else socket.destroy();
    });
  }

  /** Only while there are children does the launcher keep our process from ending. */
  #holdLoop(hold: boolean): void {
    for (const part of [this.#process, this.#process.channel, this.#server]) {
      if (hold) part?.ref();
      else part?.unref();
    }
  }

  #cleanUp(): void {
    for (const child of this.#children.values()) child.orphaned();
    this.#children.clear();
    this.#server.close();
    process.off("exit", this.#removeDirectory);
    this.#removeDirectory();
  }

  readonly #removeDirectory = (): void => rmSync(this.#directory, { recursive: true, force: true });
}

/** Resolves when the process has said that it is ready. */
async function startProcess(path: string): Promise<ChildProcess> {
  const launcher = fork(PROGRAM, [path], { execArgv: FLAGS, stdio: ["ignore", "ignore", "inherit", "ipc"] });
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
  // Read by hand: the stream must not be flowing, nor count as paused, when its user gets it.
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
