// A Python application below /ml of an Express app. Run: node --import tsx examples/mount-express.ts
import express from "express";
import { toNodeHandler, wsgi } from "sallyport";

const ml = toNodeHandler(wsgi("mount_app", { chdir: import.meta.dirname }));
await ml.start(); // Fails here, and not at the first request, when the application cannot be imported.

const app = express();
app.use("/ml", ml); // Before body parsers: the application wants to read its requests itself.
app.use(express.json());
app.get("/", (_request, response) => void response.send("Express\n"));

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log("listening on", server.address());
});

process.once("SIGTERM", async () => {
  server.close();
  await ml.close();
});
