// A Python application behind a gateway: its workers are started, replaced by a new generation, and stopped. The interface
// that the application is written for says how an exchange is answered.
// Tested by test/protocols/wsgi/workers.test.ts.
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type Exchange,
  type Gateway,
  type GatewayStatus,
  type Leaving,
  type ProcessBounds,
  type ProcessStacks,
  SallyportError,
  silentLog,
  statusWithoutProcesses,
} from "../exchange/index.ts";
import type { Agree } from "../exchange/reloads.ts";
import { waitUntil } from "../exchange/wait.ts";
import { must } from "../options/checks.ts";
import { isolationOf } from "../processes/index.ts";
import { INTERFACE_NAMES, type Interface } from "./interface.ts";
import {
  DEFAULTS,
  type EventLoopOptions,
  given,
  type PythonApplicationOptions,
  type ThreadOptions,
} from "./options.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { findPython } from "./python.ts";
import { PROGRAM } from "./start.ts";

/** The names that some of these options had before 1.0. */
export interface OldPythonNames {
  /** @deprecated It is called `serverProcesses`. */
  readonly fronts?: number | undefined;
  /** @deprecated It is called `chdir`. */
  readonly directory?: string | undefined;
}

/** Checks the first argument of every function that makes a gateway to a Python application. */
export const aPythonApp = must(
  'the name of a Python application such as "shop:app"',
  (value) => typeof value === "string" && value !== "",
);

/** Runs an application: in the workers of a pool, or in this very process. */
export interface Runner
  extends Pick<Pool, "start" | "submit" | "reload" | "status" | "stacks" | "scale" | "leave" | "close"> {
  /** The interface that the application is written for; undefined until it has started. */
  readonly interface: Interface | undefined;
  /** The group of its processes, if they are of another user: what is written for them must be readable to it. */
  readonly bodyGroup?: number | undefined;
}

/** Gets an exchange answered by the application. Never throws. */
export type AnswerExchange = (
  exchange: Exchange,
  runner: Pick<Runner, "submit" | "bodyGroup">,
) => Promise<void> | void;

/** Options of all interfaces: which of them suit the application may turn out only when it starts. */
type ApplicationOptions = PythonApplicationOptions & ThreadOptions & EventLoopOptions;

/** How the applications of one interface are run, and their exchanges answered. */
export interface InterfaceSpec {
  readonly interface: Interface;
  /** Milliseconds until a response must have begun; 0 for no limit. */
  readonly timeout: number;
  /** The variables of the environ that are the same for every request. */
  readonly constants?: Readonly<Record<string, string>>;
  readonly answer: AnswerExchange;
}

/** Called with the interface that was found. Throws a SallyportError if the options do not suit it. */
export type OnInterface = (found: Interface) => void;

export interface RunnerHooks {
  readonly onInterface?: OnInterface;
  /** Default: a pool of workers. */
  readonly createRunner?: (options: PoolOptions) => Runner;
}

/** Runs an application of one of the interfaces that `specs` describe: with several, the worker finds out which. */
export class PythonApplication implements Gateway {
  readonly #app: string;
  readonly #options: ApplicationOptions;
  readonly #specs: readonly InterfaceSpec[];
  readonly #onInterface: OnInterface;
  readonly #createRunner: (options: PoolOptions) => Runner;
  #runner: Runner | undefined;
  #answer: AnswerExchange;
  #starting: Promise<Runner> | undefined;
  /** Requests whose bodies are not complete yet. */
  #preparing = 0;

  constructor(
    app: string,
    options: ApplicationOptions,
    specs: readonly InterfaceSpec[],
    { onInterface = () => {}, createRunner = (all) => new Pool(all) }: RunnerHooks = {},
  ) {
    this.#createRunner = createRunner;
    this.#app = app;
    this.#options = options;
    this.#specs = specs;
    this.#onInterface = onInterface;
    this.#answer = (exchange) => exchange.fail(new SallyportError("NOT_READY", `${app} was not started`));
  }

  /** Starts it once, however often it is called; after a failure it tries again. */
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
    const prepared = this.#answer(exchange, this.#runner as Runner);
    if (prepared) void this.#await(prepared);
  }

  async reload(agree?: Agree): Promise<void> {
    await this.#runner?.reload(agree);
  }

  status(): GatewayStatus {
    const found = this.#runner?.interface ?? this.#onlyInterface;
    const name = found === undefined ? "Python" : INTERFACE_NAMES[found];
    return { ...statusWithoutProcesses(name), ...this.#runner?.status() };
  }

  async stacks(): Promise<readonly ProcessStacks[]> {
    return (await this.#runner?.stacks()) ?? [];
  }

  async scale(bounds: ProcessBounds): Promise<void> {
    if (!this.#runner) throw new SallyportError("NOT_READY", `${this.#app} was not started`);
    this.#runner.scale(bounds);
  }

  leave(why?: Leaving): void {
    this.#runner?.leave(why);
  }

  async close(grace: number): Promise<void> {
    const deadline = performance.now() + grace;
    this.#answer = (exchange) =>
      exchange.fail(new SallyportError("STOPPING", `${this.#app} is being stopped`));
    await waitUntil(() => this.#preparing === 0, grace);
    await this.#runner?.close(Math.max(0, deadline - performance.now()));
  }

  async #await(prepared: Promise<void>): Promise<void> {
    this.#preparing++;
    await prepared;
    this.#preparing--;
  }

  async #start(): Promise<Runner> {
    const runner = await this.#makeRunner();
    await runner.start();
    try {
      this.#choose(runner);
    } catch (error) {
      await runner.close(0);
      throw error;
    }
    return runner;
  }

  async #makeRunner(): Promise<Runner> {
    const options = this.#options;
    checkPathsend(this.#app, options);
    const directory = existingDirectory(options.chdir ?? ".");
    const python = findPython({ python: options.python, directory });
    const isolation = await isolationOf(options, this.#app, {
      directory,
      readable: [join(PROGRAM, "__main__.py"), join(PROGRAM, "sallyport/worker.py")],
      executable: [python],
    });
    return this.#createRunner({
      ...DEFAULTS,
      log: silentLog,
      ...given(options),
      app: this.#app,
      isolation,
      python,
      chdir: directory,
      path: (options.path ?? []).map((place) => resolve(directory, place)),
      constants: Object.assign({}, ...this.#specs.map((spec) => spec.constants)),
      interface: this.#onlyInterface,
      timeout: {
        wsgi: 0,
        asgi: 0,
        ...Object.fromEntries(this.#specs.map((spec) => [spec.interface, spec.timeout])),
      },
    });
  }

  /** Undefined where the worker finds out. */
  get #onlyInterface(): Interface | undefined {
    return this.#specs.length === 1 ? this.#specs[0]?.interface : undefined;
  }

  #choose(runner: Runner): void {
    const found = this.#specs.find((spec) => spec.interface === runner.interface) as InterfaceSpec;
    this.#onInterface(found.interface);
    this.#answer = found.answer;
  }
}

/** The server opens the files that the application names, with the server's rights. */
function checkPathsend(app: string, { pathsend, user, group }: ApplicationOptions): void {
  if (!pathsend || (user ?? group) === undefined) return;
  const message = `${app}: pathsend has the server read any file that the app names, which its user may not be allowed to; leave it out with user or group`;
  throw new SallyportError("CONFIG_INVALID", message);
}

function existingDirectory(path: string): string {
  const directory = resolve(path);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  throw new SallyportError(
    "TARGET_NOT_FOUND",
    `there is no directory ${directory} to run the application in`,
  );
}
