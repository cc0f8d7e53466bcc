// A gateway as a fetch handler, `(request: Request) => Promise<Response>`: for Hono, h3, srvx, and all other hosts of the Fetch
// standard in a Node process.
import { type Gateway, type Log, SallyportError } from "../exchange/index.ts";
import { fetchBody } from "./fetch-body.ts";
import { errorResponse, FetchExchange } from "./fetch-exchange.ts";
import { connectionOf, type FetchContext, readFetchHead } from "./fetch-head.ts";
import { type Lifecycle, lifeOf, withLifecycle } from "./life.ts";
import { MountedBody } from "./mounted-body.ts";
import {
  checkMount,
  MOUNT_CHECKS,
  type MountOptions,
  type MountSettings,
  mountSettingsOf,
} from "./options.ts";
import { logMountRefusal, outsideOfMount } from "./refusals.ts";

type FetchFunctionOfHost = (request: Request, context?: FetchContext) => Promise<Response>;

/** A gateway as a fetch handler. */
export type FetchMount = FetchFunctionOfHost & Lifecycle;

/**
 * Makes a handler of a gateway that was not started yet. The Request's URL is the whole one; `options.mount` says which
 * part of its path leads here. Throws CONFIG_INVALID. The promise never rejects; a response that is cut is one whose
 * body stream fails.
 */
export function toFetchHandler(gateway: Gateway, options: MountOptions = {}): FetchMount {
  checkMount("toFetchHandler()", gateway, options, MOUNT_CHECKS);
  const settings = mountSettingsOf({ ...options, mount: options.mount ?? "" });
  const life = lifeOf(gateway);
  const handle: FetchFunctionOfHost = async (request, context) => {
    const received = receive(request, context ?? {}, settings);
    if (received instanceof SallyportError) return refuse(received, request.method, settings.log);
    life.handle(received);
    return received.response;
  };
  return withLifecycle(handle, life);
}

function receive(
  request: Request,
  context: FetchContext,
  settings: MountSettings,
): FetchExchange | SallyportError {
  try {
    const head = readFetchHead(request, context, settings.prefix ?? "");
    if (!head) return outsideOfMount(request.url);
    const body = fetchBody(request, head.headers, settings.maxBody);
    const exchange = new FetchExchange(head, body, settings, connectionOf(request, context));
    // A body of which we read a part can only be finished here; one that was not touched is left to the host.
    exchange.whenClosed((outcome) => {
      if (body instanceof MountedBody && request.body?.locked) body.exchangeClosed(outcome);
    });
    watch(request.signal, exchange);
    return exchange;
  } catch (error) {
    return SallyportError.from(error);
  }
}

/** Without the signal, a client that leaves is only noticed once its response is being sent. */
function watch(signal: AbortSignal, exchange: FetchExchange): void {
  const left = (): void => exchange.abort();
  if (signal.aborted) return left();
  signal.addEventListener("abort", left, { once: true });
  exchange.whenClosed(() => signal.removeEventListener("abort", left));
}

function refuse(error: SallyportError, method: string, log: Log): Response {
  logMountRefusal(log, error);
  return errorResponse(error, method);
}
