// The signal of a fetch app's request, wherever the app stands: it aborts when the client has left, and when it has got another
// answer, because the app's time was over.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { fetchApp } from "../../src/apps/index.ts";
import type { Gateway } from "../../src/exchange/index.ts";
import { toNodeHandler } from "../../src/mount/index.ts";
import { serve } from "../kit/serve-http1.ts";
import { request, serve as serveFastcgi } from "../protocols/fastcgi/serve-fastcgi.ts";

interface Place {
  readonly port: number;
  readonly request: string | Uint8Array;
}

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

const PLACES: Readonly<Record<string, (t: TestContext, app: Gateway) => Promise<Place>>> = {
  "of a server": async (t, app) => {
    const { port } = await serve(t, (exchange) => app.handle(exchange));
    return { port, request: GET };
  },
  "of a FastCGI listener": async (t, app) => {
    const { port } = await serveFastcgi(t, (exchange) => app.handle(exchange));
    return { port, request: request({ keep: false }) };
  },
  "mounted in a node host": async (t, app) => {
    const mount = toNodeHandler(app);
    const server = createServer(mount).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(async () => {
      server.close();
      server.closeAllConnections();
      await mount.close();
    });
    return { port: (server.address() as AddressInfo).port, request: GET };
  },
};

/** An app that never answers, and when its signal has aborted. */
function waiting(timeout?: number): { app: Gateway; asked: Promise<void>; aborted: Promise<void> } {
  let [ask, abort] = [() => {}, () => {}];
  const asked = new Promise<void>((resolve) => (ask = resolve));
  const aborted = new Promise<void>((resolve) => (abort = resolve));
  const app = fetchApp(
    ({ signal }) => {
      ask();
      signal.addEventListener("abort", () => abort());
      return new Promise(() => {});
    },
    { timeout },
  );
  return { app, asked, aborted };
}

for (const [where, start] of Object.entries(PLACES)) {
  test(`a fetch app ${where} is told that its time was over`, async (t) => {
    const { app, aborted } = waiting(0.05);
    const place = await start(t, app);
    const client = connect(place.port, "127.0.0.1");
    t.after(() => void client.destroy());
    client.write(place.request);
    const [answer] = await once(client, "data");
    assert.match(String(answer), /504 Gateway Timeout/);
    await aborted;
  });

  test(`a fetch app ${where} is told that its client has left`, async (t) => {
    const { app, asked, aborted } = waiting();
    const place = await start(t, app);
    const client = connect(place.port, "127.0.0.1");
    client.write(place.request);
    await asked;
    client.resetAndDestroy();
    await aborted;
  });
}
