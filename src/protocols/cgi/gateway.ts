// The web server's half of CGI/1.1 (RFC 3875): a process for each request.
import { stat } from "node:fs/promises";
import { basename, dirname, extname } from "node:path";
import { MAX_BODY } from "../../cgi/options.ts";
import { Semaphore } from "../../cgi/semaphore.ts";
import {
  type Exchange,
  type Gateway,
  type GatewayStatus,
  type Log,
  localRedirect,
  type RequestBody,
  SallyportError,
  type Spooled,
  silentLog,
  spool,
} from "../../exchange/index.ts";
import { type MemberOf, Members } from "../../exchange/members.ts";
import { waitUntil } from "../../exchange/wait.ts";
import {
  aFlag,
  aFunction,
  aLog,
  anObject,
  aText,
  byteCount,
  type Checks,
  checkArgument,
  checkOptions,
  environment,
  milliseconds,
  texts,
} from "../../options/checks.ts";
import { PROGRAM_CHECKS, type ProgramOptions } from "../../options/program.ts";
import { QUEUE_CHECKS, type QueueOptions } from "../../options/queue.ts";
import {
  type Isolation,
  inheritedEnvironment,
  isolated,
  isolationOf,
  type Launcher,
  type Needs,
  NOT_ISOLATED,
  sharedLauncher,
} from "../../processes/index.ts";
import { type CommandOptions, commandFor } from "./command.ts";
import { type CgiProgram, type Interpreters, type Programs, programsAt } from "./program.ts";
import { Run } from "./run.ts";
import { startFailure } from "./start-failure.ts";
import { StderrLog } from "./stderr.ts";

/** All times are milliseconds. */
export interface CgiOptions extends ProgramOptions, QueueOptions {
  /** Path of one program that answers every path, or of a directory with programs. */
  readonly program: string;
  /** DOCUMENT_ROOT, and base of PATH_TRANSLATED; default: the directory of programs. */
  readonly documentRoot?: string | undefined;
  /** Programs that run files, by suffix, such as `{ ".py": "python3" }`; other files must be executable. */
  readonly interpreters?: Interpreters | undefined;
  /** Directories besides `program` that links in it may lead to, "/" for any. Default none. */
  readonly links?: readonly string[] | undefined;
  /** How long a program may take to its header, after it was given the whole body; then 504. 0 for no limit. Default 60 s. */
  readonly timeout?: number | undefined;
  /** How long a program may run in all; then its response is cut. Default 0: no limit. */
  readonly totalTimeout?: number | undefined;
  /** How long a program has between TERM and KILL. Default 2 s. */
  readonly killGrace?: number | undefined;
  /** Programs named `nph-...` write the status line themselves. Default false. */
  readonly nph?: boolean | undefined;
  /** A query without "=" becomes arguments (RFC 3875, 4.4). Default false: CVE-2012-1823. */
  readonly argvFromQuery?: boolean | undefined;
  /** Whether bodies are complete before a program starts; those of unknown length always are. Default true. */
  readonly bufferBody?: boolean | undefined;
  /** Bytes of a body that is set aside until it is complete. More: 413. Default 4 GiB. */
  readonly maxBody?: number | undefined;
  /** Answers an exchange by path: where local redirects go. Default: this gateway, for paths below its mount. */
  readonly redirect?: ((exchange: Exchange) => void) | undefined;
  readonly log?: Log | undefined;
  readonly launcher?: Launcher | undefined;
}

/** The names that some of these options had before 1.0. */
export interface OldCgiNames {
  /** @deprecated It is called `chdir`. */
  readonly cwd?: string | undefined;
}

const DEFAULTS = {
  env: {},
  inheritEnv: [] as readonly string[],
  interpreters: {},
  links: [] as readonly string[],
  processes: 64,
  queue: 256,
  queueTimeout: 10_000,
  timeout: 60_000,
  totalTimeout: 0,
  killGrace: 2000,
  nph: false,
  argvFromQuery: false,
  bufferBody: true,
  maxBody: MAX_BODY,
  log: silentLog,
  launcher: sharedLauncher,
} as const;

const CHECKS: Checks<CgiOptions> = {
  ...PROGRAM_CHECKS,
  ...QUEUE_CHECKS,
  program: aText,
  documentRoot: aText,
  interpreters: environment,
  links: texts,
  timeout: milliseconds,
  totalTimeout: milliseconds,
  killGrace: milliseconds,
  nph: aFlag,
  argvFromQuery: aFlag,
  bufferBody: aFlag,
  maxBody: byteCount,
  redirect: aFunction,
  log: aLog,
  launcher: anObject,
};

/** How long a killed program may take to end. */
const REAPING = 1000;

const stopping = (): SallyportError => new SallyportError("STOPPING", "the server is stopping");

/** Runs CGI programs. `start` rejects with TARGET_NOT_FOUND, NOT_EXECUTABLE or SPAWN_FAILED. */
export function cgi(given: CgiOptions & OldCgiNames): Gateway {
  const options = checkOptions<CgiOptions>("cgi()", given, CHECKS, '{ program: "cgi-bin" }');
  checkArgument("cgi()", "program", options.program, aText);
  return new CgiGateway(options);
}

type Settings = CgiOptions & { readonly [K in keyof typeof DEFAULTS]: NonNullable<CgiOptions[K]> };

class CgiGateway implements Gateway {
  readonly #settings: Settings;
  readonly #semaphore: Semaphore;
  readonly #runs = new Members<Run>();
  #programs: Programs | undefined;
  /** `close` was called: there are no new requests. */
  #closing = false;
  /** The grace is over. */
  #isolation: Isolation = NOT_ISOLATED;
  #inherited: Readonly<Record<string, string>> = {};
  #stopping = false;
  /** Those that are not over: a client may still take what its program has left behind. */
  readonly #exchanges = new Members<MemberOf<Exchange>>();

  constructor(options: CgiOptions) {
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#settings = { ...DEFAULTS, ...given } as Settings;
    const { processes, queue, queueTimeout } = this.#settings;
    this.#semaphore = new Semaphore(processes, queue, queueTimeout);
  }

  async start(): Promise<void> {
    const { program, launcher, inheritEnv } = this.#settings;
    this.#isolation = await isolationOf(this.#settings, program, await this.#needs());
    this.#inherited = inheritedEnvironment(inheritEnv);
    this.#programs = await programsAt(program, this.#settings);
    await launcher.retain().catch((cause: Error) => {
      throw new SallyportError("SPAWN_FAILED", `no programs can be started: ${cause.message}`, { cause });
    });
  }

  /** One program must be executable to its user; of a directory, that it can be entered is enough. */
  async #needs(): Promise<Needs> {
    const { program, interpreters, chdir } = this.#settings;
    const stats = await stat(program).catch(() => undefined);
    if (stats?.isFile() && extname(program) in interpreters) return { directory: chdir, readable: [program] };
    return { directory: chdir, executable: stats ? [program] : [] };
  }

  handle(exchange: Exchange): void {
    if (this.#closing) exchange.fail(stopping());
    else this.#take(exchange);
  }

  #take(exchange: Exchange): void {
    const held = { place: -1, value: exchange };
    this.#exchanges.add(held);
    exchange.whenClosed(() => this.#exchanges.delete(held));
    this.#answer(exchange).catch((error: unknown) => exchange.fail(SallyportError.from(error)));
  }

  /** Its processes are the programs that run. */
  status(): GatewayStatus {
    return {
      interface: "CGI",
      waiting: this.#semaphore.waiting,
      processes: [...this.#runs].map((run) => run.status),
      bounds: { min: 0, max: this.#settings.processes },
      restarts: 0,
    };
  }

  async close(grace: number): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await waitUntil(() => this.#exchanges.size + this.#runs.size === 0, grace);
    this.#stopping = true;
    for (const run of this.#runs) run.stop(stopping());
    for (const { value } of this.#exchanges) value.fail(stopping());
    await waitUntil(() => this.#runs.size === 0, this.#settings.killGrace + REAPING);
    if (this.#programs) await this.#settings.launcher.release();
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { mount } = exchange;
    const program = await this.#ready.find(exchange);
    exchange.mount = program.mount;
    const spooled = await this.#spool(exchange);
    try {
      await this.#withPermit(exchange, () =>
        this.#run(exchange, program, spooled?.body() ?? exchange.body, mount),
      );
    } finally {
      await spooled?.dispose();
    }
  }

  get #ready(): Programs {
    if (this.#stopping) throw stopping();
    if (this.#programs) return this.#programs;
    throw new SallyportError("NOT_READY", `${this.#settings.program} was not started`);
  }

  /** Slow clients wait here, without a program; and CONTENT_LENGTH must be true, also of a chunked body (C3). */
  async #spool({ body }: Exchange): Promise<Spooled | undefined> {
    const { bufferBody, maxBody } = this.#settings;
    const isHere = body.whole && body.whole.length <= maxBody;
    const streams = !bufferBody && body.length !== undefined;
    return isHere || streams ? undefined : spool(body, { limit: maxBody });
  }

  async #withPermit(exchange: Exchange, action: () => Promise<void>): Promise<void> {
    await this.#semaphore.take(exchange);
    try {
      if (!exchange.closed) await action();
    } finally {
      this.#semaphore.give();
    }
  }

  async #run(exchange: Exchange, program: CgiProgram, body: RequestBody, mount: string): Promise<void> {
    if (this.#stopping) throw stopping();
    const { log, launcher } = this.#settings;
    const name = basename(program.file);
    const stderr = new StderrLog(name, log);
    const options = this.#commandOptions;
    const started = commandFor(exchange, program, body.length, options);
    const child = await launcher.launch({
      ...isolated(started.command, started.args, this.#isolation),
      env: started.env,
      cwd: this.#settings.chdir ?? dirname(program.file),
      stdio: [body.length === 0 ? "ignore" : "pipe", "pipe", "lines"],
      onLine: (line) => stderr.add(line),
    });
    if (child.pid === undefined) throw startFailure((await child.exited).failure, started, options);
    exchange.trace?.handedOver(child.pid);
    stderr.pid = child.pid;
    void child.printed.then(() => stderr.end());
    const nph = program.nph && this.#settings.nph;
    const redirect = (location: string): void => {
      try {
        this.#redirect(exchange, location, mount);
      } catch (error) {
        exchange.fail(SallyportError.from(error));
      }
    };
    const runOptions = { ...this.#settings, file: program.file, name, nph, stderr, redirect };
    await this.#track(new Run(exchange, child, runOptions), body);
  }

  get #commandOptions(): CommandOptions {
    const { env, argvFromQuery, documentRoot } = this.#settings;
    const inherited = this.#inherited;
    return { inherited, env, argvFromQuery, documentRoot: documentRoot ?? this.#ready.directory };
  }

  async #track(run: Run, body: RequestBody): Promise<void> {
    this.#runs.add(run);
    await run.finish(body);
    this.#runs.delete(run);
  }

  #redirect(exchange: Exchange, location: string, mount: string): void {
    const again = localRedirect(exchange, location);
    if (this.#settings.redirect) return this.#settings.redirect(again);
    if (!again.request.path.startsWith(`${mount}/`))
      throw new SallyportError("NOT_FOUND", `a local redirect leads out of ${mount}: ${location}`);
    again.mount = mount;
    this.#take(again);
  }
}
