// What an application learns of the page that is sent in its place while it is being developed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fetchApp } from "../../src/apps/index.ts";
import { DevExchange } from "../../src/dev/exchange.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const context = { directory: "/", log: silentLog, scriptOf: () => "/script.js" };

test("a fetch app is told that a page says its time was over", async (t) => {
  const alive = setInterval(() => {}, 1000); // the app's clock does not keep the process
  t.after(() => clearInterval(alive));
  const inner = new RecordedExchange();
  let abort = (): void => {};
  const aborted = new Promise<void>((resolve) => (abort = resolve));
  const app = fetchApp(
    ({ signal }) => {
      signal.addEventListener("abort", () => abort());
      return new Promise(() => {});
    },
    { timeout: 0.05 },
  );
  app.handle(new DevExchange(inner, context));
  const { status, complete, body } = await inner.done;
  assert.deepEqual({ status, complete }, { status: 504, complete: true });
  assert.match(String(body), /no response within 0.05 s/);
  await aborted;
});
