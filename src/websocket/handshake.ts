// The handshake as an exchange has it, and how it becomes a session.
import type {
  Acceptance,
  Handshake,
  SallyportError,
  WebSocketReceiver,
  WebSocketSession,
} from "../exchange/index.ts";
import type { WebSocketClock } from "./clock.ts";
import { acceptance, type Opening } from "./opening.ts";
import { type Ending, Session, type SessionStream } from "./session.ts";

/** The exchange that asks for a WebSocket, and the connection behind it. */
export interface UpgradeTransport {
  /** The exchange is over: nobody is there any more. */
  readonly closed: boolean;
  /** Sends the response that accepts, with these fields: from now on the stream is the session's. Throws when answered already. */
  accept(fields: readonly string[]): UpgradedStream;
  /** The WebSocket is over. */
  concluded(error: SallyportError | undefined, bytes: number): void;
}

/** A stream that has not been read from, and what was read from it before. */
export interface UpgradedStream {
  readonly duplex: SessionStream;
  early(): Buffer;
}

const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;

/** What `session.send` and the others do when there is nobody. */
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

  constructor(opening: Opening, sockets: WebSocketClock, carrier: UpgradeTransport) {
    this.subprotocols = opening.subprotocols;
    this.#opening = opening;
    this.#clock = sockets;
    this.#transport = carrier;
  }

  accept(choice: Acceptance, receiver: WebSocketReceiver): WebSocketSession {
    const carrier = this.#transport;
    if (carrier.closed) {
      queueMicrotask(() => receiver.closed(1006, ""));
      return CLOSED_SESSION;
    }
    const { duplex, early } = carrier.accept(acceptance(this.#opening, choice));
    const { deflate } = this.#opening;
    const over = ({ error, bytes }: Ending): void => carrier.concluded(error, bytes);
    const session = new Session(duplex, this.#clock, deflate, receiver, over);
    this.#session = session;
    setImmediate(() => session.begin(early()));
    return session;
  }

  /** The exchange cannot go on: the client is told so, and the connection ends. False when nothing was accepted. */
  cut(error: SallyportError): boolean {
    const code = error.code === "ERR_SALLYPORT_STOPPING" ? GOING_AWAY : INTERNAL_ERROR;
    this.#session?.cut(code, error);
    return this.#session !== undefined;
  }
}
