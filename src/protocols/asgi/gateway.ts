// The server's half of ASGI 3.0 (HTTP and WebSocket 2.5, lifespan 2.0): persistent Python workers with an event loop
// answer over the link, many exchanges at once in each. The part of it inside the worker is python/sallyport/asgi/.
// Tested by test/protocols/asgi/requests.test.ts.
import type { Gateway } from "../../exchange/index.ts";
import type { ResponseBufferLimits } from "../../exchange/response-buffer.ts";
import { type Checks, checkArgument, checkOptions, milliseconds } from "../../options/checks.ts";
import {
  APPLICATION_CHECKS,
  aPythonApp,
  EVENT_LOOP_CHECKS,
  type EventLoopOptions,
  type InterfaceSpec,
  type OldPythonNames,
  PythonApplication,
  type PythonApplicationOptions,
  releaseOf,
  WorkerStream,
} from "../../workers/index.ts";
import { writeScope } from "./scope.ts";

/** What is for ASGI applications only. */
export type AsgiOnlyOptions = EventLoopOptions;

export interface AsgiOptions extends PythonApplicationOptions, AsgiOnlyOptions {
  /** Milliseconds until a response must have begun; then 504, and the worker goes on. Default 0: no limit. */
  readonly timeout?: number | undefined;
}

const CHECKS: Checks<AsgiOptions> = { ...APPLICATION_CHECKS, ...EVENT_LOOP_CHECKS, timeout: milliseconds };

/**
 * An application that waits to send holds only its own task, so a slow client makes it wait at once: no more is kept than
 * the window of the link.
 */
const NOTHING_KEPT: ResponseBufferLimits = { memory: 0, file: 0, directory: "" };

/** A gateway to the ASGI application that `app` names: `module:callable`, `module`, or `module:factory()`. */
export function asgi(app: string, given: AsgiOptions & OldPythonNames = {}): Gateway {
  checkArgument("asgi()", "the first argument", app, aPythonApp);
  const options = checkOptions<AsgiOptions>("asgi()", given, CHECKS, "{ processes: 2 }");
  return new PythonApplication(app, options, [asgiSpec(options)]);
}

/** How ASGI applications are run, and their exchanges answered. */
export const asgiSpec = (options: AsgiOptions): InterfaceSpec => ({
  interface: "asgi",
  timeout: options.timeout ?? 0,
  answer: (exchange, runner) =>
    runner.submit(new WorkerStream(exchange, writeScope, undefined, NOTHING_KEPT, releaseOf(exchange))),
});
