// The server's half of ASGI 3.0 (HTTP and WebSocket 2.5, lifespan 2.0): persistent Python workers with an event loop
// answer over the link, many exchanges at once in each. The other part of this half runs inside the worker:
// python/sallyport/asgi/.

import type { Gateway } from "../../exchange/index.ts";
import type { ResponseBufferLimits } from "../../exchange/response-buffer.ts";
import {
  aCount,
  aFlag,
  type Checks,
  checkArgument,
  checkOptions,
  milliseconds,
  oneOf,
} from "../../options/checks.ts";
import {
  APPLICATION_CHECKS,
  aPythonApp,
  type InterfaceSpec,
  type Lifespan,
  type Loop,
  type OldPythonNames,
  PythonApplication,
  type PythonApplicationOptions,
  WorkerStream,
} from "../../workers/index.ts";
import { writeScope } from "./scope.ts";

/** What is for ASGI applications only. */
export interface AsgiOnlyOptions {
  /** Requests and WebSockets that each worker has at once. Default 4096. */
  readonly concurrency?: number | undefined;
  /** Whether the application takes part in the lifespan protocol. Default `auto`: if it does not refuse. */
  readonly lifespan?: Lifespan | undefined;
  /** The event loop. Default `auto`: uvloop where it can be imported. */
  readonly loop?: Loop | undefined;
  /** Whether the application is offered the extension `http.response.pathsend`. Default false: much middleware cannot cope with it. */
  readonly pathsend?: boolean | undefined;
  /** Milliseconds that the event loop may be blocked; then 504 and a new worker. 0 for no limit. Default 30 s. */
  readonly blockedTimeout?: number | undefined;
  /** Milliseconds that requests of the old generation may take after a reload. Default 30 s. */
  readonly drainTimeout?: number | undefined;
}

export interface AsgiOptions extends PythonApplicationOptions, AsgiOnlyOptions {
  /** Milliseconds until a response must have begun; then 504, and the worker goes on. Default 0: no limit. */
  readonly timeout?: number | undefined;
}

const CHECKS: Checks<AsgiOptions> = {
  ...APPLICATION_CHECKS,
  concurrency: aCount,
  lifespan: oneOf("auto", "on", "off"),
  pathsend: aFlag,
  loop: oneOf("auto", "asyncio", "uvloop"),
  blockedTimeout: milliseconds,
  drainTimeout: milliseconds,
  timeout: milliseconds,
};

/**
 * An application that is slow to send holds nothing but its own task, so it is made to wait for a slow client at once:
 * what the link may have under way unasked is all that is ever kept.
 */
const NOTHING_KEPT: ResponseBufferLimits = { memory: 0, file: 0, directory: "" };

/** A gateway to the ASGI application that `app` names: `module:callable`, `module`, or `module:factory()`. */
export function asgi(app: string, given: AsgiOptions & OldPythonNames = {}): Gateway {
  checkArgument("asgi()", "the first argument", app, aPythonApp);
  const options = checkOptions<AsgiOptions>("asgi()", given, CHECKS, "{ processes: 2 }");
  return new PythonApplication(app, options, [asgiSpec(options)]);
}

/** How ASGI applications are run and asked. */
export const asgiSpec = (options: AsgiOptions): InterfaceSpec => ({
  interface: "asgi",
  timeout: options.timeout ?? 0,
  options: {
    concurrency: options.concurrency ?? 4096,
    lifespan: options.lifespan ?? "auto",
    loop: options.loop ?? "auto",
    pathsend: options.pathsend ?? false,
    blockedTimeout: options.blockedTimeout ?? 30_000,
    drainTimeout: options.drainTimeout ?? 30_000,
  },
  answer: (exchange, pool) =>
    pool.submit(new WorkerStream(exchange, (carrier, id) => writeScope(carrier, id, exchange), NOTHING_KEPT)),
});
