// The demonstration application as a node handler: shows the IncomingMessage it was called with.
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { page } from "./page.ts";

export default async function show(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { method = "", url = "", httpVersion, socket } = req;
  const { originalUrl = "" } = req as { originalUrl?: string };
  const html = page({
    title: "node handler",
    lead: "A TypeScript function in the server's own process was handed:",
    tables: {
      IncomingMessage: Object.entries({
        method,
        url,
        originalUrl,
        httpVersion,
        remoteAddress: socket.remoteAddress ?? "",
      }),
      "req.headers": Object.entries(req.headers).map(([name, value]) => [name, String(value)] as const),
    },
    body: await text(req),
  });
  res.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(html);
}
