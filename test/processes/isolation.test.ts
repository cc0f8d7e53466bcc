// Every kind of application process as another user and within limits, as the kernel sees it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Gateway, PushedBody } from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import type { IsolationOptions } from "../../src/options/isolation.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { cgi } from "../../src/protocols/cgi/index.ts";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";
import { bodyDirectory } from "../../src/workers/bodies.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { until } from "../kit/until.ts";

const APPS = fileURLToPath(new URL("../apps/isolation", import.meta.url));
const PYTHON = "/usr/bin/python3";
const IS_ROOT = process.getuid?.() === 0;
const USER = "www-data";
/** Why a test cannot be run here. */
const AS_ROOT = missing("setpriv", "prlimit") || (IS_ROOT ? false : "only root may become another user");
const LIMITS = missing("prlimit");

interface Facts {
  /** The texts of /proc/self/status and /proc/self/limits. */
  readonly proc: string;
  readonly umask: number;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly body: number;
}

type Kind = (options: IsolationOptions & { readonly chdir?: string }) => Gateway;

/** The kinds of processes that can answer with facts about themselves. */
const KINDS: Readonly<Record<string, Kind>> = {
  "a WSGI worker": (options) => wsgi("report:wsgi", { chdir: APPS, python: PYTHON, ...options }),
  "a WSGI worker with threads": (options) =>
    wsgi("report:wsgi", { chdir: APPS, python: PYTHON, threads: 2, ...options }),
  "an ASGI worker": (options) => asgi("report:asgi", { chdir: APPS, python: PYTHON, ...options }),
  "a CGI program": (options) => cgi({ program: join(APPS, "report.py"), ...options }),
  "an interpreter of CGI programs": (options) =>
    cgi({ program: APPS, interpreters: { ".py": PYTHON }, ...options }),
};

async function started(t: TestContext, made: Gateway): Promise<Gateway> {
  const gateway = lint(made);
  t.after(() => gateway.close?.(1000));
  await gateway.start?.();
  return gateway;
}

async function factsOf(gateway: Gateway, request: RecordedRequest = {}): Promise<Facts> {
  const exchange = new RecordedExchange({ target: "/report.py", ...request });
  gateway.handle(exchange);
  const { body } = await exchange.done;
  return JSON.parse(String(body)) as Facts;
}

const idsOf = (user: string, option: string): string =>
  execFileSync("id", [option, user], { encoding: "utf8" }).trim();
/** `Uid`: "33 33 33 33". */
const line = (proc: string, name: string): string =>
  new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(proc)?.[1]?.trim().replace(/\s+/g, " ") ?? "";
const four = (id: string): string => [id, id, id, id].join(" ");

function assertIsUser(proc: string): void {
  assert.equal(line(proc, "Uid"), four(idsOf(USER, "-u")));
  assert.equal(line(proc, "Gid"), four(idsOf(USER, "-g")));
  assert.equal(line(proc, "Groups"), idsOf(USER, "-G"));
  assert.match(line(proc, "CapEff"), /^0+$/);
}

const RLIMITS = {
  openFiles: 200,
  memory: 4 * 2 ** 30,
  cpuTime: 59_001,
  processes: 900,
  core: 0,
  fileSize: 2 ** 20,
} as const;

function assertLimited(proc: string): void {
  assert.match(proc, /^Max open files +200 +200 /m);
  assert.match(proc, /^Max address space +4294967296 +4294967296 /m);
  assert.match(proc, /^Max cpu time +60 +61 /m);
  assert.match(proc, /^Max processes +900 +900 /m);
  assert.match(proc, /^Max core file size +0 +0 /m);
  assert.match(proc, /^Max file size +1048576 +1048576 /m);
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`${kind} runs as its user with that user's groups only, and no right of root's`, {
    skip: AS_ROOT,
  }, async (t) => {
    const { proc, env } = await factsOf(await started(t, make({ user: USER })));
    assertIsUser(proc);
    if (!kind.includes("CGI")) assert.deepEqual([env.USER, env.LOGNAME], [USER, USER]);
    assert.notEqual(env.HOME, "/root");
  });

  test(`${kind} runs within its limits, below its umask`, { skip: LIMITS }, async (t) => {
    const facts = await factsOf(await started(t, make({ umask: 0o027, rlimits: RLIMITS })));
    assertLimited(facts.proc);
    assert.equal(facts.umask, 0o027);
  });

  test(`${kind} gets variables of the server's environment by name, and never those of the server itself`, async (t) => {
    const secrets = {
      OUR_SECRET: "1",
      OUR_NAMED: "2",
      SALLYPORT_ADMIN_TOKEN: "3",
      LISTEN_FDS: "4",
      LC_TIME: "C",
    };
    Object.assign(process.env, secrets);
    t.after(() => {
      for (const name of Object.keys(secrets)) delete process.env[name];
    });
    const { env } = await factsOf(
      await started(t, make({ inheritEnv: ["OUR_N*", "SALLYPORT_*", "LISTEN_FDS"] })),
    );
    const { OUR_SECRET, OUR_NAMED, SALLYPORT_ADMIN_TOKEN, LISTEN_FDS, LC_TIME } = env;
    assert.deepEqual(
      { OUR_SECRET, OUR_NAMED, SALLYPORT_ADMIN_TOKEN, LISTEN_FDS, LC_TIME },
      {
        OUR_SECRET: undefined,
        OUR_NAMED: "2",
        SALLYPORT_ADMIN_TOKEN: undefined,
        LISTEN_FDS: undefined,
        LC_TIME: "C",
      },
    );
    assert.ok(env.PATH);
  });
}

const CGI_VARIABLES = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "POST",
  CONTENT_LENGTH: "9",
  HTTP_PROXY: "http://evil",
  HTTP_COOKIE: "id=1",
  REMOTE_USER: "anna",
  SCRIPT_NAME: "/app.cgi",
};

for (const kind of ["a WSGI worker", "an ASGI worker"]) {
  test(`C1: ${kind} of a server that is itself a CGI program does not get the request's variables`, async (t) => {
    const given = { ...CGI_VARIABLES, FCGI_WEB_SERVER_ADDRS: "192.0.2.1", OUR_OWN: "1" };
    Object.assign(process.env, given);
    t.after(() => {
      for (const name of Object.keys(given)) delete process.env[name];
    });
    const make = KINDS[kind] as Kind;
    const { env } = await factsOf(await started(t, make({ inheritEnv: ["*"] })));
    assert.deepEqual(
      Object.keys(given).filter((name) => name in env),
      ["OUR_OWN"],
    );
  });
}

test("a server that is no CGI program passes on variables that have such names", async (t) => {
  process.env.SERVER_ADMIN = "anna";
  t.after(() => delete process.env.SERVER_ADMIN);
  const make = KINDS["a WSGI worker"] as Kind;
  const { env } = await factsOf(await started(t, make({ inheritEnv: ["*"] })));
  assert.equal(env.SERVER_ADMIN, "anna");
});

test("all at once: the limits are set as root, then the user", { skip: AS_ROOT }, async (t) => {
  const make = KINDS["a WSGI worker"] as Kind;
  const facts = await factsOf(await started(t, make({ user: USER, umask: 0o077, rlimits: RLIMITS })));
  assertIsUser(facts.proc);
  assertLimited(facts.proc);
  assert.equal(facts.umask, 0o077);
});

test("the groups of a user that has several are all there", { skip: AS_ROOT }, async (t) => {
  const lines = execFileSync("getent", ["group"], { encoding: "utf8" }).split("\n");
  const member = lines.map((each) => each.split(":")[3]?.split(",")[0]).find(Boolean);
  if (member === undefined) return t.skip("no user of this machine has several groups");
  const { proc } = await factsOf(await started(t, (KINDS["a CGI program"] as Kind)({ user: member })));
  const sorted = (ids: string): string[] => ids.split(" ").sort();
  assert.deepEqual(sorted(line(proc, "Groups")), sorted(idsOf(member, "-G")));
  assert.ok(line(proc, "Groups").includes(" "));
});

test("a group of its own, by number, takes the place of the user's", { skip: AS_ROOT }, async (t) => {
  const { proc } = await factsOf(
    await started(t, (KINDS["a CGI program"] as Kind)({ user: 12345, group: 54321 })),
  );
  assert.deepEqual(
    [line(proc, "Uid"), line(proc, "Gid"), line(proc, "Groups")],
    [four("12345"), four("54321"), ""],
  );
});

test("a process that the limit of its user does not allow is told as that, and not as a fault of the application", {
  skip: AS_ROOT,
}, async (t) => {
  // Nobody else on this machine has this number.
  const options = { user: 54398, group: 54398, rlimits: { processes: 1 }, processes: 4 };
  const gateway = wsgi("report:wsgi", { chdir: APPS, python: PYTHON, ...options });
  t.after(() => gateway.close?.(0));
  await assert.rejects(async () => gateway.start?.(), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
    message: /python3 could not be started: the system allows no more processes and threads \(rlimits\.proc/,
  });
});

test("a FastCGI application that is started runs as its user, within its limits", {
  skip: AS_ROOT,
}, async (t) => {
  const folder = makeFolder(t);
  chmodSync(folder, 0o777);
  const file = join(folder, "pid");
  const script = `umask > ${file}.umask; echo $$ > ${file}.new; mv ${file}.new ${file}; exec sleep 600`;
  const options = { user: USER, umask: 0o027, rlimits: RLIMITS };
  await started(t, fastcgi({ command: ["/bin/sh", "-c", script], ...options }));
  await until(() => existsSync(file));
  const pid = readFileSync(file, "utf8").trim();
  const proc = ["status", "limits"].map((name) => readFileSync(`/proc/${pid}/${name}`, "utf8")).join("");
  assertIsUser(proc);
  assertLimited(proc);
  assert.equal(readFileSync(`${file}.umask`, "utf8"), "0027\n");
});

/** A body that comes in pieces, so that it is set aside: what is whole travels with its request. */
function arriving(size: number): PushedBody {
  const body = new PushedBody(size, { pause() {}, resume() {} });
  for (let sent = 0; sent < size; sent += 50_000) body.push(Buffer.alloc(50_000, "x"));
  body.end();
  return body;
}

const PYTHON_KINDS = ["a WSGI worker", "a WSGI worker with threads", "an ASGI worker"];

for (const kind of PYTHON_KINDS)
  test(`a request body that arrives in pieces reaches the application's user, and leaves no file: ${kind}`, {
    skip: AS_ROOT,
  }, async (t) => {
    const gateway = await started(t, (KINDS[kind] as Kind)({ user: USER }));
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    const facts = await factsOf(gateway, { method: "POST", body: arriving(300_000) });
    assert.equal(facts.body, 300_000);
    const directory = await bodyDirectory(Number(idsOf(USER, "-g")));
    await until(() => readdirSync(directory).length === 0);
  });

const FAULTS: readonly (readonly [string, Kind, Parameters<Kind>[0], RegExp])[] = [
  [
    "there is no such user",
    KINDS["a WSGI worker"] as Kind,
    { user: "nobody-here" },
    /no user "nobody-here".*create it/,
  ],
  ["there is no such group", KINDS["a CGI program"] as Kind, { group: "no-group" }, /no group "no-group"/],
  [
    "a number has no entry, and so no group",
    KINDS["an ASGI worker"] as Kind,
    { user: 12345 },
    /name its group/,
  ],
];

for (const [fault, make, options, message] of FAULTS) {
  test(`${fault}: the start fails with advice`, { skip: AS_ROOT }, async () => {
    await assert.rejects(async () => make(options).start?.(), {
      code: "ERR_SALLYPORT_CONFIG_INVALID",
      message,
    });
  });
}

test("a directory that its user cannot enter, or a program that it cannot execute, fails the start", {
  skip: AS_ROOT,
}, async (t) => {
  const closed = join(makeFolder(t), "closed");
  mkdirSync(closed, { mode: 0o700 });
  writeFileSync(join(closed, "program"), "#!/bin/sh\n", { mode: 0o755 });
  const code = "ERR_SALLYPORT_SPAWN_FAILED";
  const make = (kind: string, options: Parameters<Kind>[0]) => async () =>
    (KINDS[kind] as Kind)(options).start?.();
  const enters = { code, message: /as user www-data: it cannot enter .*closed; give that user access/ };
  await assert.rejects(make("a WSGI worker", { user: USER, chdir: closed }), enters);
  await assert.rejects(make("a CGI program", { user: USER, chdir: closed }), enters);
  const program = join(closed, "program");
  const executes = { code, message: /it cannot execute .*program/ };
  await assert.rejects(async () => cgi({ program, user: USER }).start?.(), executes);
  await assert.rejects(async () => fastcgi({ command: [program], user: USER }).start?.(), executes);
});

test("what only root may ask for is refused to others", {
  skip: IS_ROOT ? "the tests run as root" : LIMITS,
}, async () => {
  const make = KINDS["a WSGI worker"] as Kind;
  await assert.rejects(async () => make({ user: "root" }).start?.(), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: /only root may/,
  });
  await assert.rejects(async () => make({ rlimits: { openFiles: 2 ** 30 } }).start?.(), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
    message: /hard limit/,
  });
});

test("a limit that the system does not know fails the start", { skip: AS_ROOT }, async () => {
  const make = KINDS["a CGI program"] as Kind;
  const refused = { code: "ERR_SALLYPORT_SPAWN_FAILED", message: /within its limits: prlimit: .*rlimits/ };
  await assert.rejects(async () => make({ rlimits: { openFiles: 2 ** 40 } }).start?.(), refused);
});

test("pathsend, by which the server reads files for the app, and embedded Python allow no other user", async () => {
  const invalid = { code: "ERR_SALLYPORT_CONFIG_INVALID" };
  await assert.rejects(
    async () => asgi("report:asgi", { pathsend: true, user: USER, chdir: APPS }).start?.(),
    invalid,
  );
  assert.throws(() => wsgi("report:wsgi", { mode: "embedded", user: USER }), invalid);
});
