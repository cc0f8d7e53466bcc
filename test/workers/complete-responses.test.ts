// A response that the application has given in full reaches a client that is slow to take it, whatever happens in the worker
// afterwards.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Gateway } from "../../src/exchange/index.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { type KeptLog, keepLog } from "../kit/keep-log.ts";
import { makeFolder } from "../kit/make-folder.ts";

/** Together less than what an ASGI application may be ahead of its client. */
const COUNT = 4;
const PIECE = 60_000;

const APP = `import asyncio, os, time
HEAD = [("Content-Type", "application/octet-stream")]
PIECES = [b"x" * ${PIECE}] * ${COUNT}

def after(how, error):
    print("after the end:", how, flush=True)
    if how == "raise": raise error("too late to matter")
    if how == "die": os._exit(3)
    if how == "hang": time.sleep(1000)

def application(environ, start_response):
    start_response("200 OK", HEAD)
    return Closing(environ["PATH_INFO"][1:])

class Closing:
    def __init__(self, how): self.how = how
    def __iter__(self): return iter(PIECES)
    def close(self): after(self.how, SystemExit)

async def coroutine(scope, receive, send):
    how = scope["path"][1:]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if how.startswith("file"):
        await send({"type": "http.response.pathsend", "path": os.path.join(os.getcwd(), "pieces")})
    else:
        for piece in PIECES[1:]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": PIECES[0]})
    await asyncio.sleep(0.1)  # what was sent leaves with the turn of the loop
    after(how.split("-")[-1], ValueError)
`;

async function started(
  t: TestContext,
  make: (options: object) => Gateway,
): Promise<{ gateway: Gateway; kept: KeptLog }> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "late.py"), APP);
  writeFileSync(join(folder, "pieces"), Buffer.alloc(COUNT * PIECE, "x"));
  const kept = keepLog();
  const gateway = make({ chdir: folder, log: kept.log });
  t.after(() => gateway.close?.(0));
  await gateway.start?.();
  return { gateway, kept };
}

const ofWsgi =
  (threads: number) =>
  (options: object): Gateway =>
    wsgi("late:application", { ...options, threads, timeout: 500 });
const ofAsgi = (options: object): Gateway =>
  asgi("late:coroutine", { ...options, lifespan: "off", blockedTimeout: 500, pathsend: true });

const RAISED = /too late to matter/;
const DIED = /worker \d+ (?:exited with status \d+|was killed by \w+); another starts/;
const HUNG = /worker \d+ hangs/;

const CASES: [name: string, make: (options: object) => Gateway, path: string, happened: RegExp][] = [
  ["WSGI, close() ends the process", ofWsgi(1), "/raise", RAISED],
  ["WSGI, the worker dies", ofWsgi(1), "/die", DIED],
  ["WSGI, close() hangs", ofWsgi(1), "/hang", HUNG],
  ["WSGI with threads, the worker dies", ofWsgi(2), "/die", DIED],
  ["WSGI with threads, close() hangs", ofWsgi(2), "/hang", HUNG],
  ["ASGI, the application raises", ofAsgi, "/raise", RAISED],
  ["ASGI, the worker dies", ofAsgi, "/die", DIED],
  ["ASGI, the event loop is blocked", ofAsgi, "/hang", HUNG],
  ["ASGI with a file, the application raises", ofAsgi, "/file-raise", RAISED],
  ["ASGI with a file, the worker dies", ofAsgi, "/file-die", DIED],
];

for (const [name, make, path, happened] of CASES)
  test(`a complete response reaches a slow client: ${name}`, async (t) => {
    const { gateway, kept } = await started(t, make);
    const exchange = new RecordedExchange({ target: path, log: kept.log });
    exchange.stalled = true;
    gateway.handle(exchange);
    await kept.logged(happened);
    assert.equal(exchange.chunks.length, 1);
    exchange.release();
    const { complete, body, error } = await exchange.done;
    assert.deepEqual([complete, body.length, error], [true, COUNT * PIECE, undefined]);
  });
