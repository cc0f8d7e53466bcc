// Where connections come in that a proxy passes on with a PROXY header in front: the header is taken off, and the
// connection goes on to whoever speaks the protocol that follows, as if it began there.
import type { Socket } from "node:net";
import { type Address, type Log, SallyportError } from "../../exchange/index.ts";
import { type Member, Members } from "../../exchange/members.ts";
import { canonicalIp } from "../address.ts";
import { ownAddresses, setAddresses } from "../addresses.ts";
import { type HeaderRead, HeaderReader, type ProxyHeader } from "./codec.ts";

export interface ProxyAcceptorOptions {
  /** Gets the connection once its header is read. */
  readonly accept: (socket: Socket) => void;
  /** Whether this peer begins with a header. Of one that does not, not a byte is looked at. */
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
    const arrival = new PendingConnection(socket, timeout, (outcome) => {
      this.#pending.delete(arrival);
      if (outcome === "arrived") accept(socket);
      else if (outcome) logRefusal(log, outcome, socket);
    });
    this.#pending.add(arrival);
  }

  /** Ends those that have not said yet who they are. */
  close(): void {
    for (const { socket } of this.#pending) socket.destroy();
  }
}

/** Its header is read; or why it will not be; or undefined, when the peer only looked whether somebody listens. */
type Outcome = "arrived" | SallyportError | undefined;

/** A connection that has not said yet who it is. */
class PendingConnection implements Member {
  place = -1;
  readonly socket: Socket;
  readonly #reader = new HeaderReader();
  readonly #done: (outcome: Outcome) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = {
    // Not "data": whoever comes after us may read in any way, and only so nothing has begun to flow.
    readable: () => this.#read(),
    end: () => this.#finish(this.#reader.fed ? short() : undefined),
    error: () => {},
    close: () => this.#finish(undefined),
  };

  constructor(socket: Socket, timeout: number, done: (outcome: Outcome) => void) {
    this.socket = socket;
    this.#done = done;
    this.#timer = setTimeout(() => this.#finish(late()), timeout);
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
    // An error of a connection that we end is still ours to hear.
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
