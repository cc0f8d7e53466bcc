// One server of ours behind proxies that people use: HAProxy with PROXY headers, with and without TLS, and with
// X-Forwarded-*; nginx with X-Forwarded-*, a prefix, and Forwarded. Each kind of app must learn the same of its client.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Config, defineConfig } from "../../src/config/config.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { FORWARDED } from "../../src/proxies/forwarded.ts";
import { createServer } from "../../src/server/create.ts";
import type { Server } from "../../src/server/server.ts";
import { makeCertificate, NAME } from "../kit/make-certificate.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { APPS, ask, askByHttp2, CLIENT, KINDS } from "./ask-apps.ts";
import { type Peer, startPeer } from "./peer.ts";

const PROXY = "127.0.0.1";
/** What a client says to be taken for another. */
const FORGED = {
  "X-Forwarded-For": "6.6.6.6",
  "X-Forwarded-Host": "evil.example",
  "X-Forwarded-Port": "6666",
  Forwarded: "for=6.6.6.6;host=evil.example",
};

const folder = makeFolder();

const portOf = (url = ""): string => new URL(url).port;
/** Any module stands for the interpreter that has it. */
const NEEDS = ["nginx", "haproxy", "openssl", "py:json"];

/** A server with an app of each kind, each below its name and those `prefixes`. */
function serverAt(listen: Config["listen"], ...prefixes: string[]): Server {
  const routes = ["", ...prefixes].flatMap((prefix) =>
    KINDS.map((app) => ({ path: `${prefix}/${app}`, app })),
  );
  const config = defineConfig({ listen, trust: [PROXY], forwarded: [...FORWARDED], apps: APPS, routes });
  return createServer(config, { log: silentLog });
}

describe("behind HAProxy", { skip: missing(...NEEDS) }, () => {
  let server: Server;
  let peer: Peer;

  before(async () => {
    const { cert, key, both } = makeCertificate(folder);
    server = serverAt([
      { address: "127.0.0.1:0", proxyProtocol: true },
      { address: "127.0.0.1:0", proxyProtocol: true, tls: { cert, key } },
      "127.0.0.1:0",
    ]);
    const [headed, encrypted, plain] = (await server.start()).map(portOf);
    peer = await startPeer({
      config: "haproxy/haproxy.cfg",
      places: { "9001": `${headed}`, "9002": `${encrypted}`, "9003": `${plain}`, "/srv/site.pem": both },
      command: (config) => ["haproxy", "-db", "-f", config],
    });
  });
  after(async () => {
    await peer?.stop();
    await server?.stop(0);
  });

  for (const [name, port, protocol, asks] of [
    ["PROXY version 1", 8080, "http:", ask],
    ["PROXY version 1, HTTP/2", 8080, "http:", askByHttp2],
    ["PROXY version 2 with a checksum", 8081, "http:", ask],
    ["PROXY version 2, TLS that ends at the proxy", 8082, "https:", ask],
    ["PROXY version 2 in front of TLS that ends here", 8083, "https:", ask],
    ["PROXY version 2 in front of TLS that ends here, HTTP/2", 8083, "https:", askByHttp2],
  ] as const)
    for (const kind of KINDS)
      test(`${name}: ${kind} is told the client's address and port, and where it connected to`, async () => {
        const url = peer.url(port).replace("http:", protocol);
        // What the client says of itself does not count: it is not trusted.
        const { told, from } = await asks({ kind, url, headers: FORGED });
        assert.deepEqual(told, {
          remote: CLIENT,
          port: String(from),
          scheme: protocol === "https:" ? "https+on" : "http",
          host: NAME,
          serverPort: portOf(url),
          mount: `/${kind}`,
        });
      });

  for (const [name, port, protocol] of [
    ["in the clear", 8084, "http:"],
    ["over TLS", 8085, "https:"],
    ["by HTTP/2", 8086, "http:"],
  ] as const)
    for (const kind of KINDS)
      test(`X-Forwarded-* ${name}: ${kind} is told of the client, and where it connected to`, async () => {
        const url = peer.url(port).replace("http:", protocol);
        const { told } = await ask({ kind, url, headers: FORGED });
        assert.deepEqual(told, {
          remote: CLIENT,
          port: "",
          scheme: protocol === "https:" ? "https+on" : "http",
          host: `${NAME}:${portOf(url)}`,
          serverPort: portOf(url),
          mount: `/${kind}`,
        });
      });
});

describe("behind nginx", { skip: missing(...NEEDS) }, () => {
  let server: Server;
  let peer: Peer;

  before(async () => {
    server = serverAt(["127.0.0.1:0"], "/forwarded");
    const [plain] = (await server.start()).map(portOf);
    peer = await startPeer({
      config: "nginx/proxy.conf",
      places: { "9001": `${plain}`, "/srv/site.pem": makeCertificate(folder).both },
      command: (config, own) => ["nginx", "-p", own, "-c", config, "-g", "daemon off;"],
    });
  });
  after(async () => {
    await peer?.stop();
    await server?.stop(0);
  });

  for (const [name, prefix, forged] of [
    ["X-Forwarded-*", "", FORGED],
    ["X-Forwarded-* with a prefix", "/shop", FORGED],
    // Here nginx passes X-Forwarded-* of the client on, and a contradiction is refused.
    ["Forwarded", "/forwarded", { Forwarded: "for=6.6.6.6" }],
  ] as const)
    for (const protocol of ["http:", "https:"] as const)
      for (const kind of KINDS)
        test(`${name}, ${protocol} ${kind} is told of the client, and where it connected to`, async () => {
          const url = peer.url(protocol === "https:" ? 8081 : 8080).replace("http:", protocol);
          const host = `${NAME}:${portOf(url)}`;
          const { told } = await ask({ kind, url, prefix, headers: { Host: host, ...forged } });
          assert.deepEqual(told, {
            remote: CLIENT,
            port: "",
            scheme: protocol === "https:" ? "https+on" : "http",
            host,
            serverPort: portOf(url),
            mount: `${prefix}/${kind}`,
          });
        });

  test("a client that says in Forwarded what contradicts X-Forwarded-*, or the other way round, is refused", async () => {
    const question = { kind: "cgi", url: peer.url(8080), prefix: "/forwarded", headers: FORGED } as const;
    await assert.rejects(ask(question), /^Error: 400 /);
  });
});
