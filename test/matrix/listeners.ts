// The rows of the matrix: every way in. The suite's client speaks HTTP; what speaks another protocol stands behind our
// own gateway of that protocol, so that both halves are in the cell.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fetchApp } from "../../src/apps/index.ts";
import type { Gateway, Handler } from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import { toFetchHandler, toNodeHandler } from "../../src/mount/index.ts";
import { cgi } from "../../src/protocols/cgi/index.ts";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { httpListener } from "../../src/protocols/http1/index.ts";
import { http2Listener } from "../../src/protocols/http2/index.ts";
import { scgi } from "../../src/protocols/scgi/index.ts";
import { uwsgi } from "../../src/protocols/uwsgi/index.ts";
import type { Capability } from "../../src/testing/index.ts";
import { listenIn } from "./applications.ts";
import { BUFFERED } from "./gateways.ts";
import { http2Hop } from "./http2-hop.ts";
import { matrixLog as log } from "./log.ts";
import { PLAYED_PROGRAM, PlayedLauncher } from "./played-launcher.ts";
import type { Scope } from "./scope.ts";

export interface Row {
  readonly lacks: readonly Capability[];
  /** Serves a gateway that has been started, and gives the URL. */
  open(gateway: Gateway, scope: Scope): Promise<string>;
}

const MOUNT = "/mounted";

export const LISTENERS: Readonly<Record<string, Row>> = {
  http1: { lacks: [], open: (gateway, scope) => serveHttp((exchange) => gateway.handle(exchange), scope) },

  http2: {
    // Its responses have no reason phrase (RFC 9113, 8.3.2).
    lacks: ["exactReason"],
    open: async (gateway, scope) => {
      const handler = withMount((exchange) => gateway.handle(exchange));
      const listener = http2Listener({ handler, log });
      const address = await scope.serve((socket) => listener.accept(socket));
      scope.onClose(() => listener.close(0));
      return serveGateway(http2Hop(address), scope);
    },
  },

  cgi: {
    lacks: BUFFERED,
    open: async (gateway, scope) => {
      const launcher = new PlayedLauncher((exchange) => gateway.handle(exchange));
      const server = cgi({ program: PLAYED_PROGRAM, launcher, bufferBody: false, log });
      await server.start?.();
      return serveGateway(server, scope);
    },
  },

  fastcgi: {
    lacks: BUFFERED,
    open: async (gateway, scope) => {
      const address = await listenIn("fastcgi", (exchange) => gateway.handle(exchange), scope);
      return serveGateway(fastcgi({ address, bufferBody: false, log }), scope);
    },
  },

  scgi: {
    lacks: BUFFERED,
    open: async (gateway, scope) => {
      const address = await listenIn("scgi", (exchange) => gateway.handle(exchange), scope);
      return serveGateway(scgi({ address, bufferBody: false, log }), scope);
    },
  },

  uwsgi: {
    lacks: BUFFERED,
    open: async (gateway, scope) => {
      const address = await listenIn("uwsgi", (exchange) => gateway.handle(exchange), scope);
      return serveGateway(uwsgi({ address, bufferBody: false, log }), scope);
    },
  },

  "node mount": {
    // What node:http refuses, or does by itself, before a handler is asked.
    lacks: ["anyMethod", "halfClose", "lazyContinue"],
    open: async (gateway, scope) => {
      const handler = toNodeHandler({ handle: (exchange) => gateway.handle(exchange) }, { log });
      const server = createServer((req, res) => handler(stripped(req), res as ServerResponse));
      return `http://${await scope.listen(server)}`;
    },
  },

  "fetch mount": {
    lacks: ["anyPath", "bodyOnGet", "informs", "requestTrailers", "responseTrailers", "traceMethod"],
    open: async (gateway, scope) => {
      const handled: Gateway = { handle: (exchange) => gateway.handle(exchange) };
      const root = toFetchHandler(handled, { log });
      const mounted = toFetchHandler(handled, { mount: MOUNT, log });
      const host = fetchApp((request, facts) => {
        const { pathname } = new URL(request.url);
        return (isMounted(pathname) ? mounted : root)(request, { remote: facts.remote, local: facts.local });
      });
      return serveGateway(host, scope, false);
    },
  },
};

const isMounted = (path: string): boolean => path === MOUNT || path.startsWith(`${MOUNT}/`);

/** Express's way: `url` without the mount, `baseUrl` the mount, `originalUrl` both. */
function stripped(req: IncomingMessage): IncomingMessage {
  const url = req.url ?? "";
  if (!isMounted(url)) return req;
  return Object.assign(req, { originalUrl: url, baseUrl: MOUNT, url: url.slice(MOUNT.length) || "/" });
}

function serveGateway(gateway: Gateway, scope: Scope, routed = true): Promise<string> {
  const checked = lint(gateway);
  scope.onClose(() => checked.close?.(0));
  return serveHttp((exchange) => checked.handle(exchange), scope, routed);
}

/** The application answers below /mounted, too. */
function withMount(handler: Handler): Handler {
  return (exchange) => {
    if (isMounted(exchange.request.path)) exchange.mount = MOUNT;
    handler(exchange);
  };
}

/** `routed`: the application answers below /mounted, too. */
async function serveHttp(handler: Handler, scope: Scope, routed = true): Promise<string> {
  const listener = httpListener({ handler: routed ? withMount(handler) : handler, log });
  const address = await scope.serve((socket) => listener.accept(socket));
  scope.onClose(() => listener.close(0));
  return `http://${address}`;
}
