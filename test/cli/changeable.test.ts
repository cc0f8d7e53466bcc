import assert from "node:assert/strict";
import { test } from "node:test";
import { changeable } from "../../src/cli/changeable.ts";
import { checkConfig } from "../../src/config/errors.ts";

const at = (...listen: object[]) => checkConfig({ listen, apps: { app: { wsgi: "app:app" } } } as never);

test("another mode or owner of a Unix socket that stays open needs a restart, with and without a supervisor", () => {
  const present = at({ address: "unix:web.sock", mode: "666", owner: "www-data" });
  for (const isSupervised of [true, false]) {
    for (const change of [{ mode: "600", owner: "www-data" }, { mode: "666" }, { owner: "www-data" }])
      assert.throws(() => changeable(present, at({ address: "unix:web.sock", ...change }), isSupervised), {
        code: "ERR_SALLYPORT_RESTART_NEEDED",
        message: /mode or owner of unix:web\.sock/,
      });
    const same = at({ address: "unix:web.sock", mode: "0666", owner: "www-data" });
    assert.equal(changeable(present, same, isSupervised), same);
    const other = at({ address: "unix:other.sock", mode: "600" });
    assert.equal(changeable(present, other, isSupervised), other);
  }
});
