// Every error that a user of Sallyport can meet: a stable code, whose fault it is, and the HTTP status it answers with.
// docs/errors.md has a paragraph for each code; a test keeps the two together.
// Tested by test/docs/errors.test.ts.

import { thrownOf } from "./thrown.ts";

/** Whose fault an error is: the peer that sent the request, the application, its process, or the configuration. */
export type Fault = "client" | "app" | "worker" | "config";

interface Kind {
  readonly fault: Fault;
  /** HTTP status while the response head has not been sent; 0 for errors that no client ever sees. */
  readonly status: number;
  /** One plain sentence for the client; it never carries details of the application. */
  readonly text: string;
}

const kind = (fault: Fault, status: number, text: string): Kind => ({ fault, status, text });

/** The catalogue. A code is `ERR_SALLYPORT_` and the key. */
export const ERRORS = {
  // The client's request.
  BAD_REQUEST: kind("client", 400, "The request is not valid HTTP."),
  BAD_PATH: kind("client", 400, "The path of the request is not acceptable."),
  BAD_HOST: kind("client", 400, "The Host of the request is missing or not acceptable."),
  BODY_INCOMPLETE: kind("client", 400, "The request body ended before its announced length."),
  NOT_FOUND: kind("client", 404, "There is nothing at this address."),
  FORBIDDEN: kind("client", 403, "Access to this address is refused."),
  TOKEN_WANTED: kind("client", 401, "This address needs the token of the admin listener."),
  METHOD_NOT_ALLOWED: kind("client", 405, "This address does not answer this method."),
  REQUEST_TIMEOUT: kind("client", 408, "The request took too long to arrive."),
  BODY_TOO_LARGE: kind("client", 413, "The request body is larger than this server accepts."),
  TARGET_TOO_LONG: kind("client", 414, "The address is longer than this server accepts."),
  EXPECTATION_FAILED: kind("client", 417, "This server meets no other expectation than 100-continue."),
  HEADERS_TOO_LARGE: kind("client", 431, "The request headers are larger than this server accepts."),
  CODING_UNKNOWN: kind("client", 501, "This server does not decode this Transfer-Encoding."),
  METHOD_UNSUPPORTED: kind("client", 501, "This server does not serve this method."),
  VERSION_UNSUPPORTED: kind("client", 505, "This server does not speak this version of HTTP."),
  WEBSOCKET_VERSION: kind("client", 426, "This server speaks version 13 of the WebSocket protocol."),
  WEBSOCKET_VIOLATION: kind("client", 0, "The client broke the rules of the WebSocket protocol."),
  CLIENT_LEFT: kind("client", 0, "The client closed the connection."),
  CLIENT_STALLED: kind("client", 0, "The client stopped reading the response."),
  // The application.
  APP_RAISED: kind("app", 500, "The application failed."),
  APP_PROTOCOL: kind("app", 500, "The application broke the rules of its gateway interface."),
  APP_SHORT_BODY: kind("app", 0, "The application ended its response before the announced length."),
  APP_ABORTED: kind("app", 0, "The application broke its response off."),
  APP_TIMEOUT: kind("app", 504, "The application did not answer in time."),
  MEMORY_LIMIT: kind("app", 502, "The application used too much memory, and its process was ended."),
  CGI_BAD_HEADER: kind("app", 502, "The program answered with a malformed header."),
  CGI_NO_HEADER: kind("app", 502, "The program ended without answering."),
  CGI_REDIRECT_LOOP: kind("app", 500, "The program redirects in a circle."),
  CGI_HEADER_TOO_LARGE: kind("app", 502, "The program answered with a header that is too large."),
  // The process that runs it.
  WORKER_DIED: kind("worker", 502, "The process that ran the request ended."),
  SPAWN_FAILED: kind("worker", 502, "The program could not be started."),
  UPSTREAM_UNREACHABLE: kind("worker", 502, "The application could not be reached."),
  UPSTREAM_BROKEN: kind(
    "worker",
    502,
    "The application sent something unintelligible, or broke its answer off.",
  ),
  UPSTREAM_BUSY: kind("worker", 503, "The application takes no more requests now; try again soon."),
  LINK_BROKEN: kind("worker", 502, "The process that ran the request sent something unintelligible."),
  QUEUE_FULL: kind("worker", 503, "The server is busy; try again soon."),
  QUEUE_TIMEOUT: kind("worker", 503, "The server is busy; the request waited too long."),
  DISK_FULL: kind("worker", 507, "The server has no room left to set this aside."),
  NOT_READY: kind("worker", 503, "The application is not running; it may be starting again."),
  STOPPING: kind("worker", 503, "The server is stopping."),
  // Start and configuration.
  USAGE: kind("config", 500, "The command line is not valid."),
  CONFIG_INVALID: kind("config", 500, "The configuration is not valid."),
  TARGET_NOT_FOUND: kind("config", 500, "There is no such application."),
  APP_IMPORT: kind("config", 500, "The application could not be imported."),
  PYTHON_NOT_FOUND: kind("config", 500, "No usable Python interpreter was found."),
  ADDRESS_UNUSABLE: kind("config", 500, "The server cannot listen at this address."),
  APP_UNKNOWN: kind("config", 404, "There is no app of this name."),
  NOT_SCALABLE: kind("config", 409, "The processes of this app cannot be scaled."),
  STACKS_UNAVAILABLE: kind("config", 409, "This app has no Python stacks to show."),
  NOT_REPLAYABLE: kind("client", 409, "This request cannot be sent again."),
  RACE_RUNNING: kind("client", 409, "A race of the demonstration is under way."),
  NGINX_MISSING: kind("config", 503, "The demonstration needs nginx for this, and it is not installed."),
  RESTART_NEEDED: kind("config", 409, "This change of the configuration needs a restart of the server."),
  CONTROL_UNREACHABLE: kind("config", 500, "No server answers at the control socket."),
  FILE_REFUSED: kind("config", 403, "Access to this address is refused."),
  NOT_EXECUTABLE: kind("config", 403, "The program is not executable."),
  INTERNAL: kind("worker", 500, "The server failed."),
} as const satisfies Record<string, Kind>;

export type ErrorName = keyof typeof ERRORS;
export type ErrorCode = `ERR_SALLYPORT_${ErrorName}`;

/**
 * The one error type of Sallyport. `message` is for the operator's log and says what happened and what to do; the
 * client only ever sees the status, the code and the catalogue's plain sentence.
 */
export class SallyportError extends Error {
  readonly code: ErrorCode;
  readonly fault: Fault;
  readonly status: number;
  /** The catalogue's sentence, fit for the client. */
  readonly text: string;
  /** More for the log and the terminal, of any length: a Python traceback, the last lines of stderr. */
  readonly detail: string | undefined;
  /** Seconds for Retry-After, on 503. */
  readonly retryAfter: number | undefined;

  constructor(
    name: ErrorName,
    message: string,
    options: { cause?: unknown; detail?: string | undefined; retryAfter?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const { fault, status, text } = ERRORS[name];
    this.name = "SallyportError";
    this.code = `ERR_SALLYPORT_${name}`;
    this.fault = fault;
    this.status = status;
    this.text = text;
    this.detail = options.detail;
    this.retryAfter = options.retryAfter;
  }

  /** `error` itself when it is ours; anything else becomes an INTERNAL error that keeps it as its cause. */
  static from(error: unknown): SallyportError {
    if (error instanceof SallyportError) return error;
    return new SallyportError("INTERNAL", thrownOf(error).message, { cause: error });
  }
}
