// What has been opened, and is closed again in the opposite order, whatever happened in between.
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export class Scope {
  readonly #closers: (() => unknown)[] = [];

  onClose(closer: () => unknown): void {
    this.#closers.push(closer);
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.reverse()) await closer();
  }

  /** Listens on a free port of the loopback, and gives HOST:PORT. */
  async listen(server: Server): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.onClose(() => server.close());
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** A server for a listener of ours: connections are made with `allowHalfOpen`. */
  serve(accept: (socket: Socket) => void): Promise<string> {
    return this.listen(createServer({ allowHalfOpen: true, noDelay: true }, accept));
  }
}
