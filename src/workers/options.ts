// The options of Python applications: each family once, as users give them, with its checks; and resolved, as workers and
// pools take them.
// Tested by test/options/checks.test.ts.
import type { Log } from "../exchange/index.ts";
import {
  aCount,
  aFlag,
  aLog,
  aText,
  type Checks,
  environment,
  milliseconds,
  oneOf,
  texts,
} from "../options/checks.ts";
import { ISOLATION_CHECKS, type IsolationOptions } from "../options/isolation.ts";
import {
  type Processes,
  processCount,
  RECYCLING_CHECKS,
  type RecyclingOptions,
} from "../options/processes.ts";
import { QUEUE_CHECKS, type QueueOptions } from "../options/queue.ts";
import type { Isolation } from "../processes/index.ts";
import type { Interface } from "./interface.ts";

/** Options of a family with none left out. */
export type Resolved<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** Which interpreter runs the application, and where. */
export interface InterpreterOptions {
  /** The interpreter; otherwise that of `$VIRTUAL_ENV`, of `.venv` or `venv` in `chdir` or the project around it, or `python3`. */
  readonly python?: string | undefined;
  /** Working directory of the application and the first place where its modules are looked for. Default: ours. */
  readonly chdir?: string | undefined;
  /** Further places for modules. */
  readonly path?: readonly string[] | undefined;
  /** Environment variables besides our own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds for importing and starting the application. Default 60 s. */
  readonly startTimeout?: number | undefined;
}

/** How many processes run the application, and for how long each. */
export interface ProcessOptions extends RecyclingOptions {
  /** Worker processes: a number, or bounds between which it follows the requests. Default 1. */
  readonly processes?: Processes | undefined;
  /** Server processes like this one, each with as many workers: counts for `wsgi.multiprocess`. Default 1. */
  readonly serverProcesses?: number | undefined;
}

/** Workers that run a WSGI application. */
export interface ThreadOptions {
  /** Threads in each worker that run the application. Default 1. */
  readonly threads?: number | undefined;
}

/** Workers that run an ASGI application in an event loop. */
export interface EventLoopOptions {
  /** Requests and WebSockets that each worker has at once. Default 4096. */
  readonly concurrency?: number | undefined;
  /** Whether the application takes part in the lifespan protocol. Default `auto`: if it does not refuse. */
  readonly lifespan?: "auto" | "on" | "off" | undefined;
  /** The event loop. Default `auto`: uvloop where it can be imported. */
  readonly loop?: "auto" | "asyncio" | "uvloop" | undefined;
  /** Whether the application is offered the extension `http.response.pathsend`. Default false: much middleware cannot cope with it. */
  readonly pathsend?: boolean | undefined;
  /** Milliseconds that the event loop may be blocked; then 504 and a new worker. 0 for no limit. Default 30 s. */
  readonly blockedTimeout?: number | undefined;
  /** Milliseconds that requests of the old generation may take after a reload. Default 30 s. */
  readonly drainTimeout?: number | undefined;
}

/** What every gateway to a Python application takes. */
export interface PythonApplicationOptions
  extends InterpreterOptions,
    IsolationOptions,
    QueueOptions,
    ProcessOptions {
  readonly log?: Log | undefined;
}

const INTERPRETER_CHECKS: Checks<InterpreterOptions> = {
  python: aText,
  chdir: aText,
  path: texts,
  env: environment,
  startTimeout: milliseconds,
};

const PROCESS_CHECKS: Checks<ProcessOptions> = {
  processes: processCount,
  serverProcesses: aCount,
  ...RECYCLING_CHECKS,
};

export const APPLICATION_CHECKS: Checks<PythonApplicationOptions> = {
  ...INTERPRETER_CHECKS,
  ...ISOLATION_CHECKS,
  ...QUEUE_CHECKS,
  ...PROCESS_CHECKS,
  log: aLog,
};

export const THREAD_CHECKS: Checks<ThreadOptions> = { threads: aCount };

export const EVENT_LOOP_CHECKS: Checks<EventLoopOptions> = {
  concurrency: aCount,
  lifespan: oneOf("auto", "on", "off"),
  loop: oneOf("auto", "asyncio", "uvloop"),
  pathsend: aFlag,
  blockedTimeout: milliseconds,
  drainTimeout: milliseconds,
};

/** What a worker needs of an application and its interface. */
export interface WorkerOptions
  extends Resolved<InterpreterOptions>,
    Resolved<ProcessOptions>,
    Resolved<ThreadOptions>,
    Resolved<EventLoopOptions> {
  /** `module:callable`. */
  readonly app: string;
  /** The interface that the application is said to be written for; undefined if the worker is to find out. */
  readonly interface: Interface | undefined;
  /** The variables of the environ that are the same for every request. */
  readonly constants: Readonly<Record<string, string>>;
  /** As whom, and within which limits, its processes run. */
  readonly isolation: Isolation;
  /** Variables of our environment that they get. */
  readonly inheritEnv: readonly string[];
  readonly log: Log;
}

/** The defaults of the options that a specification of an interface need not give. */
export const DEFAULTS: Resolved<
  Omit<InterpreterOptions, "python" | "chdir"> &
    QueueOptions &
    ProcessOptions &
    ThreadOptions &
    EventLoopOptions
> & { readonly inheritEnv: readonly string[] } = {
  path: [],
  inheritEnv: ["*"],
  env: {},
  startTimeout: 60_000,
  queue: 1024,
  queueTimeout: 30_000,
  processes: 1,
  serverProcesses: 1,
  maxRequests: 0,
  maxAge: 0,
  maxMemory: 0,
  memoryLimit: 0,
  threads: 1,
  concurrency: 4096,
  lifespan: "auto",
  loop: "auto",
  pathsend: false,
  blockedTimeout: 30_000,
  drainTimeout: 30_000,
};

/** `options` without those that are undefined, so that they do not hide defaults. */
export const given = <T extends object>(options: T): Partial<Resolved<T>> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<
    Resolved<T>
  >;
