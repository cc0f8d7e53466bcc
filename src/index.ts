// What `import ... from "sallyport"` gives. Each protocol's own parts have subpaths: sallyport/http, sallyport/wsgi, ...
export { fetchApp, type NodeHandler, nodeApp, type StaticOptions, staticFiles } from "./apps/index.ts";
export { type Config, defineConfig } from "./config/config.ts";
export type { Exchange, Gateway, Handler, Listener, Log } from "./exchange/index.ts";
export { SallyportError } from "./exchange/index.ts";
export {
  type FetchMount,
  type MountOptions,
  type NodeMount,
  toFetchHandler,
  toNodeHandler,
  toUpgradeHandler,
  type UpgradeMount,
  type UpgradeMountOptions,
} from "./mount/index.ts";
export { type AsgiOptions, asgi } from "./protocols/asgi/index.ts";
export { type CgiOptions, cgi } from "./protocols/cgi/index.ts";
export { authorized, type FastcgiOptions, fastcgi } from "./protocols/fastcgi/index.ts";
export { type HttpLimits, type HttpOptions, httpListener } from "./protocols/http1/index.ts";
export { type ScgiOptions, scgi } from "./protocols/scgi/index.ts";
export { type UwsgiOptions, uwsgi } from "./protocols/uwsgi/index.ts";
export { type WsgiOptions, wsgi } from "./protocols/wsgi/index.ts";
export { createServer } from "./server/create.ts";
export { type ServedApp, type ServeOptions, type Serving, serve } from "./server/serve.ts";
export type { Server, ServerOptions } from "./server/server.ts";
