// The states of an open WebSocket (RFC 6455, 7) and what each makes of frames, silence and the client's end.
import type { StateRule } from "../sockets/lifecycle.ts";

export type SessionState = "open" | "pinged" | "closing" | "linger";

type Limit = "pingInterval" | "pingTimeout" | "closeTimeout";
type Move = "probe" | "late" | "left";

export interface SessionRule extends StateRule<Limit, Move> {
  /** What frames are read for: messages pass, both ways; or only the close frame is awaited; or bytes are thrown away. */
  readonly step: "messages" | "close" | "discard";
}

export const SESSION_RULES: Readonly<Record<SessionState, SessionRule>> = {
  /** Messages pass. */
  open: { step: "messages", limit: "pingInterval", expired: "probe", ended: "left", stopped: "stay" },
  /** The same, and a ping has no answer yet; any byte is one. */
  pinged: { step: "messages", limit: "pingTimeout", expired: "late", ended: "left", stopped: "stay" },
  /** We sent a close frame. */
  closing: { step: "close", limit: "closeTimeout", expired: "late", ended: "left", stopped: "stay" },
  /** The closing handshake is over, or never will be; we have ended our side and wait for the end of the client's. */
  linger: { step: "discard", limit: "closeTimeout", expired: "drop", ended: "stay", stopped: "stay" },
};
