// A program that cannot be started: what is wrong with it, in words.
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startChild } from "../../src/processes/index.ts";
import { notBecomeText, startFailureText } from "../../src/processes/start-failure.ts";
import { cgi } from "../../src/protocols/cgi/index.ts";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { keepLog } from "../kit/keep-log.ts";
import { makeFolder } from "../kit/make-folder.ts";

const folder = makeFolder();

function script(name: string, text: string, mode = 0o755): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const CASES: [what: string, command: string, message: RegExp][] = [
  ["a missing file", join(folder, "absent"), /absent could not be started: there is no such file \(/],
  ["a program that is not installed", "sally-nothing", /there is no such program on PATH \(/],
  [
    "PHP that is not installed",
    "php-cgi9.9",
    /no such program on PATH; packages that have it: php-cgi \(Debian/,
  ],
  [
    "a script without rights",
    script("plain", "#!/bin/sh\n", 0o644),
    /may not be executed: chmod \+x .*plain/,
  ],
  [
    "an interpreter that is missing",
    script("lost", "#!/gone/perl -w\n"),
    /first line names \/gone\/perl, which/,
  ],
  [
    "lines of Windows",
    script("windows", "#!/bin/sh\r\necho\r\n"),
    /lines end as on Windows \(CR LF\).*sed -i/,
  ],
];
for (const [what, command, message] of CASES)
  test(`${what} is told`, async () => {
    const { failure } = await startChild({ command, env: { PATH: "/usr/bin:/bin" } }).exited;
    assert.match(failure?.message ?? "it was started", message);
    assert.equal(failure?.code, "ERR_SALLYPORT_SPAWN_FAILED");
  });

test("a working directory that is missing is told, and not blamed on the program", async () => {
  const { failure } = await startChild({ command: "/bin/sh", cwd: "/gone/site" }).exited;
  assert.match(failure?.message ?? "", /its working directory \/gone\/site does not exist/);
});

test("CGI: what is wrong with the first line is told, also where `env` is what finds out", async (t) => {
  for (const [name, text, message] of [
    ["lost.cgi", "#!/gone/perl\n", /names \/gone\/perl, which does not exist/],
    [
      "windows.cgi",
      "#!/usr/bin/env sh\r\necho\r\n",
      /status 127 without an answer.*; its lines end as on Windows/,
    ],
  ] as const) {
    const { log, logged } = keepLog();
    const gateway = cgi({ program: script(name, text), log });
    await gateway.start?.();
    t.after(() => gateway.close?.(0));
    const exchange = new RecordedExchange({ target: "/", log });
    gateway.handle(exchange);
    assert.equal((await exchange.done).status, 502);
    await logged(message);
  }
});

test("FastCGI: an application whose program is not installed does not start, and says which package has it", async () => {
  const gateway = fastcgi({ command: ["php-cgi9.9"] });
  await assert.rejects(async () => gateway.start?.(), {
    message: /php-cgi9\.9 could not be started: .* packages that have it/,
  });
});

test("what is wrong where the system allows no more processes is told with the limits that can be meant", () => {
  for (const text of [
    startFailureText("/bin/x", "spawn /bin/x EAGAIN"),
    notBecomeText("setpriv: failed to execute /bin/x: Resource temporarily unavailable"),
    notBecomeText("prlimit: failed to execute /bin/x: Resource temporarily unavailable"),
  ])
    assert.match(text ?? "", /^the system allows no more processes and threads \(.*pids\.max\) \(.*\/bin\/x/);
  assert.equal(notBecomeText("setpriv: failed to execute /x: Exec format error")?.slice(0, 7), "setpriv");
  assert.equal(notBecomeText("Traceback (most recent call last):"), undefined);
});
