// Real clients against the listener: curl, node:http with a kept connection, fetch, Python's http.client.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type Handler, SallyportError } from "../../../src/exchange/index.ts";
import { bodyText, head } from "../../kit/handlers.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { echo, serve } from "../../kit/serve-http1.ts";

const run = promisify(execFile);
const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;
/** A missing program is a loud skip for a person and a failure in CI. */
const needs = (program: string) => ({
  skip: !has(program) && process.env.CI !== "true" ? `${program} is not installed` : false,
});

/** Counts the bytes of the body. */
const measure: Handler = (exchange) => {
  bodyText(exchange).then(
    (text) => exchange.respond(head(), `${exchange.request.method} ${text.length}`),
    (error) => exchange.fail(error),
  );
};

function bigFile(t: TestContext): string {
  const folder = makeFolder(t);
  const file = join(folder, "big");
  writeFileSync(file, Buffer.alloc(5_000_000, "x"));
  return file;
}

test("curl uploads 5 MB after 100 Continue, and with chunks", needs("curl"), async (t) => {
  const { port } = await serve(t, measure);
  const url = `http://127.0.0.1:${port}/`;
  const file = bigFile(t);
  const args = ["-sS", "--max-time", "60", "-H", "Expect: 100-continue", "--expect100-timeout", "50"];
  const announced = await run("curl", [...args, "-v", "-T", file, url]);
  assert.equal(announced.stdout, "PUT 5000000");
  assert.match(announced.stderr, /< HTTP\/1\.1 100 Continue/);
  const chunked = await run("curl", [...args, "-T", file, "-H", "Transfer-Encoding: chunked", url]);
  assert.equal(chunked.stdout, "PUT 5000000");
});

test(
  "curl sees an early refusal of a large upload rather than a broken connection",
  needs("curl"),
  async (t) => {
    const { port } = await serve(t, (exchange) => exchange.respond(head(403), "no"));
    const args = ["-sS", "--max-time", "60", "-H", "Expect:", "-T", bigFile(t), `http://127.0.0.1:${port}/`];
    assert.equal((await run("curl", args)).stdout, "no");
  },
);

test("curl reports a response that was cut, framed or not", needs("curl"), async (t) => {
  const { port } = await serve(t, (exchange) => {
    exchange.start(head());
    exchange.write(Buffer.from("half"));
    setTimeout(() => exchange.fail(new SallyportError("APP_RAISED", "cut")), 20);
  });
  for (const version of ["--http1.1", "--http1.0"]) {
    const failed = await run("curl", ["-sS", "--max-time", "60", version, `http://127.0.0.1:${port}/`]).catch(
      (e) => e,
    );
    assert.ok([18, 56].includes(failed.code), `curl ${version} exits with ${failed.code}`);
  }
});

const HALF_CLOSED = `
import http.client, socket, sys
unix, place = sys.argv[1:]
c = http.client.HTTPConnection("localhost", timeout=60)
c.sock = socket.socket(socket.AF_UNIX if unix == "unix" else socket.AF_INET)
c.sock.connect(place if unix == "unix" else ("127.0.0.1", int(place)))
c.request("GET", "/")
c.sock.shutdown(socket.SHUT_WR)
try:
    print("complete", c.getresponse().read())
except http.client.IncompleteRead as error:
    print("incomplete", error.partial)
`;

test(
  "Python's http.client does not take a cut response for a complete one after it has ended its side",
  needs("python3"),
  async (t) => {
    const cutLate: Handler = (exchange) => {
      exchange.start(head());
      exchange.write(Buffer.from("part one"));
      // By then all zeros of the probe have been sent.
      setTimeout(() => exchange.fail(new SallyportError("APP_RAISED", "cut")), 600);
    };
    const path = join(makeFolder(t), "cut.sock");
    const { port, listener } = await serve(t, cutLate);
    const unix = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket)).listen(path);
    t.after(() => unix.close());
    for (const args of [
      ["tcp", String(port)],
      ["unix", path],
    ]) {
      const { stdout } = await run("python3", ["-c", HALF_CLOSED, ...args], { timeout: 60_000 });
      assert.equal(stdout, "incomplete b'part one'\n");
    }
  },
);

test("node:http sends ten requests over one kept connection", async (t) => {
  const remotes = new Set<number>();
  const { port } = await serve(t, (exchange) => {
    remotes.add(exchange.request.remote.port);
    echo(exchange);
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (let i = 0; i < 10; i++) assert.equal(await ask(agent, port, `body ${i}`), `body ${i}`);
  assert.equal(remotes.size, 1);
});

function ask(agent: Agent, port: number, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ agent, port, host: "127.0.0.1", method: "POST" }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(text);
    });
    asking.on("error", reject);
    asking.write(body.slice(0, 2));
    asking.end(body.slice(2));
  });
}

test("fetch streams a body both ways", async (t) => {
  const { port } = await serve(t, echo);
  const body = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 20; i++) controller.enqueue(new Uint8Array(10_000).fill(0x61 + i));
      controller.close();
    },
  });
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body, duplex: "half" });
  assert.equal((await response.arrayBuffer()).byteLength, 200_000);
});

const PYTHON = `
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
for body in (b"one", iter([b"t", b"wo"]), None):
    c.request("POST", "/", body=body, encode_chunked=body is not None and not isinstance(body, bytes),
              headers={"Transfer-Encoding": "chunked"} if body is not None and not isinstance(body, bytes) else {})
    print(c.getresponse().read().decode())
`;

test("Python's http.client keeps its connection, with and without chunks", needs("python3"), async (t) => {
  const remotes = new Set<number>();
  const { port } = await serve(t, (exchange) => {
    remotes.add(exchange.request.remote.port);
    echo(exchange);
  });
  const { stdout } = await run("python3", ["-c", PYTHON, String(port)], { timeout: 60_000 });
  assert.deepEqual([stdout.trimEnd().split("\n"), remotes.size], [["one", "two"], 1]);
});
