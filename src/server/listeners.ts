// The registry: which listener speaks the protocol of an address. A new protocol is one entry here and its name in config/protocols.ts. What nobody listens
// for is not even loaded.

import type { Limits } from "../config/limits.ts";
import type { Protocol } from "../config/protocols.ts";
import type { Handler, Listener, Log } from "../exchange/index.ts";

/** What listeners get from the server that they are part of. */
export interface ListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: Limits;
}

type Make = (entrance: ListenerContext) => Promise<Listener>;

const MAKE = {
  async http({ handler, log, limits: { fastcgi, scgi, uwsgi, websocket, http2, temporary, ...limits } }) {
    const { webListener } = await import("./web.ts");
    return webListener({
      handler,
      log,
      limits,
      ...(websocket && { websocket }),
      ...(http2 && { http2 }),
    });
  },

  async fastcgi({ handler, log, limits }) {
    const { fastcgiListener } = await import("../protocols/fastcgi/index.ts");
    return fastcgiListener({ handler, log, limits: { body: limits.body, ...limits.fastcgi } });
  },

  async scgi({ handler, log, limits }) {
    const { scgiListener } = await import("../protocols/scgi/index.ts");
    return scgiListener({ handler, log, limits: { body: limits.body, ...limits.scgi } });
  },

  async uwsgi({ handler, log, limits }) {
    const { uwsgiListener } = await import("../protocols/uwsgi/index.ts");
    return uwsgiListener({ handler, log, limits: { body: limits.body, ...limits.uwsgi } });
  },
} as const satisfies Record<Protocol, Make>;

/** A listener that puts exchanges into `entrance`. */
export const listenerOf = (protocol: Protocol, entrance: ListenerContext): Promise<Listener> =>
  MAKE[protocol](entrance);
