// The server's half of WSGI 1.0.1 (PEP 3333), in daemon mode (persistent Python workers answer over the link) and in
// embedded mode (Python in this process). The part of it that runs in Python is python/sallyport/wsgi/.
// Tested by test/protocols/wsgi/workers.test.ts.
import { CONSTANT_VARIABLES } from "../../cgi/metavariables/encode.ts";
import { EmbeddedApplication } from "../../embedded/application.ts";
import { blocks } from "../../exchange/blocks.ts";
import { type Exchange, type Gateway, header, SallyportError } from "../../exchange/index.ts";
import { RESPONSE_BUFFER_LIMITS } from "../../exchange/response-buffer.ts";
import { type Spooled, spool } from "../../exchange/spool.ts";
import {
  aFlag,
  byteCount,
  type Checks,
  checkArgument,
  checkOptions,
  milliseconds,
  oneOf,
} from "../../options/checks.ts";
import { boundsOf } from "../../options/processes.ts";
import { bodyDirectory } from "../../workers/bodies.ts";
import {
  type AnswerExchange,
  APPLICATION_CHECKS,
  aPythonApp,
  type Input,
  type InterfaceSpec,
  type OldPythonNames,
  PythonApplication,
  type PythonApplicationOptions,
  type Runner,
  releaseOf,
  THREAD_CHECKS,
  type ThreadOptions,
  WorkerStream,
} from "../../workers/index.ts";
import { writeEnviron, writeUpgrade } from "./environ.ts";

/** What is for WSGI applications only. */
export interface WsgiOnlyOptions extends ThreadOptions {
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
  /** Bytes of a request body that is set aside until it is complete. More: 413. Default 4 GiB. */
  readonly maxBody?: number | undefined;
}

const CHECKS: Checks<WsgiOptions> = {
  ...APPLICATION_CHECKS,
  ...THREAD_CHECKS,
  bufferBody: aFlag,
  mode: oneOf("daemon", "embedded"),
  slowCall: milliseconds,
  timeout: milliseconds,
  maxBody: byteCount,
};

/** For listeners without a limit of their own, which would be met first. */
const MAX_BODY = 4_294_967_296;

/** A gateway to the application that `app` names: `module:callable`, `module`, or `module:factory()`. */
export function wsgi(app: string, given: WsgiOptions & OldPythonNames = {}): Gateway {
  checkArgument("wsgi()", "the first argument", app, aPythonApp);
  const options = checkOptions<WsgiOptions>("wsgi()", given, CHECKS, "{ threads: 4 }");
  const { mode = "daemon", slowCall = 1_000 } = options;
  if (mode === "daemon") return new PythonApplication(app, options, [wsgiSpec(options)]);
  refuseDaemonOptions(app, options);
  return new Embedded(app, options, [wsgiSpec(options)], {
    createRunner: (all) => new EmbeddedApplication({ ...all, slowCall }),
  });
}

/** src/cli/serve.ts recognizes embedded applications by `mode`. */
class Embedded extends PythonApplication {
  readonly mode = "embedded";
}

/** Options that only make sense for worker processes. */
const DAEMON_ONLY = [
  "processes",
  "threads",
  "bufferBody",
  "timeout",
  "queue",
  "queueTimeout",
  "user",
  "group",
  "umask",
  "rlimits",
  "inheritEnv",
] as const;

/** Options that say when the process is replaced. The supervisor of the command line does that for its server processes. */
const SUPERVISED_ONLY = ["maxRequests", "maxAge", "maxMemory", "memoryLimit"] as const;

function refuseDaemonOptions(app: string, options: WsgiOptions): void {
  const supervised = SUPERVISED_ONLY.filter((name) => options[name] !== undefined);
  if (supervised.length > 0)
    throw new SallyportError(
      "CONFIG_INVALID",
      `${app} is embedded, and nothing replaces this process: ${supervised.join(", ")} for embedded apps need the supervisor of sallyport serve, and a section { wsgi: ..., mode: embedded } in its configuration, or daemon mode`,
    );
  const useless = DAEMON_ONLY.filter((name) => options[name] !== undefined);
  if (useless.length === 0) return;
  throw new SallyportError(
    "CONFIG_INVALID",
    `${app} is embedded, and these options are for daemon mode only: ${useless.join(", ")} (for more server processes: serverProcesses)`,
  );
}

/** How WSGI applications are run, and their exchanges answered. */
export const wsgiSpec = (options: WsgiOptions): InterfaceSpec => ({
  interface: "wsgi",
  timeout: options.timeout ?? 30_000,
  constants: Object.fromEntries(CONSTANT_VARIABLES),
  answer: answering(options),
});

function answering(options: WsgiOptions): AnswerExchange {
  const { maxBody = MAX_BODY } = options;
  const streams = streaming(options);
  const offersSocket = offersSockets(options);
  return (exchange, runner) => {
    if (offersSocket && exchange.handshake) return submitUpgrade(runner, exchange);
    const { whole } = exchange.body;
    if (whole && whole.length <= maxBody) return submit(runner, exchange, whole, releaseOf(exchange));
    if (streams(exchange)) return submit(runner, exchange, undefined, undefined);
    return complete(runner, exchange, maxBody).catch((error: unknown) =>
      exchange.fail(SallyportError.from(error)),
    );
  };
}

/** A thread can wait for messages while others answer; a worker without any could not even be told that the client has left. */
const offersSockets = ({ threads = 1 }: WsgiOptions): boolean => threads > 1;

function submitUpgrade(runner: Pick<Runner, "submit">, exchange: Exchange): void {
  runner.submit(new WorkerStream(exchange, writeUpgrade, undefined, RESPONSE_BUFFER_LIMITS));
}

/**
 * Whether a body streams, and so holds a worker for as long as its client takes. It does for a client that waits for 100
 * Continue, because the application may refuse the body; but if there are several places, one is kept free of such clients.
 */
function streaming({ mode, bufferBody, processes = 1, threads = 1 }: WsgiOptions): (e: Exchange) => boolean {
  // A call into the interpreter cannot wait for the rest of a body.
  if (mode === "embedded") return () => false;
  if (bufferBody === false) return () => true;
  let places = Math.max(1, boundsOf(processes).min * threads - 1);
  return (exchange) => {
    if (places === 0 || !awaitsContinue(exchange)) return false;
    places--;
    exchange.whenClosed(() => places++);
    return true;
  };
}

const awaitsContinue = ({ request }: Exchange): boolean =>
  header(request.headers, "expect")?.toLowerCase() === "100-continue";

/** Completes the body first, so that a slow client holds no worker. */
async function complete(
  runner: Pick<Runner, "submit" | "bodyGroup">,
  exchange: Exchange,
  limit: number,
): Promise<void> {
  const { bodyGroup: group } = runner;
  const spooled = await spool(exchange.body, { limit, shared: () => bodyDirectory(group), group });
  if (exchange.closed) await spooled.dispose();
  else submitSpooled(runner, exchange, spooled);
}

function submitSpooled(runner: Pick<Runner, "submit">, exchange: Exchange, spooled: Spooled): void {
  const { whole } = spooled;
  if (whole) submit(runner, exchange, whole, () => blocks.give(whole));
  else submit(runner, exchange, spooled, () => void spooled.dispose());
}

/** `onRelease`: not yet when the client leaves, for a worker that does not know of it may just be opening the file. */
function submit(
  runner: Pick<Runner, "submit">,
  exchange: Exchange,
  input: Input,
  onRelease: (() => void) | undefined,
): void {
  runner.submit(new WorkerStream(exchange, writeEnviron, input, RESPONSE_BUFFER_LIMITS, onRelease));
}
