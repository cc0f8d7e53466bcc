// The inspector's endpoints at real servers, with one server process and with two: captured exchanges, replays, requests
// under way, live data, the pages, and who is refused.
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { Inspections } from "../../src/admin/inspection.ts";
import { MOST_STREAMS } from "../../src/admin/live.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const APP = `
import os, sys, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/say": print("somebody said so", file=sys.stderr, flush=True)
    if path == "/wait":
        print("somebody waits", file=sys.stderr, flush=True)
        while not os.path.exists("go"): time.sleep(0.02)
    body = b"" if path == "/unread" else environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    with open("seen", "a") as seen: seen.write(path + " " + environ.get("HTTP_COOKIE", "-") + " " + str(len(body)) + "\\n")
    return [b"seen by ", environ.get("HTTP_X_WHO", "nobody").encode(), b": ", body]
`;

interface Opened {
  readonly server: Served;
  readonly folder: string;
  admin<T = Json>(
    method: string,
    path: string,
    body?: string,
    headers?: Record<string, string>,
  ): Promise<Reply<T>>;
}

interface Reply<T> {
  readonly status: number;
  readonly json: T;
  readonly headers: Headers;
}

// biome-ignore lint/suspicious/noExplicitAny: what is in it is asserted
type Json = any;

async function open(t: TestContext, processes: number, ...more: string[]): Promise<Opened> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "shop.py"), APP);
  writeFileSync(
    join(folder, "sallyport.json"),
    JSON.stringify({
      listen: ["127.0.0.1:0"],
      log: { access: "off" },
      apps: {
        shop: { wsgi: "shop:app", threads: 4 },
        other: { wsgi: "shop:app", threads: 4 },
        files: { static: "." },
      },
      routes: [
        { path: "/", app: "shop" },
        { path: "/other", app: "other" },
        { path: "/files", app: "files" },
      ],
      serverProcesses: processes,
    }),
  );
  const config = ["--config", join(folder, "sallyport.json"), "--admin", "127.0.0.1:0", ...more];
  const server = await serve(config, { cwd: folder });
  t.after(() => server.stop());
  const [, url = ""] = await server.sees(/admin listener is at (\S+)/);
  if (processes > 1) await server.sees(/2 server processes serve/);
  const admin = async <T>(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json";
    return {
      status: response.status,
      headers: response.headers,
      json: (isJson ? JSON.parse(text) : text) as T,
    };
  };
  return { server, folder, admin };
}

/** What `find` finds, once it does. */
async function found(find: () => Promise<Json>): Promise<Json> {
  let value: Json;
  await until(async () => {
    value = await find();
    return value !== undefined;
  });
  return value;
}

const post = (
  server: Served,
  path: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<string> =>
  fetch(server.url + path, { method: "POST", body, headers: { connection: "close", ...headers } }).then(
    (answer) => answer.text(),
  );

for (const processes of [1, 2]) {
  describe(`the inspector with ${processes} server process${processes > 1 ? "es" : ""}`, () => {
    test("captures while it is on, masks secrets, and replays with the true ones", async (t) => {
      const { server, admin, folder } = await open(t, processes);
      await post(server, "/before", "x");
      assert.deepEqual((await admin("GET", "/captures")).json.recordings, []);
      assert.equal((await admin("POST", "/captures")).json.on, true);
      const sent = { cookie: "sid=topsecret", "x-who": "me" };
      for (let i = 0; i < 4; i++)
        assert.equal(await post(server, `/a${i}`, "hello", sent), "seen by me: hello");
      assert.equal((await admin("POST", "/captures", '{"on": false}')).json.on, false);
      await post(server, "/after", "x");
      const { recordings } = (await admin("GET", "/captures")).json;
      assert.deepEqual(recordings.map(({ target }: Json) => target).sort(), ["/a0", "/a1", "/a2", "/a3"]);
      assert.equal(new Set(recordings.map(({ id }: Json) => id)).size, 4);

      const [{ id, target }] = recordings;
      const shown = (await admin("GET", `/captures/${id}`)).json;
      assert.equal(JSON.stringify(shown).includes("topsecret"), false);
      const value = (name: string): string =>
        shown.handover.values.find((each: Json) => each.name === name)?.value;
      assert.deepEqual([value("PATH_INFO"), value("HTTP_X_WHO")], [target, "me"]);
      assert.equal(Buffer.from(shown.response.body.bytes, "base64").toString(), "seen by me: hello");
      assert.equal(shown.handover.messages.length > 0, true);
      const download = await admin("GET", `/captures/${id}.json`);
      assert.equal(
        download.headers.get("content-disposition"),
        `attachment; filename="sallyport-${id}.json"`,
      );

      const again = (await admin("POST", `/captures/${id}/replay`, '{"app": "other"}')).json;
      const replayed = await found(async () => {
        const view = (await admin("GET", `/captures/${again.id}`)).json;
        return view.over ? view : undefined;
      });
      assert.deepEqual([replayed.app, replayed.replayOf, replayed.status], ["other", id, 200]);
      assert.equal(replayed.response.body.bytes, shown.response.body.bytes);
      const seen = readFileSync(join(folder, "seen"), "utf8").split("\n");
      assert.equal(seen.filter((line) => line === `${target} sid=topsecret 5`).length, 2);

      assert.deepEqual((await admin("DELETE", "/captures")).json.recordings, []);
      assert.equal((await admin("GET", `/captures/${id}`)).status, 404);
    });

    test("says why it cannot: unknown ids, cut and unread bodies, apps that are not there", async (t) => {
      const { server, admin } = await open(t, processes);
      await admin("POST", "/captures");
      await post(server, "/long", "x".repeat(70_000));
      const [{ id }] = (await admin("GET", "/captures")).json.recordings;
      const refused = async (path: string, body = ""): Promise<unknown[]> => {
        const { status, json } = await admin("POST", path, body);
        return [status, json.code];
      };
      assert.deepEqual(await refused(`/captures/${id}/replay`), [409, "ERR_SALLYPORT_NOT_REPLAYABLE"]);
      assert.deepEqual(await refused(`/captures/${id}/replay`, "{"), [400, "ERR_SALLYPORT_BAD_REQUEST"]);
      assert.deepEqual(await refused(`/captures/${id}/replay`, '{"app": 3}'), [
        400,
        "ERR_SALLYPORT_BAD_REQUEST",
      ]);
      assert.deepEqual(await refused("/captures/1-1/replay"), [404, "ERR_SALLYPORT_NOT_FOUND"]);
      assert.deepEqual(await refused("/captures/x/replay"), [404, "ERR_SALLYPORT_NOT_FOUND"]);
      assert.deepEqual(await refused("/captures", '{"on": 1}'), [400, "ERR_SALLYPORT_BAD_REQUEST"]);
      await post(server, "/small", "x");
      const latest = (await admin("GET", "/captures")).json.recordings[0].id;
      assert.deepEqual(await refused(`/captures/${latest}/replay`, '{"app": "shep"}'), [
        404,
        "ERR_SALLYPORT_APP_UNKNOWN",
      ]);
      const cut = (await admin("GET", `/captures/${id}`)).json.request.body;
      assert.deepEqual([cut.cut, cut.size], [true, 70_000]);
    });

    test("shows what is under way, with its phase and the process that has it", async (t) => {
      const { server, admin, folder } = await open(t, processes);
      const answered = post(server, "/wait?a=1", "x");
      const request = await found(async () => {
        const { requests } = (await admin("GET", "/requests")).json;
        return requests.find(({ phase }: Json) => phase === "application");
      });
      assert.deepEqual([request.app, request.method, request.target], ["shop", "POST", "/wait?a=1"]);
      const status = (await admin("GET", "/status")).json;
      const server_ = status.serverProcesses.find(({ pid }: Json) => pid === request.serverProcess);
      assert.deepEqual(
        server_.apps.shop.processes.map(({ pid }: Json) => pid),
        [request.pid],
      );
      writeFileSync(join(folder, "go"), "");
      await answered;
      await until(async () => (await admin("GET", "/requests")).json.total === 0);
    });

    test("the log of all processes is there, from a time on, and only what the log has", async (t) => {
      const { server, admin } = await open(t, processes);
      await post(server, "/say", "x", { authorization: "Bearer tellnobody" });
      const lines = await found(async () => {
        const { lines } = (await admin("GET", "/log")).json;
        return lines.some(({ text }: Json) => text.includes("somebody said so")) ? lines : undefined;
      });
      for (const { text, level, at, pid } of lines) {
        await until(() => server.stderr.includes(text));
        assert.ok(text.startsWith(new Date(at).toISOString()) && text.includes(level.toUpperCase()), text);
        assert.equal(typeof pid, "number");
      }
      assert.equal(JSON.stringify(lines).includes("tellnobody"), false);
      const said = lines.find(({ text }: Json) => text.includes("somebody said so"));
      const { serverProcesses, pid } = (await admin("GET", "/status")).json;
      assert.ok(serverProcesses.some((each: Json) => each.pid === said.pid));
      const own = lines.find(({ text }: Json) => text.includes("the admin listener is at"));
      assert.equal(own.pid, pid);
      const later = (await admin("GET", `/log?since=${said.at}`)).json.lines;
      assert.ok(later.length < lines.length && later.some(({ id }: Json) => id === said.id));
      for (const since of ["x", "-1"])
        assert.deepEqual((await admin("GET", `/log?since=${since}`)).json.code, "ERR_SALLYPORT_BAD_REQUEST");
    });

    test("a reload shows old and new processes, and what the old ones still have; their last lines stay", async (t) => {
      const { server, admin, folder } = await open(t, processes);
      const answered = post(server, "/wait", "x");
      const slow = await found(async () =>
        (await admin("GET", "/requests")).json.requests.find(({ phase }: Json) => phase === "application"),
      );
      assert.equal((await admin("POST", "/reload")).status, 200);
      const { serverProcesses } = (await admin("GET", "/status")).json;
      const all: Json[] = processes === 1 ? serverProcesses[0].apps.shop.processes : serverProcesses;
      const shown = all.map(({ pid, generation, state }) => [
        pid === (processes === 1 ? slow.pid : slow.serverProcess),
        generation,
        state,
      ]);
      assert.ok(
        shown.some(([has, generation, state]) => has && generation === 1 && /draining|leaving/.test(state)),
      );
      assert.ok(shown.some(([, generation, state]) => generation === 2 && /idle|serving/.test(state)));
      const [still] = (await admin("GET", "/requests")).json.requests;
      assert.deepEqual([still.id, still.pid], [slow.id, slow.pid]);
      const stacks = (await admin("GET", "/apps/shop/stacks")).json;
      assert.ok(stacks.some(({ pid, requests }: Json) => pid === slow.pid && requests[0].target === "/wait"));
      writeFileSync(join(folder, "go"), "");
      await answered;
      await until(async () => {
        const status = (await admin("GET", "/status")).json;
        const now = processes === 1 ? status.serverProcesses[0].apps.shop.processes : status.serverProcesses;
        return now.every(({ generation }: Json) => generation === 2);
      });
      const { lines } = (await admin("GET", "/log")).json;
      assert.ok(lines.some(({ text }: Json) => text.includes("somebody waits")));
    });

    test("only so many replays at a time", async (t) => {
      const { server, admin, folder } = await open(t, processes);
      await admin("POST", "/captures");
      writeFileSync(join(folder, "go"), "");
      await post(server, "/wait", "x");
      const [{ id }] = (await admin("GET", "/captures")).json.recordings;
      rmSync(join(folder, "go"));
      const again = (): Promise<Reply<Json>> => admin("POST", `/captures/${id}/replay`);
      for (let i = 0; i < 8; i++) assert.equal((await again()).status, 200);
      const { status, json } = await again();
      assert.deepEqual([status, json.code], [503, "ERR_SALLYPORT_QUEUE_FULL"]);
      assert.match(json.message, /8 replays are under way/);
      writeFileSync(join(folder, "go"), "");
      await until(async () => (await again()).status === 200);
    });

    test("the stream of live data counts, and there are only so many of them", async (t) => {
      const { server, admin } = await open(t, processes);
      const [, url] = await server.sees(/admin listener is at (\S+)/);
      const stop = new AbortController();
      t.after(() => stop.abort());
      const openStream = (): Promise<Response> => fetch(`${url}/events`, { signal: stop.signal });
      const streams = await Promise.all(Array.from({ length: MOST_STREAMS }, openStream));
      assert.equal(streams[0]?.headers.get("content-type"), "text/event-stream");
      assert.equal((await admin("GET", "/events")).json.code, "ERR_SALLYPORT_QUEUE_FULL");
      await post(server, "/x", "x");
      let text = "";
      const [first] = streams as [Response, ...Response[]];
      for await (const chunk of first.body as unknown as AsyncIterable<Uint8Array>) {
        text += Buffer.from(chunk).toString();
        const last = text.split("\n\n").at(-2);
        if (!last) continue;
        const data = JSON.parse(last.replace(/^data: /, ""));
        if (data.apps.shop?.statuses["2xx"] !== 1) continue;
        assert.equal(data.apps.shop.durations.length, data.bounds.length + 1);
        assert.equal(data.status.serverProcesses.length, processes);
        break;
      }
      await Promise.all(streams.slice(1).map((stream) => stream.body?.cancel()));
      await until(async () => (await fetch(`${url}/events`, { method: "HEAD" })).status === 200);
    });
  });
}

test("a new server process goes on capturing, and what the old one had is gone", async (t) => {
  const { server, admin } = await open(t, 2);
  await admin("POST", "/captures");
  await post(server, "/x", "x");
  const [{ id }] = (await admin("GET", "/captures")).json.recordings;
  assert.equal((await admin("POST", "/reload")).status, 200);
  assert.equal((await admin("GET", "/captures")).json.on, true);
  await post(server, "/y", "y");
  await until(async () => {
    const { recordings } = (await admin("GET", "/captures")).json;
    return recordings.map(({ target }: Json) => target).join() === "/y";
  });
  assert.match((await admin("GET", `/captures/${id}`)).json.message, /has ended/);
});

test("an app that a reload replaces is shown until its last request is over", async (t) => {
  const { server, admin, folder } = await open(t, 1);
  const answered = post(server, "/wait", "x");
  const slow = await found(async () =>
    (await admin("GET", "/requests")).json.requests.find(({ phase }: Json) => phase === "application"),
  );
  const file = join(folder, "sallyport.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"threads":4', '"threads":3'));
  assert.equal((await admin("POST", "/reload")).status, 200);
  const shop = async (): Promise<Json[]> =>
    (await admin("GET", "/status")).json.serverProcesses[0].apps.shop.processes;
  const old = (await shop()).find(({ pid }) => pid === slow.pid);
  assert.deepEqual([old.state, old.generation], ["draining", undefined]);
  assert.ok((await shop()).some(({ generation }) => generation === 1));
  const stacks = (await admin("GET", "/apps/shop/stacks")).json;
  assert.ok(stacks.some(({ pid }: Json) => pid === slow.pid));
  writeFileSync(join(folder, "go"), "");
  await answered;
  await until(async () => (await shop()).every(({ pid }) => pid !== slow.pid));
});

test("a static app is captured, and is handed nothing", async (t) => {
  const { server, admin } = await open(t, 1);
  await admin("POST", "/captures");
  await fetch(`${server.url}/files/shop.py`);
  const [{ id }] = (await admin("GET", "/captures")).json.recordings;
  const { app, status, handover } = (await admin("GET", `/captures/${id}`)).json;
  assert.deepEqual([app, status, handover], ["files", 200, undefined]);
});

test("pages are for everybody, data for those who have the token, nothing for other sites", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "token"), "0123456789abcdef");
  const { admin } = await open(t, 1, "--admin-token-file", join(folder, "token"));
  const page = await admin("GET", "/");
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'; script-src 'self'/);
  for (const name of String(page.json).matchAll(/(?:src|href)="\.?\/?(pages\/[^"]+)"/g))
    assert.equal((await admin("GET", `/${name[1]}`)).status, 200, name[1]);
  assert.equal((await admin("GET", "/pages/nothing.js")).status, 404);
  const closed = ["GET /captures", "POST /captures", "DELETE /captures", "GET /requests", "GET /events"];
  const token = { authorization: "Bearer 0123456789abcdef" };
  for (const [method = "", path = ""] of closed.map((each) => each.split(" "))) {
    assert.equal((await admin(method, path)).status, 401, path);
    const foreign = { ...token, origin: "http://evil.example" };
    assert.equal((await admin(method, path, undefined, foreign)).json.code, "ERR_SALLYPORT_FORBIDDEN", path);
  }
  assert.equal((await admin("POST", "/captures", undefined, token)).json.on, true);
});

test("lists over many server processes are bounded, the latest and the oldest first", async () => {
  const rows = Array.from({ length: 300 }, (_, i) => ({ id: i, at: i, age: i, text: `${i}` }));
  const answers: Json = {
    captures: { left: 0, recordings: rows },
    requests: { total: 300, requests: rows },
    log: rows,
  };
  const inspectors = [1, 2].map((pid) => ({ pid, ask: async ({ inspect }: Json) => answers[inspect] }));
  const inspections = new Inspections({ inspectors });
  const { recordings } = await inspections.captures();
  assert.deepEqual([recordings.length, recordings[0]?.at, recordings.at(-1)?.at], [500, 299, 50]);
  const { total, requests } = await inspections.requests();
  assert.deepEqual([total, requests.length, requests[0]?.age, requests.at(-1)?.age], [600, 500, 299, 50]);
  const { lines } = await inspections.log(0);
  assert.deepEqual([lines.length, lines[0]?.at, lines.at(-1)?.at], [500, 50, 299]);
});
