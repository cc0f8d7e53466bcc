// The states of an open WebSocket (RFC 6455, 7) and what each makes of frames, silence and the client's end.
import type { StateRule } from "../sockets/lifecycle.ts";

export type SessionState = "open" | "pinged" | "closing" | "linger";

type Limit = "pingInterval" | "pingTimeout" | "closeTimeout";
type Move = "probe" | "late" | "left";

export interface SessionRule extends StateRule<Limit, Move> {
  /** Whether bytes are still read as frames. */
  readonly reads: boolean;
  /** Whether messages pass, both ways. */
  readonly delivers: boolean;
}

export const SESSION_RULES: Readonly<Record<SessionState, SessionRule>> = {
  /** Messages pass. */
  open: {
    reads: true,
    delivers: true,
    limit: "pingInterval",
    expired: "probe",
    ended: "left",
    stopped: "stay",
  },
  /** The same, and a ping has no answer yet; any byte is one. */
  pinged: {
    reads: true,
    delivers: true,
    limit: "pingTimeout",
    expired: "late",
    ended: "left",
    stopped: "stay",
  },
  /** We sent a close frame. */
  closing: {
    reads: true,
    delivers: false,
    limit: "closeTimeout",
    expired: "late",
    ended: "left",
    stopped: "stay",
  },
  /** The closing handshake is over, or never will be; we have ended our side and wait for the end of the client's. */
  linger: {
    reads: false,
    delivers: false,
    limit: "closeTimeout",
    expired: "drop",
    ended: "stay",
    stopped: "stay",
  },
};
