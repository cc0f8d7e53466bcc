// A reload replaces an app: the requests that the old one was given are answered by it, those that still wait in its queue or
// for the rest of their bodies, too.
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { TextConnection } from "../kit/raw-connection.ts";
import { serve } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const PYTHON = pythons()[0]?.path as string;

const FILES = {
  "hold.py": `
import os, sys, time
def app(environ, start_response):
    print("inside", file=sys.stderr, flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["GENERATION"].encode() + b" " + body]
`,
  hold: `#!/bin/sh
echo inside >&2
while ! [ -e go ]; do sleep 0.01; done
printf 'Content-Type: text/plain\\n\\n%s ' $GENERATION
cat
`,
};

type AppOf = (folder: string, env: Record<string, string>) => object;
const served = ["serve", "hold:app", "--python", PYTHON, "--access-log", "off"];
const KINDS: Readonly<Record<string, AppOf>> = {
  WSGI: (chdir, env) => ({ wsgi: "hold:app", python: PYTHON, chdir, env }),
  CGI: (folder, env) => ({ cgi: join(folder, "hold"), processes: 1, env }),
  FastCGI: (chdir, env) => ({
    fastcgi: { command: [process.execPath, BIN, ...served], chdir, env },
    connections: 1,
  }),
};

const post = (length: number, body: string): string =>
  `POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${body}`;
/** Chunked, so that every gateway has to wait for its end. */
const begun = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body.length}\r\n${body}\r\n`;

for (const [name, appOf] of Object.entries(KINDS))
  test(`${name}: an app that a reload replaces answers what it was given, the queue and half a body included`, async (t) => {
    const folder = makeFolder(t);
    for (const [file, text] of Object.entries(FILES)) writeFileSync(join(folder, file), text);
    chmodSync(join(folder, "hold"), 0o755);
    const write = (GENERATION: string): void =>
      writeFileSync(
        join(folder, "site.json"),
        JSON.stringify({
          listen: ["127.0.0.1:0"],
          log: { access: "off" },
          apps: { app: appOf(folder, { GENERATION }) },
        }),
      );
    write("old");
    const server = await serve(["--config", join(folder, "site.json")], { cwd: folder });
    t.after(() => server.stop());
    const open = async (text: string): Promise<TextConnection> =>
      (await TextConnection.open({ port: Number(new URL(server.url).port) })).send(text);

    const inside = await open(post(1, "1"));
    await server.sees(/inside/);
    const half = await open(begun("3"));
    const queued = await open(post(1, "2"));
    write("new");
    process.kill(server.pid, "SIGHUP");
    await server.sees(/app app was replaced/);
    // What is asked for from now on is the new app's.
    const later = await open(post(1, "4"));
    writeFileSync(join(folder, "go"), "");
    assert.match(await inside.all(), /^HTTP\/1\.1 200 [\s\S]*old [\s\S]*1/);
    half.send("0\r\n\r\n");
    assert.match(await queued.all(), /^HTTP\/1\.1 200 [\s\S]*old [\s\S]*2/);
    assert.match(await half.all(), /^HTTP\/1\.1 200 [\s\S]*old [\s\S]*3/);
    assert.match(await later.all(), /^HTTP\/1\.1 200 [\s\S]*new [\s\S]*4/);
  });
