// docs/embedded.md: what it shows serves, and what it says of options is so.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { serve } from "../kit/serve.ts";

const page = readFileSync(new URL("../../docs/embedded.md", import.meta.url), "utf8");
const PYTHON = pythons()[0]?.path as string;

const here = makeFolder();
mkdirSync(join(here, "shop"));
writeFileSync(
  join(here, "shop", "wsgi.py"),
  `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr((environ["wsgi.multithread"], environ["wsgi.multiprocess"])).encode()]
`,
);

const snippet = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page)?.[1] ?? "";

async function answers(args: readonly string[]): Promise<void> {
  // The page leaves the interpreter to be found, as users do.
  const server = await serve(args, { cwd: here, env: { VIRTUAL_ENV: PYTHON.replace(/\/bin\/[^/]*$/, "") } });
  try {
    assert.equal(await (await fetch(server.url)).text(), "(False, True)");
    await server.sees(/2 server processes serve/);
  } finally {
    await server.stop();
  }
}

test("the command of the page serves in two server processes", async () => {
  const [program, command, ...args] = snippet("sh").trim().split(" ");
  assert.deepEqual([program, command], ["sallyport", "serve"]);
  await answers(args);
});

test("the configuration of the page does", async () => {
  writeFileSync(join(here, "site.yaml"), snippet("yaml"));
  await answers(["--config", join(here, "site.yaml"), "--port", "0", "--access-log", "off"]);
});

/** The options that a row of the table begins with. */
function optionsOf(row: RegExp): string[] {
  const [, options = ""] = row.exec(page) ?? [];
  return [...options.matchAll(/`(\w+)`/g)].map(([, name]) => name as string);
}

test("the options that the page says are refused are", () => {
  const names = optionsOf(/^\| (`timeout`, .*?) \|/m);
  assert.equal(names.length, 6);
  for (const name of names) {
    const options = { mode: "embedded", [name]: name === "bufferBody" ? false : 2 } as const;
    assert.throws(() => wsgi("shop.wsgi", options), new RegExp(`for daemon mode only: ${name}`));
  }
});

test("the options that the page says need a supervisor do", () => {
  const names = optionsOf(/^\| (`maxRequests`, .*?) \|/m);
  assert.equal(names.length, 4);
  for (const name of names)
    assert.throws(
      () => wsgi("shop.wsgi", { mode: "embedded", [name]: 2 }),
      new RegExp(`${name} for embedded apps need the supervisor`),
    );
});
