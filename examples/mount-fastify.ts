// A Python application below /ml of a Fastify app. Run: node --import tsx examples/mount-fastify.ts
import middie from "@fastify/middie";
import fastify from "fastify";
import { toNodeHandler, wsgi } from "sallyport";

const ml = toNodeHandler(wsgi("mount_app", { chdir: import.meta.dirname }));

const app = fastify();
await app.register(middie); // Runs before Fastify's body parsers.
app.use("/ml", ml);
app.addHook("onReady", () => ml.start());
app.addHook("onClose", () => ml.close());
app.get("/", async () => "Fastify\n");

await app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" });
console.log("listening on", app.server.address());

process.once("SIGTERM", () => app.close());
