// What forks of an embedded application print, log and raise is seen where the server's own output is: their copy of the server's
// memory leads nowhere. For python/sallyport/embedded/process.py.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythons } from "../kit/pythons.ts";
import { serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const APPS = fileURLToPath(new URL("../apps/embedded", import.meta.url));

for (const { path, version } of pythons())
  test(`what forks say is not lost: CPython ${version}`, async (t) => {
    const server = await serve(["forks:app", "--embedded", "--python", path], { cwd: APPS });
    t.after(() => server.stop());
    for (const page of ["/process", "/back"])
      assert.equal(await (await fetch(server.url + page)).text(), "done");
    await server.sees(/^child: \\x1bstandard error$/m);
    await server.sees(/child: a record/);
    await server.sees(/KeyError: 'in a thread'/);
    await server.sees(/ValueError: child: an exception/);
    await server.sees(/KeyError: 'child: came back'/);
    await server.sees(/parent: goes on/);
    await until(() => /^child: standard output$/m.test(server.stdout));
  });
