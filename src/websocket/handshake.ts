// The `handshake` of an exchange, which accepts the WebSocket and makes its session.
import type { Duplex } from "node:stream";
import type {
  Acceptance,
  Handshake,
  SallyportError,
  WebSocketReceiver,
  WebSocketSession,
} from "../exchange/index.ts";
import type { WebSocketClock } from "./clock.ts";
import { acceptance, type Opening } from "./opening.ts";
import { type MakeWatch, Session, type SessionTransport } from "./session.ts";

/** The exchange that asks for a WebSocket, and the connection behind it. */
export interface UpgradeTransport extends SessionTransport {
  /** The exchange is over: the client is gone. */
  readonly closed: boolean;
  /** Sends the accepting response with these fields, and gives its stream to the session. Throws when answered already. */
  accept(fields: readonly string[]): UpgradedStream;
}

/** A stream for a session to read. */
export interface UpgradedStream {
  readonly duplex: Duplex;
  /** The bytes that were read before, with the request. */
  readonly early: Buffer;
  /** Of a stream that is no socket: makes what tells that the client takes nothing for `timeout` milliseconds. */
  readonly watch?: MakeWatch | undefined;
}

const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;

/** The session of a client that is gone. */
const CLOSED_SESSION: WebSocketSession = {
  send: () => true,
  whenDrained() {},
  close() {},
  pause() {},
  resume() {},
};

export class WebSocketHandshake implements Handshake {
  readonly subprotocols: readonly string[];
  readonly #opening: Opening;
  readonly #clock: WebSocketClock;
  readonly #transport: UpgradeTransport;
  #session: Session | undefined;

  constructor(opening: Opening, clock: WebSocketClock, transport: UpgradeTransport) {
    this.subprotocols = opening.subprotocols;
    this.#opening = opening;
    this.#clock = clock;
    this.#transport = transport;
  }

  accept(choice: Acceptance, receiver: WebSocketReceiver): WebSocketSession {
    const transport = this.#transport;
    if (transport.closed) {
      queueMicrotask(() => receiver.closed(1006, ""));
      return CLOSED_SESSION;
    }
    const { duplex, early, watch } = transport.accept(acceptance(this.#opening, choice));
    const session = new Session(duplex, this.#clock, this.#opening.deflate, receiver, transport, watch);
    this.#session = session;
    setImmediate(() => session.begin(early));
    return session;
  }

  /** The exchange has failed: sends a close frame and ends the connection. False when the WebSocket was not accepted. */
  cut(error: SallyportError): boolean {
    const code = error.code === "ERR_SALLYPORT_STOPPING" ? GOING_AWAY : INTERNAL_ERROR;
    this.#session?.cut(code, error);
    return this.#session !== undefined;
  }
}
