// The states of an open WebSocket (RFC 6455, 7) and what each makes of frames, silence and the client's end.
import type { WebSocketLimits } from "./limits.ts";

/**
 * open: messages pass. closing: we sent a close frame. lingering: the closing handshake is over, or never will be; we have
 * ended our side and wait for the end of the client's. gone: there is no connection.
 */
export type SessionState = "open" | "closing" | "lingering" | "gone";

interface Rule {
  /** Whether bytes are still read as frames. */
  readonly reads: boolean;
  /** Whether messages are for the application. */
  readonly delivers: boolean;
  /** How long this may last; "open" is the affair of pings. */
  readonly limit: keyof WebSocketLimits | undefined;
}

export const SESSION_RULES: Readonly<Record<SessionState, Rule>> = {
  open: { reads: true, delivers: true, limit: undefined },
  closing: { reads: true, delivers: false, limit: "closeTimeout" },
  lingering: { reads: false, delivers: false, limit: "closeTimeout" },
  gone: { reads: false, delivers: false, limit: undefined },
};
