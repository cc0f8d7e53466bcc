// What the connections of one HTTP/2 listener share.
import type { Handler, Log } from "../../exchange/index.ts";
import type { WebSocketClock } from "../../websocket/index.ts";
import type { Http2Limits } from "./limits.ts";

export interface Http2ListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: Http2Limits;
  /** Those of its streams that became WebSockets. */
  readonly sockets: WebSocketClock;
  /** Milliseconds, as of the last tick: good enough for deadlines, and free. */
  readonly now: number;
}
