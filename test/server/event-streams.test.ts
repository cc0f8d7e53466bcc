// A server that stops, or whose app is reloaded, while clients listen to event streams: they end after an event, as a response
// ends, whatever their application does; nobody waits for the grace, and nobody is blamed.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pythons } from "../pythons.ts";
import { type Served, serve } from "../serve.ts";

const here = mkdtempSync(join(tmpdir(), "events-"));
after(() => rmSync(here, { recursive: true, force: true }));
const PYTHON = pythons()[0]?.path as string;

writeFileSync(
  join(here, "site_of_events.py"),
  `import asyncio, time

def asgi(stream):
    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise NotImplementedError
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await stream(receive, lambda text: send({"type": "http.response.body", "body": text, "more_body": True}))
    return app

@asgi
async def heedless(receive, say):
    while True:
        await say(b"data: tick\\n\\n")
        await asyncio.sleep(0.02)

@asgi
async def deaf(receive, say):
    await say(b"data: tick\\n\\n")
    await asyncio.Event().wait()

@asgi
async def obedient(receive, say):
    await say(b"data: tick\\n\\n")
    await receive()

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    while True:
        yield b"data: tick\\n\\n"
        time.sleep(0.02)
`,
);
writeFileSync(
  join(here, "fetch.mjs"),
  `export default {
  fetch() {
    let timer;
    const body = new ReadableStream({
      start(controller) {
        const tick = () => controller.enqueue(new TextEncoder().encode("data: tick\\n\\n"));
        timer = setInterval(tick, 20);
        tick();
      },
      cancel: () => clearInterval(timer),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  },
};
`,
);
writeFileSync(
  join(here, "node.mjs"),
  `export default (req, res) => {
  res.writeHead(200, { "content-type": "text/event-stream" });
  const timer = setInterval(() => res.write("data: tick\\n\\n"), 20);
  res.on("close", () => clearInterval(timer));
};
`,
);

const TARGETS: readonly (readonly [string, readonly string[]])[] = [
  ["ASGI app that sends without ever listening", ["site_of_events:heedless"]],
  ["ASGI app that waits for what never comes", ["site_of_events:deaf"]],
  ["ASGI app that returns when it is told", ["site_of_events:obedient"]],
  ["WSGI app", ["site_of_events:wsgi"]],
  ["WSGI app on threads", ["site_of_events:wsgi", "--threads", "2"]],
  ["WSGI app in the server process", ["site_of_events:wsgi", "--embedded"]],
  ["fetch handler", ["fetch.mjs"]],
  ["node handler", ["node.mjs"]],
  ["ASGI app of one of two server processes", ["site_of_events:heedless", "--server-processes", "2"]],
  ["WSGI app of one of two server processes", ["site_of_events:wsgi", "--server-processes", "2"]],
  ["fetch handler of one of two server processes", ["fetch.mjs", "--server-processes", "2"]],
];

const start = ([target = "", ...more]: readonly string[]): Promise<Served> =>
  serve([target, "--grace", "60s", ...(target.includes(":") ? ["--python", PYTHON] : []), ...more], {
    cwd: here,
  });

/** Reads the first event; what it gives reads the rest, and rejects where the response is cut. */
async function listenTo(url: string): Promise<() => Promise<string>> {
  const response = await fetch(url);
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    .getReader();
  let text = (await reader.read()).value ?? "";
  return async () => {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += piece.value;
    return text;
  };
}

const NOBODY_BLAMED = /fault|error|Traceback|without sending/i;

describe("event streams", { concurrency: 4 }, () => {
  for (const [name, target] of TARGETS) {
    test(`a stop does not wait for the event stream of a ${name}, ends it after an event, and blames nobody`, async () => {
      const site = await start(target);
      const rest = await listenTo(site.url);
      const stopped = site.stop();
      assert.match(await rest(), /^(data: tick\n\n)+$/);
      assert.deepEqual(await stopped, { code: 0, signal: null });
      assert.doesNotMatch(site.stderr, NOBODY_BLAMED);
    });
  }

  /** Handlers of the server's own process, and embedded Python, have no reload. */
  const RELOADED = TARGETS.filter(([, [app]]) => app?.includes(":")).filter(
    ([, args]) => !args.includes("--embedded"),
  );

  for (const [name, target] of RELOADED) {
    test(`a reload ends the event stream of a ${name} after an event, and blames nobody`, async () => {
      const site = await start(target);
      const rest = await listenTo(site.url);
      process.kill(site.pid, "SIGHUP");
      assert.match(await rest(), /^(data: tick\n\n)+$/);
      await site.stop();
      assert.doesNotMatch(site.stderr, NOBODY_BLAMED);
    });
  }
});
