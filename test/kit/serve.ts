// Starts the built command line as a user would, for end-to-end tests, and makes sure that it ends with the test.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = `${ROOT}bin/sallyport.js`;
/** Generous: a loaded machine, a Django that imports for the first time. */
/** As text, or in a log of JSON. */
const LISTENING = /^(?:listening on |\{.*"message":"listening on )([^\s"]+).*\n/m;
/** Tests may run as root, and mean it. */
export const AS_ROOT: NodeJS.ProcessEnv = process.getuid?.() === 0 ? { SALLYPORT_USER: "root" } : {};
const START_DEADLINE = 60_000;
const STOP_DEADLINE = 20_000;

export interface ServeOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Descriptors of this process that become 0, and 3 and following, there. */
  readonly stdin?: number;
  readonly passed?: readonly number[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Served {
  /** Where it listens, without a slash at the end: "http://127.0.0.1:40123". */
  readonly url: string;
  readonly pid: number;
  /** All that it has written to its standard error, and output, so far. */
  readonly stderr: string;
  readonly stdout: string;
  readonly exited: Promise<Exit>;
  /** Resolves with the match once the standard error has it. */
  sees(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Asks it to stop, waits until it has, and gives how it ended. Killed when it does not. */
  stop(): Promise<Exit>;
}

/** Runs `sallyport serve ...args`, on a free port unless the arguments say where, and resolves when it listens. */
export async function serve(args: readonly string[], options: ServeOptions = {}): Promise<Served> {
  return serveBy([process.execPath, BIN, "serve", ...args, ...defaults(args)], options);
}

/** Runs a command that makes a server of itself, and resolves when it listens. */
export async function serveBy(command: readonly string[], options: ServeOptions = {}): Promise<Served> {
  if (!existsSync(`${ROOT}dist/cli/main.js`)) throw new Error("not built: run `npm run build` first");
  const server = new Server(command, options);
  try {
    const [, url = ""] = await server.sees(LISTENING, START_DEADLINE);
    server.url = url.replace(/\/$/, "");
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A free port, and no access log, where the test does not care. */
function defaults(args: readonly string[]): string[] {
  const says = (...names: string[]) => args.some((arg) => names.includes(arg.split("=", 1)[0] ?? ""));
  return [
    ...(says("--port", "--unix", "--fd", "--http", "--fastcgi", "--scgi", "--uwsgi", "--config")
      ? []
      : ["--port", "0"]),
    ...(says("--access-log", "--config") ? [] : ["--access-log", "off"]),
  ];
}

class Server implements Served {
  url = "";
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #output = { stdout: "", stderr: "" };
  readonly #waiting = new Set<() => void>();

  constructor([program = "", ...args]: readonly string[], { cwd, env, stdin, passed = [] }: ServeOptions) {
    this.#child = spawn(program, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...AS_ROOT, ...process.env, ...env },
      stdio: [stdin ?? "ignore", "pipe", "pipe", ...passed],
    });
    this.#keep("stdout");
    this.#keep("stderr");
    this.exited = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    });
    this.#endWithUs();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  get stdout(): string {
    return this.#output.stdout;
  }

  sees(pattern: RegExp, deadline = START_DEADLINE): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        act();
      };
      const look = () => {
        const match = this.stderr.match(pattern);
        if (match) settle(() => resolve(match));
      };
      const fail = (why: string) =>
        settle(() => reject(new Error(`${why}; its standard error:\n${this.stderr}`)));
      const timer = setTimeout(() => fail(`the server did not say ${pattern} in time`), deadline);
      this.#waiting.add(look);
      this.exited.then(({ code, signal }) =>
        fail(`the server ended (${signal ?? code}) before it said ${pattern}`),
      );
      look();
    });
  }

  async stop(): Promise<Exit> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_DEADLINE);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  #keep(name: "stdout" | "stderr"): void {
    this.#child[name]?.setEncoding("utf8").on("data", (text: string) => {
      this.#output[name] += text;
      for (const look of this.#waiting) look();
    });
  }

  /** A test that fails half-way leaves no server behind. */
  #endWithUs(): void {
    const kill = () => this.#child.kill("SIGKILL");
    process.once("exit", kill);
    this.exited.then(() => process.removeListener("exit", kill));
  }
}
