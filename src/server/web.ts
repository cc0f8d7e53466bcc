// All versions of HTTP at one address: ALPN selects one, and without TLS the client's first bytes do. HTTP/2 is loaded for
// the first client that uses it: most servers are behind another one, which speaks HTTP/1.1 with them.
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Listener, type Load, totalLoad } from "../exchange/index.ts";
import { type HttpOptions, httpListener } from "../protocols/http1/index.ts";
import type { StreamLimits } from "../protocols/http2/index.ts";
import { ConnectionCount } from "../sockets/connections.ts";

export interface WebOptions extends Omit<HttpOptions, "http2"> {
  /** Limits that only HTTP/2 has. */
  http2?: Partial<StreamLimits>;
}

/** One listener for HTTP/1.0, HTTP/1.1 and HTTP/2, with one limit for the connections of all. */
export function webListener({ http2, limits, ...options }: WebOptions): Listener {
  const count = new ConnectionCount();
  const second = new Late(async () => {
    const { http2Listener } = await import("../protocols/http2/index.ts");
    return http2Listener({ ...options, limits: { ...limits, ...http2 } }, count);
  });
  const first = httpListener(
    {
      ...options,
      ...(limits && { limits }),
      http2: (socket) => second.accept(socket),
    },
    count,
  );
  return {
    accept: (socket) => (agreedOnHttp2(socket) ? second : first).accept(socket),
    load: () => totalLoad([first.load?.(), second.load()]),
    leave() {
      first.leave?.();
      second.leave();
    },
    close: async (grace) => void (await Promise.all([first.close(grace), second.close(grace)])),
  };
}

const agreedOnHttp2 = (socket: Socket): boolean => (socket as Partial<TLSSocket>).alpnProtocol === "h2";

/** A listener that is made for its first connection. */
class Late implements Listener {
  readonly #make: () => Promise<Listener>;
  #making: Promise<Listener> | undefined;
  #made: Listener | undefined;

  constructor(make: () => Promise<Listener>) {
    this.#make = make;
  }

  accept(socket: Socket): void {
    if (this.#made) this.#made.accept(socket);
    else void this.#acceptLater(socket);
  }

  load(): Load | undefined {
    return this.#made?.load?.();
  }

  leave(): void {
    void this.#making?.then((listener) => listener.leave?.());
  }

  async close(grace: number): Promise<void> {
    await (await this.#making)?.close(grace);
  }

  /** Until the listener is loaded, no data may be lost, and the client may leave. */
  async #acceptLater(socket: Socket): Promise<void> {
    const flowed = socket.readableFlowing;
    if (flowed) socket.pause();
    socket.on("error", ignored);
    this.#making ??= this.#make();
    this.#made = await this.#making;
    socket.off("error", ignored);
    if (socket.destroyed) return;
    if (flowed) socket.resume();
    this.#made.accept(socket);
  }
}

const ignored = (): void => {};
