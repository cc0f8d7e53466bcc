// Both halves with other programs: nginx and cgi-fcgi in front, PHP and fcgiwrap behind.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { silentLog } from "../../../src/exchange/index.ts";
import { fastcgiListener } from "../../../src/protocols/fastcgi/index.ts";
import { freePort } from "../../kit/free-port.ts";
import { head } from "../../kit/handlers.ts";
import { missing } from "../../kit/needs.ts";
import { socketPath, startGateway } from "./raw-application.ts";
import { echo, serve } from "./serve-fastcgi.ts";

const text = ({ body }: { body: Buffer }): string => body.toString("latin1");

/** Debian names it by its version. */
const FPM = readdirSync("/usr/sbin").find((name) => name.startsWith("php-fpm")) ?? "php-fpm";

async function folder(t: TestContext): Promise<string> {
  return dirname(await socketPath(t));
}

// In front of us.

async function cgiFcgi(address: string, env: Record<string, string>, input: string): Promise<string> {
  const child = spawn("cgi-fcgi", ["-bind", "-connect", address], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(input);
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  await once(child, "close");
  return Buffer.concat(pieces).toString("latin1");
}

test("cgi-fcgi gets an answer from our listener", { skip: missing("cgi-fcgi") }, async (t) => {
  const { address } = await serve(t, echo);
  const env = { REQUEST_METHOD: "POST", SCRIPT_NAME: "/a", PATH_INFO: "/b", CONTENT_LENGTH: "5" };
  const answer = await cgiFcgi(address, env, "hello");
  assert.match(answer, /^Status: 200 OK\r\n/);
  assert.match(answer, /\r\n\r\nPOST \/a \/a\/b hello$/);
});

/** nginx in front of `address`: kept connections below /kept, new ones elsewhere. Gives its URL. */
async function nginx(t: TestContext, address: string): Promise<string> {
  const home = await folder(t);
  const port = await freePort();
  const paths = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"]
    .map((name) => `${name}_temp_path ${home}/${name};`)
    .join(" ");
  const root = process.getuid?.() === 0 ? "user root;" : "";
  writeFileSync(
    join(home, "nginx.conf"),
    `daemon off; ${root} pid ${home}/pid; error_log stderr info; worker_processes 1; events {}
    http {
      access_log off; ${paths} client_max_body_size 0;
      upstream kept { server ${address}; keepalive 4; }
      server {
        listen 127.0.0.1:${port}; include /etc/nginx/fastcgi_params;
        location / { fastcgi_pass ${address}; }
        location /kept/ { fastcgi_pass kept; fastcgi_keep_conn on; }
        location /unbuffered/ { fastcgi_pass ${address}; fastcgi_request_buffering off; fastcgi_buffering off; }
      }
    }`,
  );
  const child = spawn("nginx", ["-p", home, "-e", "stderr", "-c", join(home, "nginx.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  });
  await says(child.stderr, /start worker process \d/);
  return `http://127.0.0.1:${port}`;
}

/** Resolves when a program has said it; what it says later is thrown away. */
function says(stream: Readable, pattern: RegExp): Promise<void> {
  let said = "";
  return new Promise((resolve, reject) => {
    stream.on("data", (piece: Buffer) => {
      said += piece.toString("latin1");
      if (pattern.test(said)) resolve();
    });
    stream.on("end", () => reject(new Error(`it ended, and said: ${said}`)));
  });
}

test("nginx passes requests to our listener, kept and not", { skip: missing("nginx") }, async (t) => {
  const { address, accepted } = await serve(t, echo);
  const url = await nginx(t, address);
  const ask = async (path: string, init?: RequestInit) => (await fetch(url + path, init)).text();
  assert.equal(await ask("/a%20b/c%2Fd?x=1"), "GET  /a%20b/c%2Fd ");
  assert.equal(await ask("/p", { method: "POST", body: "hello" }), "POST  /p hello");
  const before = accepted.length;
  for (let i = 0; i < 10; i++) assert.equal(await ask(`/kept/${i}`), `GET  /kept/${i} `);
  assert.equal(accepted.length, before + 1, "ten requests on one connection");
  const large = "x".repeat(3_000_000);
  assert.equal(await ask("/kept/large", { method: "POST", body: large }), `POST  /kept/large ${large}`);
});

/** A listener at one address that leaves when another takes its place there. */
async function succession(t: TestContext): Promise<{ address: string; succeed(): void }> {
  const listeners = [fastcgiListener({ handler: echo, log: silentLog })];
  const server = createServer({ allowHalfOpen: true }, (socket) => listeners.at(-1)?.accept(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    await Promise.all(listeners.map((listener) => listener.close(0)));
  });
  const { port } = server.address() as { port: number };
  const succeed = (): void => {
    const before = listeners.at(-1);
    listeners.push(fastcgiListener({ handler: echo, log: silentLog }));
    before?.leave?.();
  };
  return { address: `127.0.0.1:${port}`, succeed };
}

test("a listener that leaves loses none of nginx's requests, not even those that it would not repeat", {
  skip: missing("nginx"),
}, async (t) => {
  const { address, succeed } = await succession(t);
  const url = await nginx(t, address);
  let answered = 0;
  const client = async (): Promise<void> => {
    while (answered < 2_000) {
      const answer = await fetch(`${url}/kept/x`, { method: "POST", body: "hello" });
      assert.equal(await answer.text(), "POST  /kept/x hello");
      if (++answered % 40 === 0) succeed();
    }
  };
  await Promise.all(Array.from({ length: 4 }, client));
});

test("nginx streams a chunked upload to our listener", { skip: missing("nginx") }, async (t) => {
  const { address } = await serve(t, echo);
  const url = await nginx(t, address);
  const body = new ReadableStream({
    start(controller) {
      for (const piece of ["chunk", "ed"]) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
  const init = { method: "POST", body, duplex: "half" } as RequestInit;
  assert.equal(await (await fetch(`${url}/unbuffered/x`, init)).text(), "POST  /unbuffered/x chunked");
});

test("nginx shows its client that a response of ours was cut", { skip: missing("nginx") }, async (t) => {
  const { address } = await serve(t, (exchange) => {
    exchange.start(head(200, "Content-Length", "100000"));
    exchange.write(Buffer.alloc(50_000));
    setImmediate(() => exchange.end());
  });
  const url = await nginx(t, address);
  for (const path of ["/", "/kept/", "/unbuffered/"])
    await assert.rejects(async () => (await fetch(url + path)).arrayBuffer(), path);
});

test("a client that leaves nginx is gone for our handler", { skip: missing("nginx") }, async (t) => {
  let asked = (): void => {};
  const begun = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let left = (_code: string | undefined): void => {};
  const gone = new Promise<string | undefined>((resolve) => {
    left = resolve;
  });
  const { address } = await serve(t, (exchange) => {
    exchange.whenClosed(({ error }) => left(error?.code));
    asked();
  });
  const url = await nginx(t, address);
  const client = new AbortController();
  const answer = fetch(`${url}/kept/`, { signal: client.signal });
  await begun;
  client.abort();
  await assert.rejects(answer);
  assert.equal(await gone, "ERR_SALLYPORT_CLIENT_LEFT");
});

// Behind us.

const PAGE = `<?php
header("X-Role: page");
echo $_SERVER["REQUEST_METHOD"], " ", $_SERVER["SCRIPT_NAME"], " ", $_SERVER["PATH_INFO"] ?? "", " ";
echo json_encode($_GET), strlen(file_get_contents("php://input"));
if (isset($_GET["log"])) error_log("said by php");
`;

async function site(t: TestContext): Promise<string> {
  const root = join(await folder(t), "site");
  mkdirSync(root);
  writeFileSync(join(root, "index.php"), PAGE);
  return root;
}

test("php-cgi, started by us, answers and is replaced when it dies", {
  skip: missing("php-cgi"),
}, async (t) => {
  const root = await site(t);
  writeFileSync(join(root, "die.php"), "<?php posix_kill(posix_getpid(), 9);");
  writeFileSync(join(root, "pid.php"), "<?php echo getmypid();");
  writeFileSync(join(root, "pid.php"), "<?php echo getmypid();");
  const { ask, logged } = await startGateway(t, { command: ["php-cgi"], processes: 2, root });
  assert.equal(text(await ask({ target: "/?a=b" })), 'GET /index.php  {"a":"b"}0');
  const posted = await ask({ target: "/index.php/in/fo", method: "POST", body: "x".repeat(200_000) });
  assert.equal(text(posted), "POST /index.php /in/fo []200000");
  const pids = await Promise.all(
    Array.from({ length: 20 }, async () => text(await ask({ target: "/pid.php" }))),
  );
  const [pid] = pids;
  process.kill(Number(pid), "SIGKILL");
  await logged(/php-cgi was killed by SIGKILL; another starts/);
  for (let i = 0; i < 10; i++) assert.equal((await ask({ target: "/" })).status, 200);
});

test("php-cgi processes that a request kills are replaced at once, however often", {
  skip: missing("php-cgi"),
}, async (t) => {
  const root = await site(t);
  writeFileSync(join(root, "die.php"), "<?php posix_kill(posix_getpid(), 9);");
  writeFileSync(join(root, "pid.php"), "<?php echo getmypid();");
  const { ask, lines } = await startGateway(t, { command: ["php-cgi"], processes: 2, root });
  for (let i = 0; i < 6; i++) {
    // Until both have answered: a process that dies before it has served is started again after a pause.
    for (const pids = new Set<string>(); pids.size < 2; ) {
      const answer = await ask({ target: "/pid.php" });
      if (answer.status === 200) pids.add(text(answer));
    }
    assert.ok((await ask({ target: "/die.php" })).status >= 502);
  }
  const told = lines.filter(({ message }) => /another starts/.test(message));
  assert.ok(told.length >= 6);
  assert.deepEqual(
    told.filter(({ message }) => /another starts in/.test(message)),
    [],
  );
});

test("a program that cannot be started fails the start", async (t) => {
  await assert.rejects(startGateway(t, { command: ["/no/such/program"] }), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
  });
});

test("php-cgi on TCP listens to nobody else, and reloads without losing a request", {
  skip: missing("php-cgi"),
}, async (t) => {
  const root = await site(t);
  writeFileSync(
    join(root, "slow.php"),
    "<?php error_log('begun'); usleep(300000); echo 'slow ', getmypid();",
  );
  writeFileSync(join(root, "pid.php"), "<?php echo getmypid(), ' ', getenv('FCGI_WEB_SERVER_ADDRS');");
  const { ask, gateway, logged } = await startGateway(t, { command: ["php-cgi"], transport: "tcp", root });
  const [before, addresses] = text(await ask({ target: "/pid.php" })).split(" ");
  assert.equal(addresses, "127.0.0.1");
  const slow = ask({ target: "/slow.php" });
  await logged(/begun/);
  await gateway.reload?.();
  const [after] = text(await ask({ target: "/pid.php" })).split(" ");
  assert.notEqual(after, before);
  assert.equal(text(await slow), `slow ${before}`);
});

async function fpm(t: TestContext, extra = "", children = 2): Promise<string> {
  const home = await folder(t);
  const user = process.getuid?.() === 0 ? "user = root\ngroup = root" : "";
  writeFileSync(
    join(home, "fpm.conf"),
    `[global]\nerror_log = ${home}/log\ndaemonize = no\n[www]\n${user}\nlisten = ${home}/fpm.sock\n` +
      `pm = static\npm.max_children = ${children}\ncatch_workers_output = yes\n${extra}\n`,
  );
  const child = spawn(FPM, ["-R", "-n", "-O", "-y", join(home, "fpm.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  });
  await says(child.stderr, /ready to handle connections/);
  return `unix:${home}/fpm.sock`;
}

test("php-fpm answers, its limit of children is respected", { skip: missing(FPM) }, async (t) => {
  const root = await site(t);
  const { ask, logged } = await startGateway(t, { address: await fpm(t), root });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => ask({ target: `/?i=${i}`, method: "POST", body: "12345" })),
  );
  answers.forEach((answer, i) => {
    assert.equal(text(answer), `POST /index.php  {"i":"${i}"}5`);
  });
  await ask({ target: "/?log=1" });
  await logged(/said by php/);
});

test("two apps that share one process of php-fpm both get their turn, idle and under load", {
  skip: missing(FPM),
}, async (t) => {
  const address = await fpm(t, "", 1);
  const root = await site(t);
  const timeout = 10_000;
  const one = await startGateway(t, { address, root, timeout });
  const two = await startGateway(t, { address, root, timeout });
  assert.equal((await one.ask({ target: "/" })).status, 200);
  assert.equal((await two.ask({ target: "/" })).status, 200);
  let asking = true;
  const load = (async () => {
    while (asking) assert.equal((await one.ask({ target: "/" })).status, 200);
  })();
  for (let i = 0; i < 2; i++) assert.equal((await two.ask({ target: "/" })).status, 200);
  asking = false;
  await load;
});

test("an app that keeps its connection to the only process of php-fpm gives it to another app of the server", {
  skip: missing(FPM),
}, async (t) => {
  const address = await fpm(t, "", 1);
  const options = { address, root: await site(t), timeout: 10_000, idleTimeout: 60_000 };
  const [one, two] = [await startGateway(t, options), await startGateway(t, options)];
  for (const { ask } of [one, two, one, two]) assert.equal((await ask({ target: "/" })).status, 200);
});

test("php-fpm that ends its children after some requests loses none", {
  skip: missing(FPM),
}, async (t) => {
  const root = await site(t);
  const { ask } = await startGateway(t, { address: await fpm(t, "pm.max_requests = 5"), root });
  for (let i = 0; i < 60; i++) assert.equal((await ask({ target: "/" })).status, 200, `request ${i}`);
});

test("fcgiwrap, started by us, runs a CGI program", { skip: missing("fcgiwrap") }, async (t) => {
  const program = join(await folder(t), "program");
  writeFileSync(program, '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n$REQUEST_METHOD "\ncat\n');
  chmodSync(program, 0o755);
  const { ask } = await startGateway(t, {
    command: ["fcgiwrap"],
    variables: { SCRIPT_FILENAME: program },
  });
  assert.equal(text(await ask({ method: "POST", body: "hello" })), "POST hello");
  assert.equal(text(await ask({ method: "PUT", body: "again" })), "PUT again");
});
