// One WSGI application in every host: the same behaviours everywhere.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLog } from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";
import { type Answer, type Asked, endOf, textOf } from "./clients.ts";
import { HOSTS, type Host, type HostKind } from "./hosts.ts";

const APPS = fileURLToPath(new URL("../apps/wsgi", import.meta.url));
const MEGABYTES_10 = 10 * 1024 * 1024;

for (const kind of HOSTS)
  describe(kind.name, () => {
    const site = siteIn(kind);
    requests(site);
    responses(site);
    endings(site);
  });

interface Site {
  readonly folder: string;
  readonly host: () => Host;
  ask(path: string, asked?: Asked): Promise<Answer>;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows its page
  json(path: string, asked?: Asked): Promise<any>;
  /** How many iterables of the application were closed. */
  closed(): number;
}

/** Opens the host before the tests of a suite, and closes it after them. */
function siteIn({ open, client }: HostKind): Site {
  const folder = makeFolder({ after });
  const record = join(folder, "records");
  let host: Host;
  before(async () => {
    const env = { AWKWARD_LOG: record };
    host = await open(lint(wsgi("awkward", { chdir: APPS, python: "python3", env })), silentLog);
  });
  after(async () => {
    await host.close();
    await host.handler.close(0);
  });
  const ask = (path: string, asked?: Asked) => client(host.url + path, asked);
  return {
    folder,
    host: () => host,
    ask,
    json: async (path, asked) => JSON.parse(await textOf(await ask(path, asked))),
    closed: () => wordsIn(record).filter((word) => word === "close").length,
  };
}

function wordsIn(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}

function requests({ host, ask, json }: Site): void {
  test("the first request starts the application, and is answered", async () => {
    const answer = await ask("/hello");
    assert.deepEqual([answer.status, await textOf(answer)], [200, "hello\n"]);
    assert.equal(answer.headers["content-length"], "6");
  });

  test("the mount is in SCRIPT_NAME and the rest in PATH_INFO, as sent once", async () => {
    const environ = await json("/environ?a=%20b&c", { headers: { "X-Two-Words": "caf\u00e9" } });
    const { host: authority, protocol } = new URL(host().url);
    assert.equal(environ.SCRIPT_NAME, "/ml");
    assert.equal(environ.PATH_INFO, "/environ");
    assert.equal(environ.QUERY_STRING, "a=%20b&c");
    assert.equal(environ.REQUEST_URI, "/ml/environ?a=%20b&c");
    assert.equal(environ.HTTP_HOST, authority);
    assert.equal(environ.HTTP_X_TWO_WORDS, "caf\u00e9");
    assert.equal(`${environ["wsgi.url_scheme"]}:`, protocol);
    assert.deepEqual([environ.REMOTE_ADDR, environ.SERVER_NAME], ["127.0.0.1", "127.0.0.1"]);
  });

  test("an upload of 10 MB arrives whole", async () => {
    const body = randomBytes(MEGABYTES_10);
    const sha256 = createHash("sha256").update(body).digest("hex");
    assert.deepEqual(await json("/read-all", { method: "POST", body }), { length: MEGABYTES_10, sha256 });
  });
}

function responses({ ask, folder }: Site): void {
  test("a client that takes its download late gets it whole, and holds nobody else up", async () => {
    const answer = await ask(`/huge-output?${MEGABYTES_10}`);
    assert.equal(await textOf(await ask("/hello")), "hello\n");
    assert.deepEqual(await endOf(answer), { bytes: MEGABYTES_10, cut: false });
  });

  test("the first piece is there before the second exists", async () => {
    const file = join(folder, "step");
    const answer = await ask(`/step-by-step?${file}`);
    const [first] = await once(answer.body, "data");
    assert.equal(String(first), "first\n");
    writeFileSync(file, "");
    assert.deepEqual(await endOf(answer), { bytes: "second\n".length, cut: false });
  });

  test("HEAD has the head of GET and no body", async () => {
    const answer = await ask("/hello", { method: "HEAD" });
    assert.deepEqual([answer.status, answer.headers["content-length"]], [200, "6"]);
    assert.equal(await textOf(answer), "");
  });

  test("204 has neither body nor length", async () => {
    const answer = await ask("/body-on-204");
    assert.deepEqual([answer.status, answer.headers["content-length"]], [204, undefined]);
    assert.equal(await textOf(answer), "");
  });

  test("two cookies stay two", async () => {
    const answer = await ask("/same-header-twice");
    assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
    answer.hangUp();
  });

  test("an application that fails before its head gives 500, and none of its words", async () => {
    const answer = await ask("/raise-before-head");
    assert.equal(answer.status, 500);
    assert.equal(await textOf(answer), "500 The application failed.\nERR_SALLYPORT_APP_RAISED\n");
  });
}

function endings({ host, ask, json, closed }: Site): void {
  for (const page of ["/raise-midway", "/raise-midway-with-length", "/short-body", "/exit-midway"]) {
    test(`a response that breaks off is visibly cut: ${page}`, async () => {
      // Where all that was said and the cut come in one, the client may see no head at all.
      const end = await ask(page).then(endOf, () => ({ cut: true }));
      assert.equal(end.cut, true);
    });
  }

  test("a client that hangs up closes the generator", async () => {
    const before = closed();
    const answer = await ask("/drip-forever");
    await once(answer.body, "data");
    answer.hangUp();
    await until(() => closed() === before + 1);
  });

  test("a client that hangs up while it does not read closes the generator", async () => {
    const before = closed();
    const answer = await ask("/stream-forever");
    await once(answer.body, "readable");
    answer.hangUp();
    await until(() => closed() === before + 1);
  });

  test("close() ends the workers, and answers 503 from then on", async () => {
    const { pid } = await json("/process");
    await host().handler.close();
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
    const answer = await ask("/hello");
    assert.equal(answer.status, 503);
    assert.match(await textOf(answer), /ERR_SALLYPORT_STOPPING/);
  });
}
