// Our FastCGI listener asked by cgi-fcgi, the bare client of libfcgi: its environment is the request, stdin the body.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { type Behaviour, CONFORMANCE_FIELD } from "../../src/testing/index.ts";
import { missing } from "../kit/needs.ts";
import { nodeApplication, type StartedListener, startListener } from "./start-listener.ts";

const FIELD = `HTTP_${CONFORMANCE_FIELD.toUpperCase().replaceAll("-", "_")}`;

describe("cgi-fcgi", { skip: missing("cgi-fcgi") }, () => {
  let app: StartedListener;
  before(async () => {
    app = await startListener("fastcgi", nodeApplication());
  });
  after(async () => {
    await app?.close();
    assert.deepEqual(app?.violations, []);
  });

  /** What it prints, and how it ends. */
  async function ask(
    behaviour: Behaviour,
    env: Readonly<Record<string, string>> = {},
    body = Buffer.alloc(0),
  ) {
    const told = Buffer.from(JSON.stringify({ ...behaviour, notes: "" })).toString("base64url");
    const child = spawn("cgi-fcgi", ["-bind", "-connect", app.address], {
      env: { REQUEST_METHOD: "GET", SCRIPT_NAME: "", PATH_INFO: "/", [FIELD]: told, ...env },
      stdio: ["pipe", "pipe", "ignore"],
    });
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
    child.stdin.on("error", () => {}); // it may end first
    child.stdin.end(body);
    const [code] = await once(child, "close");
    return { code, text: Buffer.concat(pieces).toString("latin1") };
  }

  test("a request is answered as a CGI program would", async () => {
    const { code, text } = await ask({
      kind: "answer",
      status: 404,
      headers: ["X-A", "1", "X-A", "2"],
      body: "none",
    });
    assert.equal(code, 0);
    assert.match(text, /^Status: 404 Not Found\r\n(?:.*\r\n)*X-A: 1\r\nX-A: 2\r\n(?:.*\r\n)*\r\nnone$/);
  });

  test("mount, path and query are those of the variables", async () => {
    const env = { SCRIPT_NAME: "/a b", PATH_INFO: "/c?", QUERY_STRING: "d=%20" };
    const { text } = await ask({ kind: "describe" }, env);
    const seen = JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
    assert.deepEqual(
      [seen.mount, seen.path, seen.query, seen.target],
      ["/a b", "/c?", "d=%20", "/a%20b/c%3F?d=%20"],
    );
  });

  test("a body of 10 MiB arrives and comes back", async () => {
    const body = Buffer.alloc(10_485_760, "0123456789");
    const env = { REQUEST_METHOD: "POST", CONTENT_LENGTH: String(body.length) };
    const { text } = await ask({ kind: "echo" }, env, body);
    const answer = text.slice(text.indexOf("\r\n\r\n") + 4);
    assert.ok(body.equals(Buffer.from(answer, "latin1")), `${answer.length} bytes`);
  });

  test("an application that fails is told as a status", async () => {
    assert.match((await ask({ kind: "fail" })).text, /^Status: 500 /);
  });
});
