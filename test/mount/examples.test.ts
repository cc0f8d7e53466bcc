// Every example of mounting, run as its first line says, and the same text in the manual.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { client1, textOf } from "./clients.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLES = readdirSync(`${ROOT}examples`).filter((name) => /^mount-.*\.ts$/.test(name));
const MANUAL = readFileSync(`${ROOT}docs/mounting.md`, "utf8");

test("there are examples, and the package that they import has been built", () => {
  assert.ok(EXAMPLES.length >= 5);
  assert.ok(existsSync(`${ROOT}dist/mount/index.js`), "not built: run `npm run build` first");
});

for (const name of EXAMPLES) {
  describe(name, () => {
    let child: ReturnType<typeof run>;
    before(() => {
      child = run(name);
    });
    after(() => child.kill("SIGKILL"));

    test("serves a Python application below /ml", async () => {
      const port = await portOf(createInterface({ input: child.stdout }));
      const answer = await client1(`http://127.0.0.1:${port}/ml/some/where`);
      assert.equal(await textOf(answer), "Python at /ml was asked for /some/where\n");
    });

    test("ends, and its application with it, when it is asked to", async () => {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      const [code, signal] = await exited;
      // Vite's own exit status is that of a program that the signal ended.
      assert.ok((code === 0 || code === 143) && signal === null, `${code} ${signal}`);
    });

    test("stands in the manual as it is", () => {
      const text = readFileSync(`${ROOT}examples/${name}`, "utf8");
      assert.ok(
        MANUAL.includes(`\`\`\`ts\n${text}\`\`\`\n`),
        `docs/mounting.md does not have examples/${name}`,
      );
    });
  });
}

const run = (name: string) =>
  spawn(process.execPath, ["--import", "tsx", `examples/${name}`], {
    cwd: ROOT,
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });

async function portOf(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const [, port] = /listening on .*port: (\d+)/.exec(line) ?? [];
    if (port) return port;
  }
  throw new Error("it ended without listening");
}
