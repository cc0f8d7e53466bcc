import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../src/exchange/index.ts";
import { openFilesLimit, warnOfDescriptors } from "../../src/server/descriptors.ts";

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             95801                95801                processes
Max open files            1024                 4096                 files
`;

test("the limit is the soft one; without one, or without such a file, it is not known", () => {
  assert.equal(
    openFilesLimit(() => LIMITS),
    1024,
  );
  assert.equal(
    openFilesLimit(() => LIMITS.replace(/1024 /, "unlimited ")),
    undefined,
  );
  const missing = (): string => {
    throw new Error("ENOENT");
  };
  assert.equal(openFilesLimit(missing), undefined);
});

test("connections that cannot be had are warned of, with what to do", () => {
  const said: string[] = [];
  const log = { ...silentLog, warn: (message: string) => said.push(message) };
  warnOfDescriptors(log, 900, 1024);
  warnOfDescriptors(log, 10_000, undefined);
  assert.deepEqual(said, []);
  warnOfDescriptors(log, 1_000, 1024);
  assert.match(said[0] ?? "", /may open 1024 files, and up to 1000 connections.*limits\.connections/);
});
