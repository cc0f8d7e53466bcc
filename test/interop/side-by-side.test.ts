// One Django project by two interfaces: the configuration of test/apps/side_by_side, as docs/proxies.md shows it, sends
// /ws and /events to its ASGI app and the rest to its WSGI app; alone, and behind nginx with TLS and behind HAProxy.
import assert from "node:assert/strict";
import { request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { type ListenAddress, parseAddress } from "../../src/config/address.ts";
import { loadConfig } from "../../src/config/file.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { type Server, serverOf } from "../../src/server/server.ts";
import { makeCertificate, NAME } from "../kit/make-certificate.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { type Peer, path, startPeer } from "./peer.ts";

/** The client's own address, so that it is not taken for the proxy's. */
const CLIENT = "127.0.0.5";
const OPTIONS = { localAddress: CLIENT, rejectUnauthorized: false, servername: NAME };

interface Answer {
  readonly text: string;
  readonly cookie: string;
}

function get(url: string, cookie = ""): Promise<Answer> {
  const send = url.startsWith("https:") ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const headers = { Host: NAME, Cookie: cookie };
    const sent = send(url, { ...OPTIONS, headers, agent: false }, async (response) => {
      const text = (await response.setEncoding("utf8").toArray()).join("");
      const [set = ""] = response.headers["set-cookie"] ?? [];
      if (response.statusCode === 200) resolve({ text, cookie: set.split(";")[0] ?? "" });
      else reject(new Error(`${response.statusCode} ${text}`));
    });
    sent.once("error", reject).end();
  });
}

/** What is said first on a WebSocket, and what comes back of `message`. */
async function chat(url: string, cookie: string, message: string): Promise<[hello: unknown, echo: string]> {
  const headers = { Host: NAME, Cookie: cookie };
  const socket = new WebSocket(url.replace(/^http/, "ws"), { ...OPTIONS, headers });
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    socket.on("error", reject).on("open", () => socket.send(message));
    socket.on("message", (data) => {
      if (said.push(String(data)) === 2) socket.close(1000);
    });
    socket.on("close", (code) => {
      if (code === 1000) resolve([JSON.parse(said[0] ?? ""), said[1] ?? ""]);
      else reject(new Error(`closed with ${code}`));
    });
  });
}

const folder = makeFolder();

describe("WSGI and ASGI of one Django project", {
  skip: missing("py:django", "py:channels", "nginx", "haproxy", "openssl"),
}, () => {
  const peers: Peer[] = [];
  let server: Server;
  const urls: Record<string, string> = {};

  before(async () => {
    // Where an activated environment would be.
    process.env.VIRTUAL_ENV = path("../../.venv");
    process.env.SHOP_SESSIONS = folder;
    const { directory, ...settings } = await loadConfig(path("../apps/side_by_side/sallyport.config.yaml"));
    const free = parseAddress("127.0.0.1:0") as ListenAddress;
    server = serverOf(
      { ...settings, listen: [free, { ...free, proxyProtocol: true }] },
      { directory, log: silentLog },
    );
    const [plain = "", headed = ""] = await server.start();
    const ports = { "9001": new URL(plain).port, "9002": new URL(headed).port };
    const site = { "/srv/site.pem": makeCertificate(folder).both };
    const nginx = await startPeer({
      config: "nginx/proxy.conf",
      places: { ...ports, ...site },
      command: (config, own) => ["nginx", "-p", own, "-c", config, "-g", "daemon off;"],
    });
    peers.push(nginx);
    const haproxy = await startPeer({
      config: "haproxy/haproxy.cfg",
      places: { "9001": ports["9002"], "9003": ports["9001"], ...site },
      command: (config) => ["haproxy", "-db", "-f", config],
    });
    peers.push(haproxy);
    Object.assign(urls, {
      alone: plain,
      nginx: nginx.url(8081).replace("http:", "https:"),
      "PROXY header": haproxy.url(8081),
      HAProxy: haproxy.url(8085).replace("http:", "https:"),
    });
  });
  after(async () => {
    for (const peer of peers) await peer.stop();
    await server?.stop(0);
  });

  for (const [way, origin] of [
    ["alone", "http://shop.example"],
    ["nginx", "https://shop.example"],
    ["PROXY header", "http://shop.example"],
    ["HAProxy", "https://shop.example:PORT"],
  ] as const) {
    const at = () => urls[way] ?? "";
    /** As the application should write it. */
    const own = (target: string) => origin.replace("PORT", new URL(at()).port) + target;

    test(`${way}: pages by WSGI, an event stream and a WebSocket by ASGI share the client's session and address`, async () => {
      const { cookie } = await get(`${at()}/name/Ann`);
      const page = JSON.parse((await get(`${at()}/`, cookie)).text);
      const secure = origin.startsWith("https:");
      assert.deepEqual(page, { by: "WSGIRequest", secure, url: own("/"), client: CLIENT, name: "Ann" });

      const { text } = await get(`${at()}/events/3`, cookie);
      const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data));
      assert.deepEqual(
        events,
        [0, 1, 2].map((number) => [number, "Ann", own("/events/3")]),
      );

      const [hello, echo] = await chat(`${at()}/ws/echo`, cookie, "again");
      const scheme = secure ? "wss" : "ws";
      assert.deepEqual(hello, { name: "Ann", client: CLIENT, scheme, path: "/ws/echo" });
      assert.equal(echo, "again");
    });
  }

  test("files by neither", async () => {
    assert.match((await get(`${urls.alone}/static/style.css`)).text, /^body/);
  });
});
