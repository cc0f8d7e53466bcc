// A built server in a process of its own that reports, when asked, what a young collection leaves in its heap.
// Usage: node --expose-gc survivors.mjs CONFIG, with a channel to the process that started it.
import { getHeapStatistics } from "node:v8";
import { createServer } from "../../dist/index.js";

const server = createServer(JSON.parse(process.argv[2]));
process.on("message", async (message) => {
  if (message === "stop") {
    await server.stop(0);
    process.disconnect();
    return;
  }
  globalThis.gc({ type: "minor" });
  process.send({ used: getHeapStatistics().used_heap_size });
});
process.send({ urls: await server.start() });
