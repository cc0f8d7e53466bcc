// The processes of a FastCGI application that we start ourselves: each gets a listening socket as descriptor 0
// (specification, 2.2), is a backend while it runs, is replaced when it ends, and is stopped in phases.
// Tested by test/protocols/fastcgi/server/reloads.test.ts.
import { once } from "node:events";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Log, SallyportError } from "../../../exchange/index.ts";
import {
  BackOff,
  type Child,
  describeExit,
  type Exit,
  guard,
  type Isolation,
  inheritedEnvironment,
  isolated,
  LONGEST_BACK_OFF,
  startChild,
} from "../../../processes/index.ts";
import type { Backend } from "./backend.ts";
import type { Backends } from "./backends.ts";

export interface SpawnedApplicationOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Processes, each with a socket of its own. */
  readonly processes: number;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly isolation: Isolation;
  /** Variables of our environment that they get. */
  readonly inheritEnv: readonly string[];
  /** What it listens on. With TCP, FCGI_WEB_SERVER_ADDRS keeps other machines out. */
  readonly transport: "unix" | "tcp";
  readonly log: Log;
}

const LAST_LINES = 20;

export class SpawnedApplication {
  readonly #options: SpawnedApplicationOptions;
  readonly #backends: Backends;
  /** Makes the backend of a process that listens at `address`. */
  readonly #backendAt: (address: string) => Backend;
  readonly #children = new Map<Child, Backend>();
  readonly #backOff = new BackOff();
  /** Timers of processes that are started again after a pause. */
  readonly #pauses = new Set<NodeJS.Timeout>();
  #directory = "";
  /** Sockets that were made in it. */
  #count = 0;
  /** No process is started any more. */
  #retired = false;

  constructor(
    options: SpawnedApplicationOptions,
    backends: Backends,
    backendAt: (address: string) => Backend,
  ) {
    this.#options = options;
    this.#backends = backends;
    this.#backendAt = backendAt;
  }

  /** Starts all processes. Rejects with SPAWN_FAILED, and leaves none behind. */
  async start(): Promise<void> {
    // Only this user may enter it, and so connect.
    this.#directory = await mkdtemp(join(tmpdir(), "sallyport-"));
    guard.enlistDirectory(this.#directory);
    try {
      for (let i = 0; i < this.#options.processes; i++) await this.#startOne();
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /** Takes no more requests. Resolves when those inside have ended, or after `grace` milliseconds. */
  async drain(grace: number): Promise<void> {
    this.#retire();
    const backends = [...this.#children.values()];
    for (const backend of backends) this.#backends.remove(backend);
    await Promise.all(backends.map((backend) => backend.drain(grace)));
  }

  /** TERM, and KILL after `grace` milliseconds. Never rejects. */
  async stop(grace: number): Promise<void> {
    this.#retire();
    await Promise.all([...this.#children.keys()].map((child) => child.stop(grace)));
    if (this.#directory === "") return;
    await rm(this.#directory, { recursive: true, force: true });
    guard.releaseDirectory(this.#directory);
  }

  async #startOne(): Promise<void> {
    const { server, address, settle } = await this.#listen();
    const lastLines: string[] = [];
    const child = this.#spawn(server, lastLines);
    // The child has the socket now; here it would only take connections that are the child's.
    server.close();
    await Promise.race([once(server, "close"), child.exited]);
    await settle();
    if (child.pid === undefined) throw (await child.exited).failure;
    const backend = this.#backendAt(address);
    this.#children.set(child, backend);
    const born = performance.now();
    void child.exited.then((exit) => this.#ended(child, exit, born, lastLines));
    if (this.#retired) child.signal("SIGTERM");
    else this.#backends.add(backend);
  }

  #spawn(server: Server, lastLines: string[]): Child {
    const { command, cwd, env, transport, isolation, inheritEnv, log } = this.#options;
    const [program = "", ...args] = command;
    const only = transport === "tcp" ? { FCGI_WEB_SERVER_ADDRS: "127.0.0.1" } : {};
    return startChild({
      ...isolated(program, args, isolation),
      env: { ...inheritedEnvironment(inheritEnv), ...isolation.env, ...env, ...only },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: [descriptorOf(server), "lines", "lines"],
      onLine: (line) => {
        lastLines.push(line);
        if (lastLines.length > LAST_LINES) lastLines.shift();
        log.warn(line, { program });
      },
    });
  }

  #listen(): Promise<Listening> {
    this.#count++;
    return this.#options.transport === "tcp"
      ? listenTcp()
      : listenUnix(join(this.#directory, `${this.#count}`));
  }

  #ended(child: Child, exit: Exit, born: number, lastLines: string[]): void {
    const backend = this.#children.get(child) as Backend;
    this.#children.delete(child);
    this.#backends.remove(backend);
    void backend.drain(0);
    if (this.#retired) return;
    const pause = this.#backOff.after(performance.now() - born, backend.servedOnce);
    const [program] = this.#options.command;
    const message = `${program} ${describeExit(exit)}; another starts${pause > 0 ? ` in ${pause} ms` : ""}`;
    this.#options.log.error(message, { code: "ERR_SALLYPORT_WORKER_DIED", detail: lastLines.join("\n") });
    this.#startLater(pause);
  }

  #startLater(pause: number): void {
    const timer = setTimeout(() => {
      this.#pauses.delete(timer);
      this.#startOne().catch((error: unknown) => {
        const { message, code } = SallyportError.from(error);
        this.#options.log.error(message, { code });
        if (!this.#retired) this.#startLater(LONGEST_BACK_OFF);
      });
    }, pause);
    this.#pauses.add(timer);
  }

  #retire(): void {
    this.#retired = true;
    for (const timer of this.#pauses) clearTimeout(timer);
    this.#pauses.clear();
  }
}

/** Node has no public way to hand a listening socket to a child that is not Node. libuv makes it blocking again there. */
const descriptorOf = (server: Server): number =>
  (server as unknown as { _handle: { fd: number } })._handle.fd;

interface Listening {
  readonly server: Server;
  readonly address: string;
  /** To be called when the child has the socket: from then on it can be connected to at `address`. */
  settle(): Promise<void>;
}

async function listenTcp(): Promise<Listening> {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, address: `127.0.0.1:${port}`, settle: async () => {} };
}

/** Closing the server removes the path that it was bound to, so the socket has another name meanwhile. */
async function listenUnix(path: string): Promise<Listening> {
  const server = createServer((socket) => socket.destroy()).listen(`${path}.new`);
  await once(server, "listening");
  await rename(`${path}.new`, `${path}.held`);
  return { server, address: `unix:${path}`, settle: () => rename(`${path}.held`, path) };
}
