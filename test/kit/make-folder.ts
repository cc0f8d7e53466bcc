// A folder that goes with the test, or with the tests of the file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

type Scope = { after(end: () => void): void };

/** The folder is empty, and removed when `scope` ends: a test, or without one the file. */
export function makeFolder(scope: Scope = { after }): string {
  const path = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  scope.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}
