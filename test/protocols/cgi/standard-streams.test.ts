// Programs that open their standard streams by name: "/dev/stdin" and its like are links of Linux into the program's own /proc,
// where a pipe can be opened, and a socket cannot.
import assert from "node:assert/strict";
import { chmodSync, cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PushedBody } from "../../../src/exchange/index.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { missing, needs } from "../../kit/needs.ts";
import { serve } from "../../kit/serve.ts";
import { ask, keptLog, program, startCgi } from "./start-cgi.ts";

const IS_LINUX = process.platform === "linux" ? false : "only Linux has such names";

test("a bash script reads $(</dev/stdin) and writes to /dev/stdout and /dev/stderr", {
  skip: IS_LINUX,
}, async (t) => {
  const log = keptLog();
  const gateway = await startCgi(t, "open_by_name", { log });
  const { status, body } = await ask(gateway, { method: "POST", body: "hello" });
  assert.deepEqual([status, String(body)], [200, "hello"]);
  assert.deepEqual(log.lines, ["complains of hello"]);
  const large = "0123456789".repeat(30_000);
  assert.equal(String((await ask(gateway, { method: "POST", body: large })).body), large);
  assert.equal(String((await ask(gateway)).body), "");
});

test("a body that arrives in pieces is read by name until it has ended", { skip: IS_LINUX }, async (t) => {
  const gateway = await startCgi(t, "open_by_name");
  const body = new PushedBody(10, { pause() {}, resume() {} });
  const exchange = new RecordedExchange({ method: "POST", body });
  gateway.handle(exchange);
  for (const piece of ["hello", "world"]) {
    body.push(Buffer.from(piece));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  body.end();
  assert.equal(String((await exchange.done).body), "helloworld");
});

const SCRIPTS: Readonly<Record<string, readonly [interpreter: string, text: string]>> = {
  sh: ["sh", 'text=$(cat </dev/stdin); printf "Content-Type: text/plain\\n\\n%s" "$text" >/dev/stdout\n'],
  perl: [
    "perl",
    'open(my $in, "<", "/dev/stdin") or die; open(my $out, ">", "/dev/stdout") or die;\nprint $out "Content-Type: text/plain\\n\\n", <$in>;\n',
  ],
  python: [
    "python3",
    'text = open("/dev/stdin").read()\nopen("/dev/stdout", "w").write("Content-Type: text/plain\\n\\n" + text)\n',
  ],
};

for (const [name, [interpreter, text]] of Object.entries(SCRIPTS)) {
  test(`a script of ${name} opens its streams by name`, { skip: IS_LINUX }, async (t) => {
    if (!needs(t, interpreter)) return;
    const folder = makeFolder(t);
    writeFileSync(join(folder, "script.x"), text);
    const gateway = await startCgi(t, "", { program: folder, interpreters: { ".x": interpreter } });
    const request = { method: "POST", target: "/script.x", body: "hello" };
    assert.equal(String((await ask(gateway, request)).body), "hello");
  });
}

const AS_ROOT =
  missing("setpriv") || (process.getuid?.() === 0 ? false : "only root may become another user");

test("another user's program opens the streams that we made", { skip: IS_LINUX || AS_ROOT }, async (t) => {
  const folder = makeFolder(t);
  chmodSync(folder, 0o755);
  cpSync(program("open_by_name"), join(folder, "program"));
  const gateway = await startCgi(t, "", { program: join(folder, "program"), user: "www-data" });
  assert.equal(String((await ask(gateway, { method: "POST", body: "hello" })).body), "hello");
});

const STARTS: Readonly<Record<string, readonly string[]>> = {
  "a program": [program("open_by_name")],
  "a directory of programs": [makeFolder(), "--cgi", "/cgi"],
  "several server processes": [program("open_by_name"), "--server-processes", "2"],
};

for (const [what, args] of Object.entries(STARTS)) {
  test(`the command line, given ${what}, serves programs that open their streams by name`, {
    skip: IS_LINUX,
  }, async (t) => {
    const prefix = args.includes("--cgi") ? "/cgi/open_by_name" : "/";
    if (prefix !== "/") cpSync(program("open_by_name"), join(args[0] as string, "cgi", "open_by_name"));
    const server = await serve(args);
    t.after(() => server.stop());
    const answer = await fetch(server.url + prefix, { method: "POST", body: "hello" });
    assert.deepEqual([answer.status, await answer.text()], [200, "hello"]);
  });
}
