// An open WebSocket of a worker's application, as the stream sees it that it belongs to: messages (websocket-relay.ts), or the bytes of
// a socket that the application's library reads and writes (socket-relay.ts).
import type { Leaving, Log, SallyportError } from "../exchange/index.ts";
import type { OpeningExchange } from "../websocket/index.ts";
import type { FrameWriter } from "./link.ts";

/** Close codes (RFC 6455, 7.4.1; IANA's registry). */
export const CLOSE: Readonly<Record<Leaving | "normal" | "failed", number>> = {
  normal: 1000,
  stop: 1001,
  failed: 1011,
  restart: 1012,
};

/** Between what a relay stands: the exchange, and the stream of a worker's link. */
export interface RelayEnds {
  readonly exchange: OpeningExchange;
  readonly writer: FrameWriter;
  readonly stream: number;
  readonly log: Log;
}

export interface Relay {
  /** A frame of the worker's. Throws a SallyportError: APP_PROTOCOL for what the client cannot be sent, LINK_BROKEN for what is no frame. */
  receive(kind: number, payload: Buffer): void;
  /** The application takes `bytes` more. */
  want(bytes: number): void;
  /** The application stops: both sides are asked to come to an end. */
  leave(why: Leaving): void;
  /** It cannot go on. */
  fail(error: SallyportError): void;
  /** The application has returned. */
  end(): void;
  /** The exchange is over, whoever ended it: what there is still to read for the application does not wait until it is asked for. */
  concluded(): void;
  /** The worker is done with the stream. */
  release(): void;
}
