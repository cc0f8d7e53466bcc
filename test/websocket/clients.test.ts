// Clients that others wrote: Python's websockets and aiohttp.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { Exchange } from "../../src/exchange/index.ts";
import { needs, VENV_PYTHON } from "../kit/needs.ts";
import { echo, PLAIN, Seen, serve } from "../kit/serve-websocket.ts";

async function python(program: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(VENV_PYTHON, ["-c", program, ...args]);
  return stdout.trim().split("\n");
}

const WEBSOCKETS = `
import asyncio, sys
from websockets.asyncio.client import connect
async def main(url, compression):
    async with connect(url, compression=compression, subprotocols=["a", "b"], max_size=None) as ws:
        print(ws.subprotocol, [type(e).__name__ for e in ws.protocol.extensions])
        for message in ["héllo", b"\\0\\xff", "x" * 3000, b"y" * (1 << 22)]:
            await ws.send(message)
            print(await ws.recv() == message)
        await ws.send(iter(["in ", "three ", "pieces"]))
        print(await ws.recv())
        await (await ws.ping())
        await ws.close(3000, "done")
    print(ws.close_code, ws.close_reason)
asyncio.run(main(sys.argv[1], sys.argv[2] or None))
`;

const choosing = (exchange: Exchange): void => {
  const { handshake } = exchange;
  const session = handshake?.accept(
    { ...PLAIN, subprotocol: handshake.subprotocols[1] },
    { message: (data, binary) => void session?.send(data, binary), closed() {} },
  );
};

for (const [compression, extensions] of [
  ["deflate", "['PerMessageDeflate']"],
  ["", "[]"],
] as const)
  test(`Python's websockets, ${compression ? "compressed" : "not compressed"}`, async (t: TestContext) => {
    if (!needs(t, "py:websockets")) return;
    const { url } = await serve(t, choosing);
    assert.deepEqual(await python(WEBSOCKETS, url, compression), [
      `b ${extensions}`,
      ..."True True True True".split(" "),
      "in three pieces",
      "3000 done",
    ]);
  });

const AIOHTTP = `
import asyncio, sys, aiohttp
async def main(url):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, compress=15) as ws:
            for message in ["hello", "z" * 5000]:
                await ws.send_str(message)
                print((await ws.receive()).data == message)
            await ws.close(code=4001, message=b"bye")
            print(ws.close_code)
asyncio.run(main(sys.argv[1]))
`;

test("Python's aiohttp", async (t) => {
  if (!needs(t, "py:aiohttp")) return;
  const { url } = await serve(t, echo);
  assert.deepEqual(await python(AIOHTTP, url), ["True", "True", "4001"]);
});

test("a client that is told 403 reads the whole answer", async (t) => {
  if (!needs(t, "py:websockets")) return;
  const { url } = await serve(t, (exchange) =>
    exchange.respond({ status: 403, reason: "", headers: ["X-Why", "no ticket"] }, "not you"),
  );
  const program = `
import sys
from websockets.sync.client import connect
from websockets.exceptions import InvalidStatus
try:
    connect(sys.argv[1])
except InvalidStatus as error:
    r = error.response
    print(r.status_code, r.headers["X-Why"], r.body.decode())
`;
  assert.deepEqual(await python(program, url), ["403 no ticket not you"]);
});

test("a client that is killed is 1006", async (t) => {
  if (!needs(t, "py:websockets")) return;
  let accepted = (_: Seen): void => {};
  const next = new Promise<Seen>((resolve) => (accepted = resolve));
  const { url } = await serve(t, (exchange) => accepted(new Seen().accept(exchange)));
  const program =
    "import sys, time\nfrom websockets.sync.client import connect\nconnect(sys.argv[1])\ntime.sleep(60)";
  const child = execFile(VENV_PYTHON, ["-c", program, url], () => {});
  const seen = await next;
  child.kill("SIGKILL");
  await seen.over();
  assert.equal(seen.end, "1006");
});
