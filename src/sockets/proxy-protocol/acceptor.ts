// Accepts connections of a proxy that begin with a PROXY header: takes the header off, and passes the connection on to the
// listener of the protocol that follows, as if it began there.
import type { Socket } from "node:net";
import { type Address, type Log, SallyportError } from "../../exchange/index.ts";
import { type Member, Members } from "../../exchange/members.ts";
import { timerDelay } from "../../exchange/wait.ts";
import { canonicalIp } from "../address.ts";
import { ownAddresses, setAddresses } from "../addresses.ts";
import { untilNone } from "../pending.ts";
import { type HeaderRead, HeaderReader, type ProxyHeader } from "./codec.ts";

export interface ProxyAcceptorOptions {
  /** Gets the connection once its header is read. */
  readonly accept: (socket: Socket) => void;
  /** Whether this peer begins with a header. Connections of other peers are passed on unread. */
  readonly expects: (peer: Address) => boolean;
  readonly log: Log;
  /** Milliseconds for the header to arrive. */
  readonly timeout: number;
  /** Connections that may wait for their header at once; more are closed. */
  readonly most: number;
}

export class ProxyAcceptor {
  readonly #options: ProxyAcceptorOptions;
  readonly #pending = new Members<PendingConnection>();

  constructor(options: ProxyAcceptorOptions) {
    this.#options = options;
  }

  accept(socket: Socket): void {
    const { accept, expects, log, timeout, most } = this.#options;
    if (!expects(ownAddresses(socket).remote)) return accept(socket);
    if (this.#pending.size >= most) return void socket.destroy();
    const pending = new PendingConnection(socket, timeout, (outcome) => {
      this.#pending.delete(pending);
      if (outcome === "arrived") accept(socket);
      else if (outcome) logRefusal(log, outcome, socket);
    });
    this.#pending.add(pending);
  }

  /** Ends the connections whose header has not arrived `patience` milliseconds from now. */
  async close(patience: number): Promise<void> {
    await untilNone(this.#pending, patience);
    for (const { socket } of this.#pending) socket.destroy();
  }
}

/** The header was read; or why it was not; undefined for a peer that sent nothing (a health check). */
type Outcome = "arrived" | SallyportError | undefined;

/** A connection whose header has not arrived completely. */
class PendingConnection implements Member {
  place = -1;
  readonly socket: Socket;
  readonly #reader = new HeaderReader();
  readonly #done: (outcome: Outcome) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = {
    // Not "data": the stream must not flow yet, so that its next reader may read in any way.
    readable: () => this.#read(),
    end: () => this.#finish(this.#reader.fed ? short() : undefined),
    error: () => {},
    close: () => this.#finish(undefined),
  };

  constructor(socket: Socket, timeout: number, done: (outcome: Outcome) => void) {
    this.socket = socket;
    this.#done = done;
    this.#timer = setTimeout(() => this.#finish(late()), timerDelay(timeout));
    for (const [event, listener] of Object.entries(this.#listeners)) socket.on(event, listener);
  }

  #read(): void {
    let read: HeaderRead | undefined;
    try {
      while (!read) {
        const piece: Buffer | null = this.socket.read();
        if (!piece) return;
        read = this.#reader.feed(piece);
      }
    } catch (error) {
      return this.#finish(SallyportError.from(error));
    }
    this.#arrive(read);
  }

  #arrive({ header, rest }: HeaderRead): void {
    if (rest.length > 0) this.socket.unshift(rest);
    setProxyAddresses(this.socket, header);
    this.#finish("arrived");
  }

  #finish(outcome: Outcome): void {
    clearTimeout(this.#timer);
    const { readable, end, error, close } = this.#listeners;
    this.socket.off("readable", readable).off("end", end).off("close", close);
    // A connection that ends here keeps its error listener.
    if (outcome === "arrived") this.socket.off("error", error);
    else this.socket.destroy();
    this.#done(outcome);
  }
}

function setProxyAddresses(socket: Socket, { addresses, encrypted }: ProxyHeader): void {
  if (!addresses && !encrypted) return;
  const { remote, local } = addresses ?? ownAddresses(socket);
  setAddresses(socket, { remote: canonical(remote), local: canonical(local), encrypted });
}

const canonical = ({ address, port }: Address): Address => ({
  address: canonicalIp(address) ?? address,
  port,
});

function logRefusal(log: Log, { message, code, fault }: SallyportError, socket: Socket): void {
  log.info(message, { code, fault, remote: ownAddresses(socket).remote.address });
}

const late = (): SallyportError =>
  new SallyportError("REQUEST_TIMEOUT", "PROXY header: it did not arrive in time");
const short = (): SallyportError =>
  new SallyportError("BAD_REQUEST", "PROXY header: the connection ended within it");
