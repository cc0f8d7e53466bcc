// Answers that the configuration has whole: paths that are closed, a site under repair; and redirects to another address.
import { STATUS_CODES } from "node:http";
import {
  type Exchange,
  type Gateway,
  type Headers,
  SallyportError,
  statusWithoutProcesses,
} from "../exchange/index.ts";

export interface AnswerOptions {
  /** 200 to 599. */
  readonly status: number;
  /** The body; otherwise status and reason. */
  readonly text?: string | undefined;
  readonly headers?: Readonly<Record<string, string | number>> | undefined;
}

const TEXT: Headers = ["Content-Type", "text/plain; charset=utf-8"];

/** A gateway that answers every request alike. */
export function fixedAnswer({ status, text, headers = {} }: AnswerOptions): Gateway {
  const body = text ?? `${status} ${STATUS_CODES[status] ?? ""}`.trimEnd().concat("\n");
  const given = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
  const typed = Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  const head = { status, reason: "", headers: [...(typed ? [] : TEXT), ...given, ...lengthOf(status, body)] };
  return {
    status: () => statusWithoutProcesses("answer"),
    handle(exchange) {
      exchange.trace?.handedOver();
      exchange.respond(head, body);
    },
  };
}

/** Said here, so that the answer to HEAD has it, too. A 204 must not have one (RFC 9110, 8.6). */
const lengthOf = (status: number, body: string): Headers =>
  WITHOUT_BODY.has(status) ? [] : ["Content-Length", String(Buffer.byteLength(body))];
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 304]);

export interface RedirectOptions {
  /** A URL, a path on the same host, or a scheme alone ("https:"): the same address by that scheme, on its own port. */
  readonly to: string;
  /** 301, 302, 303, 307 or 308, which is the default: the method stays, and clients may remember it. */
  readonly status?: number | undefined;
  /** What the path has below the route, and the query, are added to `to`: true by default. */
  readonly keepPath?: boolean | undefined;
}

const PERMANENT = 308;
const SCHEME_ALONE = /^https?:$/;

/** A gateway that sends each client to another address (RFC 9110, 15.4). */
export function redirect({ to, status = PERMANENT, keepPath = true }: RedirectOptions): Gateway {
  const locationOf = SCHEME_ALONE.test(to)
    ? (exchange: Exchange) => `${to}//${hostOf(exchange)}${wholePath(exchange)}`
    : (exchange: Exchange) => (keepPath ? joined(to, exchange) : to);
  return {
    status: () => statusWithoutProcesses("redirect"),
    handle(exchange) {
      exchange.trace?.handedOver();
      try {
        const location = locationOf(exchange);
        const body = `The address is ${location} now\n`;
        const headers: Headers = ["Location", location, ...TEXT, ...lengthOf(status, body)];
        exchange.respond({ status, reason: "", headers }, body);
      } catch (error) {
        exchange.fail(SallyportError.from(error));
      }
    },
  };
}

/** Without the port, which is that of another scheme. Throws BAD_HOST where the client names none (HTTP/1.0). */
function hostOf({ request }: Exchange): string {
  const host = request.authority.replace(/:\d*$/, "");
  if (host === "") throw new SallyportError("BAD_HOST", "without a Host header the address is not known");
  return host;
}

const withQuery = (path: string, query: string): string => (query === "" ? path : `${path}?${query}`);

/** The target of `OPTIONS *` is no path. */
const pathOf = ({ request }: Exchange): string => (request.path.startsWith("/") ? request.path : "");

const wholePath = (exchange: Exchange): string => withQuery(pathOf(exchange), exchange.request.query);

/** Two slashes at the beginning would name another host, and browsers read `\` as a slash. */
function joined(to: string, exchange: Exchange): string {
  const rest = pathOf(exchange).slice(exchange.mount.length);
  const whole = rest === "" ? to : to.replace(/\/$/, "") + rest;
  const safe = to.startsWith("/") ? whole.replace(/^[/\\]+/, "/") : whole;
  return withQuery(safe, exchange.request.query);
}
