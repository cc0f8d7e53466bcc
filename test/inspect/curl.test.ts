// The command that sends a captured request again is tried: a server must get the same request.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { type CurlRequest, curlOf } from "../../src/inspect/curl.ts";
import { missing } from "../kit/needs.ts";

const run = promisify(execFile);

interface Got {
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

let count = 0;
let got: ((one: Got) => void) | undefined;
const server = createServer(async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  count++;
  got?.({ request, body: Buffer.concat(pieces) });
  response.end("ok");
});
before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
after(() => server.close());

interface Sent extends Omit<Partial<CurlRequest>, "url"> {
  readonly target?: string;
}

async function sent({ target = "/a/../b?x='$(id)'", ...request }: Sent): Promise<Got> {
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}${target}`;
  const arrived = new Promise<Got>((resolve) => {
    got = resolve;
  });
  const line = curlOf({ method: "GET", url, headers: [], body: Buffer.alloc(0), ...request });
  await run("/bin/sh", ["-c", line]);
  return arrived;
}

describe("curl sends", { skip: missing("curl") }, () => {
  test("method, path and fields as they were, whatever a shell could make of them", async () => {
    const { request } = await sent({
      method: "DELETE",
      headers: ["X-Quote", `it's "$HOME" \\`, "Content-Length", "99"],
    });
    assert.equal(request.method, "DELETE");
    assert.equal(request.url, "/a/../b?x='$(id)'");
    assert.equal(request.headers["x-quote"], `it's "$HOME" \\`);
  });

  test("a body of text, and one of bytes", async () => {
    const text = await sent({ method: "POST", body: Buffer.from("a='1'\nb=2") });
    assert.equal(text.body.toString(), "a='1'\nb=2");
    const bytes = Buffer.from([0, 255, 64, 10]);
    assert.deepEqual((await sent({ method: "PUT", body: bytes })).body, bytes);
    const at = await sent({ method: "POST", body: Buffer.from("@file") });
    assert.equal(at.body.toString(), "@file");
  });

  test("one request, whatever curl could make of brackets and braces in the target", async () => {
    for (const target of ["/?x[a]=1", "/?y={a}", "/?r=[1-3]", "/?q={a,b}", "/[z-a]/{"]) {
      const before = count;
      assert.equal((await sent({ target })).request.url, target);
      assert.equal(count, before + 1, target);
    }
  });

  test("fields without a value, and no fields that the request did not have", async () => {
    const headers = ["X-Empty", "", "X-Blank", " ", "X-Full", "1"];
    const { request } = await sent({ method: "POST", headers, body: Buffer.from("a=1") });
    const { host, connection, "content-length": length, ...fields } = request.headers;
    assert.deepEqual(fields, { "x-empty": "", "x-blank": "", "x-full": "1" });
    assert.equal(length, "3");
    const named = ["content-type", "text/x-own", "user-agent", "own/1", "ACCEPT", "x/y"];
    const own = (await sent({ method: "POST", headers: named, body: Buffer.from([0]) })).request.headers;
    assert.deepEqual([own["content-type"], own["user-agent"], own.accept], ["text/x-own", "own/1", "x/y"]);
  });
});
