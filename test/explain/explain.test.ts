// What becomes of a request, told before it is sent.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertCovers, fieldAt } from "../kit/covers.ts";
import { APPS, ask, CONFIG } from "./ask.ts";

const NONE = Buffer.alloc(0);
const ENDLESS = { apps: { endless: { asgi: "endless:app", chdir: APPS, python: "python3" } } };

describe("routes", () => {
  const verdicts = async (target: string, more = {}) =>
    (await ask({ target, ...more })).routes.map(({ route, answers, why }) => [route.app, answers, why]);

  test("are told in the order in which they are tried, with the reason", async () => {
    assert.deepEqual(await verdicts("/shop/x"), [
      ["shop", false, "the path is not below /inner, the host is example.org, not intern.example.org"],
      ["api", false, "the path is not below /shop/api"],
      ["shop", true, "the first that fits"],
      ["program", false, "no part of the path ends with .cgi"],
      ["files", false, "it fits, but another one comes before it"],
    ]);
  });

  test("by host", async () => {
    const [first] = await verdicts("/inner/x", { authority: "intern.example.org:8000" });
    assert.deepEqual(first, ["shop", true, "the first that fits"]);
  });

  test("a path that nothing answers, and one that can be read in two ways, are refused with the code", async () => {
    const { routes: _all, ...only } = CONFIG;
    const config = {
      ...only,
      apps: { shop: CONFIG.apps.shop as never },
      routes: [{ path: "/shop", app: "shop" }],
    };
    const missing = await ask({ target: "/none" }, { config });
    assert.equal(missing.refusal?.code, "ERR_SALLYPORT_NOT_FOUND");
    assert.deepEqual(missing.handovers, []);
    const twofold = await ask({ target: "/shop/..%2f..%2fx.cgi" });
    assert.equal(twofold.refusal?.code, "ERR_SALLYPORT_BAD_PATH");
    assert.equal(twofold.refusal?.status, 400);
  });

  test("files are answered by the server itself", async () => {
    const { app, handovers, notes } = await ask({
      target: "/style.css",
      method: "GET",
      body: Buffer.alloc(0),
    });
    assert.equal(app, "files");
    assert.deepEqual(handovers, []);
    assert.match(notes[0] ?? "", /the server answers itself/);
  });
});

describe("proxies", () => {
  const fields = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"];

  test("a trusted one is believed, and the values are the client's", async () => {
    const { proxies, handovers } = await ask({ fields });
    assert.deepEqual(proxies, [
      "x-forwarded-for is believed: it came from 127.0.0.1, which is trusted",
      "x-forwarded-proto is believed: it came from 127.0.0.1, which is trusted",
    ]);
    const remote = handovers[0]?.values.find(({ name }) => name === "REMOTE_ADDR");
    assert.equal(remote?.value, "203.0.113.9");
    assert.equal(remote?.from, "the client's address, as a trusted proxy says");
  });

  test("another one is not", async () => {
    const { proxies, handovers } = await ask({ fields, remote: { address: "198.51.100.1", port: 1 } });
    assert.match(
      proxies[0] ?? "",
      /^x-forwarded-for is removed: it came from 198\.51\.100\.1, which is not trusted$/,
    );
    const values = handovers[0]?.values ?? [];
    assert.equal(values.find(({ name }) => name === "REMOTE_ADDR")?.value, "198.51.100.1");
    assert.equal(
      values.find(({ name }) => name === "HTTP_X_FORWARDED_FOR"),
      undefined,
    );
  });

  test("where none is trusted, that is said", async () => {
    const { trust: _trust, ...config } = CONFIG;
    const { proxies } = await ask({ fields }, { config });
    assert.match(proxies[0] ?? "", /has no effect: no proxy is trusted/);
  });
});

describe("what the listener refuses", () => {
  test("never reaches a route, and the reason is the listener's own", async () => {
    const { refusal, routes } = await ask({ fields: ["Host: a", "Host: b"] });
    assert.equal(refusal?.status, 400);
    assert.match(refusal?.code ?? "", /^ERR_SALLYPORT_BAD_/);
    assert.deepEqual(routes, []);
  });
});

describe("with the answer", () => {
  test("its bytes, the time of each phase, and the process", async () => {
    const { answer } = await ask({}, { run: true });
    assert.match(fieldAt(answer?.response.fields ?? [], "status line").value, /^HTTP\/1\.1 200/);
    assert.ok((answer?.phases.application ?? 0) > 0);
    assert.ok((answer?.pid ?? 0) > 0);
  });

  const endless = (target: string) =>
    ask({ target, method: "GET", body: NONE }, { config: ENDLESS, run: true });

  test("what is only informational is not taken for it", async () => {
    const { answer, refusal } = await endless("/hint");
    const fields = answer?.response.fields ?? [];
    assert.equal(refusal, undefined);
    assertCovers(fields, 0, answer?.response.bytes.length ?? 0);
    assert.match(fields.find(({ name }) => name === "status line")?.value ?? "", /^HTTP\/1\.1 200/);
    const [hint] = fields;
    assert.equal(hint?.name, "informational response");
    assert.match(fieldAt(hint?.fields ?? [], "status line").value, /^HTTP\/1\.1 103/);
    assert.equal(fieldAt(fields, "body").value, "ok");
  });

  test("a response without end is read for a while, or up to a size, and that is said", async () => {
    const { answer, refusal } = await endless("/flood");
    assert.match(answer?.cut ?? "", /longer than 4 MiB/);
    assert.equal(answer?.response.bytes.length, 4 * 1024 * 1024);
    assert.equal(refusal, undefined);
    const slow = await endless("/tick");
    assert.match(slow.answer?.cut ?? "", /not ended after 10 s/);
    assert.match(slow.answer?.response.bytes.toString("latin1") ?? "", /data: x/);
    assert.equal(slow.refusal, undefined);
  });

  test("a body of any length is shown, and given to the app", async () => {
    const body = Buffer.alloc(200_000, "x");
    const { handovers, answer } = await ask({ body }, { run: true });
    const length = handovers[0]?.values.find(({ name }) => name === "CONTENT_LENGTH");
    assert.equal(length?.value, "200000");
    const text = answer?.response.bytes.toString("latin1") ?? "";
    assert.equal((text.match(/x/g) ?? []).length >= 200_000, true);
  });

  test("an app that cannot start is refused with its own reason", async () => {
    const config = {
      ...CONFIG,
      apps: { ...CONFIG.apps, shop: { ...(CONFIG.apps.shop as object), wsgi: "missing" } as never },
    };
    const { refusal } = await ask({}, { config, run: true });
    assert.equal(refusal?.code, "ERR_SALLYPORT_APP_IMPORT");
    assert.match(refusal?.message ?? "", /missing/);
  });
});
