// What the terminal says when a server starts: what is served, by which interface and interpreter, in how many processes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ServerStatus } from "../../src/control/operations.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { sallyport } from "../kit/run-command.ts";
import { serve, serveBy } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const here = makeFolder();
const [python] = pythons();
const PYTHON = python?.path as string;

writeFileSync(
  join(here, "app.py"),
  `def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi"]

async def api(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi"})
`,
);
writeFileSync(join(here, "site.mjs"), "export default () => new Response('fetch');");
mkdirSync(join(here, "public"));
spawnSync(PYTHON, ["-m", "venv", "--without-pip", join(here, ".venv")]);

/** The version with everything after it, such as "3.14.0rc1". */
const CPYTHON = "CPython 3\\.\\d+\\.\\d+\\S*";
const NODE = `Node ${process.versions.node.replaceAll(".", "\\.")}`;

const STARTS: readonly (readonly [string, readonly string[]])[] = [
  [`app:app · WSGI · ${CPYTHON} \\(\\.venv\\) · 1 process`, ["app:app"]],
  [`app:api · ASGI · ${CPYTHON} \\(\\.venv\\) · 1 to 2 processes`, ["app:api", "--processes", "1:2"]],
  [
    `app:app · WSGI · ${CPYTHON} \\(\\.venv\\) · 1 process of 3 threads in each of 2 server processes`,
    ["app:app", "--threads", "3", "--server-processes", "2"],
  ],
  [`site\\.mjs · fetch · ${NODE}`, ["site.mjs"]],
  ["public · static · 2 server processes", ["public", "--server-processes", "2"]],
];

for (const [line, args] of STARTS) {
  test(`serve ${args.join(" ")}`, async () => {
    const server = await serve([...args, "--control", "off"], { cwd: here });
    await server.stop();
    const [summary = "", listening] = server.stderr.split("\n");
    assert.match(summary, new RegExp(`^${line} · ${server.url}$`));
    assert.equal(listening, `listening on ${server.url}`);
    assert.equal(server.stderr.split(" · WSGI · ").length, line.includes("WSGI") ? 2 : 1);
  });
}

for (const count of ["1", "2"]) {
  test(`serve --embedded --server-processes ${count}`, async () => {
    const args = ["app:app", "--embedded", "--server-processes", count, "--control", "off"];
    const server = await serve(args, { cwd: here });
    await server.stop();
    const embedded = count === "1" ? "embedded" : "embedded in 2 server processes";
    const line = `^app:app · WSGI · ${CPYTHON} \\(\\.venv\\) · ${embedded} · ${server.url}\n`;
    assert.match(server.stderr, new RegExp(line));
  });
}

test("several apps: a line each, then the addresses", async () => {
  const config = {
    listen: ["127.0.0.1:0", "unix:shop.sock"],
    apps: { shop: { wsgi: "app:app" }, api: { asgi: "app:api", processes: 2 }, files: { static: "public" } },
    routes: [{ path: "/api", app: "api" }, { path: "/files", app: "files" }, { app: "shop" }],
    log: { access: "off" },
    control: "off",
  };
  writeFileSync(join(here, "several.json"), JSON.stringify(config));
  const server = await serve(["--config", "several.json"], { cwd: here });
  await server.stop();
  const lines = [
    `/ → app:app · WSGI · ${CPYTHON} \\(\\.venv\\) · 1 process`,
    `/api → app:api · ASGI · ${CPYTHON} \\(\\.venv\\) · 2 processes`,
    "/files → public · static",
    "listening on http://127.0.0.1:\\d+",
    "listening on unix:.*shop\\.sock",
  ];
  assert.match(server.stderr, new RegExp(`^${lines.join("\n")}\n`));
});

for (const count of ["1", "2"]) {
  test(`a log of JSON has its facts as fields (--server-processes ${count})`, async () => {
    const args = ["app:app", "--log-format", "json", "--server-processes", count, "--control", "off"];
    const server = await serve(args, { cwd: here });
    await server.stop();
    const { time, message, runtime, ...rest } = JSON.parse(server.stderr.split("\n")[0] as string);
    assert.match(message, /^serving app:app · WSGI · /);
    assert.match(runtime, new RegExp(`^${CPYTHON}$`));
    assert.ok(Date.parse(time) > 0);
    assert.deepEqual(rest, {
      level: "info",
      app: "app",
      target: "app:app",
      interface: "WSGI",
      virtualEnvironment: ".venv",
      processes: { min: 1, max: 1 },
      serverProcesses: Number(count),
      routes: ["/"],
    });
  });
}

test("a level above info silences it, and not the addresses", async () => {
  const server = await serve(["app:app", "--log-level", "warn", "--control", "off"], { cwd: here });
  await server.stop();
  assert.match(server.stderr, /^listening on /);
});

test("sallyport dev says the same, also of an app that cannot be imported", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "broken.py"), "import nothing_of_this_name\n");
  const dev = [process.execPath, BIN, "dev", "--port", "0", "--access-log", "off", "--control", "off"];
  const good = await serveBy([...dev, "app:app"], { cwd: here });
  await good.stop();
  const line = `^app:app · WSGI · ${CPYTHON} \\(\\.venv\\) · 1 process · ${good.url}\nlistening on`;
  assert.match(good.stderr, new RegExp(line, "m"));
  const broken = await serveBy([...dev, "broken:app"], { cwd: folder });
  await broken.stop();
  assert.match(broken.stderr, new RegExp(`^broken:app · Python · ${broken.url}\n`, "m"));
});

test("sallyport status tells the interpreter, to people and to programs", async () => {
  const server = await serve(["app:app", "--control", "c.sock"], { cwd: here });
  try {
    const { stdout } = await sallyport(["status", "--control", "c.sock"], here);
    assert.match(stdout, /^APP +INTERFACE +RUNTIME +QUEUE +PID /m);
    assert.match(stdout, new RegExp(`^app +WSGI +${CPYTHON} +0 +\\d+ `, "m"));
    const json = await sallyport(["status", "--json", "--control", "c.sock"], here);
    const app = (JSON.parse(json.stdout) as ServerStatus).serverProcesses[0]?.apps.app;
    assert.match(String(app?.runtime), new RegExp(`^${CPYTHON}$`));
    assert.equal(app?.virtualEnvironment, join(here, ".venv"));
  } finally {
    await server.stop();
  }
});
