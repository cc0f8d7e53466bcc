// SCGI and uwsgi with other programs: nginx in front of our listeners, uWSGI behind our gateways.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SallyportError } from "../../../src/exchange/index.ts";
import { bodyBytes, head } from "../../kit/handlers.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { findProgram, needs } from "../../kit/needs.ts";
import { PROTOCOLS, type Protocol, startApplication, startGateway, TRANSPORTS } from "./start-halves.ts";

const APP = fileURLToPath(new URL("../../apps/wsgi/say_request.py", import.meta.url));

/** Runs a server until the test ends; it is ready when it accepts connections at `socket`. */
async function running(t: TestContext, socket: string, command: string, ...args: string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const ended = once(child, "close");
  t.after(() => stop(child, ended));
  while (!(await accepts(socket))) {
    assert.equal(child.exitCode, null, said);
    await delay(20);
  }
}

/** A process group, so that its workers end too. */
async function stop({ pid = 0 }: ChildProcess, ended: Promise<unknown>): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    try {
      process.kill(-pid, signal);
    } catch {
      break;
    }
    const late = AbortSignal.timeout(5_000);
    await Promise.race([ended, once(late, "abort")]);
  }
}

const accepts = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

// uWSGI behind our gateways.

async function uwsgiBehind(t: TestContext, { name }: Protocol): Promise<string | undefined> {
  if (!needs(t, "uwsgi")) return undefined;
  const socket = join(makeFolder(t), "app.sock");
  const options = ["--master", "--die-on-term", "--need-app", "--wsgi-file", APP];
  await running(
    t,
    socket,
    findProgram("uwsgi") as string,
    `--${name.toLowerCase()}-socket`,
    socket,
    ...options,
  );
  return `unix:${socket}`;
}

for (const protocol of PROTOCOLS) {
  test(`uWSGI answers our ${protocol.name} gateway, with and without a length, and after a large body`, async (t) => {
    const address = await uwsgiBehind(t, protocol);
    if (address === undefined) return;
    const { ask } = startGateway(t, protocol, { address });
    const headers = ["Host", "a.example", "X-One", "1", "Content-Type", "text/x"];
    const small = await ask("/m/%C3%A9?q=%31", { method: "PUT", mount: "/m", headers, body: "hello" });
    assert.deepEqual([small.status, small.reason, small.complete], [207, "Said", true]);
    assert.deepEqual(small.headers.slice(0, 4), ["Content-Type", "text/plain", "X-Two", "2"]);
    assert.deepEqual(small.body.toString("latin1").split("\n"), [
      "REQUEST_METHOD=PUT",
      "SCRIPT_NAME=/m",
      "PATH_INFO=/\xc3\xa9",
      "QUERY_STRING=q=%31",
      "HTTP_HOST=a.example",
      "HTTP_X_ONE=1",
      "CONTENT_TYPE=text/x",
      "read=5",
    ]);
    const streamed = await ask("/stream");
    assert.deepEqual([streamed.complete, streamed.body.toString().endsWith("read=0")], [true, true]);
    const large = await ask("/", { method: "POST", body: Buffer.alloc(5_000_000) });
    assert.match(large.body.toString(), /read=5000000$/);
  });
}

// nginx in front of our listeners.

interface Got {
  readonly status: number;
  readonly body: string;
  readonly complete: boolean;
}

function get(socketPath: string, path: string, body = Buffer.alloc(0)): Promise<Got> {
  const headers = { Host: "a.example", "X-One": ["1", "2"], "Content-Length": body.length };
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ socketPath, path, method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk)).on("error", () => {});
      response.on("close", () =>
        resolve({ status: response.statusCode ?? 0, body: text, complete: response.complete }),
      );
    });
    asked.on("error", reject).end(body);
  });
}

async function nginxInFront(t: TestContext, protocol: Protocol, address: string): Promise<string> {
  const files = makeFolder(t);
  await chmod(files, 0o777);
  const pass = protocol.name.toLowerCase();
  const socket = join(files, "nginx.sock");
  const temp = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"].map(
    (name) => `${name}_temp_path ${files}/${name};`,
  );
  const lines = [
    `pid ${files}/nginx.pid; error_log stderr; daemon off; worker_processes 1; events {}`,
    `http { access_log off; client_max_body_size 99m; ${temp.join(" ")}`,
    `server { listen unix:${socket}; location / { include /etc/nginx/${pass}_params; ${pass}_pass ${address}; } } }`,
  ];
  // Its workers are another user's, and the socket of the application is ours.
  if (process.getuid?.() === 0) lines.unshift("user root;");
  await writeFile(join(files, "nginx.conf"), lines.join("\n"));
  await running(t, socket, "nginx", "-e", "stderr", "-p", files, "-c", join(files, "nginx.conf"));
  return socket;
}

for (const protocol of PROTOCOLS)
  for (const transport of TRANSPORTS)
    test(`nginx passes requests to our ${protocol.name} listener on ${transport}, and cuts what we cut`, async (t) => {
      if (!needs(t, "nginx")) return;
      const app = await startApplication(
        t,
        protocol,
        (exchange) => {
          const { path, query, headers } = exchange.request;
          const ones = headers.filter((_, at) => headers[at - 1]?.toLowerCase() === "x-one");
          if (path !== "/cut")
            return void bodyBytes(exchange).then(({ length }) =>
              exchange.respond(head(202, "X-Two", "2"), `${path} ${query} ${ones.join(", ")} ${length}`),
            );
          exchange.start(head(200, ...(query === "" ? [] : ["Content-Length", query])));
          exchange.write(Buffer.from("half"));
          setImmediate(() => exchange.fail(new SallyportError("APP_ABORTED", "on purpose")));
        },
        // On a Unix socket without a length nginx would wait a minute for the silence to end.
        { transport, limits: { cutTimeout: 60_000 } },
      );
      const nginx = await nginxInFront(t, protocol, app.address);
      const small = await get(nginx, "/a%20b/c?x=1", Buffer.from("hello"));
      assert.deepEqual(small, { status: 202, body: "/a%20b/c x=1 1, 2 5", complete: true });
      const large = await get(nginx, "/", Buffer.alloc(5_000_000));
      assert.match(large.body, / 5000000$/);
      assert.equal((await get(nginx, "/cut?9")).complete, false);
      if (transport === "tcp") assert.equal((await get(nginx, "/cut")).complete, false);
    });
