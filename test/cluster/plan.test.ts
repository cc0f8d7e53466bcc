import assert from "node:assert/strict";
import { test } from "node:test";
import { startTimeoutOf } from "../../src/cluster/plan.ts";
import { checkConfig } from "../../src/config/errors.ts";

const MINUTE = 60_000;

test("a server process has the time that its slowest app has to start, or all embedded ones together", () => {
  const timeout = (...apps: object[]): number =>
    startTimeoutOf(
      checkConfig({
        apps: Object.fromEntries(apps.map((app, i) => [`app${i}`, app])),
        routes: apps.map((_, i) => ({ path: `/${i}`, app: `app${i}` })),
      } as never),
    );
  const slow = (startTimeout: string, mode = "daemon") => ({ wsgi: "app:app", mode, startTimeout });
  assert.equal(timeout({ wsgi: "app:app" }), 5 * MINUTE);
  const [short, long] = [timeout(slow("10m")), timeout(slow("10m"), slow("20m"), { wsgi: "other:app" })];
  assert.ok(short > 10 * MINUTE && short < 11 * MINUTE);
  assert.ok(long > 20 * MINUTE && long < 21 * MINUTE);
  assert.ok(timeout(slow("10m", "embedded"), slow("20m", "embedded")) > 30 * MINUTE);
});
