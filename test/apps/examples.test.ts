import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadApp } from "../../src/apps/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

for (const [name, answer] of [
  ["hello-fetch.ts", "Hello, you!\n"],
  ["hello-node.ts", "Hello from GET /?name=you\n"],
] as const) {
  test(`the example ${name} says hello`, async () => {
    const gateway = await loadApp(fileURLToPath(new URL(`../../examples/${name}`, import.meta.url)));
    const exchange = new RecordedExchange({ target: "/?name=you" });
    gateway.handle(exchange);
    assert.equal((await exchange.done).body.toString(), answer);
  });
}
