// A page of docs/guide/ as somebody follows it: its files are written, its servers started, its commands run, on free ports and in a
// folder of their own.
import { spawn } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Peer, startPeer } from "../../interop/peer.ts";
import { freePort } from "../../kit/free-port.ts";
import { type Served, serveBy } from "../../kit/serve.ts";
import { until } from "../../kit/until.ts";

const BIN = fileURLToPath(new URL("../../../bin/sallyport.js", import.meta.url));
/** For a command that should end at once; generous, as machines may be loaded. */
const DEADLINE = 120_000;

export interface Block {
  readonly language: string;
  readonly code: string;
  /** The block is this file. */
  readonly file: string | undefined;
}

export interface Ran {
  readonly command: string;
  readonly output: string;
  /** What the page shows as its output. */
  readonly shown: string | undefined;
}

const SERVER = /^npx sallyport serve|^python3 (?!-)/;
const ADDRESS = / --(?:port|fastcgi|scgi|uwsgi)\b/;
/** Ports that the pages use for what they start. */
const PORTS = /\b(?:8000|9000|4000|3031)\b/g;

/** What each kind of block for another server is run by. */
export const PEERS: Readonly<Record<string, { program: string; config: string; args: readonly string[] }>> = {
  nginx: {
    program: "nginx",
    config: "../docs/guide/nginx.conf",
    args: ["-g", "daemon off;"],
  },
  apache: { program: "apache2", config: "../docs/guide/httpd.conf", args: ["-DFOREGROUND"] },
};

/** The folder of a page, and the servers of one section. */
export class Stage {
  readonly #folder: string;
  readonly #ports = new Map<string, number>();
  readonly #stops: (() => Promise<unknown>)[] = [];
  #peer: Peer | undefined;
  /** By the page's own servers. */
  #printed = "";

  constructor(folder: string) {
    this.#folder = folder;
    // Apache starts its programs as another user.
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, "npx"), `#!/bin/sh\nshift\nexec "${process.execPath}" "${BIN}" "$@"\n`, {
      mode: 0o755,
    });
  }

  /** Runs the blocks of a section. Resolves with the commands that ended, and rejects when one fails. */
  async play(blocks: readonly Block[]): Promise<Ran[]> {
    const ran: Ran[] = [];
    for (const [i, block] of blocks.entries()) {
      const code = await this.#placed(block.code);
      if (block.file !== undefined) this.#write(block.file, code);
      else if (block.language in PEERS) await this.#startPeer(block.language, code);
      else if (block.language === "sh") ran.push(...(await this.#runAll(code, blocks[i + 1])));
    }
    return ran;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.reverse()) await stop();
    this.#stops.length = 0;
    this.#peer = undefined;
  }

  async #runAll(code: string, next: Block | undefined): Promise<Ran[]> {
    const shown = next?.language === "text" ? next.code : undefined;
    const ran: Ran[] = [];
    for (const command of code.trim().split("\n")) {
      if (SERVER.test(command)) await this.#start(command);
      else ran.push({ command, output: await this.#run(command), shown });
    }
    return ran;
  }

  #write(file: string, code: string): void {
    writeFileSync(join(this.#folder, file), code, { mode: code.startsWith("#!") ? 0o755 : 0o644 });
  }

  /** Free ports in the place of those of the page, and the page's folder in the place of /srv/cafe. */
  async #placed(code: string): Promise<string> {
    for (const [port] of code.matchAll(PORTS))
      if (!this.#ports.has(port)) this.#ports.set(port, await freePort());
    return code
      .replace(PORTS, (port) => `${this.#ports.get(port)}`)
      .replaceAll(":8080", () => new URL(this.#peer?.url() ?? "http://none:8080").host.replace(/^.*:/, ":"))
      .replaceAll("/srv/cafe", this.#folder);
  }

  get #environment(): Record<string, string> {
    return { PATH: [this.#folder, process.env.PATH].join(delimiter), PYTHONDONTWRITEBYTECODE: "1" };
  }

  async #start(command: string): Promise<void> {
    if (command.startsWith("npx")) return this.#serve(command);
    const port = await this.#portOf(command);
    const [program = "", ...args] = command.split(" ");
    const child = spawn(program, args, { cwd: this.#folder, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#printed += text));
    const ended = new Promise((resolve) => child.once("close", resolve));
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    this.#stops.push(async () => {
      kill();
      await ended;
      process.removeListener("exit", kill);
    });
    await until(() => accepts(port));
  }

  /** Without an address of its own it listens at the port that the page asks. */
  async #serve(command: string): Promise<void> {
    await this.#placed("8000");
    const hasAddress = ADDRESS.test(command) || command === "npx sallyport serve";
    const words = command.split(" ").slice(1);
    const port = hasAddress ? [] : ["--port", `${this.#ports.get("8000")}`];
    const served: Served = await serveBy([process.execPath, BIN, ...words.slice(1), ...port], {
      cwd: this.#folder,
      env: this.#environment,
    });
    this.#stops.push(() => served.stop());
  }

  /** The port that the program `python3 NAME_app.py` listens at. */
  async #portOf(command: string): Promise<number> {
    const [, name = ""] = /(\w+)_app\.py/.exec(command) ?? [];
    const port = { fastcgi: "9000", scgi: "4000", uwsgi: "3031" }[name];
    if (port === undefined) throw new Error(`where does it listen: ${command}`);
    return this.#ports.get(port) as number;
  }

  async #startPeer(language: string, lines: string): Promise<void> {
    const { program, config, args } = PEERS[language] as (typeof PEERS)[string];
    const flag = program === "nginx" ? "-c" : "-f";
    this.#peer = await startPeer({
      config,
      places: { "# LINES OF THE PAGE": lines },
      command: (file, folder) => [
        program,
        ...(program === "nginx" ? ["-p", folder] : []),
        flag,
        file,
        ...args,
      ],
      env: { PATH: [this.#folder, "/usr/local/bin:/usr/bin:/bin:/usr/sbin"].join(delimiter) },
    });
    const peer = this.#peer;
    this.#stops.push(() => peer.stop());
  }

  #run(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn("sh", ["-c", command.replace(/^curl /, "curl -sS ")], {
        cwd: this.#folder,
        env: { ...process.env, ...this.#environment },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: DEADLINE,
      });
      const output = { stdout: "", stderr: "" };
      child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
      child.once("close", (code) =>
        code === 0
          ? resolve(output.stdout)
          : reject(
              new Error(`${command} ended with ${code}: ${output.stderr}${output.stdout}${this.#printed}`),
            ),
      );
    });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
