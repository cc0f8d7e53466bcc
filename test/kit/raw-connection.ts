// Connections that say exactly what a test wants said, and keep what comes.
import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";

export abstract class RawConnection {
  readonly socket: Socket;
  /** "" while open; "end" after the other's FIN; "reset" when it was torn down. */
  state = "";
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.#now(() => this.read(chunk)));
    socket.on("end", () => this.#now(() => (this.state ||= "end")));
    socket.on("error", () => this.#now(() => (this.state ||= "reset")));
    socket.on("close", () => this.#now(() => (this.state ||= "reset")));
  }

  static async open<C extends RawConnection>(
    this: new (
      socket: Socket,
    ) => C,
    to: NetConnectOpts,
  ): Promise<C> {
    const socket = connect({ noDelay: true, ...to } as NetConnectOpts);
    const connection = new this(socket);
    await once(socket, "connect");
    return connection;
  }

  /** Text is latin-1. */
  send(...data: (string | Uint8Array)[]): this {
    const bytes = Buffer.concat(
      data.map((one) => (typeof one === "string" ? Buffer.from(one, "latin1") : one)),
    );
    if (bytes.length > 0 && !this.socket.destroyed) this.socket.write(bytes);
    return this;
  }

  /** Resolves when `condition` holds. The limit of the test runner ends a wait for what never happens. */
  async until(condition: (connection: this) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this;
  }

  protected abstract read(chunk: Buffer): void;

  #now(change: () => void): void {
    change();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Everything that arrives is kept as latin-1. */
export class TextConnection extends RawConnection {
  received = "";

  /** Ends our side, and goes on listening. */
  end(): this {
    this.socket.end();
    return this;
  }

  /** Everything up to the end of the connection. */
  async all(): Promise<string> {
    await this.until(() => this.state !== "");
    return this.received;
  }

  /** Everything so far, once `text` is in it, or the connection has ended. */
  async has(text: string): Promise<string> {
    await this.until(() => this.received.includes(text) || this.state !== "");
    return this.received;
  }

  protected override read(chunk: Buffer): void {
    this.received += chunk.toString("latin1");
  }
}
