// The life of a Python application behind a gateway: its workers are started, replaced by a new generation, told to
// leave and ended. How an exchange is answered is the business of the interface that the application is written for.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type Exchange, type Gateway, type Log, SallyportError, silentLog } from "../exchange/index.ts";
import {
  aCount,
  aLog,
  aText,
  aWhole,
  type Checks,
  environment,
  milliseconds,
  must,
  texts,
} from "../options/checks.ts";
import type { Interface } from "./interface.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { findPython } from "./python.ts";

/** What every gateway to a Python application takes. */
export interface PythonApplicationOptions {
  /** The interpreter; otherwise `$VIRTUAL_ENV`, `.venv` or `venv` in `directory`, or `python3`. */
  readonly python?: string | undefined;
  /** Working directory of the application and the first place where its modules are looked for. Default: ours. */
  readonly directory?: string | undefined;
  /** Further places for modules. */
  readonly path?: readonly string[] | undefined;
  /** Environment variables besides our own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Worker processes. Default 1. */
  readonly processes?: number | undefined;
  /** Server processes like this one, each with its own workers: tells the application of its fellows. Default 1. */
  readonly serverProcesses?: number | undefined;
  /** Requests that a worker process takes before another replaces it (a tenth less for some, so that not all go at once); 0 for no limit, the default. */
  readonly maxRequests?: number | undefined;
  /** Milliseconds for importing and starting the application. Default 60 s. */
  readonly startTimeout?: number | undefined;
  /** Requests that may wait for a worker; one more gets 503. Default 1024. */
  readonly queue?: number | undefined;
  /** Milliseconds that a request may wait for a worker. Default 30 s. */
  readonly queueTimeout?: number | undefined;
  readonly log?: Log | undefined;
}

/** The names that some of these options had before 1.0. */
export interface OldPythonNames {
  /** @deprecated It is called `serverProcesses`. */
  readonly fronts?: number | undefined;
}

export const APPLICATION_CHECKS: Checks<PythonApplicationOptions> = {
  python: aText,
  directory: aText,
  path: texts,
  env: environment,
  processes: aCount,
  serverProcesses: aCount,
  maxRequests: aWhole,
  startTimeout: milliseconds,
  queue: aWhole,
  queueTimeout: milliseconds,
  log: aLog,
};

/** The first argument of whatever runs a Python application. */
export const aPythonApp = must(
  'the name of a Python application such as "shop:app"',
  (value) => typeof value === "string" && value !== "",
);

/** What is for the applications of one interface only. */
export type InterfaceOptions = Partial<
  Pick<
    PoolOptions,
    | "threads"
    | "constants"
    | "concurrency"
    | "lifespan"
    | "loop"
    | "pathsend"
    | "blockedTimeout"
    | "drainTimeout"
  >
>;

const DEFAULTS: Required<InterfaceOptions> = {
  threads: 1,
  constants: {},
  concurrency: 4096,
  lifespan: "auto",
  loop: "auto",
  pathsend: false,
  blockedTimeout: 30_000,
  drainTimeout: 30_000,
};

/** Who runs an application: the workers of a pool, or this very process. */
export interface Runner extends Pick<Pool, "start" | "submit" | "reload" | "leave" | "close"> {
  /** What the application is written for; undefined until it has started. */
  readonly interface: Interface | undefined;
}

/** Gets an exchange answered by those who run the application. Never throws. */
export type AnswerExchange = (exchange: Exchange, crew: Pick<Runner, "submit">) => void;

/** How the applications of one interface are run, and their exchanges answered. */
export interface InterfaceSpec {
  readonly interface: Interface;
  /** Milliseconds until a response must have begun; 0 for no limit. */
  readonly timeout: number;
  readonly options: InterfaceOptions;
  readonly answer: AnswerExchange;
}

/** Told which interface was found. Throws a SallyportError when that is not what the user had in mind. */
export type OnInterface = (spoken: Interface) => void;

export interface RunnerHooks {
  readonly onInterface?: OnInterface;
  /** Finds those who run it; a pool of workers otherwise. */
  readonly createRunner?: (options: PoolOptions) => Runner;
}

/** Runs an application of one of the interfaces that `spoken` has: with several, the worker finds out which. */
export class PythonApplication implements Gateway {
  readonly #app: string;
  readonly #options: PythonApplicationOptions;
  readonly #specs: readonly InterfaceSpec[];
  readonly #onInterface: OnInterface;
  readonly #createRunner: (options: PoolOptions) => Runner;
  #runner: Runner | undefined;
  #answer: AnswerExchange;
  #starting: Promise<Runner> | undefined;

  constructor(
    app: string,
    options: PythonApplicationOptions,
    spoken: readonly InterfaceSpec[],
    { onInterface = () => {}, createRunner = (all) => new Pool(all) }: RunnerHooks = {},
  ) {
    this.#createRunner = createRunner;
    this.#app = app;
    this.#options = options;
    this.#specs = spoken;
    this.#onInterface = onInterface;
    this.#answer = (exchange) => exchange.fail(new SallyportError("NOT_READY", `${app} was not started`));
  }

  /** Starting what has started already is the same start. */
  async start(): Promise<void> {
    this.#starting ??= this.#start();
    try {
      this.#runner = await this.#starting;
    } catch (error) {
      this.#starting = undefined;
      throw error;
    }
  }

  handle(exchange: Exchange): void {
    this.#answer(exchange, this.#runner as Runner);
  }

  async reload(): Promise<void> {
    await this.#runner?.reload();
  }

  leave(): void {
    this.#runner?.leave();
  }

  async close(grace: number): Promise<void> {
    await this.#runner?.close(grace);
  }

  async #start(): Promise<Runner> {
    const crew = this.#makeRunner();
    await crew.start();
    try {
      this.#choose(crew);
    } catch (error) {
      await crew.close(0);
      throw error;
    }
    return crew;
  }

  #makeRunner(): Runner {
    const options = this.#options;
    const directory = existingDirectory(options.directory ?? ".");
    return this.#createRunner({
      app: this.#app,
      python: findPython({ python: options.python, directory }),
      directory,
      path: (options.path ?? []).map((place) => resolve(directory, place)),
      env: { ...options.env },
      processes: options.processes ?? 1,
      serverProcesses: options.serverProcesses ?? 1,
      maxRequests: options.maxRequests ?? 0,
      startTimeout: options.startTimeout ?? 60_000,
      queue: options.queue ?? 1024,
      queueTimeout: options.queueTimeout ?? 30_000,
      log: options.log ?? silentLog,
      interface: this.#specs.length === 1 ? this.#specs[0]?.interface : undefined,
      timeout: {
        wsgi: 0,
        asgi: 0,
        ...Object.fromEntries(this.#specs.map((one) => [one.interface, one.timeout])),
      },
      ...merged(this.#specs),
    });
  }

  #choose(crew: Runner): void {
    const spoken = this.#specs.find((one) => one.interface === crew.interface) as InterfaceSpec;
    this.#onInterface(spoken.interface);
    this.#answer = spoken.answer;
  }
}

function merged(spoken: readonly InterfaceSpec[]): Required<InterfaceOptions> {
  return Object.assign({ ...DEFAULTS }, ...spoken.map((one) => one.options));
}

function existingDirectory(path: string): string {
  const directory = resolve(path);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  throw new SallyportError(
    "TARGET_NOT_FOUND",
    `there is no directory ${directory} to run the application in`,
  );
}
