// An application that holds its event loop for seconds: the others go on, and the log says who holds it, and where.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { onlyOurs, serveAsgi } from "./asgi-site.ts";

describe("an application that blocks its loop", { skip: onlyOurs() || missing("py:uvloop") }, () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sallyport-blocking-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const loop of ["asyncio", "uvloop"])
    test(`on ${loop}, other workers go on and a warning shows the stack; then the held one answers`, async () => {
      const go = join(folder, loop);
      const site = await serveAsgi("app:app", "blocking_site", "--processes", "2", "--loop", loop);
      try {
        await hold(site, go);
      } finally {
        await site.stop();
      }
    });
});

async function hold(site: Served, go: string): Promise<void> {
  const held = fetch(`${site.url}/hold?${go}`);
  const [, pid] = await site.sees(/told: holding in (\d+)/);
  for (let count = 0; count < 20; count++) {
    const other = await (await fetch(`${site.url}/wait`)).text();
    assert.notEqual(other, pid);
  }
  await site.sees(/\bblock/i);
  await site.sees(/in hold_the_loop\b/);
  await writeFile(go, "");
  assert.equal(await (await held).text(), pid);
}
