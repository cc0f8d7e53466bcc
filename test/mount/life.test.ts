import assert from "node:assert/strict";
import { test } from "node:test";
import { type Gateway, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { toFetchHandler, toNodeHandler } from "../../src/mount/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { keepLog } from "../kit/keep-log.ts";
import { answering, says } from "./small-gateways.ts";

const URL = "http://example.org/";
const get = (handler: (request: Request) => Promise<Response>) => handler(new Request(URL));

/** A gateway whose starts end when, and as, a test says. */
function startable() {
  const starts: { finish(): void; fail(error: Error): void }[] = [];
  const closes: number[] = [];
  let reloads = 0;
  const gateway: Gateway = answering((exchange) => says(exchange, "ready"), {
    start: () =>
      new Promise((finish, fail) => {
        starts.push({ finish, fail });
      }),
    reload: async () => void reloads++,
    close: async (grace) => void closes.push(grace),
  });
  return { gateway, starts, closes, reloads: () => reloads };
}

const appImport = () => new SallyportError("APP_IMPORT", "no module named ml", { detail: "Traceback ..." });
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("requests that come before the host started the gateway start it once, and wait for it", async () => {
  const { gateway, starts } = startable();
  const handler = toFetchHandler(gateway, { log: silentLog });
  const answers = Promise.all([get(handler), get(handler), get(handler)]);
  await turn();
  assert.equal(starts.length, 1);
  starts[0]?.finish();
  assert.deepEqual(await Promise.all((await answers).map((answer) => answer.text())), [
    "ready",
    "ready",
    "ready",
  ]);
});

test("start() twice starts once", async () => {
  const { gateway, starts } = startable();
  const handler = toFetchHandler(gateway);
  const started = Promise.all([handler.start(), handler.start()]);
  await turn();
  starts[0]?.finish();
  await started;
  await handler.start();
  assert.equal(starts.length, 1);
});

test("start() rejects with the gateway's own error, and may be called again", async () => {
  const { gateway, starts } = startable();
  const handler = toFetchHandler(gateway);
  const failing = handler.start();
  await turn();
  starts[0]?.fail(appImport());
  await assert.rejects(failing, { code: "ERR_SALLYPORT_APP_IMPORT", detail: "Traceback ..." });
  const second = handler.start();
  await turn();
  starts[1]?.finish();
  await second;
  assert.equal((await get(handler)).status, 200);
});

test("when the start fails the first request tells the log the whole story, and the others 503", async () => {
  const { gateway, starts } = startable();
  const { log, lines } = keepLog();
  const handler = toFetchHandler(gateway, { log });
  const answers = Promise.all([get(handler), get(handler)]);
  await turn();
  starts[0]?.fail(appImport());
  const [first, second] = await answers;
  assert.deepEqual([first.status, second.status], [500, 503]);
  assert.match(await first.text(), /ERR_SALLYPORT_APP_IMPORT/);
  assert.equal(second.headers.get("retry-after"), "1");
  assert.deepEqual(
    lines.map(({ fields }) => fields.detail),
    ["Traceback ...", undefined],
  );
  assert.match(lines[1]?.message ?? "", /could not be started: no module named ml/);
});

test("a failed start is not tried again at once, but after a pause", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 10_000 });
  const { gateway, starts } = startable();
  const handler = toFetchHandler(gateway, { log: silentLog });
  const first = get(handler);
  await turn();
  starts[0]?.fail(appImport());
  await first;
  assert.equal((await get(handler)).status, 503);
  assert.equal(starts.length, 1);
  t.mock.timers.tick(1_000);
  const later = get(handler);
  await turn();
  starts[1]?.finish();
  assert.equal((await later).status, 200);
});

test("no more than 1024 requests wait for the start; those whose clients left do not count", async () => {
  const { gateway, starts } = startable();
  const handler = toFetchHandler(gateway, { log: silentLog });
  const leaving = new AbortController();
  const left = handler(new Request(URL, { signal: leaving.signal }));
  const waiting = Array.from({ length: 1_023 }, () => get(handler));
  leaving.abort();
  await left;
  waiting.push(get(handler));
  const refused = await get(handler);
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /ERR_SALLYPORT_QUEUE_FULL/);
  starts[0]?.finish();
  for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 200);
});

test("close() passes its grace on, once; later requests get 503 and later starts are refused", async () => {
  const { gateway, starts, closes } = startable();
  const handler = toFetchHandler(gateway, { log: silentLog });
  const started = handler.start();
  await turn();
  starts[0]?.finish();
  await started;
  await Promise.all([handler.close(123), handler.close(456)]);
  assert.deepEqual(closes, [123]);
  const answer = await get(handler);
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /ERR_SALLYPORT_STOPPING/);
  await assert.rejects(handler.start(), { code: "ERR_SALLYPORT_STOPPING" });
});

test("close() during the start refuses who waits, and closes what was being started", async () => {
  const { gateway, starts, closes } = startable();
  const handler = toFetchHandler(gateway, { log: silentLog });
  const waiting = get(handler);
  await turn();
  const closing = handler.close(1);
  assert.equal((await waiting).status, 503);
  assert.deepEqual(closes, []);
  starts[0]?.finish();
  await closing;
  assert.deepEqual(closes, [1]);
  assert.equal((await get(handler)).status, 503);
});

test("close() of a gateway that was never started", async () => {
  const { gateway, starts, closes } = startable();
  await toFetchHandler(gateway).close();
  assert.deepEqual([starts.length, closes], [0, [10_000]]);
});

test("handlers of one gateway share its life", async () => {
  const { gateway, starts, closes } = startable();
  const handlers = [toFetchHandler(gateway), toNodeHandler(gateway)] as const;
  const started = Promise.all(handlers.map((handler) => handler.start()));
  await turn();
  starts[0]?.finish();
  await started;
  for (const handler of handlers) await handler.close(5);
  assert.deepEqual([starts.length, closes], [1, [5]]);
});

test("`await using` closes at the end of the block", async () => {
  const { gateway, closes } = startable();
  {
    await using handler = toNodeHandler(gateway);
    assert.equal(typeof handler, "function");
  }
  assert.deepEqual(closes, [10_000]);
});

test("reload() is the gateway's, after its start", async () => {
  const { gateway, starts, reloads } = startable();
  const reloading = toFetchHandler(gateway).reload();
  await turn();
  assert.equal(reloads(), 0);
  starts[0]?.finish();
  await reloading;
  assert.equal(reloads(), 1);
});

test("a gateway that throws in its start is as one that rejects", async () => {
  const gateway: Gateway = {
    handle: () => assert.fail("was not started"),
    start: () => {
      throw new Error("at once");
    },
  };
  const handler = toFetchHandler(gateway, { log: silentLog });
  await assert.rejects(handler.start(), { code: "ERR_SALLYPORT_INTERNAL", message: "at once" });
  await assert.rejects(handler.start(), { code: "ERR_SALLYPORT_INTERNAL" });
});

test("no signal handlers are installed behind the host's back", async () => {
  const listeners = () => process.eventNames().filter((name) => String(name).startsWith("SIG"));
  const before = listeners();
  const handler = toNodeHandler(wsgi("awkward", { chdir: "test/apps/wsgi", python: "python3" }));
  await handler.start();
  const during = listeners();
  await handler.close(0);
  assert.deepEqual(during, before);
});

test("a Python module that cannot be imported is one clear error in the log", async () => {
  const { log, lines } = keepLog();
  const handler = toFetchHandler(wsgi("no_such_module", { python: "python3" }), { log });
  const answer = await get(handler);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /no_such_module|Traceback/);
  assert.match(lines[0]?.message ?? "", /there is no module 'no_such_module'/);
  await handler.close();
});

test("a mount that no path begins with is refused when the handler is made", () => {
  for (const mount of ["ml", "/m l", "/ml?x", "/m#l", "/ml\n"])
    assert.throws(() => toNodeHandler(startable().gateway, { mount }), {
      code: "ERR_SALLYPORT_CONFIG_INVALID",
    });
  for (const mount of ["", "/", "/ml", "/ml/", "/caf%C3%A9/x"]) toNodeHandler(startable().gateway, { mount });
});

test("without a log of its own a handler speaks on the console, with controls escaped", async (t) => {
  const said = t.mock.method(console, "error", () => {});
  const handler = toFetchHandler(
    answering((exchange) =>
      exchange.fail(new SallyportError("APP_RAISED", "bad\x1b[31m", { detail: "a\n\tb\r\x07" })),
    ),
  );
  await handler(new Request("http://example.org/"));
  assert.deepEqual(said.mock.calls[0]?.arguments, [
    'sallyport: bad\\u001b[31m code="ERR_SALLYPORT_APP_RAISED" fault="app" target="/"\na\n\tb\\u000d\\u0007',
  ]);
});

test("close() with an endless grace passes on the longest that a timer can wait", async () => {
  const { gateway, starts, closes } = startable();
  const handler = toFetchHandler(gateway, { log: silentLog });
  const started = handler.start();
  await turn();
  starts[0]?.finish();
  await started;
  await handler.close(Number.POSITIVE_INFINITY);
  assert.deepEqual(closes, [2 ** 31 - 1]);
});

test("closing ends event streams after a moment, whichever gateway answers, and their clients see a whole response", async () => {
  const { log, lines } = keepLog();
  const gateway = answering((exchange) => {
    exchange.start({ status: 200, reason: "", headers: ["Content-Type", "text/event-stream"] });
    exchange.write(Buffer.from("data: 1\n\n"));
  });
  const handler = toFetchHandler(gateway, { log });
  const answer = await get(handler);
  const closed = handler.close(60_000);
  assert.equal(await answer.text(), "data: 1\n\n");
  await closed;
  assert.deepEqual(lines, []);
});

test("closing cuts what is left at the end of the grace, and the log says why", async () => {
  const { log, lines } = keepLog();
  const handler = toFetchHandler(
    answering((exchange) => {
      exchange.start({ status: 200, reason: "", headers: [] });
      exchange.write(Buffer.from("so far"));
    }),
    { log },
  );
  const answer = await get(handler);
  await handler.close(50);
  await assert.rejects(answer.text(), { code: "ERR_SALLYPORT_STOPPING" });
  assert.match(lines[0]?.message ?? "", /cut, as the mounted gateway was closed and its 0.05 s were over/);
});
