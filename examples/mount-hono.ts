// A Python application below /ml of a Hono app on node. Run: node --import tsx examples/mount-hono.ts
import { type HttpBindings, serve } from "@hono/node-server";
import { Hono } from "hono";
import { toFetchHandler, wsgi } from "sallyport";

const ml = toFetchHandler(wsgi("mount_app", { chdir: import.meta.dirname }), { mount: "/ml" });
await ml.start();

const app = new Hono<{ Bindings: HttpBindings }>();
app.all("/ml/*", (c) => ml(c.req.raw, c.env)); // c.env tells the client's address.
app.get("/", (c) => c.text("Hono\n"));

const options = { fetch: app.fetch, port: Number(process.env.PORT ?? 3000), hostname: "127.0.0.1" };
const server = serve(options, (address) => console.log("listening on", address));

process.once("SIGTERM", async () => {
  server.close();
  await ml.close();
});
