// Status, reason and headers of responses (RFC 9110, 5, 15; RFC 3875, 6.3; PEP 3333).
// Tested by test/matrix/matrix.test.ts.
import type { Headers } from "../../exchange/index.ts";
import type { Behaviour, Case, Expected, Step } from "../case.ts";

const CLASSES: Readonly<Record<string, readonly number[]>> = {
  "2xx": [200, 201, 202, 203, 206, 207, 299],
  "3xx": [300, 301, 302, 303, 307, 308],
  "4xx": [400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 415, 418, 422, 428, 429, 451, 499],
  "5xx": [500, 501, 502, 503, 504, 507, 511, 599],
};

const withStatus = (status: number): Step => ({
  request: {},
  app: { kind: "answer", status, headers: ["Content-Type", "text/plain"], body: `with ${status}` },
  expected: { status, body: `with ${status}`, persistent: true },
});

const statuses = (name: string, [first = 0, ...others]: readonly number[]): Case => ({
  name: `each status ${name} reaches the client with its body`,
  ...withStatus(first),
  next: others.map(withStatus),
});

const heads = (name: string, headers: Headers, expected: Expected["headers"]): Case => ({
  name,
  request: {},
  app: { kind: "answer", headers: ["Content-Type", "text/plain", ...headers], body: "x" },
  expected: { status: 200, ...(expected && { headers: expected }), body: "x" },
});

const refuses = (name: string, answer: Omit<Extract<Behaviour, { kind: "answer" }>, "kind">): Case => ({
  name,
  request: {},
  app: { kind: "answer", ...answer },
  expected: { status: [500, 502], headers: { "x-evil": null }, without: ["X-Evil", "secret"] },
  next: [{ request: {}, app: { kind: "answer", body: "again" }, expected: { status: 200, body: "again" } }],
});

const FIFTY = Array.from({ length: 50 }, (_, i) => [`X-Number-${i}`, `v${i}`] as const);

export const responseHeads: readonly Case[] = [
  ...Object.entries(CLASSES).map(([name, list]) => statuses(name, list)),
  {
    name: "205 reaches the client without a body",
    needs: ["resetContent"],
    request: {},
    app: { kind: "answer", status: 205 },
    expected: { status: 205, body: "" },
  },
  {
    name: "a reason phrase of the application's own reaches the client",
    needs: ["exactReason"],
    request: {},
    app: { kind: "answer", status: 200, reason: "Fine, thanks", body: "x" },
    expected: { status: 200, reason: "Fine, thanks", body: "x" },
  },
  {
    name: "a redirect to another host reaches the client",
    request: {},
    app: { kind: "answer", status: 302, headers: ["Location", "https://example.test/there?a=b"], body: "" },
    expected: { status: 302, headers: { location: "https://example.test/there?a=b" } },
  },
  {
    name: "a redirect to a path reaches the client (C11)",
    request: {},
    app: {
      kind: "answer",
      status: 303,
      headers: ["Location", "/there", "Content-Type", "text/plain"],
      body: "x",
    },
    expected: { status: 303, headers: { location: "/there" }, body: "x" },
  },
  heads("a header reaches the client", ["X-Test", "one"], { "x-test": "one" }),
  heads("repeated headers keep their order", ["X-Test", "1", "X-Other", "x", "X-Test", "2"], {
    "x-test": "1, 2",
    "x-other": "x",
  }),
  heads("each cookie keeps a field of its own", ["Set-Cookie", "a=1; Path=/", "Set-Cookie", "b=2"], {
    "set-cookie": ["a=1; Path=/", "b=2"],
  }),
  heads("a response header may be empty", ["X-Empty", ""], { "x-empty": "" }),
  heads("a response header may have bytes above 127", ["X-Word", "caf\xe9"], { "x-word": "caf\xe9" }),
  heads("a response header may be 8000 bytes long", ["X-Long", "l".repeat(8_000)], {
    "x-long": "l".repeat(8_000),
  }),
  heads(
    "fifty response headers arrive",
    FIFTY.flat(),
    Object.fromEntries(FIFTY.map(([name, value]) => [name.toLowerCase(), value])),
  ),
  heads("a type of the application's own is kept", [], { "content-type": "text/plain" }),
  refuses("a status below 200 is no final response", { status: 99, body: "secret" }),
  refuses("a byte 0 in a response header is refused (C8, W7)", {
    headers: ["X-Bad", "a\0b", "Content-Type", "text/plain"],
    body: "secret",
  }),
  refuses("a space in a response header's name is refused (C8)", {
    headers: ["X Evil", "1", "Content-Type", "text/plain"],
    body: "secret",
  }),
  {
    ...refuses("a line break in a response header is refused (W7)", {
      headers: ["X-Bad", "a\r\nX-Evil: 1", "Content-Type", "text/plain"],
      body: "secret",
    }),
    needs: ["checksFields"],
  },
  {
    ...refuses("a bare LF in a response header is refused (W7)", {
      headers: ["X-Bad", "a\nX-Evil: 1", "Content-Type", "text/plain"],
      body: "secret",
    }),
    needs: ["checksFields"],
  },
  {
    name: "an informational response reaches the client",
    needs: ["informs"],
    request: {},
    app: { kind: "answer", informs: [103], body: "x" },
    expected: { status: 200, body: "x", informs: [103] },
  },
  {
    name: "an informational response never reaches an HTTP/1.0 client",
    request: { version: "1.0" },
    app: { kind: "answer", informs: [103], body: "x" },
    expected: { status: 200, body: "x", informs: [] },
  },
];
