// The states of a connection and what each makes of bytes, silence, the client's end and the listener's. The page
// docs/discussion/how-connections-end.md draws its picture from this table.
// Tested by test/docs/discussion.test.ts.
import type { HttpLimits } from "../../http/limits.ts";
import type { ConnectionLifecycle, StateRule } from "../../sockets/lifecycle.ts";

/** What the connection waits for. */
export type ConnectionState =
  | "fresh"
  | "idle"
  | "head"
  | "body"
  | "whole"
  | "broken"
  | "switched"
  | "drain"
  | "linger";
type Move = "shut" | "late" | "torn" | "short" | "probe" | "hear";

export interface ConnectionRule extends StateRule<keyof HttpLimits, Move> {
  /** What bytes are read as; or they wait, or are thrown away. */
  readonly step: "request" | "body" | "rest" | "wait" | "discard";
}

export type HttpLifecycle = ConnectionLifecycle<ConnectionState, ConnectionRule>;

export const CONNECTION_RULES: Readonly<Record<ConnectionState, ConnectionRule>> = {
  /** Nothing has arrived yet. */
  fresh: { step: "request", limit: "headTimeout", expired: "shut", ended: "shut", stopped: "hear" },
  /** Between two requests. */
  idle: { step: "request", limit: "idleTimeout", expired: "shut", ended: "shut", stopped: "leave" },
  /** A part of a head is here. */
  head: { step: "request", limit: "headTimeout", expired: "late", ended: "torn", stopped: "stay" },
  /** The exchange is on, its request body is arriving. */
  body: { step: "body", limit: "bodyTimeout", expired: "late", ended: "short", stopped: "stay" },
  /** The exchange is on, the request is complete; more bytes must wait. */
  whole: { step: "wait", limit: undefined, expired: "stay", ended: "probe", stopped: "stay" },
  /** The exchange is on, the rest of its request body is lost. */
  broken: { step: "discard", limit: undefined, expired: "stay", ended: "probe", stopped: "stay" },
  /** The connection is a WebSocket's, or HTTP/2's, which keep their own deadlines. */
  switched: { step: "wait", limit: undefined, expired: "stay", ended: "stay", stopped: "stay" },
  /** The response is complete, the request body is not: it is read for nothing. */
  drain: { step: "rest", limit: "drainTimeout", expired: "shut", ended: "shut", stopped: "shut" },
  /** We have ended our side; whatever comes is thrown away until the client ends its own (RFC 9112, 9.6). */
  linger: { step: "discard", limit: "lingerTimeout", expired: "drop", ended: "drop", stopped: "stay" },
};
