// Options of the gateways that connect to an application and tell it CGI's meta-variables: FastCGI, SCGI and uwsgi.
// Tested by test/options/checks.test.ts.
import type { Exchange, Log } from "../exchange/index.ts";
import {
  aFlag,
  aFunction,
  aLog,
  byteCount,
  type Checks,
  environment,
  milliseconds,
} from "../options/checks.ts";
import { QUEUE_CHECKS, type QueueOptions } from "../options/queue.ts";

export interface ConnectedApplicationOptions extends QueueOptions {
  /** Meta-variables besides those of the request, or instead of them. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds for connecting. 0 for no limit but the system's. Default 5 s. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds until the response must have begun; then 504. 0 for no limit. Default 30 s. */
  readonly timeout?: number | undefined;
  /** Whether bodies are complete before the application sees them; those of unknown length always are. Default true. */
  readonly bufferBody?: boolean | undefined;
  /** Bytes of a request body that is set aside until it is complete. More: 413. Default 4 GiB. */
  readonly maxBody?: number | undefined;
  /** Answers local redirects (RFC 3875, 6.2.2): the server's routes. Without it clients are redirected. */
  readonly redirect?: ((exchange: Exchange, target: string) => void) | undefined;
  readonly log?: Log | undefined;
}

export const CONNECTED_CHECKS: Checks<ConnectedApplicationOptions> = {
  ...QUEUE_CHECKS,
  variables: environment,
  connectTimeout: milliseconds,
  timeout: milliseconds,
  bufferBody: aFlag,
  maxBody: byteCount,
  redirect: aFunction,
  log: aLog,
};

export const MAX_BODY = 4_294_967_296;

/** The variables of an option: text, sent as UTF-8, each byte a character. */
export const latin1Variables = (
  variables: Readonly<Record<string, string>> = {},
): readonly (readonly [name: string, value: string])[] =>
  Object.entries(variables).map(([name, value]) => [name, Buffer.from(value, "utf8").toString("latin1")]);
