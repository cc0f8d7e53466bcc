// A launcher whose programs are played in this process: the CGI listener with the environment, the streams and the end
// of a program, and without the time that it takes to start one. The environment really goes through a process (env), so
// that it is no other than what a program is given. Programs of their own: test/protocols/cgi/listener.test.ts.
import { execFile } from "node:child_process";
import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import type { Handler } from "../../src/exchange/index.ts";
import type { Child, Exit, LaunchOptions } from "../../src/processes/index.ts";
import { Launcher } from "../../src/processes/index.ts";
import { serveCgi } from "../../src/protocols/cgi/listener.ts";
import { matrixLog as log } from "./log.ts";

/** The program to give the gateway: one that is there, and prints its environment. */
export const PLAYED_PROGRAM = "/usr/bin/env";

export class PlayedLauncher extends Launcher {
  readonly #handler: Handler;

  constructor(handler: Handler) {
    super();
    this.#handler = handler;
  }

  override async retain(): Promise<void> {}

  override async release(): Promise<void> {}

  override async launch(options: LaunchOptions): Promise<Child> {
    return new PlayedProgram(this.#handler, await environment(options), options.stdio?.[0] === "pipe");
  }
}

/** As a program that is started like this finds it: name and value in turn, each character one byte. */
function environment({ command, args = [], env = {} }: LaunchOptions): Promise<string[]> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args, "-0"], { env, encoding: "latin1" }, (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout.split("\0").slice(0, -1).flatMap(apart));
    });
  });
}

function apart(entry: string): [name: string, value: string] {
  const mark = entry.indexOf("=");
  return [entry.slice(0, mark), entry.slice(mark + 1)];
}

class PlayedProgram implements Child {
  readonly pid = 1;
  readonly streams: readonly (Socket | undefined)[];
  readonly exited: Promise<Exit>;
  readonly printed: Promise<void> = Promise.resolve();
  readonly #stdin: Duplex;
  readonly #stdout: Duplex;
  #end!: (exit: Exit) => void;

  constructor(handler: Handler, env: string[], hasInput: boolean) {
    const [input, stdin] = duplexPair();
    const [output, stdout] = duplexPair();
    this.#stdin = stdin;
    this.#stdout = stdout;
    this.streams = [hasInput ? (input as Socket) : undefined, output as Socket];
    if (!hasInput) input.end();
    stdout.resume();
    const ended = new Promise<Exit>((resolve) => {
      this.#end = resolve;
    });
    this.exited = ended.then((exit) => this.#closed(exit));
    const die = (): void => this.#end({ code: null, signal: "SIGKILL" });
    void serveCgi({ handler, log, env, stdin, stdout, die }).then((code) =>
      this.#end({ code, signal: null }),
    );
  }

  signal(): void {
    this.#die("SIGTERM");
  }

  stop(): Promise<Exit> {
    this.#die("SIGTERM");
    return this.exited;
  }

  sweep(): void {}

  /** The application in this process lives on; that its program is gone it learns from a broken pipe. */
  #die(signal: NodeJS.Signals): void {
    this.#end({ code: null, signal });
    this.#stdout.destroy(new Error("EPIPE"));
  }

  #closed(exit: Exit): Exit {
    this.#stdout.end();
    this.#stdin.end();
    return exit;
  }
}
