import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkConfig } from "../../src/config/errors.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { warnOfTemporary } from "../../src/server/temporary.ts";
import { makeFolder } from "../kit/make-folder.ts";

const folder = makeFolder();

function warnings(app: object, directory: string): string[] {
  const said: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void said.push(message) };
  warnOfTemporary(log, checkConfig({ apps: { app } }), directory);
  return said;
}

test("a temporary directory that cannot be written is warned of, where an app needs one", () => {
  const missing = join(folder, "missing");
  assert.deepEqual(warnings({ wsgi: "shop:app" }, folder), []);
  assert.deepEqual(warnings({ asgi: "chat:app" }, missing), []);
  assert.deepEqual(warnings({ static: "public" }, missing), []);
  for (const app of [{ wsgi: "shop:app" }, { callable: "shop:app" }, { php: "site" }, { cgi: "cgi-bin" }])
    assert.match(
      String(warnings(app, missing)),
      /missing cannot be written \(ENOENT\): request bodies .* set TMPDIR$/,
    );
});
