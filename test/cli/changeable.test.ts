import assert from "node:assert/strict";
import { test } from "node:test";
import { changeable } from "../../src/cli/changeable.ts";
import { checkConfig } from "../../src/config/errors.ts";

const at = (...listen: object[]) => checkConfig({ listen, apps: { app: { wsgi: "app:app" } } } as never);

test("another mode or owner of a Unix socket that stays open needs a restart, with and without a supervisor", () => {
  const settings = at({ address: "unix:web.sock", mode: "666", owner: "www-data" });
  for (const isSupervised of [true, false]) {
    const server = { settings, directory: "/srv", isSupervised };
    for (const change of [{ mode: "600", owner: "www-data" }, { mode: "666" }, { owner: "www-data" }])
      for (const path of ["web.sock", "./web.sock", "/srv/web.sock"])
        assert.throws(() => changeable(server, at({ address: `unix:${path}`, ...change })), {
          code: "ERR_SALLYPORT_RESTART_NEEDED",
          message: /mode or owner of unix:\/srv\/web\.sock/,
        });
    const same = at({ address: "unix:web.sock", mode: "0666", owner: "www-data" });
    assert.equal(changeable(server, same), same);
    const other = at({ address: "unix:other.sock", mode: "600" });
    assert.equal(changeable(server, other), other);
  }
});
