// What a worker is told about its application, and how it is to run it.
import type { Log } from "../exchange/index.ts";
import type { Interface } from "./interface.ts";

export interface WorkerOptions {
  /** Path of the interpreter. */
  readonly python: string;
  /** `module:callable`. */
  readonly app: string;
  /** Working directory, and the first place where modules are looked for. */
  readonly directory: string;
  /** Further places for modules. */
  readonly path: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What the application is said to be written for; undefined when the worker is to find out. */
  readonly interface: Interface | undefined;
  /** Threads that run a WSGI application. */
  readonly threads: number;
  /** Streams that an ASGI application may have at once in one worker. */
  readonly concurrency: number;
  readonly lifespan: Lifespan;
  readonly loop: Loop;
  /** Whether an ASGI application is offered http.response.pathsend. */
  readonly pathsend: boolean;
  /** How many workers there are in all: `wsgi.multiprocess`. */
  readonly processes: number;
  /** How many server processes have as many of them. */
  readonly serverProcesses: number;
  /** What never changes from request to request. */
  readonly constants: Readonly<Record<string, string>>;
  /** Requests after which a process is replaced, one by one with others of its age a little earlier; 0 for never. */
  readonly maxRequests: number;
  /** Milliseconds for importing the application. */
  readonly startTimeout: number;
  readonly log: Log;
}

/** Whether an ASGI application takes part in the lifespan protocol; `auto`: if it does not refuse. */
export type Lifespan = "auto" | "on" | "off";
/** The event loop of an ASGI application; `auto`: uvloop where it can be imported. */
export type Loop = "auto" | "asyncio" | "uvloop";
