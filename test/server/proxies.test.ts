// Servers behind proxies: what each listener's apps get to know of the client, and what the access log says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, connect, createServer as createTcp } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { type Gateway, silentLog } from "../../src/exchange/index.ts";
import { serverLog } from "../../src/logs/log.ts";
import { createServer } from "../../src/server/create.ts";
import type { Server } from "../../src/server/server.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { localHeader, OVER_TLS, version1, version2 } from "../kit/proxy-header.ts";

const directory = makeFolder();

const LOCAL = "127.0.0.1";
const SAID = {
  remote: { address: "203.0.113.9", port: 56_324 },
  local: { address: "198.51.100.1", port: 443 },
};

/** Tells the client, scheme, authority and the port that was reached. */
const tells: Gateway = {
  handle(exchange) {
    const { remote, scheme, authority, local } = exchange.request;
    const text = `${remote.address} ${remote.port} ${scheme} ${authority} ${local.port}`;
    exchange.respond({ status: 200, reason: "", headers: ["Content-Type", "text/plain"] }, text);
  },
};

interface Started {
  readonly server: Server;
  /** As the server printed it. */
  readonly url: string;
}

/** Starts a server that ends with the test. */
async function started(t: TestContext, config: Partial<Config>, log = silentLog): Promise<Started> {
  const whole: Config = { listen: ["127.0.0.1:0"], apps: { tells }, ...config };
  const server = createServer(whole, { directory, log });
  t.after(() => server.stop(0));
  const [url = ""] = await server.start();
  return { server, url };
}

const ask = async (url: string, headers: Record<string, string> = {}): Promise<string> =>
  (await fetch(url, { headers })).text();

const FORWARDED = {
  "X-Forwarded-For": "203.0.113.9:4711",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "shop.example",
};
const HONOURED = "203.0.113.9 4711 https shop.example 443";

test("http: a trusted proxy is believed", async (t) => {
  const { url } = await started(t, { trust: [LOCAL] });
  assert.equal(await ask(url, FORWARDED), HONOURED);
  assert.equal(
    await ask(url, { Forwarded: 'for="[2001:db8::9]";host=shop.example' }),
    "2001:db8::9 0 http shop.example 80",
  );
});

test("http over a Unix socket: a proxy is believed when unix: is trusted", async (t) => {
  for (const [trust, expected] of [
    ["unix:", /^203\.0\.113\.9 4711 https shop\.example 0$/],
    [LOCAL, /^ 0 http localhost 0$/],
  ] as const) {
    await started(t, { listen: [`unix:${trust.length}.sock`], trust: [trust] });
    const sent = request({
      socketPath: join(directory, `${trust.length}.sock`),
      headers: { ...FORWARDED, Host: "localhost" },
    });
    const [response] = await once(sent.end(), "response");
    assert.match((await response.toArray()).join(""), expected);
  }
});

/** Sends a request on each of 20 connections and resets them at once; this process accepts none of them before that. */
function sendAndReset(url: string, ...head: string[]): void {
  const program = `const [port, text] = process.argv.slice(1);
    for (let i = 0; i < 20; i++) {
      const socket = require("node:net").connect(port, "127.0.0.1");
      socket.on("error", () => {}).on("connect", () => { socket.write(text); socket.resetAndDestroy(); });
    }`;
  const { status } = spawnSync(process.execPath, ["-e", program, new URL(url).port, head.join("\r\n")]);
  assert.equal(status, 0);
}

test("a TCP client that resets its connection does not pass for a peer over a Unix socket", async (t) => {
  const asked: string[] = [];
  const notes: Gateway = {
    handle(exchange) {
      asked.push(exchange.request.remote.address);
      tells.handle(exchange);
    },
  };
  for (const proxyProtocol of [false, true]) {
    const listen = [{ address: "127.0.0.1:0", proxyProtocol }];
    const { url } = await started(t, { trust: ["unix:"], listen, apps: { notes } });
    const proxied = proxyProtocol ? ["PROXY TCP4 203.0.113.9 198.51.100.1 56324 443"] : [];
    sendAndReset(url, ...proxied, "GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 203.0.113.9", "", "");
    // The 20 were accepted before this one.
    assert.match(await ask(url), /^127/);
  }
  assert.deepEqual(
    asked.filter((address) => address !== LOCAL),
    [],
  );
});

test("without trust no peer is believed, and the headers pass unchanged (L4)", async (t) => {
  const app = (request: Request): Response =>
    Response.json([request.url, request.headers.get("x-forwarded-for"), request.headers.get("forwarded")]);
  const { url } = await started(t, { apps: { app: { app } } });
  assert.deepEqual(JSON.parse(await ask(url, { ...FORWARDED, Forwarded: 'for="' })), [
    `${url}/`,
    FORWARDED["X-Forwarded-For"],
    'for="',
  ]);
});

test("what cannot be believed is answered with 400, by no app", async (t) => {
  const never: Gateway = { handle: () => assert.fail("the app was asked") };
  const { url } = await started(t, { trust: [LOCAL], apps: { never } });
  const { status } = await fetch(url, { headers: { Forwarded: 'for="' } });
  assert.equal(status, 400);
});

test("routes by host and the mount follow the headers of a proxy", async (t) => {
  const mounted: Gateway = {
    handle: (exchange) =>
      exchange.respond(
        { status: 200, reason: "", headers: [] },
        `${exchange.mount} ${exchange.request.path}`,
      ),
  };
  const { url } = await started(t, {
    trust: [LOCAL],
    forwarded: ["x-forwarded-host", "x-forwarded-prefix"],
    apps: { tells, mounted },
    routes: [{ app: "tells" }, { host: "shop.example", path: "/in", app: "mounted" }],
  });
  const headers = { "X-Forwarded-Host": "shop.example", "X-Forwarded-Prefix": "/shop" };
  assert.equal(await ask(`${url}/in/x`, headers), "/shop/in /shop/in/x");
  assert.match(await ask(`${url}/in/x`), /^127/);
});

test("L5: the access log shows the client's address, and nothing that a proxy passed on forges a line", async (t) => {
  const { server, url } = await started(t, { trust: [LOCAL], log: { access: "access.log" } });
  await ask(url, { "X-Forwarded-For": '203.0.113.9, "\\' });
  await ask(url, { "X-Forwarded-For": "203.0.113.9", "User-Agent": 'a" 200' });
  await ask(url, { Forwarded: 'for="' });
  await server.stop(0);
  const lines = readFileSync(join(directory, "access.log"), "latin1").trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^127\.0\.0\.1 - - \[/);
  assert.match(lines[1] ?? "", /^203\.0\.113\.9 - - \[.* 200 \d+ "-" "a\\" 200" /);
  assert.match(lines[2] ?? "", /^127\.0\.0\.1 - - \[.* 400 /);
  assert.equal(lines.length, 3);
});

test("L5: a forged value in the log does not drive a terminal", async (t) => {
  const lines: string[] = [];
  const log = serverLog({ level: "info", format: "text", sink: { write: (line) => lines.push(line) > 0 } });
  const { url } = await started(t, { trust: [LOCAL] }, log);
  // Controls that a header may have: those above 127.
  assert.match(await raw(url, `${GET}X-Forwarded-Proto: \x9b2J"\r\n\r\n`), /^HTTP\/1\.1 400 /);
  assert.match(
    lines.join(""),
    /^\S+ INFO {2}a proxy passed on a scheme that is none of ours: "\\x9b2J\\"" .*\n$/,
  );
});

// The other protocols: a server of ours in front speaks them, and says who its own client is.

const OTHERS = ["fastcgi", "scgi", "uwsgi"] as const;
type Other = (typeof OTHERS)[number];

/** The URL of a server in front of one that listens at HOST:PORT in `protocol`. */
async function fronted(t: TestContext, protocol: Other, behind: string): Promise<string> {
  return (await started(t, { apps: { app: { [protocol]: behind } as Config["apps"][string] } })).url;
}

const placeOf = (url: string): string => url.replace(/^\w+:\/\//, "");

for (const protocol of OTHERS) {
  test(`${protocol}: the headers of a trusted client of the server in front are applied`, async (t) => {
    const listen = [`${protocol}://127.0.0.1:0`];
    const trusting = await started(t, { listen, trust: [LOCAL] });
    assert.equal(await ask(await fronted(t, protocol, placeOf(trusting.url)), FORWARDED), HONOURED);
    const other = await started(t, { listen, trust: ["10.0.0.0/8"] });
    assert.match(
      await ask(await fronted(t, protocol, placeOf(other.url)), FORWARDED),
      /^127\.0\.0\.1 \d+ http 127/,
    );
  });

  test(`${protocol}: a PROXY header may stand in front of it`, async (t) => {
    const listen = [{ address: `${protocol}://127.0.0.1:0`, proxyProtocol: true }];
    const { url } = await started(t, { listen });
    const relayed = await relay(t, placeOf(url), version2(SAID));
    assert.match(await ask(await fronted(t, protocol, relayed)), /^127\.0\.0\.1 \d+ http 127/);
  });
}

/** The address of a proxy that puts `header` in front of what its clients send to `behind`. */
async function relay(t: TestContext, behind: string, header: Buffer): Promise<string> {
  const [host, port] = behind.split(":");
  const server = createTcp((client) => {
    const upstream = connect({ host: host as string, port: Number(port) });
    upstream.write(header);
    client.pipe(upstream).pipe(client);
    client.on("error", () => {}).on("close", () => upstream.destroy());
    upstream.on("error", () => {}).on("close", () => client.destroy());
  });
  await once(server.listen(0, LOCAL), "listening");
  t.after(() => server.close());
  return `${LOCAL}:${(server.address() as AddressInfo).port}`;
}

// PROXY headers in front of HTTP.

const PROXIED: Partial<Config> = { listen: [{ address: "127.0.0.1:0", proxyProtocol: true }] };
const GET = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n";

/** What is answered on a connection on which this was sent. */
async function raw(url: string, ...sent: (string | Buffer)[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  for (const part of sent) socket.write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
  let text = "";
  try {
    for await (const chunk of socket) text += chunk;
  } catch {
    // Reset.
  }
  return text;
}

for (const [name, header] of [
  ["1", version1(SAID)],
  ["2", version2(SAID)],
] as const)
  test(`http behind PROXY version ${name}: every request of the connection is the client's`, async (t) => {
    const { url } = await started(t, PROXIED);
    const keep = GET.replace("close", "keep-alive");
    const answers = await raw(url, header, `${keep}\r\n${GET}\r\n`);
    assert.equal(answers.match(/203\.0\.113\.9 56324 http shop\.example 443/g)?.length, 2);
  });

test("a client that speaks TLS with the proxy gets https", async (t) => {
  const { url } = await started(t, PROXIED);
  assert.match(await raw(url, version2(SAID, [OVER_TLS]), `${GET}\r\n`), / https shop\.example 443$/);
});

test("a proxy's health check, and a client without a header, when all must have one", async (t) => {
  const { url } = await started(t, PROXIED);
  assert.match(await raw(url, localHeader(), `${GET}\r\n`), /\n127\.0\.0\.1 \d+ http shop\.example \d+$/);
  assert.equal(await raw(url, `${GET}\r\n`), "");
});

test("with trust only those trusted begin with a header, and of others it is no HTTP", async (t) => {
  const trusting = await started(t, { ...PROXIED, trust: [LOCAL] });
  assert.match(await raw(trusting.url, version1(SAID), `${GET}\r\n`), /203\.0\.113\.9 56324/);
  const other = await started(t, { ...PROXIED, trust: ["10.0.0.0/8"] });
  assert.match(await raw(other.url, version1(SAID), `${GET}\r\n`), /^HTTP\/1\.1 400 /);
  assert.match(await raw(other.url, `${GET}\r\n`), /\n127\.0\.0\.1 /);
});

test("whose word counts in X-Forwarded-For is asked of whom the PROXY header names, not of the proxy", async (t) => {
  const said = `${GET}X-Forwarded-For: 198.51.100.7\r\n\r\n`;
  const one = await started(t, { ...PROXIED, trust: [LOCAL] });
  assert.match(await raw(one.url, version1(SAID), said), /\n203\.0\.113\.9 /);
  const both = await started(t, { ...PROXIED, trust: [LOCAL, SAID.remote.address] });
  assert.match(await raw(both.url, version1(SAID), said), /\n198\.51\.100\.7 /);
});

test("a server stops although a PROXY header has not arrived yet", async (t) => {
  const { server, url } = await started(t, PROXIED);
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) }).on("error", () => {});
  await once(socket, "connect");
  socket.write("PROXY ");
  const closed = once(socket.resume(), "close");
  await ask(url).catch(() => {}); // the other connection has been accepted by then
  await server.stop(60_000);
  await closed;
});
