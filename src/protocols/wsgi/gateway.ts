// The server's half of WSGI 1.0.1 (PEP 3333), in daemon mode (persistent Python workers answer over the link) and in
// embedded mode (Python in this process). The other part of this half runs in Python: python/sallyport/wsgi.py.

import { CONSTANT_VARIABLES } from "../../cgi/metavariables/encode.ts";
import { EmbeddedApplication } from "../../embedded/application.ts";
import { type Exchange, type Gateway, header, SallyportError } from "../../exchange/index.ts";
import { RESPONSE_BUFFER_LIMITS } from "../../exchange/response-buffer.ts";
import { spool } from "../../exchange/spool.ts";
import {
  aCount,
  aFlag,
  bytesCount,
  type Checks,
  checkArgument,
  checkOptions,
  milliseconds,
  oneOf,
} from "../../options/checks.ts";
import { bodyDirectory } from "../../workers/bodies.ts";
import {
  type AnswerExchange,
  APPLICATION_CHECKS,
  aPythonApp,
  type EncodeRequest,
  type InterfaceSpec,
  type OldPythonNames,
  PythonApplication,
  type PythonApplicationOptions,
  type Runner,
  WorkerStream,
} from "../../workers/index.ts";
import { type Input, writeEnviron } from "./environ.ts";

/** What is for WSGI applications only. */
export interface WsgiOnlyOptions {
  /** Threads in each worker that run the application. Default 1. */
  readonly threads?: number | undefined;
  /** Whether bodies are complete before a worker sees them (in memory, then in a temporary file). Default true. */
  readonly bufferBody?: boolean | undefined;
}

export interface WsgiOptions extends PythonApplicationOptions, WsgiOnlyOptions {
  /** Where Python runs: in processes of its own (`daemon`, the default), or in this one (`embedded`). */
  readonly mode?: "daemon" | "embedded" | undefined;
  /** Embedded mode: milliseconds of one call after which the application is named in the log; 0 for never. Default 1 s. */
  readonly slowCall?: number | undefined;
  /** Milliseconds until a response must have begun; then 504 and a new worker. 0 for no limit. Default 30 s. */
  readonly timeout?: number | undefined;
  /** Bytes of a request body that is set aside until it is complete. Default 4 GiB. */
  readonly maxBody?: number | undefined;
}

const CHECKS: Checks<WsgiOptions> = {
  ...APPLICATION_CHECKS,
  threads: aCount,
  bufferBody: aFlag,
  mode: oneOf("daemon", "embedded"),
  slowCall: milliseconds,
  timeout: milliseconds,
  maxBody: bytesCount,
};

/** A listener's own limit is met first; this one is for those that have none. */
const MAX_BODY = 4_294_967_296;

/** A gateway to the application that `app` names: `module:callable`, `module`, or `module:factory()`. */
export function wsgi(app: string, given: WsgiOptions & OldPythonNames = {}): Gateway {
  checkArgument("wsgi()", "the first argument", app, aPythonApp);
  const options = checkOptions<WsgiOptions>("wsgi()", given, CHECKS, "{ threads: 4 }");
  const { mode = "daemon", slowCall = 1_000 } = options;
  if (mode === "daemon") return new PythonApplication(app, options, [wsgiSpec(options)]);
  refuseDaemons(app, options);
  return new Embedded(app, options, [wsgiSpec(options)], {
    createRunner: (all) => new EmbeddedApplication({ ...all, slowCall }),
  });
}

/** Known as one by who runs the server: see src/cli/serve.ts. */
class Embedded extends PythonApplication {
  readonly mode = "embedded";
}

/** What only makes sense where there are processes of the application's own. */
const DAEMON_ONLY = [
  "processes",
  "maxRequests",
  "threads",
  "bufferBody",
  "timeout",
  "queue",
  "queueTimeout",
] as const;

function refuseDaemons(app: string, options: WsgiOptions): void {
  const useless = DAEMON_ONLY.filter((name) => options[name] !== undefined);
  if (useless.length === 0) return;
  throw new SallyportError(
    "CONFIG_INVALID",
    `${app} is embedded, and ${useless.join(", ")} can be said of daemon mode only; for more server processes there is serverProcesses`,
  );
}

/** How WSGI applications are run and asked. */
export const wsgiSpec = (options: WsgiOptions): InterfaceSpec => ({
  interface: "wsgi",
  timeout: options.timeout ?? 30_000,
  options: { threads: options.threads ?? 1, constants: Object.fromEntries(CONSTANT_VARIABLES) },
  answer: answering(options),
});

function answering(options: WsgiOptions): AnswerExchange {
  const { maxBody = MAX_BODY } = options;
  const streams = streaming(options);
  return (exchange, crew) => {
    if (exchange.body.whole) submit(crew, exchange, exchange.body.whole);
    else if (streams(exchange)) submit(crew, exchange, undefined);
    else
      complete(crew, exchange, maxBody).catch((error: unknown) => exchange.fail(SallyportError.from(error)));
  };
}

/**
 * Whether a body streams, and so holds a worker for as long as its client takes. A client that waits for 100 Continue is to
 * hear from the application first; but one place is kept free of such clients, where there are several.
 */
function streaming({ mode, bufferBody, processes = 1, threads = 1 }: WsgiOptions): (e: Exchange) => boolean {
  // In this process nobody can wait for the rest of a body.
  if (mode === "embedded") return () => false;
  if (bufferBody === false) return () => true;
  let places = Math.max(1, processes * threads - 1);
  return (exchange) => {
    if (places === 0 || !awaitsContinue(exchange)) return false;
    places--;
    exchange.whenClosed(() => places++);
    return true;
  };
}

const awaitsContinue = ({ request }: Exchange): boolean =>
  header(request.headers, "expect")?.toLowerCase() === "100-continue";

/** Slow clients wait here, not in a worker. */
async function complete(crew: Pick<Runner, "submit">, exchange: Exchange, limit: number): Promise<void> {
  const spooled = await spool(exchange.body, { limit, shared: bodyDirectory });
  if (exchange.closed) await spooled.dispose();
  else submit(crew, exchange, spooled.whole ?? spooled);
}

function submit(crew: Pick<Runner, "submit">, exchange: Exchange, input: Input): void {
  const encode: EncodeRequest = (carrier, id) => writeEnviron(carrier, id, exchange, input);
  // Not when the client leaves: a worker that has not heard of that yet may just be opening the file.
  const released = input && "dispose" in input ? () => void input.dispose() : undefined;
  crew.submit(new WorkerStream(exchange, encode, RESPONSE_BUFFER_LIMITS, released));
}
