// HTTP at one address, in each of its versions: TLS agrees on one (ALPN), without it a client's first octets tell.
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Listener } from "../exchange/index.ts";
import { type HttpOptions, httpListener } from "../protocols/http/index.ts";
import { http2Listener, type StreamLimits } from "../protocols/http2/index.ts";

export interface WebOptions extends Omit<HttpOptions, "http2"> {
  /** Bounds that only HTTP/2 has. */
  http2?: Partial<StreamLimits>;
}

/** One listener for HTTP/1.0, HTTP/1.1 and HTTP/2. */
export function webListener({ http2, limits, ...options }: WebOptions): Listener {
  const second = http2Listener({ ...options, limits: { ...limits, ...http2 } });
  const first = httpListener({
    ...options,
    ...(limits && { limits }),
    http2: (socket) => second.accept(socket),
  });
  return {
    accept: (socket) => (agreedOnHttp2(socket) ? second : first).accept(socket),
    leave() {
      first.leave?.();
      second.leave?.();
    },
    close: async (grace) => void (await Promise.all([first.close(grace), second.close(grace)])),
  };
}

const agreedOnHttp2 = (socket: Socket): boolean => (socket as Partial<TLSSocket>).alpnProtocol === "h2";
