// An application that breaks the rules of PEP 3333, seen from the wire through the whole server: the client gets the truth,
// and other clients notice nothing. The rules one by one are in test/protocols/wsgi; edge cases W4 to W13, H19, L3.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { gone } from "../kit/processes.ts";
import { pythons } from "../kit/pythons.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";
import { RawClient, rawGet } from "./raw-client.ts";
import { APPS, json } from "./site.ts";

const PYTHON = pythons()[0]?.path ?? "python3";

const OPTIONS = ["--chdir", APPS, "--python", PYTHON];

const start = (record: string, ...more: string[]): Promise<Served> =>
  serve(["awkward", ...OPTIONS, "--env", `AWKWARD_LOG=${record}`, ...more]);

let site: Served;
after(() => site?.stop());
const folder = makeFolder();
const log = join(folder, "log");
before(async () => {
  site = await start(log, "--processes", "2", "--timeout", "5s");
});

const pid = async (): Promise<number> => (await json(fetch(`${site.url}/process`))).pid;

/** The workers that answer; asked for until there are two, since one that died takes a moment to be replaced. */
async function twoPids(): Promise<Set<number>> {
  const seen = new Set<number>();
  const deadline = Date.now() + 30_000;
  while (seen.size < 2 && Date.now() < deadline)
    for (const id of await Promise.all([pid(), pid(), pid(), pid()])) seen.add(id);
  return seen;
}

const works = async () => assert.equal(await (await fetch(`${site.url}/hello`)).text(), "hello\n");

const words = () => readFileSync(log, "utf8").trim().split("\n");
const forget = () => writeFileSync(log, "");

/** The words that the application has recorded, once `word` is among them. */
async function recorded(word: string): Promise<string[]> {
  await until(() => words().includes(word));
  return words();
}

describe("a response that breaks the rules", () => {
  test("W4, W6: a response that fails midway is visibly cut: its chunked body has no end", async () => {
    for (const path of ["/raise-midway", "/text-item-midway", "/start-again-after-output"]) {
      const text = await rawGet(site.url, path);
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
      assert.match(text, /so far so good|bytes|already out/);
      assert.doesNotMatch(text, /\r\n0\r\n/);
      assert.doesNotMatch(text, /never seen/);
    }
    await works();
  });

  test("W5: a body shorter than its length ends with the connection", async () => {
    const text = await new RawClient(site.url).get("/short-body").closed;
    assert.match(text, /Content-Length: 100\r\n/i);
    assert.match(text, /\r\n\r\ntoo short\n$/);
  });

  test("W5: a body longer than its length does not reach into the next response", async () => {
    const client = new RawClient(site.url).get("/long-body").get("/hello", "Connection: close");
    const text = await client.closed;
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
    assert.match(text, /\r\n\r\n12345HTTP\/1\.1 200 OK/);
    assert.match(text, /\r\n\r\nhello\n$/);
  });

  for (const path of [
    "/status-with-newline",
    "/value-with-crlf",
    "/value-with-lf",
    "/name-with-crlf",
    "/name-with-colon",
    "/value-not-latin-1",
    "/hop-connection",
    "/hop-transfer-encoding",
    "/hop-upgrade",
    "/headers-tuple",
  ]) {
    test(`W7, W8: nothing of the head of ${path} leaves; it is a 500 without details`, async () => {
      const text = await rawGet(site.url, path);
      assert.match(text, /^HTTP\/1\.1 500 Internal Server Error\r\n/);
      assert.match(text, /ERR_SALLYPORT_APP_PROTOCOL\n$/);
      assert.doesNotMatch(text, /x-injected|x-bad|traceback|never seen|upgrade|\.py/i);
    });
  }

  test("W6: an exception before the head is a 500 whose traceback is in the log only", async () => {
    const text = await rawGet(site.url, "/raise-before-head");
    assert.match(text, /^HTTP\/1\.1 500 /);
    assert.doesNotMatch(text, /before the head|Traceback/);
    await site.sees(/RuntimeError: before the head/);
  });
});

describe("a client that sends or takes at its own pace", () => {
  test("H19: a body that the application never reads is never taken for a request", async () => {
    const smuggled = "GET /environ HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50_000);
    const client = new RawClient(site.url);
    client.send(`POST /never-read HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${smuggled.length}\r\n\r\n`);
    client.send(smuggled).get("/hello", "Connection: close");
    const text = await client.closed;
    assert.match(text, /did not read\n/);
    assert.doesNotMatch(text, /wsgi\.version/);
    await works();
  });

  test("W12: each item has left before the next one is asked for", async () => {
    const go = join(folder, "go");
    const client = new RawClient(site.url).get(`/step-by-step?${go}`, "Connection: close");
    assert.doesNotMatch(await client.sees(/first\n/), /second/);
    await writeFile(go, "");
    assert.match(await client.closed, /second\n\r\n0\r\n\r\n$/);
  });

  for (const path of ["/stream-forever", "/drip-forever"]) {
    test(`W6: ${path} is closed exactly once when its client leaves`, async () => {
      const word = `closed${path}`;
      const client = new RawClient(site.url).get(`${path}?${word}`);
      await client.sees(/\r\n\r\n[\s\S]{5}/);
      client.socket.destroy();
      await recorded(word);
      await works();
      assert.equal((await recorded(word)).filter((other) => other === word).length, 1);
    });
  }
});

describe("W13: a worker that dies", () => {
  for (const path of ["/exit-at-once", "/segfault", "/kill-self"]) {
    test(`W13: ${path} fails its own request only, and the worker is replaced`, async () => {
      const go = join(folder, `beside${path.slice(1)}`);
      forget();
      const beside = fetch(`${site.url}/wait-for-file?${go}`);
      await recorded("waiting");
      const text = await rawGet(site.url, path);
      assert.match(text, /^HTTP\/1\.1 502 [\s\S]*ERR_SALLYPORT_WORKER_DIED\n$/);
      await writeFile(go, "");
      assert.equal(await (await beside).text(), "waited\n");
      assert.equal((await twoPids()).size, 2);
    });
  }

  test("W13: SystemExit is a 500, and the next request is answered", async () => {
    assert.match(await rawGet(site.url, "/system-exit"), /^HTTP\/1\.1 500 /);
    await works();
  });

  test("W13: a process that dies midway cuts its response", async () => {
    const text = await rawGet(site.url, "/exit-midway");
    assert.match(text, /about to die\n/);
    assert.doesNotMatch(text, /\r\n0\r\n/);
    await works();
  });

  test("W13: an application that hangs is a 504, and its worker is replaced", async () => {
    assert.match(await rawGet(site.url, "/hang"), /^HTTP\/1\.1 504 [\s\S]*ERR_SALLYPORT_APP_TIMEOUT\n$/);
    await works();
  });
});

describe("what the application gives", () => {
  test("what the application prints to its standard output disturbs nothing", async () => {
    for (const path of ["/print-to-stdout", "/close-stdout"]) {
      assert.match(await (await fetch(site.url + path)).text(), /stdout\n|printed\n/);
      await works();
    }
  });

  test("what the application writes to wsgi.errors is in the log, its control characters escaped (L5)", async () => {
    await fetch(`${site.url}/log-error`);
    await site.sees(/third line/);
    await site.sees(/on stderr/);
    assert.equal(site.stderr.includes("\x1b"), false);
  });

  test("64 MiB in one item arrive whole", async () => {
    const { length } = Buffer.from(await (await fetch(`${site.url}/huge-item`)).arrayBuffer());
    assert.equal(length, 64 << 20);
  });

  test("a hundred thousand items of one byte arrive whole", async () => {
    assert.equal(await (await fetch(`${site.url}/many-items`)).text(), ".".repeat(100_000));
  });
});

describe("the end of a server", () => {
  test("L3: SIGTERM lets the request under way finish, then the server ends with status 0", async () => {
    const go = join(folder, "last");
    const site = await start("");
    const client = new RawClient(site.url).get(`/step-by-step?${go}`);
    await client.sees(/first\n/);
    const stopped = site.stop();
    await writeFile(go, "");
    assert.match(await client.closed, /second\n\r\n0\r\n\r\n$/);
    assert.deepEqual(await stopped, { code: 0, signal: null });
  });

  test("a server that is killed takes its workers along", async () => {
    const site = await start("");
    const { pid } = await json(fetch(`${site.url}/process`));
    process.kill(site.pid, "SIGKILL");
    await site.exited;
    await gone(pid);
  });
});
