// The registry: the listener for each protocol. A new protocol is one entry here and its name in config/protocols.ts. A
// listener that no address needs is not loaded.

import type { Limits } from "../config/limits.ts";
import type { Protocol } from "../config/protocols.ts";
import type { Handler, Listener, Log } from "../exchange/index.ts";

/** What a listener gets from its server. */
export interface ListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: Limits;
}

type Make = (context: ListenerContext) => Promise<Listener>;

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

/** A listener that passes exchanges to the handler of `context`. */
export const listenerOf = (protocol: Protocol, context: ListenerContext): Promise<Listener> =>
  MAKE[protocol](context);
