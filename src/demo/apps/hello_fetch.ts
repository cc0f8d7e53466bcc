// A fetch handler: the server calls a function with a Request, and gets a Response. Tested by test/demo/apps.test.ts.
import { setTimeout as wait } from "node:timers/promises";

let answered = 0;

export default {
  async fetch(request: Request): Promise<Response> {
    const number = ++answered;
    const query = new URL(request.url).searchParams;
    const name = query.get("name") ?? "world";
    const body = await request.arrayBuffer();

    if (query.has("wait")) await wait(1000);
    const text = [
      `Hello, ${name}!`,
      `Your request has a body of ${body.byteLength} bytes.`,
      `I am process ${process.pid}, and this is request ${number} that I answer.`,
    ];
    return new Response(`${text.join("\n")}\n`, {
      headers: { "Content-Type": "text/plain; charset=utf-8" },
    });
  },
};
