// `sallyport stacks APP` at real servers, with one server process and with two; and how much of it is told.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fitting, stacksText } from "../../src/control/stacks.ts";
import type { ProcessStacks } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { type Ended, sallyport } from "../kit/run-command.ts";
import { serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const SHOP = `import os, sys, time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open("inside", "w").close()
        print("slow", file=sys.stderr, flush=True)
        while not os.path.exists("go"): time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
`;

const frame = (line: number, app: boolean) => ({
  file: "/srv/shop.py",
  line,
  function: "pay",
  source: app ? "charge()\u001b[2J" : "",
  app,
});
const request = {
  method: "GET",
  target: "/pay",
  age: 65_000,
  place: "loop",
  frames: [frame(3, false), frame(7, true)],
} as const;

test("an answer is bounded: processes that no longer fit say so, and keep their number of requests", () => {
  const all: ProcessStacks[] = [1, 2, 3].map((pid) => ({ pid, requests: [request], others: 2 }));
  const size = JSON.stringify(all[0]).length;
  assert.deepEqual(fitting(all), all);
  const [first, second, third] = fitting(all, size * 2);
  assert.deepEqual([first, second], all.slice(0, 2));
  assert.deepEqual([third?.requests.length, third?.others], [0, 3]);
  assert.match(third?.reason ?? "", /too large/);
});

test("text marks the user's own code, and passes no escape sequence on", () => {
  const text = stacksText("shop", [
    { pid: 9, requests: [request, { ...request, place: undefined, frames: [] }], others: 1 },
    { pid: 10, requests: [{ ...request, frames: [], place: undefined }], others: 0, reason: "too busy" },
  ]);
  assert.equal(
    text,
    `GET /pay  1 min 5 s, process 9, holds the event loop: no other task goes on meanwhile
  File "/srv/shop.py", line 3, in pay
> File "/srv/shop.py", line 7, in pay
      charge()?[2J

GET /pay  1 min 5 s, process 9
  it waits inside the process, or has just ended: no code of the application runs for it

process 9: 1 more request

GET /pay  1 min 5 s, process 10

process 10: too busy
`,
  );
  assert.equal(stacksText("shop", []), "no request is in the app shop at the moment\n");
});

for (const count of [1, 2])
  test(`serverProcesses ${count}: stacks tells people and programs where a request is`, async (t) => {
    const folder = makeFolder(t);
    mkdirSync(join(folder, "public"));
    writeFileSync(join(folder, "shop.py"), SHOP);
    const config = {
      listen: ["127.0.0.1:0"],
      apps: { shop: { wsgi: "shop" }, files: { static: "public" } },
      routes: [{ app: "shop" }, { path: "/files", app: "files" }],
      serverProcesses: count,
      control: "control.sock",
      log: { access: "off" },
    };
    writeFileSync(join(folder, "site.json"), JSON.stringify(config));
    const server = await serve(["--config", "site.json"], { cwd: folder });
    t.after(() => server.stop());
    const run = (...args: string[]): Promise<Ended> =>
      sallyport([...args, "--control", "control.sock"], folder);

    assert.deepEqual(await run("stacks", "shop"), {
      code: 0,
      stdout: "no request is in the app shop at the moment\n",
      stderr: "",
    });
    const slow = fetch(`${server.url}/slow?n=1`);
    await server.sees(/slow/);
    const text = await run("stacks", "shop");
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, /^GET \/slow\?n=1 {2}.*, process \d+, in a thread$/m);
    assert.match(text.stdout, /^> File ".*\/shop\.py", line 6, in application\n {6}while not os\.path/m);
    const json = await run("stacks", "shop", "--json");
    const [process, ...others] = JSON.parse(json.stdout) as ProcessStacks[];
    assert.deepEqual(others, []);
    assert.equal(process?.requests[0]?.frames.at(-1)?.line, 6);
    writeFileSync(join(folder, "go"), "");
    assert.equal(await (await slow).text(), "done");

    const files = await run("stacks", "files");
    assert.equal(files.code, 1);
    assert.match(
      files.stderr,
      /app files \(static\) has no Python stacks to show.*ERR_SALLYPORT_STACKS_UNAVAILABLE/,
    );
    const unknown = await run("stacks", "shopp");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /there is no app "shopp".*ERR_SALLYPORT_APP_UNKNOWN/);
    assert.match((await run("stacks")).stderr, /which app\? sallyport stacks APP/);
  });

test("an embedded app that holds its server process cannot be asked, and that is the answer", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "shop.py"), SHOP);
  const args = ["shop", "--embedded", "--server-processes", "2", "--port", "0", "--control", "control.sock"];
  const server = await serve(args, { cwd: folder });
  t.after(() => server.stop());
  const run = (): Promise<Ended> => sallyport(["stacks", "app", "--control", "control.sock"], folder);
  const idle = await run();
  assert.equal(idle.code, 0, idle.stderr);
  assert.match(idle.stdout, /^process \d+: the application is embedded/m);
  const slow = fetch(`${server.url}/slow`);
  await until(() => existsSync(join(folder, "inside")));
  const held = await run();
  assert.equal(held.code, 0, held.stderr);
  assert.match(held.stdout, /^process \d+: .*did not answer within 2 s; an embedded application/m);
  writeFileSync(join(folder, "go"), "");
  assert.equal(await (await slow).text(), "done");
});
