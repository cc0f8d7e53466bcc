// A built server in a process of its own that reports, when asked, what a young collection leaves in its heap, or a full one
// in all the memory that V8 counts.
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
  if (message === "collect all") {
    for (let i = 0; i < 4; i++) globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    process.send({ used: heapUsed + external });
    return;
  }
  globalThis.gc({ type: "minor" });
  process.send({ used: getHeapStatistics().used_heap_size });
});
process.send({ urls: await server.start() });
