// A server that is started as root, and gives its rights up before it loads an app.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { warnOfRoot } from "../../src/server/privileges.ts";
import { makeCertificate } from "../kit/make-certificate.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { sallyport } from "../kit/run-command.ts";
import { serve } from "../kit/serve.ts";

const APPS = fileURLToPath(new URL("../apps/isolation", import.meta.url));
const USER = "www-data";
const AS_ROOT = process.getuid?.() === 0 ? false : "only root may become another user";
/** A port that only root may bind, at an address of its own. */
const PLACE = "127.0.0.77:443";
const APP = ["report:wsgi", "--chdir", APPS, "--python", "/usr/bin/python3"];

const fetchHttps = (ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = { ca, servername: "localhost", agent: false };
    get(`https://${PLACE}/`, options, (response) => resolve(text(response))).on("error", reject);
  });

const idOf = (option: string): string => execFileSync("id", [option, USER], { encoding: "utf8" }).trim();
const line = (proc: string, name: string): string =>
  new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(proc)?.[1]?.trim() ?? "";

function assertIsUser(proc: string): void {
  assert.equal(line(proc, "Uid"), Array(4).fill(idOf("-u")).join("\t"));
  assert.equal(line(proc, "Gid"), Array(4).fill(idOf("-g")).join("\t"));
  assert.equal(line(proc, "Groups"), idOf("-G"));
}

/** A key, and a directory of logs, for root alone. */
function rootsFolder(t: TestContext) {
  const folder = makeFolder(t);
  const certificate = makeCertificate(folder);
  chmodSync(certificate.key, 0o600);
  mkdirSync(join(folder, "logs"), { mode: 0o700 });
  return { certificate, access: join(folder, "logs", "access") };
}

for (const [how, options] of [
  ["one server process", []],
  ["several server processes", ["--server-processes", "2"]],
] as const) {
  test(`${how}: root binds, reads the key and opens the log; apps and requests are the user's, after a reload, too`, {
    skip: AS_ROOT,
  }, async (t) => {
    const { certificate, access } = rootsFolder(t);
    const where = ["--http", PLACE, ...certificate.options, "--access-log", access];
    const server = await serve([...APP, ...where, "--user", USER, "--umask", "027", ...options]);
    t.after(() => server.stop());
    const ca = readFileSync(certificate.cert, "utf8");
    const ask = async () => JSON.parse(await fetchHttps(ca)) as Record<string, string>;
    const before = await ask();
    assertIsUser(before.proc as string);
    assert.equal(before.umask, 0o027);
    assert.equal((before.env as unknown as Record<string, string>).USER, USER);
    const serverProcess = line(before.proc as string, "PPid");
    assertIsUser(readFileSync(`/proc/${serverProcess}/status`, "utf8"));
    process.kill(server.pid, "SIGHUP");
    await server.sees(/all server processes were replaced/);
    assertIsUser((await ask()).proc as string);
    assert.doesNotMatch(server.stderr, /ERROR/);
    await server.stop();
    assert.match(readFileSync(access, "utf8"), /"GET \/ HTTP\/1.1" 200/);
    assert.ok(existsSync(certificate.key));
  });
}

test("an upload that is set aside in a file reaches the app of a server that has given its rights up", {
  skip: AS_ROOT,
}, async (t) => {
  const server = await serve([...APP, "--user", USER]);
  t.after(() => server.stop());
  const answer = await fetch(server.url, { method: "POST", body: Buffer.alloc(300_000, "x") });
  const { proc, body } = JSON.parse(await answer.text());
  assertIsUser(proc);
  assert.equal(body, 300_000);
});

test("a server that serves as root warns, unless that is meant", { skip: AS_ROOT }, async (t) => {
  for (const [options, warns] of [
    [[], true],
    [["--user", "root"], false],
  ] as const) {
    const server = await serve([...APP, ...options], { env: { SALLYPORT_USER: "" } });
    t.after(() => server.stop());
    assert.equal(await (await fetch(server.url)).status, 200);
    await server.stop();
    assert.equal(/WARN +the server runs as root/.test(server.stderr), warns);
  }
});

test("the warning names the apps that run as root, and no others", { skip: AS_ROOT }, () => {
  const warned = (apps: object): string => {
    let said = "";
    warnOfRoot({ ...silentLog, warn: (message) => (said = message) }, { apps } as never);
    return said;
  };
  const [own, roots] = [{ wsgi: "a", user: USER }, { wsgi: "b" }];
  assert.match(warned({ roots, other: roots }), /^the server runs as root, and so do its apps: /);
  assert.match(warned({ own, roots }), /^the server runs as root, and so does roots: /);
  assert.match(warned({ own }), /^the server runs as root: /);
  const address = "unix:/run/php.sock";
  const command = ["php-cgi"];
  const elsewhere = {
    pool: { php: ".", fastcgi: address },
    rack: { scgi: [address] },
    closed: { answer: 404 },
  };
  const started = { php: ".", fastcgi: { command, user: USER } };
  assert.match(warned({ ...elsewhere, started }), /^the server runs as root: /);
  const guarded = { fastcgi: [address], authorizer: { command } };
  assert.match(
    warned({ ...elsewhere, started, plain: { php: "." }, spawned: { fastcgi: { command } }, guarded }),
    /^the server runs as root, and so does plain, spawned, guarded: /,
  );
});

test("a user that is not there fails the start", { skip: AS_ROOT }, async () => {
  const { code, stderr } = await sallyport(["serve", ...APP, "--port", "0", "--user", "nobody-here"]);
  assert.equal(code, 1);
  assert.match(stderr, /no user "nobody-here" on this machine.*CONFIG_INVALID/s);
});

test("createServer leaves its process as it is, and says so", () => {
  const config = { apps: { files: { static: "." } }, user: USER };
  assert.throws(() => createServer(config), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: /sallyport serve/,
  });
});
