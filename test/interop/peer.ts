// Another program's server, started for a test: on a free port, with a configuration of this folder, in a directory of its
// own, ended with the test. What it logged is shown when a test fails.
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../kit/free-port.ts";

const START_DEADLINE = 30_000;
const STOP_DEADLINE = 10_000;
/** Another process may take the port that we found free. */
const ATTEMPTS = 3;
const LONGEST_LOG = 20_000;

export interface PeerOptions {
  /** A file of this folder: a whole configuration that listens on 8080 to 8099 and keeps its files in FILES. */
  readonly config: string;
  /** Other texts of the configuration, and what must stand in their place. */
  readonly places?: Readonly<Record<string, string>>;
  /** The program in the foreground, and its arguments. */
  command(config: string, folder: string): readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Programs that the peer starts itself: by file name, a JavaScript module. */
  readonly programs?: Readonly<Record<string, string>>;
}

/** In the configurations, which are written as users write them: where the peer listens, and its files are. */
const PORTS = /\b80[89]\d\b/g;
const FILES = "/srv/peer";

export interface Peer {
  /** Where it listens, for a port of its configuration. */
  url(port?: number): string;
  readonly pid: number;
  readonly folder: string;
  /** All that it has written to its standard error, and into files that end in .log. */
  logs(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a peer, and resolves once it accepts connections. */
export async function startPeer(options: PeerOptions): Promise<Peer> {
  for (let attempt = 1; ; attempt++) {
    const peer = await RunningPeer.start(options);
    try {
      await peer.accepts();
      return peer;
    } catch (error) {
      await peer.stop();
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

export const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Puts everything in its place, and says which free port stands for which of the configuration. */
async function fill(
  text: string,
  places: Readonly<Record<string, string>>,
): Promise<[string, Map<number, number>]> {
  const ports = new Map<number, number>();
  for (const [port] of text.matchAll(PORTS))
    if (!ports.has(Number(port))) ports.set(Number(port), await freePort());
  // In one pass: what was put in may hold the text of another place, as port 39001 does.
  const all = new RegExp([PORTS.source, ...Object.keys(places).map(literal)].join("|"), "g");
  return [text.replace(all, (found) => places[found] ?? String(ports.get(Number(found)))), ports];
}

const literal = (text: string): string => text.replace(/[^\w\s]/g, "\\$&");

/** An executable file, since peers do not know Node. */
const install = (file: string, module: string): Promise<void> =>
  writeFile(file, `#!/bin/sh\nexec "${process.execPath}" "${module}"\n`, { mode: 0o755 });

class RunningPeer implements Peer {
  readonly folder: string;
  readonly #ports: ReadonlyMap<number, number>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #stderr = "";

  static async start(options: PeerOptions): Promise<RunningPeer> {
    const folder = await mkdtemp(join(tmpdir(), "sallyport-peer-"));
    // Started by root, most of them go on as another user.
    await chmod(folder, 0o1777);
    const text = await readFile(path(options.config), "utf8");
    const [filled, ports] = await fill(text, { ...options.places, [FILES]: folder });
    const config = join(folder, basename(options.config));
    await writeFile(config, filled);
    for (const [name, program] of Object.entries(options.programs ?? {}))
      await install(join(folder, name), program);
    return new RunningPeer(options.command(config, folder), options.env, folder, ports);
  }

  constructor(
    [program = "", ...args]: readonly string[],
    env: PeerOptions["env"],
    folder: string,
    ports: ReadonlyMap<number, number>,
  ) {
    this.folder = folder;
    this.#ports = ports;
    this.#child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // What it starts in its turn ends with it.
      detached: true,
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", resolve).once("error", (error) => {
        this.#stderr += error.message;
        resolve(error);
      });
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#stderr = (this.#stderr + text).slice(-LONGEST_LOG);
      });
    this.#endWithUs();
  }

  url(port = 8080): string {
    return `http://127.0.0.1:${this.#ports.get(port)}`;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async accepts(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE;
    let ended = false;
    void this.#ended.then(() => {
      ended = true;
    });
    for (const port of this.#ports.values())
      while (!(await accepts(port))) {
        if (ended || Date.now() > deadline)
          throw new Error(`${this.#child.spawnfile} does not listen:\n${await this.logs()}`);
        await delay(20);
      }
  }

  async logs(): Promise<string> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(".log"));
    const files = names.map(async (name) => `${name}:\n${await readFile(join(this.folder, name), "utf8")}`);
    return [this.#stderr, ...(await Promise.all(files))].join("\n").slice(-LONGEST_LOG);
  }

  async stop(): Promise<void> {
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_DEADLINE);
    await this.#ended;
    clearTimeout(timer);
    this.#signal("SIGKILL");
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #signal(name: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, name);
    } catch {
      // The whole group has ended already.
    }
  }

  /** A test that fails half-way leaves no server behind. */
  #endWithUs(): void {
    const kill = (): void => this.#signal("SIGKILL");
    process.once("exit", kill);
    void this.#ended.then(() => process.removeListener("exit", kill));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });
}
