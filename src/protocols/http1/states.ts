// The states of a connection and what each makes of bytes, silence, the client's end and the listener's. docs draw
// their picture from this table.
import { SallyportError } from "../../exchange/index.ts";
import type { HttpLimits } from "../../http/limits.ts";

/** What the connection waits for. */
export type ConnectionState = "fresh" | "idle" | "head" | "body" | "held" | "switched" | "drain" | "linger";
type Step = "request" | "body" | "rest" | "nothing";
export type Move = "shut" | "late" | "torn" | "short" | "probe" | "hear" | "leave" | "drop" | "stay";

export interface Rule {
  /** What to do with bytes. */
  readonly step: Step;
  /** How long this may last, and what happens then. */
  readonly limit: keyof HttpLimits | undefined;
  readonly expired: Move;
  /** The client has ended its side, and all that it sent has been read. */
  readonly ended: Move;
  /** The listener closes. */
  readonly stopped: Move;
}

export const CONNECTION_RULES: Readonly<Record<ConnectionState, Rule>> = {
  /** Nothing has arrived yet. */
  fresh: { step: "request", limit: "headTimeout", expired: "shut", ended: "shut", stopped: "hear" },
  /** Between two requests. */
  idle: { step: "request", limit: "idleTimeout", expired: "shut", ended: "shut", stopped: "leave" },
  /** A part of a head is here. */
  head: { step: "request", limit: "headTimeout", expired: "late", ended: "torn", stopped: "stay" },
  /** The exchange is on, its request body is arriving. */
  body: { step: "body", limit: "bodyTimeout", expired: "late", ended: "short", stopped: "stay" },
  /** The exchange is on, the request is complete; what else arrives must wait. */
  held: { step: "nothing", limit: undefined, expired: "stay", ended: "probe", stopped: "stay" },
  /** The connection is a WebSocket's, or HTTP/2's, which keep their own deadlines. */
  switched: { step: "nothing", limit: undefined, expired: "stay", ended: "stay", stopped: "stay" },
  /** The response is complete, the request body is not: it is read for nothing. */
  drain: { step: "rest", limit: "drainTimeout", expired: "shut", ended: "shut", stopped: "leave" },
  /** We have ended our side; whatever comes is thrown away until the client ends its own (RFC 9112, 9.6). */
  linger: { step: "nothing", limit: "lingerTimeout", expired: "drop", ended: "drop", stopped: "stay" },
};

/** The moves that are the client's fault. */
export const FAULTS = {
  late: () => new SallyportError("REQUEST_TIMEOUT", "the request did not arrive in time"),
  torn: () => new SallyportError("BAD_REQUEST", "the client ended its side within a request head"),
  short: () => new SallyportError("BODY_INCOMPLETE", "the client ended its side within a request body"),
} as const satisfies Partial<Record<Move, () => SallyportError>>;
