// Kept FastCGI connections, counted at the other end: our gateway in front of our listener, and of PHP-FPM.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Gateway } from "../../src/exchange/index.ts";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { RecordedExchange } from "../../src/testing/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { startPeer } from "./peer.ts";
import { startListener } from "./start-listener.ts";

const FPM = readdirSync("/usr/sbin").find((name) => name.startsWith("php-fpm")) ?? "php-fpm";
const REQUESTS = 10_000;
const POOL = 4;
/** A connection more asks what the application can do. */
const QUESTION = 1;

const HELLO: Gateway = {
  handle: (exchange) =>
    exchange.respond({ status: 200, reason: "", headers: ["Content-Type", "text/plain"] }, "hello"),
};

async function ask(gateway: Gateway, target = "/"): Promise<void> {
  const exchange = new RecordedExchange({ target });
  gateway.handle(exchange);
  const { status, body } = await exchange.done;
  assert.deepEqual([status, body.toString()], [200, "hello"]);
}

/** A gateway to `address`, closed with the test. */
async function gatewayTo(t: TestContext, options: Parameters<typeof fastcgi>[0]): Promise<Gateway> {
  const gateway = fastcgi({ connections: POOL, ...options });
  t.after(() => gateway.close?.(0));
  await gateway.start?.();
  return gateway;
}

test(`${REQUESTS} requests one after the other use one connection`, async (t) => {
  const app = await startListener("fastcgi", HELLO);
  t.after(() => app.close());
  const gateway = await gatewayTo(t, { address: app.address });
  for (let i = 0; i < REQUESTS; i++) await ask(gateway);
  assert.ok(app.accepted <= 1 + QUESTION, `${app.accepted} connections`);
});

test(`${REQUESTS} requests, 32 at a time, open no more connections than the pool allows`, async (t) => {
  const app = await startListener("fastcgi", HELLO);
  t.after(() => app.close());
  const gateway = await gatewayTo(t, { address: app.address });
  let left = REQUESTS;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await ask(gateway);
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  assert.ok(app.accepted <= POOL + QUESTION, `${app.accepted} connections`);
});

test("PHP-FPM is asked over one connection in turn, and over no more at once than the pool allows", {
  skip: missing(FPM),
}, async (t) => {
  const root = makeFolder(t);
  await writeFile(join(root, "index.php"), "<?php echo 'hello';");
  const rootFlag = process.getuid?.() === 0 ? ["-R"] : [];
  const fpm = await startPeer({
    config: "php-fpm/php-fpm.conf",
    command: (config) => [FPM, ...rootFlag, "-y", config],
  });
  t.after(() => fpm.stop());
  const counter = await counting(t, fpm.url().slice("http://".length));
  const gateway = await gatewayTo(t, { address: counter.address, root, connections: 2 });
  for (let i = 0; i < 500; i++) await ask(gateway);
  assert.ok(counter.accepted <= 1 + QUESTION, `${counter.accepted} connections`);
  await Promise.all(Array.from({ length: 500 }, () => ask(gateway)));
  assert.ok(counter.most <= 2, `${counter.most} connections at once`);
});

interface Counter {
  address: string;
  /** Connections so far. */
  accepted: number;
  /** Connections at once. */
  most: number;
}

/** Passes everything on to `address`, and counts connections. */
async function counting(t: TestContext, address: string): Promise<Counter> {
  const [host = "", port] = address.split(":");
  const sockets = new Set<Socket>();
  const counter: Counter = { address: "", accepted: 0, most: 0 };
  let open = 0;
  const server = createServer((socket) => {
    counter.accepted++;
    counter.most = Math.max(counter.most, ++open);
    socket.once("close", () => open--);
    const other = connect(Number(port), host);
    for (const one of [socket, other]) sockets.add(one.on("error", () => one.destroy()));
    socket.pipe(other).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  counter.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return counter;
}
