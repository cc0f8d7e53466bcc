// The demonstration: every door answers, and what its recording says of the request is true.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import type { Door, DoorName } from "../../src/demo/door.ts";
import { missing, needs } from "../kit/needs.ts";
import { commandOf, descendantsOf, gone, isAlive } from "../kit/processes.ts";
import { sallyport } from "../kit/run-command.ts";
import type { Served } from "../kit/serve.ts";
import { until } from "../kit/until.ts";
import { doorsOf, json, type SentRecording, startDemo, type Visit, visit } from "./start-demo.ts";

let site: Served;
before(async () => {
  site = await startDemo();
});
after(() => site.stop());

const POST = { method: "POST", body: "abcde", headers: { "X-Greeting": "hi" } };

/** Where the process of a door is the server's own. */
const INSIDE: readonly DoorName[] = ["embedded", "fetch", "node"];
/** What a door needs of the machine. */
const NEEDS: Readonly<Partial<Record<DoorName, string>>> = { fetch: "node", node: "node", php: "php-cgi" };

/** Where the query is in the bytes that crossed; in calls there are none. */
const IN_BYTES: Readonly<Partial<Record<DoorName, string>>> = {
  cgi: "QUERY_STRING=name=you\0",
  fastcgi: "QUERY_STRINGname=you",
  scgi: "QUERY_STRING\0name=you\0",
  uwsgi: "QUERY_STRING\x08\0name=you",
  wsgi: "name=you",
  embedded: "name=you",
  asgi: "name=you",
  php: "QUERY_STRINGname=you",
};

const DOORS: readonly DoorName[] = [
  "cgi",
  "fastcgi",
  "scgi",
  "uwsgi",
  "wsgi",
  "embedded",
  "asgi",
  "fetch",
  "node",
  "php",
];

for (const door of DOORS)
  test(`the door ${door} answers, and its recording has what was handed over and answered`, async (t) => {
    if (!needs(t, NEEDS[door] ?? "python3")) return;
    const { status, text, recording } = await visit(site, `/${door}/hello?name=you`, POST);
    assert.equal(status, 200, text);
    assert.match(text, /^Hello, you!\nYour request has a body of 5 bytes\.\nI am process \d+/);
    const { handover, request, phases, process } = recording;
    assert.equal(request.mount, `/${door}`);
    assert.equal(Buffer.from(request.body.bytes, "base64").toString(), "abcde");
    assertFacts(await doorNamed(door), handover);
    assertBytes(door, handover.messages[0]?.bytes, recording);
    assert.equal(
      process?.pid,
      Number(/I am process (\d+)/.exec(text)?.[1]),
      "the process that says so itself",
    );
    assert.equal(process?.pid === site.pid, INSIDE.includes(door));
    assert.ok((process?.memory ?? 0) > 1_000_000, `${process?.memory} bytes`);
    assert.ok((process?.age ?? 0) > 0 && phases.total > 0);
  });

const doorNamed = async (id: DoorName): Promise<Door> =>
  (await doorsOf(site)).find((door) => door.id === id) as Door;

/** The names that the page gives to the facts are those under which the application finds them. */
function assertFacts({ facts, interface: named }: Door, handover: Visit["recording"]["handover"]): void {
  assert.equal(handover.interface, named);
  const names = handover.values.map(({ name }) => name);
  const { body, headers, ...others } = facts;
  const inProcess = named === "fetch" || named === "node";
  for (const name of Object.values(others)) assert.ok(names.includes(name), `${name} in ${names}`);
  assert.equal(handover.body.name, body);
  const header = headers.startsWith("HTTP_")
    ? "HTTP_X_GREETING"
    : inProcess
      ? "headers: x-greeting"
      : "headers";
  assert.ok(names.includes(header), `${header} in ${names}`);
}

function assertBytes(door: DoorName, bytes: string | undefined, { answer }: Visit["recording"]): void {
  const expected = IN_BYTES[door];
  const crossed = Buffer.from(bytes ?? "", "base64").toString("latin1");
  if (expected === undefined) return assert.equal(bytes, undefined);
  assert.ok(crossed.includes(expected), crossed);
  assert.ok(Buffer.from(answer.bytes, "base64").toString("latin1").includes("Hello, you!"));
  assert.ok(answer.fields.length > 0);
}

test("the listed doors have their code, their halves and their reason", async () => {
  for (const { id, code, halves, reason, path, available, why } of await doorsOf(site)) {
    assert.equal(path, `/${id}`);
    assert.equal(available, why === undefined);
    assert.ok(reason.length > 10 && halves.server.length === 3 && halves.application.length === 3);
    for (const { file } of code) assert.ok(existsSync(new URL(`../../${file}`, import.meta.url)), file);
    assert.match(code[0]?.text ?? "", /Hello, /);
  }
});

test("a CGI program is a new process each time, and the door counts them", {
  skip: missing("python3"),
}, async () => {
  const one = await visit(site, "/cgi/hello");
  const other = await visit(site, "/cgi/hello");
  assert.notEqual(one.recording.process?.pid, other.recording.process?.pid);
  assert.equal(other.recording.process?.answered, 1);
  assert.equal(other.recording.process?.started, (one.recording.process?.started ?? 0) + 1);
});

for (const door of ["fastcgi", "scgi", "uwsgi", "wsgi", "embedded", "asgi"] as const)
  test(`the process of ${door} stays, and counts as the application counts`, async (t) => {
    if (!needs(t, "python3")) return;
    const visits = [await visit(site, `/${door}/hello`), await visit(site, `/${door}/hello`)];
    const [one, other] = visits.map(({ recording }) => recording.process);
    assert.equal(one?.pid, other?.pid);
    assert.equal(other?.answered, (one?.answered ?? 0) + 1);
    assert.equal(other?.started, door === "embedded" ? 0 : 1);
    for (const { text, recording } of visits)
      assert.match(text, new RegExp(`this is request ${recording.process?.answered} that I answer`));
  });

test("several clients at the same time each get their own recording", async (t) => {
  if (!needs(t, "python3")) return;
  const names = ["ann", "bob", "cid", "dee"];
  const doors = ["cgi", "fastcgi", "wsgi", "asgi", "fetch"];
  const asked = doors.flatMap((door) =>
    names.map((name) => ({ name, target: `/${door}/hello?name=${name}` })),
  );
  const visits = await Promise.all(asked.map(({ target }) => visit(site, target)));
  for (const [i, { name, target }] of asked.entries()) {
    assert.match(visits[i]?.text ?? "", new RegExp(`Hello, ${name}!`));
    assert.ok(visits[i]?.recording.request.url.endsWith(target));
  }
});

/** Whether the application has the request of this recording. */
async function isInside(id: number): Promise<boolean> {
  const { steps } = await json<Partial<SentRecording>>(`${site.url}/demo/recordings/${id}`);
  return steps?.handedOver !== undefined;
}

for (const door of ["fastcgi", "scgi", "wsgi"] as const)
  test(`when the process of ${door} is killed, the request inside fails and another process starts`, async (t) => {
    if (!needs(t, "python3")) return;
    let kills = 0;
    let killed: Visit;
    let pid: number | undefined;
    do {
      const { recording: last } = await visit(site, `/${door}/hello`);
      pid = last.process?.pid;
      const waiting = visit(site, `/${door}/hello?wait=1`);
      await until(() => isInside(last.id + 1));
      process.kill(pid as number, "SIGKILL");
      kills++;
      killed = await waiting;
      await until(async () => (await fetch(`${site.url}/${door}/hello`)).status === 200);
    } while (killed.status === 200); // a busy machine: the second was over
    const { status, recording } = killed;
    assert.equal(status, 502);
    assert.match(`${recording.error}`, /ERR_SALLYPORT_(WORKER_DIED|UPSTREAM_BROKEN|CGI_NO_HEADER)/);
    assert.equal(recording.process?.pid, pid, "the recording names the process that died");
    const now = (await visit(site, `/${door}/hello`)).recording.process;
    assert.notEqual(now?.pid, pid);
    assert.equal(now?.started, 1 + kills);
  });

test("what is not there is said to be not there", async () => {
  const answer = async (path: string, init?: RequestInit) => {
    const response = await fetch(site.url + path, init);
    return [response.status, ((await response.json()) as { code: string }).code];
  };
  assert.deepEqual(await answer("/nothing"), [404, "ERR_SALLYPORT_NOT_FOUND"]);
  assert.deepEqual(await answer("/nothing.js"), [404, "ERR_SALLYPORT_NOT_FOUND"]);
  assert.deepEqual(await answer("/demo/recordings/999999"), [404, "ERR_SALLYPORT_NOT_FOUND"]);
  assert.deepEqual(await answer("/demo/race"), [405, "ERR_SALLYPORT_METHOD_NOT_ALLOWED"]);
  const post = (body: string) => answer("/demo/race", { method: "POST", body });
  assert.deepEqual(await post("no json"), [400, "ERR_SALLYPORT_BAD_REQUEST"]);
  assert.deepEqual(await post(`"${"x".repeat(5000)}"`), [413, "ERR_SALLYPORT_BODY_TOO_LARGE"]);
});

test("a page from elsewhere can start nothing and read nothing", async () => {
  const status = async (path: string, headers: Record<string, string>, method = "POST") =>
    (await fetch(site.url + path, { method, headers, ...(method === "POST" ? { body: "{}" } : {}) })).status;
  for (const path of ["/demo/race", "/demo/behind"]) {
    assert.equal(await status(path, { Origin: "http://evil.example" }), 403);
    assert.equal(await status(path, { "Sec-Fetch-Site": "cross-site" }), 403);
    assert.equal(await status(path, { Origin: site.url }), 400, "its own page may ask");
  }
  assert.equal(await status("/demo/doors", { "Sec-Fetch-Site": "cross-site" }, "GET"), 403);
});

test("its pages are served with a policy, and the modules of the dashboard beside them", async () => {
  const index = await fetch(`${site.url}/`);
  assert.equal(index.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(index.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.equal(
    (await fetch(`${site.url}/pages/dom.js`)).headers.get("content-type"),
    "text/javascript; charset=utf-8",
  );
});

test("the terminal says where to go", async () => {
  const [text] = await site.sees(/See what passes: open \S+ in a browser/);
  assert.ok(text.includes(`${site.url}/`), text);
});

test("where other machines reach it, it says so, in the form of its log, and names an address of this one", async (t) => {
  const other = await startDemo({}, "--host", "0.0.0.0", "--log-format", "json");
  t.after(() => other.stop());
  await other.sees(/^\{.*"message":"See what passes: open http:\/\/127\.0\.0\.1:\d+\/ in/m);
  await other.sees(/^\{.*"message":"Everybody who can reach this machine/m);
});

test("a port that is in use is said to be, with what to do", async () => {
  const { port } = new URL(site.url);
  const { code, stderr } = await sallyport(["demo", "--port", port]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /in use|another program is listening/);
  assert.match(stderr, /--port/);
});

test("it takes no target, and only options of its own", async () => {
  assert.match((await sallyport(["demo", "app:app"])).stderr, /takes no app:app/);
  assert.match(
    (await sallyport(["demo", "--threads", "2"])).stderr,
    /--threads is for .*, not for sallyport demo/,
  );
});

test("without php-cgi its door is closed, says how to get it, and the others work", async (t) => {
  const other = await startDemo({ PATH: "/nonexistent" });
  t.after(() => other.stop());
  const php = (await doorsOf(other)).find(({ id }) => id === "php");
  assert.equal(php?.available, false);
  assert.match(php?.why ?? "", /apt install php-cgi/);
  await other.sees(/Not shown: PHP\. php-cgi is not installed/);
  assert.equal((await fetch(`${other.url}/fetch/hello`)).status, 200);
  assert.equal((await fetch(`${other.url}/php/hello`)).status, 404);
});

test("its end ends every process, and removes its directory", { skip: missing("python3") }, async (t) => {
  const other = await startDemo();
  t.after(() => other.stop());
  const children = descendantsOf(other.pid);
  const scgi = children.map(commandOf).find((command) => command.includes("hello_scgi.py")) ?? "";
  const directory = dirname(scgi.split("\0").at(-2) ?? "");
  assert.ok(children.length >= 6 && existsSync(directory), directory);
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  assert.equal(existsSync(directory), false);
  await Promise.all(children.map(gone));
  assert.deepEqual(children.filter(isAlive), []);
});
