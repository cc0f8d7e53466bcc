// What a client may send and what it gets for it, frame by frame, against a server that echoes: the case groups of the
// Autobahn test suite in our own words, for machines that cannot have it (test/interop/autobahn.test.ts).
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync, inflateRawSync, constants as zlib } from "node:zlib";
import type { WebSocketLimits } from "../../src/websocket/index.ts";
import { closeFrame, echo, frame, handshake, serve } from "../kit/serve-websocket.ts";

const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
/** Ends every case whose frames are good: what comes before its answer is the answer to the case. */
const BYE = closeFrame(1000);

interface Case {
  /** What the client sends; a normal close follows unless it ends in one or is faulty. */
  readonly sends: readonly string[];
  /** What it gets; the last is the close frame. */
  readonly gets: readonly string[];
}

const good = (sends: readonly string[], gets: readonly string[]): Case => ({
  sends: [...sends, BYE],
  gets: [...gets, "close 1000"],
});
const bad = (code: number, ...sends: readonly string[]): Case => ({ sends, gets: [`close ${code}`] });
const text = (content: string): string => `text ${JSON.stringify(content)}`;
const binary = (content: string): string => `binary ${JSON.stringify(content)}`;
const latin1 = (content: string): string => Buffer.from(content).toString("latin1");
const part = (opcode: number, content: string | Uint8Array, fin = false): string =>
  frame(opcode, content, { fin });
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

const sizes = [0, 125, 126, 127, 128, 65_535, 65_536];
const stars = (size: number): string => "*".repeat(size);

const GROUPS: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "1, framing": {
    ...Object.fromEntries(
      sizes.flatMap((size) => [
        [`text of ${size} bytes`, good([frame(TEXT, stars(size))], [text(stars(size))])],
        [`binary of ${size} bytes`, good([frame(BINARY, stars(size))], [binary(stars(size))])],
      ]),
    ),
    "a length written longer than it must be": good(
      [frame(TEXT, "hi", { width: 2 }), frame(TEXT, "ho", { width: 8 })],
      [text("hi"), text("ho")],
    ),
  },
  "2, pings and pongs": {
    "a ping without payload": good([frame(PING)], ['pong ""']),
    "a ping with text": good([frame(PING, "hello")], ['pong "hello"']),
    "a ping with any bytes": good([frame(PING, bytes("00 ff fe fd 00"))], ['pong "\\u0000ÿþý\\u0000"']),
    "a ping of 125 bytes": good([frame(PING, stars(125))], [`pong "${stars(125)}"`]),
    "K3: a ping of 126 bytes": bad(1002, frame(PING, stars(126))),
    "a pong that nobody asked for": good([frame(PONG), frame(PONG, "hello")], []),
    "a pong and then a ping": good([frame(PONG, "a"), frame(PING, "b")], ['pong "b"']),
    "ten pings": good(
      Array.from({ length: 10 }, (_, i) => frame(PING, `${i}`)),
      Array.from({ length: 10 }, (_, i) => `pong "${i}"`),
    ),
  },
  "3, reserved bits": {
    ...Object.fromEntries(
      [1, 2, 3, 4, 5, 6, 7].map((rsv) => [
        `K2: bits ${rsv.toString(2).padStart(3, "0")}`,
        bad(1002, frame(rsv % 2 === 0 ? TEXT : BINARY, "hello", { rsv })),
      ]),
    ),
    "K2: in a ping": bad(1002, frame(PING, "hello", { rsv: 1 })),
    "K2: in a close": bad(1002, frame(CLOSE, "", { rsv: 4 })),
    "K2: after a good message": {
      sends: [frame(TEXT, "one"), frame(TEXT, "two", { rsv: 4 })],
      gets: [text("one"), "close 1002"],
    },
    "K2: no mask": bad(1002, frame(TEXT, "hello", { mask: false })),
    "K2: no mask on an empty frame": bad(1002, frame(TEXT, "", { mask: false })),
    "K2: no mask on a ping": bad(1002, frame(PING, "", { mask: false })),
  },
  "4, reserved opcodes": Object.fromEntries(
    [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
      [`K2: ${opcode}`, bad(1002, frame(opcode))],
      [`K2: ${opcode} with payload`, bad(1002, frame(opcode, "hello"))],
    ]),
  ),
  "5, fragments": {
    "two of a text": good([part(TEXT, "one "), part(0, "two", true)], [text("one two")]),
    "an empty one at each end": good(
      [part(BINARY, ""), part(0, "x"), part(0, ""), part(0, "", true)],
      [binary("x")],
    ),
    "a ping between them": good(
      [part(TEXT, "a"), frame(PING, "p"), part(0, "b", true)],
      ['pong "p"', text("ab")],
    ),
    "K3: a fragmented ping": bad(1002, part(PING, "a"), part(0, "b", true)),
    "K3: a fragmented pong": bad(1002, part(PONG, "a"), part(0, "b", true)),
    "K3: a fragmented close": bad(1002, part(CLOSE, ""), part(0, "", true)),
    "K4: a continuation of nothing": bad(1002, frame(0, "a")),
    "K4: a continuation of nothing, unfinished": bad(1002, part(0, "a"), frame(TEXT, "b")),
    "K4: a continuation after a whole message": {
      sends: [frame(TEXT, "one"), frame(0, "two")],
      gets: [text("one"), "close 1002"],
    },
    "K4: a message within a message": bad(1002, part(TEXT, "a"), frame(TEXT, "b")),
    "K4: a fragmented message within another": bad(1002, part(TEXT, "a"), part(BINARY, "b")),
  },
  "6, UTF-8": {
    "characters of one to four bytes": good([frame(TEXT, "aß水🎵")], [text(latin1("aß水🎵"))]),
    "a character split over fragments": good(
      [part(TEXT, bytes("f0 9f")), part(0, bytes("8e")), part(0, bytes("b5"), true)],
      [text(latin1("🎵"))],
    ),
    "the last code point, and noncharacters": good(
      [frame(TEXT, bytes("f4 8f bf bf ef bf be"))],
      [text(latin1("\u{10ffff}\ufffe"))],
    ),
    ...Object.fromEntries(
      Object.entries({
        "a byte that never occurs": "61 ff 62",
        "a continuation first": "80",
        "a character cut off": "e6 b0",
        "an overlong slash": "c0 af",
        "an overlong NUL of four bytes": "f0 80 80 80",
        "a surrogate": "ed a0 80",
        "beyond the last code point": "f4 90 80 80",
        "a sequence of five bytes": "f8 88 80 80 80",
      }).map(([what, hex]) => [`K5: ${what}`, bad(1007, frame(TEXT, bytes(hex)))]),
    ),
    "K5: bad only where fragments meet": bad(1007, part(TEXT, bytes("ce")), part(0, bytes("41"), true)),
    "the same bytes are welcome as binary": good([frame(BINARY, bytes("ff c0 80"))], [binary("ÿÀ\x80")]),
  },
  "7, closing": {
    "without a code": { sends: [frame(CLOSE)], gets: ["close"] },
    "with a reason": { sends: [closeFrame(1000, "thank you")], gets: ["close 1000thank you"] },
    "with a reason of 123 bytes": {
      sends: [closeFrame(1000, stars(123))],
      gets: [`close 1000${stars(123)}`],
    },
    "K3: with a reason of 124 bytes": bad(1002, closeFrame(1000, stars(124))),
    "K6: with a payload of one byte": bad(1002, frame(CLOSE, "x")),
    "K5: with a reason that is not UTF-8": bad(1007, closeFrame(1000, bytes("ce ff"))),
    ...Object.fromEntries(
      [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
        (code) => [`with code ${code}`, { sends: [closeFrame(code)], gets: [`close ${code}`] }],
      ),
    ),
    ...Object.fromEntries(
      [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => [
        `K6: with code ${code}`,
        bad(1002, closeFrame(code)),
      ]),
    ),
    "frames behind it are not read": {
      sends: [BYE, frame(TEXT, "late"), frame(PING), frame(TEXT, "x", { mask: false })],
      gets: ["close 1000"],
    },
    "in the middle of a message": { sends: [part(TEXT, "half"), BYE], gets: ["close 1000"] },
  },
};

/** Without permessage-deflate being offered. */
const run = async (
  t: Parameters<typeof serve>[0],
  { sends, gets }: Case,
  pieces: (bytes: string) => Iterable<string>,
): Promise<void> => {
  const { raw } = await serve(t, echo);
  const client = await raw(handshake());
  await client.accepted();
  for (const piece of pieces(sends.join(""))) {
    client.send(piece);
    // So that each is a segment of its own.
    if (piece.length < 64) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await client.allFrames(), gets);
  assert.equal(client.state, "end");
};

function* cut(bytes: string): Iterable<string> {
  // Only the beginning of a long message comes byte by byte: all of it would take for ever.
  for (const byte of bytes.slice(0, 1_000)) yield byte;
  yield bytes.slice(1_000);
}

for (const [group, cases] of Object.entries(GROUPS))
  for (const [name, one] of Object.entries(cases)) {
    test(`group ${group}: ${name}`, (t) => run(t, one, (all) => [all]));
    if (one.sends.join("").length < 1_000)
      test(`group ${group}: ${name}, byte by byte`, (t) => run(t, one, cut));
  }

// Groups 9 and 10: large messages, and limits.

for (const [what, size, pieces] of [
  ["one frame", 2 ** 22, 2 ** 22],
  ["frames of 64 KiB", 2 ** 22, 2 ** 16],
  ["frames of 64 bytes", 2 ** 18, 64],
] as const)
  test(`group 9: a message of ${size} bytes in ${what} comes back whole`, async (t) => {
    const { raw } = await serve(t, echo);
    const client = await (await raw(handshake())).accepted();
    const content = Buffer.alloc(size, "0123456789");
    for (let at = 0; at < size; at += pieces)
      client.send(part(at === 0 ? BINARY : 0, content.subarray(at, at + pieces), at + pieces >= size));
    client.send(BYE);
    const frames = await client.allFrames();
    assert.equal(frames.length, 2);
    assert.ok(frames[0] === binary(content.toString("latin1")));
  });

const limited = async (
  t: Parameters<typeof serve>[0],
  websocket: Partial<WebSocketLimits>,
  sends: string,
  gets: readonly string[],
  offer?: string,
): Promise<void> => {
  const { raw } = await serve(t, echo, { websocket });
  const client = await raw(handshake({ "Sec-WebSocket-Extensions": offer }));
  await client.accepted();
  assert.deepEqual(await client.send(sends).allFrames(), gets);
};

test("a message of exactly the limit passes", (t) =>
  limited(t, { message: 1_000 }, frame(BINARY, stars(1_000)) + BYE, [binary(stars(1_000)), "close 1000"]));

test("K7: a message over the limit is 1009 before its payload has come", (t) =>
  limited(t, { message: 1_000 }, frame(BINARY, "", { length: 1_001n }), ["close 1009"]));

test("K7: fragments that are too much together are 1009", (t) =>
  limited(t, { message: 1_000 }, part(BINARY, stars(600)) + part(0, stars(401)), ["close 1009"]));

test("K7: a length of 2^53 is refused without an allocation", (t) =>
  limited(t, {}, frame(BINARY, "", { length: 2n ** 53n }), ["close 1009"]));

test("K7: a length with its top bit set is refused", (t) =>
  limited(t, {}, frame(BINARY, "", { length: 2n ** 63n }), ["close 1009"]));

test("more fragments than the limit are 1008", (t) =>
  limited(t, { fragments: 10 }, part(BINARY, "x") + part(0, "x").repeat(10), ["close 1008"]));

// Groups 12 and 13: compression.

/** A message as RFC 7692, 7.2.1 compresses it. */
const deflated = (content: string | Uint8Array): Buffer =>
  deflateRawSync(content, { finishFlush: zlib.Z_SYNC_FLUSH }).subarray(0, -4);
const inflated = (content: string): string =>
  inflateRawSync(Buffer.concat([Buffer.from(content, "latin1"), bytes("00 00 ff ff")]), {
    finishFlush: zlib.Z_SYNC_FLUSH,
  }).toString();

const DEFLATE = "permessage-deflate";
const compressed = (content: string | Uint8Array, opcode = TEXT): string =>
  frame(opcode, deflated(content), { rsv: 4 });

for (const [offer, agreed] of Object.entries({
  [DEFLATE]: `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`,
  [`${DEFLATE}; client_max_window_bits`]: `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`,
  [`${DEFLATE}; client_max_window_bits=9`]: `${DEFLATE}; client_max_window_bits=9; server_no_context_takeover; client_no_context_takeover`,
  [`${DEFLATE}; server_max_window_bits=10`]: `${DEFLATE}; server_max_window_bits=10; server_no_context_takeover; client_no_context_takeover`,
  [`x-unknown, ${DEFLATE}; server_no_context_takeover`]: `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`,
  [`${DEFLATE}; server_max_window_bits=8, ${DEFLATE}`]: `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`,
  [`${DEFLATE}; nonsense, ${DEFLATE}; client_max_window_bits=15`]: `${DEFLATE}; client_max_window_bits=15; server_no_context_takeover; client_no_context_takeover`,
  "x-unknown": undefined,
  [`${DEFLATE}; nonsense`]: undefined,
  [`${DEFLATE}; server_max_window_bits=7`]: undefined,
  [`${DEFLATE}; server_max_window_bits=16`]: undefined,
  [`${DEFLATE}; server_max_window_bits`]: undefined,
  [`${DEFLATE}; server_max_window_bits=8`]: undefined,
  [`${DEFLATE}; server_no_context_takeover=1`]: undefined,
  [`${DEFLATE}; client_max_window_bits=9; client_max_window_bits=9`]: undefined,
}))
  test(`K8: the offer ${offer} is ${agreed ? "accepted" : "declined"}`, async (t) => {
    const { raw } = await serve(t, echo);
    const { received } = await (await raw(handshake({ "Sec-WebSocket-Extensions": offer }))).accepted();
    assert.match(received, /^HTTP\/1\.1 101 /);
    assert.equal(/^Sec-WebSocket-Extensions: (.*)\r$/m.exec(received)?.[1], agreed);
  });

test("group 12: compressed messages of all sizes are read, and large ones come back compressed", async (t) => {
  const { raw } = await serve(t, echo);
  const client = await raw(handshake({ "Sec-WebSocket-Extensions": DEFLATE }));
  await client.accepted();
  for (const size of [0, 1, 1_023, 1_024, 100_000]) client.send(compressed(stars(size)));
  const frames = await client.send(BYE).allFrames();
  assert.deepEqual(frames.slice(0, 3), [text(""), text("*"), text(stars(1_023))]);
  for (const [at, size] of [
    [3, 1_024],
    [4, 100_000],
  ] as const) {
    const [, payload = ""] = /^text rsv 4 (.*)$/.exec(frames[at] as string) ?? [];
    assert.equal(inflated(JSON.parse(payload)), stars(size));
  }
  assert.deepEqual(frames.slice(5), ["close 1000"]);
});

test("group 12: small and large messages keep their order", async (t) => {
  const { open } = await serve(t, echo);
  const client = await open({ perMessageDeflate: { threshold: 0 } });
  const sent = Array.from({ length: 200 }, (_, i) => `${i}${stars(i % 3 === 0 ? 20_000 : 1)}`);
  const got: string[] = [];
  client.on("message", (data) => {
    got.push(String(data));
    if (got.length === sent.length) client.close();
  });
  for (const message of sent) client.send(message);
  await new Promise((resolve) => client.once("close", resolve));
  assert.deepEqual(got, sent);
});

test("group 13: the smallest windows that we agree to do work", async (t) => {
  const { open } = await serve(t, echo);
  const client = await open({
    perMessageDeflate: { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
  });
  const sent = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * i) % 251));
  client.send(sent);
  const [data] = await new Promise<[Buffer]>((resolve) =>
    client.once("message", (got: Buffer) => resolve([got])),
  );
  assert.ok(sent.equals(data));
});

test("a compressed message in fragments, with a ping between them, is read", (t) => {
  const whole = deflated(stars(100));
  const sends =
    frame(TEXT, whole.subarray(0, 2), { fin: false, rsv: 4 }) +
    frame(PING, "p") +
    frame(0, whole.subarray(2)) +
    BYE;
  return limited(t, {}, sends, ['pong "p"', text(stars(100)), "close 1000"], DEFLATE);
});

for (const [what, sends, code] of [
  ["K2: a continuation that claims to be compressed", part(TEXT, "a") + frame(0, "b", { rsv: 4 }), 1002],
  ["K2: a ping that claims to be compressed", frame(PING, "", { rsv: 4 }), 1002],
  ["K8: what is not compressed at all", frame(TEXT, bytes("ff ff ff ff"), { rsv: 4 }), 1007],
  ["K5: compressed text that is not UTF-8", compressed(bytes("61 ff")), 1007],
] as const)
  test(`${what} is ${code}`, (t) => limited(t, {}, sends, [`close ${code}`], DEFLATE));

test("K8: a message that inflates beyond the limit is 1009, and never in memory", async (t) => {
  const bomb = compressed(Buffer.alloc(2 ** 28), BINARY);
  assert.ok(bomb.length < 2 ** 19);
  const before = process.memoryUsage().arrayBuffers;
  await limited(t, { message: 2 ** 20 }, bomb, ["close 1009"], DEFLATE);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 26);
});

test("K8: a message that inflates beyond the limit in fragments is 1009", (t) => {
  const whole = deflated(Buffer.alloc(2 ** 21));
  const half = Math.floor(whole.length / 2);
  const sends =
    frame(BINARY, whole.subarray(0, half), { fin: false, rsv: 4 }) + frame(0, whole.subarray(half));
  return limited(t, { message: 2 ** 20 }, sends, ["close 1009"], DEFLATE);
});

test("nothing is compressed where that is switched off, and a compressed message is then 1002", (t) =>
  limited(t, { compress: false }, compressed("hello"), ["close 1002"], DEFLATE));
