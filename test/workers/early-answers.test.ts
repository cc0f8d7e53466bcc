// An application that reads on after its complete answer learns that the rest of the body will not come, and its worker goes on.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { serve } from "../kit/serve-http1.ts";
import { startWsgi } from "../kit/start-wsgi.ts";

const APP = `import os

def application(environ, start_response):
    pid = b'{"pid": %d}' % os.getpid()
    length = len(pid) if environ["PATH_INFO"] == "/whole" else len(pid) + 1
    start_response("200 OK", [("Content-Length", str(length))])
    yield pid
    if environ["PATH_INFO"] == "/pieces":
        yield b" "
    if environ["REQUEST_METHOD"] == "POST":
        try:
            print("body:", len(environ["wsgi.input"].read()), flush=True)
        except OSError as error:
            print("no body:", error, flush=True)
`;

for (const expects of [true, false])
  for (const threads of [1, 2])
    for (const path of ["/whole", "/pieces"]) {
      const how = `${path}, ${expects ? "100 Continue" : "not set aside"}, threads: ${threads}`;
      test(`an application reads a body that its answer has cut off: ${how}`, async (t) => {
        const folder = makeFolder(t);
        writeFileSync(join(folder, "early.py"), APP);
        const options = { chdir: folder, threads, timeout: 2_000, bufferBody: expects };
        const { gateway, json, lines, logged } = await startWsgi(t, "early:application", options);
        const front = await serve(t, (exchange) => gateway.handle(exchange));
        const client = await front.client();
        const expect = expects ? "Expect: 100-continue\r\n" : "";
        client.send(`POST ${path} HTTP/1.1\r\nHost: x\r\n${expect}Content-Length: 1000\r\n\r\n`);
        client.send("x".repeat(100));
        await client.has("HTTP/1.1 200 ");
        const read = await logged(/no body: /);
        assert.match(read.message, /before the request body/);
        assert.equal((await json("/pid")).pid, read.fields.pid);
        assert.deepEqual(
          lines.filter(({ message }) => /hangs/.test(message)),
          [],
        );
      });
    }
