// The parser against its vectors: whole, byte by byte, split anywhere, and with bytes left over.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SallyportError } from "../../../src/exchange/index.ts";
import type { HeadEvent } from "../../../src/protocols/http1/head.ts";
import {
  HTTP_LIMITS,
  type HttpLimits,
  type RequestEvent,
  RequestParser,
} from "../../../src/protocols/http1/index.ts";
import { ACCEPTED, REFUSED, TIGHT } from "./vectors.ts";

const NEXT = "GET /next HTTP/1.1\r\nHost: n\r\n\r\n";
const NEXT_EVENTS = ["GET /next 1.1 n 0", "Host: n", "end"];

const limits = (changed: Partial<HttpLimits> = {}): HttpLimits => ({ ...HTTP_LIMITS, ...changed });

/** What `pieces` make the parser tell, restarted after every request; an error is the last line. */
function events(pieces: readonly Buffer[], changed?: Partial<HttpLimits>): string[] {
  const parser = new RequestParser(limits(changed));
  const lines: string[] = [];
  try {
    for (const piece of pieces) {
      // As the memory is that all connections are read into: written over at once.
      const lent = Buffer.from(piece);
      parser.feed(lent);
      for (let event = parser.next(); event; event = parser.next()) {
        tell(lines, event);
        if (event.type === "end" || isWhole(event)) parser.restart();
      }
      parser.settle();
      lent.fill(0xee);
    }
  } catch (error) {
    assert.ok(error instanceof SallyportError);
    assert.throws(() => parser.next(), error, "a dead parser stays dead");
    lines.push(error.code);
  }
  return lines;
}

function tell(lines: string[], event: RequestEvent): void {
  if (event.type === "data") {
    const last = lines.at(-1);
    if (last?.startsWith("data ")) lines[lines.length - 1] = last + event.data.toString("latin1");
    else lines.push(`data ${event.data.toString("latin1")}`);
  } else if (event.type === "end") {
    lines.push(...pairs(event.trailers).map((line) => `trailer ${line}`), "end");
  } else {
    const plain = event.query === "" ? event.path : `${event.path}?${event.query}`;
    const derived = plain === event.target ? "" : ` = ${event.path} ? ${event.query}`;
    const flags = `${event.persistent ? "" : " once"}${event.expectsContinue ? " expects" : ""}`;
    lines.push(
      `${event.method} ${event.target}${derived} ${event.version} ${event.authority} ${event.length}${flags}`,
    );
    lines.push(...pairs(event.headers));
    if (isWhole(event)) lines.push("end");
  }
}

/** A head without a body is a request. */
const isWhole = (event: RequestEvent): boolean => event.type === "head" && event.length === 0;

const pairs = (headers: readonly string[]): string[] =>
  headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []));

const buffer = (text: string): Buffer => Buffer.from(text, "latin1");
const singly = (text: string): Buffer[] => Array.from(buffer(text), (byte) => Buffer.of(byte));

for (const { name, bytes, events: expected } of ACCEPTED) {
  test(`the parser takes ${name}: whole, byte by byte, and followed by another request`, () => {
    assert.deepEqual(events([buffer(bytes)]), expected);
    assert.deepEqual(events(singly(bytes)), expected);
    assert.deepEqual(events([buffer(bytes + NEXT)]), [...expected, ...NEXT_EVENTS]);
  });
}

for (const { name, bytes, code } of REFUSED) {
  test(`the parser refuses ${name}: whole, byte by byte, and whatever follows`, () => {
    const last = `ERR_SALLYPORT_${code}`;
    assert.equal(events([buffer(bytes)], TIGHT).at(-1), last);
    assert.equal(events(singly(bytes), TIGHT).at(-1), last);
    const followed = events([buffer(bytes + NEXT)], TIGHT);
    assert.equal(followed.at(-1), last);
    assert.ok(!followed.includes("end"), "nothing after it is a request");
  });
}

test("no vector depends on where it is split", () => {
  const all = [...ACCEPTED, ...REFUSED].map(({ bytes }) => buffer(`${bytes}`));
  fc.assert(
    fc.property(fc.constantFrom(...all), fc.array(fc.nat(), { maxLength: 12 }), (bytes, marks) => {
      assert.deepEqual(verdict(events(cut(bytes, marks), TIGHT)), verdict(events([bytes], TIGHT)));
    }),
    { numRuns: 2_000 },
  );
});

test("whatever the bytes, the parser gives events or one SallyportError of the client's, wherever they are split", () => {
  const fragments = [...ACCEPTED, ...REFUSED].flatMap(({ bytes }) => bytes.split(/(?<=[\r\n :;])/));
  const soup = fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 6 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(soup, fc.array(fc.nat(), { maxLength: 8 }), (parts, marks) => {
      const bytes = buffer(parts.join(""));
      assert.deepEqual(verdict(events(cut(bytes, marks), TIGHT)), verdict(events([bytes], TIGHT)));
    }),
    { numRuns: 2_000 },
  );
});

test("a body of any chunks comes out as it went in", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })),
      fc.array(fc.nat()),
      (chunks, marks) => {
        const framed = chunks.flatMap((chunk) => [
          buffer(`${chunk.length.toString(16)}\r\n`),
          chunk,
          buffer("\r\n"),
        ]);
        const head = buffer("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        const lines = events(cut(Buffer.concat([head, ...framed, buffer("0\r\n\r\n")]), marks));
        const body = Buffer.concat(chunks).toString("latin1");
        assert.deepEqual(lines.slice(3), body === "" ? ["end"] : [`data ${body}`, "end"]);
      },
    ),
  );
});

test("body bytes are views of what was fed, not copies", () => {
  const parser = new RequestParser(limits());
  const bytes = buffer("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  parser.feed(bytes);
  parser.next();
  const event = parser.next();
  assert.equal(event?.type === "data" && event.data.buffer, bytes.buffer);
});

test("nothing after a request is looked at before restart", () => {
  const parser = new RequestParser(limits());
  parser.feed(buffer("GET / HTTP/1.1\r\nHost: a\r\n\r\n\x00\x00"));
  assert.deepEqual([parser.next()?.type, parser.next()], ["head", undefined]);
  assert.equal(parser.buffered, 2);
  parser.restart();
  assert.throws(() => parser.next(), { code: "ERR_SALLYPORT_BAD_REQUEST" });
});

test("restart within a request is a mistake of the caller", () => {
  assert.throws(() => new RequestParser(limits()).restart(), TypeError);
});

/** Of two faults in one request, the one that is seen first may depend on what had arrived; that it is refused may not. */
const verdict = (lines: string[]): string[] =>
  lines.map((line) => (line.startsWith("ERR_SALLYPORT_") ? "refused" : line));

function cut(bytes: Buffer, marks: readonly number[]): Buffer[] {
  const at = [0, ...marks.map((mark) => mark % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i] as number, end));
}

test("a field block that equals the one before it is recognised, and says the same; one that differs is read", () => {
  const parser = new RequestParser(limits());
  const heads = (...requests: string[]): HeadEvent[] =>
    requests.map((request) => {
      parser.feed(Buffer.from(request, "latin1"));
      const head = parser.next() as HeadEvent;
      while (parser.next()?.type === "data");
      parser.restart();
      return head;
    });
  const block = "Host: a\r\nX: 1\r\nContent-Length: 2\r\n\r\nhi";
  const [first, second, other, older, named, again] = heads(
    `POST /a HTTP/1.1\r\n${block}`,
    `PUT /b?c HTTP/1.1\r\n${block}`,
    `POST /a HTTP/1.1\r\n${block.replace("1", "2")}`,
    `POST /a HTTP/1.0\r\n${block.replace("1", "2")}`,
    `POST http://b/ HTTP/1.1\r\n${block.replace("1", "2")}`,
    `POST /a HTTP/1.0\r\n${block.replace("1", "2")}`,
  ) as [HeadEvent, HeadEvent, HeadEvent, HeadEvent, HeadEvent, HeadEvent];
  assert.deepEqual(
    [first, second, other, older, named, again].map(({ fields }) => fields !== undefined),
    [false, true, false, false, false, true],
  );
  const { method, target, path, query, fields, ...same } = second;
  assert.deepEqual([method, target, path, query], ["PUT", "/b?c", "/b", "c"]);
  for (const [name, value] of Object.entries(same)) assert.deepEqual(value, first[name as keyof HeadEvent]);
  assert.equal(second.headers, fields?.headers);
  assert.deepEqual([older.persistent, named.authority, again.authority], [false, "b", "a"]);
});
