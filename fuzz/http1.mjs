// Invariant: any bytes, split anywhere, give events or one SallyportError with a 4xx or 5xx status; the parser never holds more than its limits allow; an accepted request, told again in the plainest form, is read the same.
// node --import tsx fuzz/http1.mjs [seconds] [seed]
import { SallyportError } from "../src/exchange/index.ts";
import { DEFAULT_LIMITS, RequestParser } from "../src/protocols/http1/index.ts";

const [seconds = "10", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const LIMITS = {
  ...DEFAULT_LIMITS,
  target: 60,
  headerBytes: 200,
  headerCount: 8,
  body: 300,
  chunkLine: 30,
  chunkExtensions: 40,
};
/** A head, a trailer or a chunk line that is not complete, and the piece that has just been fed. */
const MOST_HELD = LIMITS.target + LIMITS.headerBytes + 200;

const WORDS = [
  ..."GET|POST|OPTIONS|CONNECT|HEAD| |  |\t|/|/a?b|*|http://b/c|HTTP/1.1|HTTP/1.0|HTTP/2.0|\r\n|\r\n\r\n|\n|\r|\0|:|: ".split(
    "|",
  ),
  ..."Host: a\r\n|Content-Length: 5\r\n|Transfer-Encoding: chunked\r\n|Connection: close\r\n|Expect: 100-continue\r\n".split(
    "|",
  ),
  ..."GET / HTTP/1.1\r\nHost: a\r\n|POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".split(
    "|",
  ),
  ..."5\r\nhello\r\n|0\r\n|0\r\n\r\n|5;x=y\r\n|fffffffffffff|X: y\r\n| folded\r\n|hello|\x7f|\xff|%00|#|,|;|=".split(
    "|",
  ),
];

let state = Number(seed) || 1;
/** mulberry32: small, and the same on every machine. */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}

const input = () =>
  Buffer.from(Array.from({ length: 1 + random(25) }, () => WORDS[random(WORDS.length)]).join(""), "latin1");

function pieces(bytes) {
  const cut = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random(bytes.length);
    cut.push(bytes.subarray(at, at + size));
    at += size;
  }
  return cut;
}

/** Requests as [head, body, trailers], and the error that ended them. */
function read(parts) {
  const parser = new RequestParser(LIMITS);
  const requests = [];
  try {
    for (const part of parts) {
      // As the memory is that all connections are read into: written over at once.
      const lent = Buffer.from(part);
      parser.feed(lent);
      for (let event = parser.next(); event; event = parser.next()) take(requests, event, parser);
      parser.settle();
      lent.fill(0xee);
      if (parser.buffered > MOST_HELD + part.length) throw new Error(`holds ${parser.buffered} bytes`);
    }
  } catch (error) {
    if (!(error instanceof SallyportError) || error.status < 400 || error.fault !== "client") throw error;
    return { requests, refused: true };
  }
  return { requests, refused: false };
}

function take(requests, event, parser) {
  if (event.type === "head") {
    const isWhole = event.length === 0;
    requests.push({ head: event, body: "", trailers: isWhole ? [] : undefined });
    if (isWhole) parser.restart();
  } else if (event.type === "data") requests.at(-1).body += event.data.toString("latin1");
  else {
    requests.at(-1).trailers = event.trailers;
    parser.restart();
  }
}

/** The request with nothing left to interpretation. */
function plain({ head, body, trailers }) {
  const lines = [`${head.method} ${head.target} HTTP/${head.version}`];
  const told = (headers) => headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []));
  const framed = head.length >= 0 || body === "" ? body : `${body.length.toString(16)}\r\n${body}\r\n`;
  const end =
    head.length >= 0
      ? ""
      : `0\r\n${told(trailers)
          .map((line) => `${line}\r\n`)
          .join("")}\r\n`;
  return Buffer.from([...lines, ...told(head.headers), "", framed + end].join("\r\n"), "latin1");
}

const until = Date.now() + Number(seconds) * 1000;
let runs = 0;
let accepted = 0;
for (; Date.now() < until; runs++) {
  const bytes = input();
  try {
    const [whole, split] = [read([bytes]), read(pieces(bytes))];
    same(whole, split, "split");
    for (const request of whole.requests.filter(({ trailers }) => trailers)) {
      accepted++;
      same({ requests: [request], refused: false }, read([plain(request)]), "plain");
    }
  } catch (error) {
    console.error(`seed ${seed}, run ${runs}: ${JSON.stringify(bytes.toString("latin1"))}`);
    throw error;
  }
}
console.log(`${runs} inputs, ${accepted} requests accepted, seed ${seed}`);

function same(one, other, how) {
  if (JSON.stringify(one) !== JSON.stringify(other))
    throw new Error(`${how}: ${JSON.stringify(one)} is not ${JSON.stringify(other)}`);
}
