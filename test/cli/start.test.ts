// `npm start`, as somebody runs it in a fresh checkout.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("npm start serves the demonstration at PORT and HOST, and stops when it is told to", async () => {
  const child = spawn("npm", ["start", "--", "--log-level", "error"], {
    cwd: root,
    env: { ...process.env, PORT: "0", HOST: "127.0.0.1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = once(child, "close"); // the pipe closes when the server, which shares it, has ended
  let text = "";
  let url: string | undefined;
  for await (const chunk of child.stderr.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    text += chunk;
    url = /^listening on (\S+)$/m.exec(text)?.[1];
    if (url) break;
  }
  child.stderr.resume();
  assert.equal((await fetch(url ?? assert.fail(text))).status, 200);
  child.kill("SIGTERM");
  await closed;
  await assert.rejects(fetch(String(url)));
});
