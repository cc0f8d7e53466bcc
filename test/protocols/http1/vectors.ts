// Requests as bytes, next to what the parser must make of them. Rows of the edge-case table are named by their ids.
import type { ErrorName } from "../../../src/exchange/index.ts";

const lines = (...text: string[]): string => `${text.join("\r\n")}\r\n\r\n`;
const get = (...headers: string[]): string => lines("GET / HTTP/1.1", "Host: a", ...headers);
const post = (...headers: string[]): string => lines("POST / HTTP/1.1", "Host: a", ...headers);
const chunked = (rest: string): string => post("Transfer-Encoding: chunked") + rest;

export interface Accepted {
  readonly name: string;
  readonly bytes: string;
  /** The events, one line each, adjacent data joined. */
  readonly events: readonly string[];
}

export const ACCEPTED: readonly Accepted[] = [
  { name: "a request without body", bytes: get(), events: ["GET / 1.1 a 0", "Host: a", "end"] },
  {
    name: "names in their case, order and number, values trimmed, latin-1 kept",
    bytes: get("x-B: 1", "X-a: \t two \t", "X-A:\xe9", "Empty:"),
    events: ["GET / 1.1 a 0", "Host: a", "x-B: 1", "X-a: two", "X-A: \xe9", "Empty: ", "end"],
  },
  {
    name: "a query and a path, still encoded",
    bytes: lines("GET /a%2Fb//c?d=%20?e HTTP/1.1", "Host: a"),
    events: ["GET /a%2Fb//c?d=%20?e 1.1 a 0", "Host: a", "end"],
  },
  {
    name: "any token as method, in its case",
    bytes: lines("m-search! / HTTP/1.1", "Host: a"),
    events: ["m-search! / 1.1 a 0", "Host: a", "end"],
  },
  {
    name: "a body of announced length",
    bytes: `${post("Content-Length: 5")}hello`,
    events: ["POST / 1.1 a 5", "Host: a", "Content-Length: 5", "data hello", "end"],
  },
  {
    name: "a length with leading zeros",
    bytes: `${post("Content-Length: 005")}hello`,
    events: ["POST / 1.1 a 5", "Host: a", "Content-Length: 005", "data hello", "end"],
  },
  {
    name: "a chunked body with an extension, upper and lower case sizes, and a trailer",
    bytes: chunked('5;a="b c"\r\nhello\r\nA\r\n0123456789\r\n00a ; x\r\nabcdefghij\r\n0\r\nX-Sum: 1\r\n\r\n'),
    events: [
      "POST / 1.1 a -1",
      "Host: a",
      "Transfer-Encoding: chunked",
      "data hello0123456789abcdefghij",
      "trailer X-Sum: 1",
      "end",
    ],
  },
  {
    name: "an Expect without a member",
    bytes: `${post("Content-Length: 1", "Expect:", "Expect: ,")}x`,
    events: ["POST / 1.1 a 1", "Host: a", "Content-Length: 1", "Expect: ", "Expect: ,", "data x", "end"],
  },
  {
    name: "Chunked in any case",
    bytes: `${post("transfer-encoding: ChunKed")}0\r\n\r\n`,
    events: ["POST / 1.1 a -1", "Host: a", "transfer-encoding: ChunKed", "end"],
  },
  {
    name: "H12: trailer fields that would change the message are as if never sent",
    bytes: chunked(
      "0\r\nHost: b\r\nContent-Length: 9\r\ntransfer-encoding: x\r\nAuthorization: y\r\nContent-Type: z\r\nCookie: c\r\nOk: 1\r\n\r\n",
    ),
    events: ["POST / 1.1 a -1", "Host: a", "Transfer-Encoding: chunked", "trailer Ok: 1", "end"],
  },
  {
    name: "chunk extensions with blanks around what separates them, and one that quotes",
    bytes: chunked('1 ;a ;\tb = "\\"; \xe9" ; c\t=d;e\r\nx\r\n0;f=g\r\n\r\n'),
    events: ["POST / 1.1 a -1", "Host: a", "Transfer-Encoding: chunked", "data x", "end"],
  },
  {
    name: "HTTP/1.0 with an empty Host",
    bytes: lines("GET / HTTP/1.0", "Host:"),
    events: ["GET / 1.0  0 once", "Host: ", "end"],
  },
  {
    name: "an empty Host beside a target that names one",
    bytes: lines("GET http://b/ HTTP/1.1", "Host:"),
    events: ["GET http://b/ = / ?  1.1 b 0", "Host: b", "end"],
  },
  { name: "HTTP/1.0 without Host", bytes: lines("GET / HTTP/1.0"), events: ["GET / 1.0  0 once", "end"] },
  {
    name: "HTTP/1.0 that wants to stay",
    bytes: lines("GET / HTTP/1.0", "Connection: Keep-Alive"),
    events: ["GET / 1.0  0", "Connection: Keep-Alive", "end"],
  },
  {
    name: "close wins over keep-alive",
    bytes: get("Connection: keep-alive, Close", "Connection: keep-alive"),
    events: [
      "GET / 1.1 a 0 once",
      "Host: a",
      "Connection: keep-alive, Close",
      "Connection: keep-alive",
      "end",
    ],
  },
  {
    name: "HTTP/1.9 as the 1.1 that it promises to be understood as",
    bytes: lines("GET / HTTP/1.9", "Host: a"),
    events: ["GET / 1.1 a 0", "Host: a", "end"],
  },
  {
    name: "two empty lines before the request",
    bytes: `\r\n\r\n${get()}`,
    events: ["GET / 1.1 a 0", "Host: a", "end"],
  },
  {
    name: "H15: the host of an absolute target wins, in Host too",
    bytes: lines("GET http://b:81/p?q HTTP/1.1", "Host: a"),
    events: ["GET http://b:81/p?q = /p ? q 1.1 b:81 0", "Host: b:81", "end"],
  },
  {
    name: "an absolute target without path",
    bytes: lines("GET HTTPS://b?q HTTP/1.1", "Host: b"),
    events: ["GET HTTPS://b?q = / ? q 1.1 b 0", "Host: b", "end"],
  },
  {
    name: "OPTIONS of the whole server",
    bytes: lines("OPTIONS * HTTP/1.1", "Host: a"),
    events: ["OPTIONS * 1.1 a 0", "Host: a", "end"],
  },
  {
    name: "OPTIONS of the whole server, absolute",
    bytes: lines("OPTIONS http://a:80 HTTP/1.1", "Host: a"),
    events: ["OPTIONS http://a:80 = * ?  1.1 a:80 0", "Host: a:80", "end"],
  },
  ...["a.example:8000", "127.0.0.1", "[::1]:80", "[v1.x:y]", "x_y~!$&'()*+,;=%41", "a:", "a:000080"].map(
    (host) => ({
      name: `the Host ${JSON.stringify(host)}`,
      bytes: lines("GET / HTTP/1.1", `Host: ${host}`),
      events: [`GET / 1.1 ${host} 0`, `Host: ${host}`, "end"],
    }),
  ),
  {
    name: "an expectation of 100-continue",
    bytes: `${post("Content-Length: 1", "Expect: 100-Continue")}x`,
    events: [
      "POST / 1.1 a 1 expects",
      "Host: a",
      "Content-Length: 1",
      "Expect: 100-Continue",
      "data x",
      "end",
    ],
  },
  {
    name: "H18: no expectation of HTTP/1.0",
    bytes: lines("GET / HTTP/1.0", "Expect: the worst"),
    events: ["GET / 1.0  0 once", "Expect: the worst", "end"],
  },
];

export interface Refused {
  readonly name: string;
  readonly bytes: string;
  readonly code: ErrorName;
}

const refused = (code: ErrorName, id: string, ...all: string[]): Refused[] =>
  all.map((bytes) => ({ name: `${id}: ${JSON.stringify(bytes.slice(0, 90))}`, bytes, code }));

const repeat = (count: number, text: string): string => text.repeat(count);

/** Limits under which REFUSED is parsed. */
export const TIGHT = {
  target: 100,
  headerBytes: 400,
  headerCount: 10,
  body: 1000,
  chunkLine: 60,
  chunkExtensions: 100,
};

export const REFUSED: readonly Refused[] = [
  ...refused(
    "BAD_REQUEST",
    "H1 length and coding together",
    post("Content-Length: 5", "Transfer-Encoding: chunked"),
    post("Transfer-Encoding: chunked", "Content-Length: 0"),
  ),
  ...refused(
    "BAD_REQUEST",
    "H2 several lengths",
    post("Content-Length: 5", "Content-Length: 5"),
    post("Content-Length: 5", "content-length: 6"),
    post("Content-Length: 5, 10"),
    post("Content-Length: 5, 5"),
  ),
  ...refused(
    "BAD_REQUEST",
    "H3 malformed length",
    ...["+5", "-1", "0x5", "5_0", "", "5 0", "5;", "1e2", "\xb2", repeat(20, "9"), repeat(16, "0")].map(
      (value) => post(`Content-Length: ${value}`),
    ),
  ),
  ...refused(
    "BAD_REQUEST",
    "H4 chunked not last and alone",
    ...[
      "chunked, identity",
      "chunked, chunked",
      "chunked,",
      "",
      ",chunked",
      "chunked;q=1",
      "chunked identity",
      '"chunked"',
      "xchunked",
      "identity",
      "gzip",
      "chunkedx",
    ].map((value) => post(`Transfer-Encoding: ${value}`)),
  ),
  ...refused(
    "CODING_UNKNOWN",
    "H4 unknown coding",
    ...["gzip, chunked", "identity,chunked", "x, y, Chunked"].map((value) =>
      post(`Transfer-Encoding: ${value}`),
    ),
  ),
  ...refused(
    "BAD_REQUEST",
    "H5 hidden coding",
    post("Transfer-Encoding:\x0bchunked"),
    post("Transfer-Encoding: chunked\x00"),
    post("Transfer-Encoding:\r\n chunked"),
    post("Transfer-Encoding : chunked"),
    post("Transfer-Encoding\t: chunked"),
    post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    post("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
    post("X: y\x0bTransfer-Encoding: chunked"),
    post("X: y\x7f"),
  ),
  ...refused(
    "BAD_REQUEST",
    "H6 line starting with a space",
    lines("GET / HTTP/1.1", " Host: a"),
    get(" X: y"),
    get("\tX: y"),
    get("X: y", " folded"),
    get(" "),
  ),
  ...refused(
    "BAD_REQUEST",
    "H7 stray CR",
    "GET / HTTP/1.1\r\nHost: a\r\n\rX",
    "GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "GET / HTTP/1.1\rHost: a\r\n\r\n",
    "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
  ),
  ...refused(
    "BAD_REQUEST",
    "H8 stray LF",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    chunked("5\nhello\r\n0\r\n\r\n"),
    chunked("5\r\nhello\n0\r\n\r\n"),
    chunked("5\r\nhello\r\n0\n\r\n"),
    chunked("5\r\nhello\r\n0\r\n\n"),
    chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"),
    chunked("5\r\nhello\r\n0\r\nX: y\n\r\n"),
  ),
  ...refused(
    "BAD_REQUEST",
    "H9 malformed chunk size",
    ...[
      "0x5",
      "+5",
      "-5",
      "5_0",
      " 5",
      "5 ",
      "",
      "\t5",
      "5,",
      "g",
      "5\x00",
      repeat(17, "1"),
      repeat(14, "0"),
    ].map((size) => chunked(`${size}\r\nhello\r\n0\r\n\r\n`)),
  ),
  ...refused(
    "BAD_REQUEST",
    "H10 endless chunk extension",
    chunked(`5;${repeat(100, "a")}`),
    chunked(`5;${repeat(100, "a")}\r\n`),
    chunked(repeat(10, `1;${repeat(50, "a")}\r\nx\r\n`)),
    chunked("5;a=\x01\r\nhello\r\n"),
  ),
  ...refused(
    "BAD_REQUEST",
    "malformed chunk extension",
    ...[
      ";",
      "; ",
      ";a;",
      ";;a",
      ";a[=b",
      ";a=",
      ";=b",
      ";a=b c",
      ';a="b',
      ';a="b"c',
      ';a="\\"',
      ";a ",
      ";\x00",
      ";\xe9",
    ].map((extension) => chunked(`5${extension}\r\nhello\r\n0\r\n\r\n`)),
  ),
  ...refused(
    "BAD_REQUEST",
    "H11 chunk not followed by CRLF",
    chunked("5\r\nhelloXX0\r\n\r\n"),
    chunked("5\r\nhello0\r\n\r\n"),
    chunked("5\r\nhello\rX0\r\n\r\n"),
  ),
  ...refused(
    "BAD_REQUEST",
    "H12 malformed trailer",
    chunked("0\r\n X: y\r\n\r\n"),
    chunked("0\r\nX y\r\n\r\n"),
  ),
  ...refused("BAD_REQUEST", "H13 coding on HTTP/1.0", lines("POST / HTTP/1.0", "Transfer-Encoding: chunked")),
  ...refused(
    "BAD_HOST",
    "H14 bad host",
    lines("GET / HTTP/1.1"),
    get("Host: a"),
    get("host: b"),
    lines("GET / HTTP/1.0", "Host: a", "Host: a"),
    ...[
      "u@a",
      "u:p@a",
      "a/b",
      "a b",
      "a:b",
      "a:65536",
      "a:-1",
      "a?b",
      "a#b",
      "[::1",
      "[::g]",
      "::1",
      "[::1]x",
      ":80",
      "a%zz",
      "a\\b",
      "<a>",
      "\xe9",
    ].map((host) => lines("GET / HTTP/1.1", `Host: ${host}`)),
    lines("GET / HTTP/1.1", "Host:"),
    lines("OPTIONS * HTTP/1.1", "Host: "),
    lines("GET http://u@b/ HTTP/1.1", "Host: b"),
    lines("GET http:///x HTTP/1.1", "Host: b"),
    lines("GET http://b/ HTTP/1.1"),
  ),
  ...refused(
    "BAD_REQUEST",
    "H16 malformed request line",
    ...[
      "GET\t/ HTTP/1.1",
      "GET  / HTTP/1.1",
      "GET /  HTTP/1.1",
      " GET / HTTP/1.1",
      "GET / HTTP/1.1 ",
      "GET /a b HTTP/1.1",
      "GET / HTTP/1.",
      "GET / HTTP/1",
      "GET / HTTP/1.10",
      "GET / HTTP/01.1",
      "GET / http/1.1",
      "GET / HTTPS/1.1",
      "GET /",
      "GET",
      "GET HTTP/1.1",
      "G(T / HTTP/1.1",
      "G\xc9T / HTTP/1.1",
      `${repeat(33, "X")} / HTTP/1.1`,
      "GET x HTTP/1.1",
      "GET ?x HTTP/1.1",
      "GET * HTTP/1.1",
      "GET ftp://a/ HTTP/1.1",
      "GET /#x HTTP/1.1",
      "GET /\xe9 HTTP/1.1",
      "GET /\x00 HTTP/1.1",
      "GET /\x7f HTTP/1.1",
    ].map((line) => lines(line, "Host: a")),
    "\x16\x03\x01\x02\x00\x01\x00",
    repeat(33, "X"),
    repeat(300, "X"),
  ),
  ...refused(
    "VERSION_UNSUPPORTED",
    "H16 other version",
    lines("GET / HTTP/2.0", "Host: a"),
    lines("GET / HTTP/0.9", "Host: a"),
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ),
  ...refused("METHOD_UNSUPPORTED", "CONNECT", lines("CONNECT a:80 HTTP/1.1", "Host: a:80")),
  ...refused(
    "EXPECTATION_FAILED",
    "other expectation",
    get("Expect: 200-ok"),
    get("Expect: 100-continue, x"),
  ),
  ...refused("BAD_REQUEST", "two content types", post("Content-Type: a/b", "content-type: a/b")),
  ...refused("BAD_REQUEST", "no colon, no name", get("X"), get(": y"), get("X\xe9: y"), get("X@: y")),
  ...refused("BAD_REQUEST", "three empty lines first", `\r\n\r\n\r\n${get()}`),
  ...refused(
    "TARGET_TOO_LONG",
    "H22",
    lines(`GET /${repeat(100, "a")} HTTP/1.1`, "Host: a"),
    `GET /${repeat(200, "a")}`,
  ),
  ...refused(
    "HEADERS_TOO_LARGE",
    "H22",
    get(...Array.from({ length: 10 }, (_, i) => `X-${i}: y`)),
    get(`X: ${repeat(400, "y")}`),
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${repeat(500, "y")}`,
    chunked(`0\r\nX: ${repeat(500, "y")}`),
    chunked(`0\r\n${repeat(11, "X: y\r\n")}\r\n`),
  ),
  ...refused(
    "BODY_TOO_LARGE",
    "H22",
    post("Content-Length: 1001"),
    post(`Content-Length: ${repeat(15, "9")}`),
    chunked(`3e9\r\n`),
    chunked(`3e8\r\n${repeat(1000, "x")}\r\n1\r\nx`),
    chunked("fffffffffffff\r\n"),
  ),
];
