// The application's half of FastCGI: servers that connect and vanish.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { Exchange, Handler } from "../../../../src/exchange/index.ts";
import { head } from "../../../kit/handlers.ts";
import { bodyOf, echo, request, serve } from "../serve-fastcgi.ts";

const CONNECTIONS = 150;
const PIECE = Buffer.alloc(100_000);

/** Resolves also after an error, which is what most of them end with. */
const closing = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once("close", resolve));

test("L2: servers that vanish at any moment, within an upload and within a response, leave nothing behind", async (t) => {
  const open = new Set<Exchange>();
  /** Answers with more than a connection holds, once the body is here; whoever leaves before that has no answer. */
  const handler: Handler = (exchange) => {
    if (exchange.request.method === "PUT") return echo(exchange);
    open.add(exchange);
    exchange.whenClosed(() => open.delete(exchange));
    exchange.start(head());
    const more = (): void => {
      while (!exchange.closed && exchange.write(PIECE));
      exchange.whenDrained(more);
    };
    more();
  };
  const { client, accepted } = await serve(t, handler);
  const bytes = request({ body: "x".repeat(1000) });
  for (let i = 0; i < CONNECTIONS; i++) {
    const server = await client();
    server.socket.on("error", () => {});
    const whole = i % 3 === 0;
    server.send(whole ? bytes : bytes.subarray(0, (i * 7) % bytes.length));
    if (whole) await server.until(() => server.answer().stdout !== "");
    server.socket.resetAndDestroy();
  }
  assert.equal(accepted.length, CONNECTIONS);
  await Promise.all(accepted.map((socket) => socket.closed || closing(socket)));
  assert.equal(open.size, 0);
  const last = await client();
  last.send(request({ params: { REQUEST_METHOD: "PUT" } }));
  assert.equal(bodyOf(await last.ended()), "PUT /app /app/x ");
});
