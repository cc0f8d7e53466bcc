// What a line of the access log can say of an exchange, by the names that nginx has for it where it has one.
// Tested by test/logs/format.test.ts.
import {
  type Exchange,
  type Headers,
  header,
  type Outcome,
  type Phases,
  phasesOf,
} from "../exchange/index.ts";

/** An exchange that is over. */
export interface AccessEntry {
  readonly exchange: Exchange;
  readonly outcome: Outcome;
  /** Milliseconds that it took. */
  readonly ms: number;
  /** Name of the app; "" if none answered. */
  readonly app: string;
  /** "WSGI", "FastCGI". */
  readonly interfaceOf: (app: string) => string;
  /** `21/Nov/2026:01:47:50 +0000` */
  readonly stamp: string;
  /** Header fields of the response, where the format asks for them. */
  readonly responseHeaders: Headers | undefined;
}

/** Undefined or "" for what there is not. */
export type FieldValue = string | undefined;

export interface Variable {
  /** For the documentation. */
  readonly meaning: string;
  readonly of: (entry: AccessEntry) => FieldValue;
  /** It is a number of JSON, if it is there. */
  readonly numeric?: true;
  /** It needs a trace of the exchange. */
  readonly phases?: true;
}

/** nginx's status for a client that left before a response began; log readers know it. */
export const CLIENT_CLOSED_REQUEST = 499;

/** As the request line has it: HTTP/1.1, HTTP/2.0. */
const protocolOf = (version: string): string => `HTTP/${version.length === 1 ? `${version}.0` : version}`;

const fieldOf = (entry: AccessEntry, name: string): FieldValue =>
  header(entry.exchange.request.headers, name);

const portOf = (port: number): FieldValue => (port === 0 ? undefined : String(port));

/** One reading of the trace for all phases of a line. */
let lastEntry: AccessEntry | undefined;
let lastPhases: Phases | undefined;
function phaseOf(entry: AccessEntry, name: keyof Phases): number | undefined {
  const { trace } = entry.exchange;
  if (lastEntry !== entry) {
    lastEntry = entry;
    lastPhases = trace && phasesOf(trace);
  }
  return lastPhases?.[name];
}

const inSeconds = (ms: number | undefined): FieldValue =>
  ms === undefined ? undefined : (ms / 1000).toFixed(3);
const inMilliseconds = (ms: number | undefined): FieldValue => (ms === undefined ? undefined : ms.toFixed(1));

function durations(
  name: string,
  meaning: string,
  of: (entry: AccessEntry) => number | undefined,
  phases?: true,
) {
  const more = { numeric: true, ...(phases ? { phases } : {}) } as const;
  return {
    [`${name}_time`]: {
      meaning: `${meaning}, in seconds`,
      of: (entry: AccessEntry) => inSeconds(of(entry)),
      ...more,
    },
    [`${name}_ms`]: {
      meaning: `${meaning}, in milliseconds`,
      of: (entry: AccessEntry) => inMilliseconds(of(entry)),
      ...more,
    },
  };
}

const TRACE_PARENT = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/;
const serverPid = String(process.pid);

export const VARIABLES: Readonly<Record<string, Variable>> = {
  remote_addr: {
    meaning: "the client's address, as trusted proxies say it",
    of: ({ exchange }) => exchange.request.remote.address,
  },
  remote_port: {
    meaning: "the client's port",
    of: ({ exchange }) => portOf(exchange.request.remote.port),
    numeric: true,
  },
  remote_user: {
    meaning: "the user whom a server in front has authenticated",
    of: ({ exchange }) => exchange.request.user?.name,
  },
  time_local: { meaning: "the end of the exchange, `21/Nov/2026:01:47:50 +0000`", of: ({ stamp }) => stamp },
  time_iso8601: {
    meaning: "the same, `2026-11-21T01:47:50.123Z`",
    of: () => new Date().toISOString(),
  },
  msec: {
    meaning: "the same in seconds since 1970, `1795225670.123`",
    of: () => (Date.now() / 1000).toFixed(3),
    numeric: true,
  },
  request: {
    meaning: "the request line, `GET /a?b HTTP/1.1`",
    of: ({ exchange: { request } }) => `${request.method} ${request.target} ${protocolOf(request.version)}`,
  },
  request_method: { meaning: "`GET`", of: ({ exchange }) => exchange.request.method },
  request_uri: {
    meaning: "the target as it was sent, `/a?b`",
    of: ({ exchange }) => exchange.request.target,
  },
  uri: { meaning: "the path of it", of: ({ exchange }) => exchange.request.path },
  args: { meaning: "the query of it", of: ({ exchange }) => exchange.request.query },
  server_protocol: {
    meaning: "`HTTP/1.1`, `HTTP/2.0`",
    of: ({ exchange }) => protocolOf(exchange.request.version),
  },
  scheme: { meaning: "`http` or `https`", of: ({ exchange }) => exchange.request.scheme },
  host: {
    meaning: "host and port, as the client named them",
    of: ({ exchange }) => exchange.request.authority,
  },
  request_bytes: {
    meaning: "announced bytes of the request body",
    of: ({ exchange }) => exchange.body.length?.toString(),
    numeric: true,
  },
  status: {
    meaning: "499 if the client left before there was one",
    of: ({ outcome }) => String(outcome.status || CLIENT_CLOSED_REQUEST),
    numeric: true,
  },
  body_bytes_sent: {
    meaning: "bytes of the response body",
    of: ({ outcome }) => String(outcome.bytes),
    numeric: true,
  },
  error: {
    meaning: "code of the error that cut the response or left none",
    of: ({ outcome }) => outcome.error?.code,
  },
  ...durations("request", "from the head of the request to the end of the response", ({ ms }) => ms),
  ...durations("queue", "in the queue of the app", (entry) => phaseOf(entry, "queue"), true),
  ...durations(
    "app",
    "from the hand-over to the app to the head of its response",
    (entry) => phaseOf(entry, "application"),
    true,
  ),
  ...durations("write", "from the head of the response to its end", (entry) => phaseOf(entry, "write"), true),
  app: { meaning: "name of the app", of: ({ app }) => app },
  interface: {
    meaning: "`WSGI`, `ASGI`, `FastCGI`, ...",
    of: ({ app, interfaceOf }) => app && interfaceOf(app),
  },
  worker: {
    meaning: "pid of the process of the app",
    of: ({ exchange }) => exchange.trace?.pid?.toString(),
    numeric: true,
    phases: true,
  },
  pid: { meaning: "pid of the server process", of: () => serverPid, numeric: true },
  ssl_protocol: { meaning: "`TLSv1.3`", of: ({ exchange }) => exchange.request.tls?.protocol },
  ssl_cipher: { meaning: "`TLS_AES_128_GCM_SHA256`", of: ({ exchange }) => exchange.request.tls?.cipher },
  trace_id: {
    meaning: "trace id of the field `traceparent` (W3C Trace Context)",
    of: (entry) => TRACE_PARENT.exec(fieldOf(entry, "traceparent") ?? "")?.[1],
  },
};

/** `http_x_request_id`: a field of the request; `sent_http_content_type`: one of the response. */
export function fieldVariable(name: string): Variable | undefined {
  const [, sent, field] = /^(sent_)?http_(\w+)$/.exec(name) ?? [];
  if (field === undefined) return undefined;
  const wanted = field.replaceAll("_", "-");
  if (!sent) return { meaning: "", of: (entry) => fieldOf(entry, wanted) };
  return { meaning: "", of: ({ responseHeaders }) => responseHeaders && header(responseHeaders, wanted) };
}
