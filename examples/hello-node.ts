// A node:http handler, the shape of Express, Koa and Fastify. Serve it: sallyport serve hello-node.ts
import type { IncomingMessage, ServerResponse } from "node:http";

export default (req: IncomingMessage, res: ServerResponse): void => {
  res.setHeader("Content-Type", "text/plain; charset=utf-8");
  res.end(`Hello from ${req.method} ${req.url}\n`);
};
