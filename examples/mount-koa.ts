// A Python application below /ml of a Koa app. Run: node --import tsx examples/mount-koa.ts
import Koa from "koa";
import { toNodeHandler, wsgi } from "sallyport";

const ml = toNodeHandler(wsgi("mount_app", { chdir: import.meta.dirname }), { mount: "/ml" });
await ml.start();

const app = new Koa();
app.use(async (ctx, next) => {
  if (ctx.path !== "/ml" && !ctx.path.startsWith("/ml/")) return next();
  ctx.respond = false; // Koa leaves the response to us.
  ml(ctx.req, ctx.res);
});
app.use((ctx) => {
  ctx.body = "Koa\n";
});

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log("listening on", server.address());
});

process.once("SIGTERM", async () => {
  server.close();
  await ml.close();
});
