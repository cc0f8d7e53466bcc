// A node handler: the server calls a function with the objects of node:http. Tested by test/demo/apps.test.ts.
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";

let answered = 0;

export default async function handler(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const number = ++answered;
  const query = new URL(req.url ?? "/", "http://localhost").searchParams;
  const name = query.get("name") ?? "world";

  let size = 0;
  for await (const chunk of req) size += chunk.length;

  if (query.has("wait")) await wait(1000);
  const text = [
    `Hello, ${name}!`,
    `Your request has a body of ${size} bytes.`,
    `I am process ${process.pid}, and this is request ${number} that I answer.`,
  ];
  res.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
  res.end(`${text.join("\n")}\n`);
}
