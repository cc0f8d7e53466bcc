// docs/deploying.md: its numbers are those of the examples and of the code, and its command does what it says.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HTTP_LIMITS } from "../../src/http/limits.ts";
import { serve } from "../kit/serve.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(at(path), "utf8");
const page = read("docs/deploying.md");
const CONTAINER = at("examples/deploy/container");

test("the times of the page are those of the examples and of the code", () => {
  const number = (text: string, pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const manifests = read("examples/deploy/kubernetes/sallyport.yaml");
  const unit = read("examples/deploy/systemd/sallyport.service");
  assert.equal(number(page, /`TimeoutStopSec` \| (\d+)/), number(unit, /TimeoutStopSec=(\d+)/));
  const most = number(page, /`terminationGracePeriodSeconds` \| .* (\d+) \|/);
  assert.equal(most, number(manifests, /terminationGracePeriodSeconds: (\d+)/));
  assert.equal(number(page, /sleeps for these seconds \((\d+)\)/), number(manifests, /seconds: (\d+)/));
  assert.equal(number(page, /`limits.idleTimeout` \((\d+) s\)/), String(HTTP_LIMITS.idleTimeout / 1000));
  const nginx = read("examples/deploy/nginx/nginx.conf");
  const [, closes] = /keepalive_timeout (\d+)s/.exec(nginx) ?? [];
  assert.ok(Number(closes) * 1000 < HTTP_LIMITS.idleTimeout);
});

test("the files that the page and the README point to are there", () => {
  for (const [, path = ""] of page.matchAll(/\]\(\.\.\/([^)#]+)/g)) assert.ok(existsSync(at(path)), path);
  assert.match(read("README.md"), /docs\/deploying\.md/);
});

test("the configuration of the container serves, is reloaded by SIGHUP, and stops with 0", async (t) => {
  const command = ["--config", "sallyport.config.yaml", "--http", "127.0.0.1:0"];
  const server = await serve(command, { cwd: CONTAINER });
  t.after(() => server.stop());
  assert.equal(await (await fetch(server.url)).text(), "hello\n");
  assert.match(page, /^kill -HUP "\$PID"$/m);
  process.kill(server.pid, "SIGHUP");
  await server.sees(/app app was reloaded/);
  assert.equal(await (await fetch(server.url)).text(), "hello\n");
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
