// Exceptions of every kind at every point, in daemon mode. Embedded mode: test/embedded/contract.ts.
import { describe } from "node:test";
import { raising } from "./raising.ts";

for (const threads of [1, 2])
  describe(`${threads} thread${threads > 1 ? "s" : ""} in a worker`, () =>
    raising({ python: "python3", threads }));
