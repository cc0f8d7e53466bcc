// FastCGI applications in Perl, with FCGI.pm and with CGI::Fast, and CGI programs behind fcgiwrap; all started by us.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { textOf } from "../kit/keep-log.ts";
import { missing } from "../kit/needs.ts";
import { path } from "./peer.ts";
import { type Mounted, serveMounted } from "./serve-mounted.ts";
import { upload } from "./site.ts";
import { LIKE_CGI, testBehind } from "./test-behind.ts";

const APPS = path("../apps/");
const has = (module: string): boolean => spawnSync("perl", [`-M${module}`, "-e", "1"]).status === 0;
const lacking = (module: string): string | false => (has(module) ? false : missing(`perl:${module}`));

describe("Perl with FCGI.pm", { skip: lacking("FCGI") }, () => {
  let perl: Mounted;
  before(async () => {
    perl = await serveMounted((log) =>
      fastcgi({ command: [`${APPS}fcgi/count.pl`], env: environment(), log }),
    );
  });
  after(async () => {
    await perl?.close();
    assert.deepEqual(perl?.violations, []);
  });
  const get = (target: string, init?: RequestInit) => fetch(perl.url + target, init);
  const text = async (target: string, init?: RequestInit) => (await get(target, init)).text();

  test("one process answers request after request", async () => {
    assert.deepEqual([await text("/count"), await text("/count"), await text("/count")], ["1", "2", "3"]);
  });

  test("method, mount, path and query arrive", async () => {
    assert.equal(
      await text("/mounted/show?a=%20b", { method: "PUT", body: "x" }),
      "PUT /mounted /show a=%20b",
    );
  });

  test("10 MiB arrive, and 10 MiB leave", async () => {
    const body = Buffer.alloc(10_485_760);
    assert.equal(await text("/body", { method: "POST", body }), "10485760");
    assert.equal((await (await get("/large")).arrayBuffer()).byteLength, 10_485_760);
  });

  test("many requests at the same time wait for the one process", async () => {
    const paths = Array.from({ length: 32 }, (_, n) => text(`/show?${n}`));
    assert.deepEqual(
      await Promise.all(paths),
      paths.map((_, n) => `GET  /show ${n}`),
    );
  });

  test("what it says on standard error is logged", async () => {
    assert.equal(await text("/say"), "said");
    assert.ok(perl.lines.some((line) => textOf(line).includes("said by Perl")));
  });

  test("a process that ends without an answer is 502, in the middle of one a cut, and is replaced", async () => {
    assert.equal((await get("/die")).status, 502);
    // Where the head came at once with the end, there is still time for a 502.
    const midway = await get("/midway");
    if (midway.status !== 502) await assert.rejects(midway.text());
    assert.match(await text("/count"), /^\d+$/);
  });
});

describe("Perl with CGI::Fast", { skip: lacking("CGI::Fast") }, () => {
  test("parameters, uploads and two cookies pass", async () => {
    const perl = await serveMounted((log) =>
      fastcgi({ command: [`${APPS}fcgi/fast.pl`], env: environment(), log }),
    );
    try {
      assert.equal(await (await fetch(`${perl.url}/?name=a%26b`)).text(), "GET a&b 0");
      const response = await fetch(perl.url, { method: "POST", body: upload("a", "x".repeat(300_000)) });
      assert.equal(await response.text(), "POST  300000");
      assert.deepEqual(response.headers.getSetCookie(), ["a=1; path=/", "b=2; path=/"]);
    } finally {
      await perl.close();
    }
  });
});

describe("CGI programs behind fcgiwrap", { skip: missing("fcgiwrap") }, () => {
  let wrapped: Mounted;
  before(async () => {
    const variables = { SCRIPT_FILENAME: `${APPS}conformance/program.py` };
    wrapped = await serveMounted((log) =>
      fastcgi({ command: ["fcgiwrap"], processes: 8, variables, env: environment(), log }),
    );
  });
  after(async () => {
    await wrapped?.close();
    assert.deepEqual(wrapped?.violations, []);
  });

  testBehind("program.py", {
    url: () => wrapped.url,
    logs: async () => wrapped.lines.map(textOf).join("\n"),
    lacks: [...LIKE_CGI, "checksFields", "holdsBack", "streamsUpload", "tellsLeaving"],
    except: [
      [
        /before the next one|gets pieces as they come|visibly|learns that its client/,
        "it passes on what a program wrote when its buffer is full",
      ],
      [/never looks complete/, "how a program ended is not looked at"],
      [/unread (?:chunked )?body/, "502 of its own"],
    ],
    slow: true,
  });
});

/** Nothing of ours is inherited. */
function environment(): Record<string, string> {
  return { PATH: process.env.PATH ?? "" };
}
