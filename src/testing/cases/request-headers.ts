// Request headers, and the facts of the connection, as the application sees them (RFC 9110, 5; RFC 3875, 4.1.18).
// Tested by test/matrix/matrix.test.ts.
import type { Headers } from "../../exchange/index.ts";
import type { Case, ExpectedSeen } from "../case.ts";

const sees = (name: string, headers: Headers, seen: ExpectedSeen): Case => ({
  name,
  request: { headers },
  app: { kind: "describe" },
  expected: { status: 200, seen },
});

const numbered = (count: number, value: string): [name: string, value: string][] =>
  Array.from({ length: count }, (_, i) => [`X-Number-${i}`, `${value}${i}`]);

const HUNDRED = numbered(100, "v");

export const requestHeaders: readonly Case[] = [
  sees("a header reaches the application", ["X-Test", "one"], { headers: { "x-test": "one" } }),
  sees("the case of a header's name does not matter", ["x-TEST", "One"], { headers: { "x-test": "One" } }),
  sees("repeated headers are joined in their order", ["X-Test", "1", "X-Other", "x", "X-Test", "2, 3"], {
    headers: { "x-test": "1, 2, 3", "x-other": "x" },
  }),
  sees("repeated cookies are joined as cookies are", ["Cookie", "a=1", "Cookie", "b=2"], {
    headers: { cookie: "a=1; b=2" },
  }),
  sees("a header may be empty", ["X-Empty", ""], { headers: { "x-empty": "" } }),
  sees("blanks around a header's value are no part of it", ["X-Blank", "  a  b\t "], {
    headers: { "x-blank": "a  b" },
  }),
  sees("a header's value may have bytes above 127", ["X-Word", "caf\xe9"], {
    headers: { "x-word": "caf\xe9" },
  }),
  sees("a header's value may have a tab", ["X-Tab", "a\tb"], { headers: { "x-tab": "a\tb" } }),
  sees("a header's value may be 8000 bytes long", ["X-Long", "l".repeat(8_000)], {
    headers: { "x-long": "l".repeat(8_000) },
  }),
  sees("a hundred headers arrive", HUNDRED.flat(), {
    headers: Object.fromEntries(HUNDRED.map(([name, value]) => [name.toLowerCase(), value])),
  }),
  sees("Authorization reaches the application", ["Authorization", "Basic dTpw"], {
    headers: { authorization: "Basic dTpw" },
  }),
  sees("a header Proxy never becomes HTTP_PROXY (C1)", ["Proxy", "http://evil.test"], { proxied: false }),
  sees(
    "an underscore does not pass for a hyphen (C2)",
    ["X_Real", "evil", "X-Real", "good", "X_Real", "evil"],
    {
      headers: { "x-real": "good" },
    },
  ),
  sees("the host is the one that the client named", ["Host", "example.test:8123"], {
    authority: "example.test:8123",
  }),
  sees("the client's address is the one of its connection (L4)", ["X-Forwarded-For", "192.0.2.1"], {
    remote: "127.0.0.1",
    headers: { "x-forwarded-for": "192.0.2.1" },
  }),
  sees("the scheme is the one of the connection (L4)", ["X-Forwarded-Proto", "https"], { scheme: "http" }),
  {
    name: "the type of a body reaches the application",
    request: { headers: ["Content-Type", "text/x-test; charset=utf-8"], body: "ab" },
    app: { kind: "describe" },
    expected: { status: 200, seen: { headers: { "content-type": "text/x-test; charset=utf-8" }, size: 2 } },
  },
];
