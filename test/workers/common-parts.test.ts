// A worker gets the common part of a connection's requests once, and then its number. No request may ever get that of another
// connection, however many there are and whatever was replaced meanwhile.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Repeated } from "../../src/exchange/index.ts";
import { createServer } from "../../src/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { CommonParts } from "../../src/workers/common-parts.ts";
import { FrameWriter, HEADER_SIZE } from "../../src/workers/link.ts";
import { DICT, DICT_END, int, PAIR } from "../../src/workers/marshal.ts";
import { pythons } from "../kit/pythons.ts";

const folder = (name: string): string => fileURLToPath(new URL(`../apps/${name}`, import.meta.url));
const repeated = (): Repeated => new Repeated(new RecordedExchange({}).request);

test("a common part that a worker has dropped is sent again, with a number that was never used", () => {
  const commonParts = new CommonParts();
  const writer = new FrameWriter();
  const all = Array.from({ length: 1_000 }, repeated);
  const numbers = all.map((one) => commonParts.send(writer, one, ""));
  assert.equal(new Set(numbers).size, 1_000);
  assert.deepEqual(
    [commonParts.numberOf(all[0] as Repeated), commonParts.numberOf(all[999] as Repeated)],
    [0, 1_000],
  );
  writer.take();
  assert.equal(commonParts.send(writer, all[0] as Repeated, ""), 1_001);
  assert.equal(
    writer.take().join("").slice(HEADER_SIZE),
    PAIR + int(489) + DICT + DICT_END,
    "what had its place is forgotten for it",
  );
});

test("numbers begin anew after the largest that a request can name, and what they replace is forgotten", () => {
  const last = 2 ** 31 - 1;
  const commonParts = new CommonParts(last - 600);
  const writer = new FrameWriter();
  const kept = new Set<number>();
  for (let i = 0; i < 2_000; i++) {
    const number = commonParts.send(writer, repeated(), "");
    const payload = Buffer.from(writer.take().join(""), "latin1").subarray(HEADER_SIZE);
    kept.delete(payload.readInt32LE(PAIR.length + 1));
    assert.ok(number > 0 && number <= last && !kept.has(number), `${number}`);
    kept.add(number);
    assert.ok(kept.size <= 512, "a worker forgets as many as it learns");
  }
  const [one, other] = [repeated(), repeated()];
  const numbers = [one, other].map((each) => commonParts.send(writer, each, ""));
  assert.deepEqual(
    [one, other].map((each) => commonParts.numberOf(each)),
    numbers,
  );
});

test("a connection outlives any number of workers without remembering all of them", () => {
  const one = repeated();
  for (let i = 0; i < 1_000; i++) new CommonParts().send(new FrameWriter(), one, "");
  assert.ok(one.numbers.size <= 64);
});

const WSGI = { wsgi: "say_request", chdir: folder("wsgi"), python: "python3" };
const MODES: [name: string, app: object][] = [
  ["WSGI", WSGI],
  ["WSGI with threads and two processes", { ...WSGI, threads: 3, processes: 2 }],
  ["ASGI", { asgi: "pages", chdir: folder("asgi"), python: "python3" }],
  ["embedded WSGI", { ...WSGI, python: pythons()[0]?.path, mode: "embedded" }],
];

/** More than a worker keeps. */
const CONNECTIONS = 700;

for (const [name, app] of MODES)
  test(`${name}: ${CONNECTIONS} connections get answers to what they asked, and nobody else's`, async (t) => {
    const server = createServer(
      { listen: ["127.0.0.1:0"], apps: { app: app as never }, log: { level: "error", access: "off" } },
      { directory: folder("wsgi") },
    );
    t.after(() => server.stop(0));
    const [url] = await server.start();
    const clients = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => client(t, Number(new URL(url as string).port))),
    );
    for (const round of ["a", "a", "a", "b", "b"])
      await Promise.all(
        clients.map(async (ask, i) => {
          const answer = await ask(`/scope?${i}`, `${round}-${i}-end`);
          assert.ok(answer.includes(`${round}-${i}-end`), `connection ${i}, round ${round}: ${answer}`);
          assert.match(answer, new RegExp(`\\b${i}\\b`));
        }),
      );
  });

type Ask = (target: string, one: string) => Promise<string>;

async function client(t: TestContext, port: number): Promise<Ask> {
  const socket: Socket = connect(port, "127.0.0.1").setEncoding("latin1") as Socket;
  t.after(() => socket.destroy());
  await once(socket, "connect");
  let text = "";
  let arrived = (): void => {};
  socket.on("data", (part: string) => {
    text += part;
    const length = /content-length: (\d+)\r\n/i.exec(text)?.[1];
    const end = text.indexOf("\r\n\r\n") + 4;
    if (length !== undefined && end > 3 && text.length === end + Number(length)) arrived();
  });
  return async (target, one) => {
    text = "";
    const whole = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nX-One: ${one}\r\n\r\n`);
    await whole;
    return text;
  };
}
