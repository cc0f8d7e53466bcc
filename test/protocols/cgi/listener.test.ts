// The application's half of CGI, with streams of our own, and as a program that is really started.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough, type Readable, Writable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { LOADER } from "../../../scripts/testing/typescript/loader.mjs";
import { type Handler, SallyportError, silentLog } from "../../../src/exchange/index.ts";
import { LintedExchange } from "../../../src/exchange/lint.ts";
import { type ServeCgiOptions, serveCgi } from "../../../src/protocols/cgi/listener.ts";

const ENV = { REQUEST_METHOD: "GET", PATH_INFO: "/", SCRIPT_NAME: "/app", SERVER_PROTOCOL: "HTTP/1.1" };
const PROGRAM = fileURLToPath(new URL("../../apps/cgi/serve_typescript.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

class Stdout extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("latin1");
    done();
  }
}

interface Ran {
  readonly code: number;
  readonly text: string;
}

async function run(handler: Handler, options: Partial<ServeCgiOptions> = {}): Promise<Ran> {
  const stdout = new Stdout();
  const linted: Handler = (exchange) => handler(new LintedExchange(exchange));
  const stdin = new PassThrough();
  const code = await serveCgi({ handler: linted, log: silentLog, env: ENV, stdin, stdout, ...options });
  return { code, text: stdout.text };
}

const input = (...pieces: string[]): Readable => {
  const stdin = new PassThrough();
  for (const piece of pieces) stdin.write(piece);
  return stdin.end() as unknown as Readable;
};

const posted = (length: number): NonNullable<ServeCgiOptions["env"]> => ({
  ...ENV,
  REQUEST_METHOD: "POST",
  CONTENT_LENGTH: String(length),
});

const echo: Handler = (exchange) => {
  const pieces: Uint8Array[] = [];
  (async () => {
    for (let piece = await exchange.body.read(); piece; piece = await exchange.body.read())
      pieces.push(piece);
    exchange.respond({ status: 200, reason: "", headers: [] }, Buffer.concat(pieces));
  })().catch((error) => exchange.fail(error));
};

const hello: Handler = (exchange) =>
  exchange.respond({ status: 200, reason: "", headers: ["X-Path", exchange.request.path] }, "hello");

test("a response is a Status field, fields and bytes, and the code is 0", async () => {
  const { code, text } = await run(hello);
  assert.equal(code, 0);
  assert.match(text, /^Status: 200 OK\r\nX-Path: \/app\/\r\nContent-Length: 5\r\n.*\r\n\r\nhello$/s);
});

test("as an NPH program the response is a whole one of HTTP", async () => {
  const { text } = await run(hello, { nph: true });
  assert.match(text, /^HTTP\/1\.1 200 OK\r\nX-Path: \/app\/\r\n/);
  assert.match(text, /\r\nDate: .* GMT\r\nConnection: close\r\n\r\nhello$/);
});

test("the body is exactly CONTENT_LENGTH bytes of stdin", async () => {
  const { text } = await run(echo, { env: posted(7), stdin: input("one", " two", " three") });
  assert.match(text, /\r\n\r\none two$/);
});

test("a body of which no length is told reaches to the end of stdin", async () => {
  const env = { ...ENV, REQUEST_METHOD: "POST", HTTP_TRANSFER_ENCODING: "chunked" };
  assert.match((await run(echo, { env, stdin: input("one", " two") })).text, /\r\n\r\none two$/);
  const { text } = await run(echo, { env, stdin: input("one", " two"), maxBody: 4 });
  assert.match(text, /^Status: 413/);
});

test("stdin that ends before CONTENT_LENGTH is an error to the application, and 400", async () => {
  let seen: unknown;
  const handler: Handler = (exchange) => {
    exchange.body
      .read()
      .then(() => exchange.body.read())
      .catch((error) => {
        seen = error;
      });
  };
  const { text } = await run(handler, { env: posted(9), stdin: input("one") });
  assert.match(text, /^Status: 400 .*BODY_INCOMPLETE/s);
  assert.equal((seen as SallyportError).code, "ERR_SALLYPORT_BODY_INCOMPLETE");
});

test("a body over the limit is 413, and the application is not asked", async () => {
  const handler: Handler = () => assert.fail("asked");
  assert.match((await run(handler, { env: posted(9), maxBody: 8 })).text, /^Status: 413/);
});

test("an environment that is no request is answered with 400, and the code is not 0", async () => {
  const { code, text } = await run(hello, { env: { HOME: "/" } });
  assert.equal(code, 1);
  assert.match(text, /^Status: 400 /);
});

test("a handler that throws is 500", async () => {
  const { text } = await run(() => {
    throw new Error("on purpose");
  });
  assert.match(text, /^Status: 500 /);
  assert.doesNotMatch(text, /on purpose/);
});

test("a response cut short of its Content-Length shows that itself: only the code tells more", async () => {
  const { code, text } = await run(
    (exchange) => {
      exchange.start({ status: 200, reason: "", headers: ["Content-Length", "9"] });
      exchange.write(Buffer.from("half"));
      exchange.fail(new SallyportError("APP_ABORTED", "on purpose"));
    },
    { die: () => assert.fail("no need to die") },
  );
  assert.equal(code, 1);
  assert.match(text, /half$/);
});

test("a reader of stdout that has gone is a client that has left", async () => {
  const stdout = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(), { code: "EPIPE" })),
  });
  let code = "";
  await run(
    (exchange) => {
      exchange.whenClosed(({ error }) => {
        code = error?.code ?? "";
      });
      exchange.start({ status: 200, reason: "", headers: [] });
    },
    { stdout },
  );
  assert.equal(code, "ERR_SALLYPORT_CLIENT_LEFT");
});

// As a program.

function start(query: string, env: Record<string, string> = {}, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [...LOADER, PROGRAM, ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", ...ENV, QUERY_STRING: query, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

async function output(child: ChildProcess): Promise<{ text: string; errors: string; end: unknown[] }> {
  let [text, errors] = ["", ""];
  child.stdout?.on("data", (chunk) => (text += chunk.toString("latin1")));
  child.stderr?.on("data", (chunk) => (errors += chunk));
  const end = await once(child, "close");
  return { text, errors, end };
}

test("a program of ours answers from its environment and ends with 0", async () => {
  const { text, end } = await output(start("hello"));
  assert.match(text, /^Status: 200 OK\r\n.*\r\n\r\nhello \/app\/$/s);
  assert.deepEqual(end, [0, null]);
});

test("C1: libraries of a program find no proxy in a client's field", async () => {
  assert.match(
    (await output(start("proxy", { HTTP_PROXY: "http://evil" }))).text,
    /\r\n\r\nproxy undefined$/,
  );
});

for (const software of ["nginx/1.22.1", "Caddy", "Apache/2.4.66"]) {
  test(`the script that ${software.split("/")[0]} names is the mount, with and without a path behind it`, async () => {
    const mountOf: Handler = (exchange) =>
      exchange.respond(
        { status: 200, reason: "", headers: [] },
        `${exchange.mount} ${exchange.request.path}`,
      );
    const script = { SERVER_SOFTWARE: software, SCRIPT_NAME: "/cgi-bin/app.cgi" };
    const at = async (PATH_INFO: string, DOCUMENT_URI: string): Promise<string> => {
      const { text } = await run(mountOf, { env: { ...ENV, ...script, PATH_INFO, DOCUMENT_URI } });
      return text.slice(text.indexOf("\r\n\r\n") + 4);
    };
    assert.equal(await at("", "/cgi-bin/app.cgi"), "/cgi-bin/app.cgi /cgi-bin/app.cgi");
    assert.equal(await at("/foo", "/cgi-bin/app.cgi/foo"), "/cgi-bin/app.cgi /cgi-bin/app.cgi/foo");
  });
}

test("what a program prints goes to stderr, and not into the response", async () => {
  const { text, errors } = await output(start("print"));
  assert.match(text, /^Status: 200 OK\r\n.*\r\n\r\nclean$/s);
  assert.match(errors, /printed by the application/);
});

test("eight mebibytes go through stdin and stdout", async () => {
  const body = Buffer.alloc(8_388_608, "0123456789abcdef");
  const child = start("echo", { REQUEST_METHOD: "POST", CONTENT_LENGTH: String(body.length) });
  child.stdin?.end(body);
  const { text } = await output(child);
  assert.ok(text.slice(text.indexOf("\r\n\r\n") + 4) === body.toString("latin1"));
});

test("a program whose response is cut kills itself, so that the server can see it", async () => {
  const { text, end } = await output(start("cut"));
  assert.match(text, /half$/);
  assert.deepEqual(end, [null, "SIGKILL"]);
  assert.deepEqual((await output(start("cut_short"))).end, [1, null]);
});

test("a program whose output nobody reads any longer ends", async () => {
  const child = start("stream");
  child.stdout?.once("data", () => child.stdout?.destroy());
  child.stdin?.end();
  assert.deepEqual(await once(child, "exit"), [1, null]);
});
