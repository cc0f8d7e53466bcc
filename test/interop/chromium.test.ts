// A real browser at an ASGI site: a page that talks over a WebSocket, hears events, and reports what it has seen.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Certificate, makeCertificate } from "../kit/make-certificate.ts";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { serveAsgi } from "./asgi-site.ts";
import { Chromium } from "./chromium.ts";

describe("Chromium at a chat page", { skip: missing("chromium", "openssl", "py:sse_starlette") }, () => {
  let certificate: Certificate;

  before(() => {
    certificate = makeCertificate();
  });
  after(() => certificate?.remove());

  /** Opens the page, and gives what it reports and how its WebSocket came in. */
  async function visit(site: Served): Promise<[unknown, string | undefined]> {
    const browser = new Chromium(`${site.url}/static/chat.html`);
    try {
      const reported = site.sees(/told: browser (\{.*\})/);
      const [, report = ""] = await Promise.race([reported, browser.ended()]);
      await site.sees(/told: browser ended/);
      await site.sees(/told: talker left/);
      return [JSON.parse(report), /told: talker over (\S+)/.exec(site.stderr)?.[1]];
    } finally {
      await browser.close();
    }
  }

  const seen = (protocol: string) => ({
    socket: { said: ["hello, Ὀδυσσεύς", 200_000, "bye"], code: 4000, reason: "said all", wasClean: true },
    beats: [0, 1, 2, 3, 4].map((number) => [String(number), `beat ${number}`]),
    long: 11_000,
    protocol,
  });

  test("over HTTP/1.1 it chats, hears events, and both are told when it has had enough", async () => {
    const site = await serveAsgi("app:app", "starlette_site");
    try {
      assert.deepEqual(await visit(site), [seen("http/1.1"), "1.1"]);
    } finally {
      await site.stop();
    }
  });

  test("over HTTP/2 and TLS everything shares one connection, the WebSocket too (RFC 8441)", async () => {
    const site = await serveAsgi("app:app", "starlette_site", ...certificate.options);
    try {
      assert.deepEqual(await visit(site), [seen("h2"), "2"]);
    } finally {
      await site.stop();
    }
  });
});
