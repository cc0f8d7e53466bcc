// PEP 3333 in daemon mode on every CPython of the machine, one thread and several.
import { describe } from "node:test";
import { pythons } from "../../kit/pythons.ts";
import { contract } from "./contract.ts";

for (const { path: python, version } of pythons()) {
  for (const threads of [1, 3]) {
    describe(`CPython ${version}, ${threads} thread(s)`, () => contract({ python, threads }));
  }
}
