// The runner: what it reports, skips and gives up, and that it leaves nothing behind.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { type Case, nodeReference, runSuite, suite } from "../../src/testing/index.ts";
import { freePort } from "../kit/free-port.ts";

async function listen(t: TestContext, server: Pick<Server, "listen" | "address" | "close">): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const plainServer = (): Server =>
  createServer((req, res) => {
    nodeReference(req, res).catch(() => (res.headersSent ? res.destroy() : res.writeHead(500).end()));
  });

const HELLO: Case = {
  name: "hello",
  request: {},
  app: { kind: "answer", body: "hello" },
  expected: { status: 200, body: "hello" },
};

test("the suite has no two cases of one name, and each has something that can fail", () => {
  assert.equal(new Set(suite.map(({ name }) => name)).size, suite.length);
  for (const { name, expected, next = [] } of suite)
    for (const one of [expected, ...next.map((step) => step.expected)].flat())
      assert.ok(Object.keys(one).length > 0, name);
});

test("a plain node:http server has nearly all behaviours, without anything of ours", async (t) => {
  const url = await listen(t, plainServer());
  const lacks = ["mount", "anyMethod", "lazyContinue", "halfClose"] as const;
  const results = await runSuite({ url, lacks });
  const failed = results.filter(({ verdict }) => verdict === "failed").map(({ name }) => name);
  // What node:http of some versions lets through.
  const known =
    /trailers do not become|never reaches an HTTP\/1\.0|no more than that is sent|that is no number/;
  assert.deepEqual(
    failed.filter((name) => !known.test(name)),
    [],
  );
  for (const { verdict, lacking } of results) assert.equal(verdict === "skipped", lacking.length > 0);
  assert.ok(results.filter(({ verdict }) => verdict === "passed").length > 140);
});

test("what fails is told in words", async (t) => {
  const url = await listen(t, plainServer());
  const wrong: Case = { ...HELLO, expected: { status: 201, body: "help!", headers: { "x-a": "1" } } };
  const [result] = await runSuite({ url, cases: [wrong] });
  assert.equal(result?.verdict, "failed");
  assert.deepEqual(result.complaints, [
    'the status is 200, not 201: "200 OK hello"',
    'the body has 5 bytes for 5, and another one at 3: "hello"',
    'the header x-a: null, not "1"',
  ]);
});

test("of several right ways one is enough", async (t) => {
  const url = await listen(t, plainServer());
  const either = [{ status: 404 }, { status: 200, body: "hello" }];
  const [one, none] = await runSuite({
    url,
    cases: [
      { ...HELLO, expected: either },
      { ...HELLO, name: "none", expected: [{ status: 404 }, { status: 405 }] },
    ],
  });
  assert.equal(one?.verdict, "passed");
  assert.match(none?.complaints[1] ?? "", /^outcome 2 of 2: the status is 200, not 405/);
});

test("a server that never answers fails its cases in time, and the runner goes on", async (t) => {
  const url = await listen(t, createNetServer(() => {}) as unknown as Server);
  const results = await runSuite({
    url,
    cases: [HELLO, { ...HELLO, name: "again" }],
    deadline: 100,
    concurrency: 1,
  });
  for (const { verdict, complaints } of results) {
    assert.equal(verdict, "failed");
    assert.match(complaints[0] ?? "", /not over after 100 ms/);
  }
});

test("a server that is not there fails its cases", async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const [result] = await runSuite({ url, cases: [HELLO] });
  assert.match(result?.complaints[0] ?? "", /ECONNREFUSED/);
});

test("the runner leaves no files behind", async (t) => {
  const url = await listen(t, plainServer());
  const folders = (): string[] =>
    readdirSync(tmpdir()).filter((name) => name.startsWith(`sallyport-suite-${process.pid}-`));
  const before = folders();
  const cases = suite.filter(({ name }) => name.includes("a single byte arrives"));
  const [result] = await runSuite({ url, cases });
  assert.equal(result?.verdict, "passed");
  assert.deepEqual(folders(), before);
});

test("testSuite makes a test of node:test of each case", () => {
  const file = join(fileURLToPath(new URL(".", import.meta.url)), "adapted.ts");
  const { stdout } = spawnSync(process.execPath, [...LOADER, file], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
  });
  assert.match(stdout, /ok \d+ - passes\n/);
  assert.match(stdout, /not ok \d+ - fails\n/);
  assert.match(stdout, /the status is 200, not 201/);
  assert.match(stdout, /ok \d+ - is skipped # SKIP lacks mount\n/);
});
