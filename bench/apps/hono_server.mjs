// A fetch handler on node:http by @hono/node-server: node hono_server.mjs APP PORT replace|keep
import { serve } from "@hono/node-server";

const [app, port, global] = process.argv.slice(2);
const { default: served } = await import(`./${app}`);
serve({
  fetch: served.fetch,
  hostname: "127.0.0.1",
  port: Number(port),
  overrideGlobalObjects: global === "replace",
});
