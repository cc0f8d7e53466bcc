// A process that accepts WebSockets and says, when asked, what its memory is. Run with --expose-gc.
import { createServer } from "node:net";
import { silentLog } from "../../src/exchange/index.ts";
import { httpListener } from "../../src/protocols/http1/index.ts";
import { echo } from "../kit/serve-websocket.ts";

const listener = httpListener({ handler: echo, log: silentLog });
const server = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
server.listen(0, "127.0.0.1", () => process.send?.(server.address()));

process.on("message", () => {
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send?.({ rss, heap: heapUsed + external });
});
process.on("disconnect", () => process.exit());
