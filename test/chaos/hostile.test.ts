// Applications that do what they should not: the server outlives each, and says in its log what happened.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gone, isAlive, memoryOf } from "../kit/processes.ts";
import { until } from "../kit/until.ts";
import { Load, report } from "./load.ts";
import { APPS, LONG, PYTHON, type Site, startSite } from "./site.ts";

const python = { python: PYTHON, chdir: APPS };
const KINDS: Readonly<Record<string, { app: object; more?: object }>> = {
  WSGI: { app: { wsgi: "hostile_wsgi:app", timeout: "2s", ...python } },
  "WSGI threads": { app: { wsgi: "hostile_wsgi:app", threads: 4, timeout: "2s", ...python } },
  ASGI: { app: { asgi: "hostile_asgi:app", blockedTimeout: "2s", ...python } },
  embedded: {
    app: { wsgi: "hostile_wsgi:app", mode: "embedded", ...python },
    more: { serverProcesses: 2, serverProcessTimeout: "2s" },
  },
};

const start = (t: TestContext, name: string, more: object = {}): Promise<Site> => {
  const { app, more: settings } = KINDS[name] as (typeof KINDS)[string];
  return startSite(t, { apps: { app: { ...app, ...more } }, ...settings });
};

/** Status and text of an answer; status 0 when there was none. */
async function ask(site: Site, path: string): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(site.url + path, { headers: { connection: "close" } });
    return { status: response.status, text: await response.text() };
  } catch {
    return { status: 0, text: "" };
  }
}

/** A little load that must be answered right, from now on. */
async function servesOn(site: Site, name: string): Promise<void> {
  await until(async () => (await ask(site, "/sum?1")).status === 200);
  const load = new Load({ port: site.port, clients: 4, paths: ["/sum"] });
  await until(() => load.right >= 40 || load.failed > 0);
  const loaded = await load.stop();
  report(`after ${name}`, loaded);
  assert.deepEqual(loaded.causes, {}, site.stderr);
}

/** What a client gets, and what the log says; in embedded mode the connection ends, and the supervisor speaks. */
const ENDS = {
  deadlock: {
    status: 504,
    says: /worker \d+ hangs: it is ended and replaced[\s\S]*hostile_wsgi\.py", line \d+ in _deadlock/,
    // Its stack is written by itself, not by the log: which of them comes first is open.
    embedded: /^(?=[\s\S]*has been held by an application)[\s\S]*hostile_wsgi\.py", line \d+ in _deadlock/,
  },
  "close-all": {
    // One thread leaves its answers in shared memory, where they outlive the link.
    status: [200, 502],
    says: /worker \d+ (?:exited with status \d+|was killed by \w+); another starts/,
    embedded: /server process \d+ (exited with status|was killed by)/,
  },
  exit: {
    status: 502,
    says: /exited with status 3/,
    embedded: /server process \d+ exited with status 3: the requests inside it were cut/,
  },
};

for (const name of Object.keys(KINDS))
  for (const [act, { status, says, embedded }] of Object.entries(ENDS))
    test(`${name}: /${act} ends one process; the server says so and serves on`, async (t) => {
      const site = await start(t, name);
      const answer = await ask(site, `/${act}`);
      const expected = name === "embedded" ? [0] : [status].flat();
      assert.ok(expected.includes(answer.status), `${answer.status}: ${site.stderr}`);
      await site.sees(name === "embedded" ? embedded : says);
      await servesOn(site, `/${act} (${name})`);
    });

for (const name of ["WSGI", "WSGI threads", "ASGI"])
  test(`${name}: children of a fork, one that comes back among them, disturb no answer and end with the server`, async (t) => {
    const site = await start(t, name);
    assert.equal((await ask(site, "/fork-many")).text, "forked");
    for (let i = 0; i < 5; i++) assert.equal((await ask(site, "/fork-returns")).text, "parent");
    const child = Number((await ask(site, "/fork-child")).text);
    assert.ok(isAlive(child));
    await servesOn(site, `forks (${name})`);
    await site.stop();
    await gone(child);
  });

/** As many requests as it takes for so many processes to have had their share. */
const GENERATIONS = LONG ? 12 : 3;

for (const name of ["WSGI", "ASGI"])
  test(`${name}: a leak of 10 MB a request is bounded by maxRequests, and costs no request`, async (t) => {
    const site = await start(t, name, { maxRequests: 5 });
    const before = memoryOf(site.pid);
    const workers = new Set<string>();
    while (workers.size < GENERATIONS) {
      const { status, text } = await ask(site, "/leak");
      assert.equal(status, 200, site.stderr);
      workers.add(text.split(" ", 1)[0] as string);
      // A successor is imported while the old one goes on.
      await delay(100);
    }
    assert.match(site.stderr, /has served its share of requests; \d+ takes over/);
    assert.ok(memoryOf(site.pid) < before + (64 << 20), "the server holds none of it");
  });

test("an access log on a full disk: requests are served, and the log says that lines are missing", async (t) => {
  const { app } = KINDS.WSGI as { app: object };
  const site = await startSite(t, { apps: { app }, log: { access: "/dev/full" } });
  await servesOn(site, "a full disk under the access log");
  await site.sees(
    /\/dev\/full.*(ENOSPC|no space)|(ENOSPC|no space).*access log|access log.*(ENOSPC|no space)/i,
  );
});

/** A file system of 1 MiB; undefined where it may not be mounted. */
function smallDisk(t: TestContext): string | undefined {
  const path = mkdtempSync(join(tmpdir(), "sallyport-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", path], { stdio: "ignore" });
  } catch {
    rmdirSync(path);
    return undefined;
  }
  t.after(() => {
    execFileSync("umount", ["-l", path]);
    rmdirSync(path);
  });
  return path;
}

for (const name of ["WSGI", "ASGI"])
  test(`${name}: a body for which the disk has no room gets 507, smaller ones are served`, async (t) => {
    const disk = smallDisk(t);
    if (!disk) return t.skip("mounting a small file system needs root");
    const { app } = KINDS[name] as { app: object };
    const site = await startSite(t, { apps: { app } }, { TMPDIR: disk });
    const upload = (size: number): Promise<Response> =>
      fetch(`${site.url}/sum?1`, { method: "POST", body: new Uint8Array(size) });
    const { status } = await upload(4 << 20);
    // ASGI reads the body as it comes; nothing of it waits in a file.
    assert.equal(status, name === "WSGI" ? 507 : 200, site.stderr);
    if (name === "WSGI") await site.sees(/ERR_SALLYPORT_DISK_FULL/);
    assert.equal((await upload(200_000)).status, 200);
    await servesOn(site, `a full disk under bodies (${name})`);
  });
