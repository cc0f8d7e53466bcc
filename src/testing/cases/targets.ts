// Paths and queries as the application sees them (RFC 3875, 4.1.5, 4.1.7, 4.1.13; RFC 3986, 3.3).
// Tested by test/matrix/matrix.test.ts.
import type { Case, ExpectedSeen } from "../case.ts";

const sees = (name: string, target: string, seen: ExpectedSeen): Case => ({
  name,
  request: { target },
  app: { kind: "describe" },
  expected: { status: 200, seen },
});

const dots = (name: string, target: string, path: string): Case => ({
  ...sees(name, target, { path }),
  needs: ["anyPath"],
});

const LONG = "long/".repeat(1_000);

export const targets: readonly Case[] = [
  sees("the path / is /, and there is no mount", "/", { mount: "", path: "/", query: "" }),
  sees("a path of several segments arrives whole", "/a/b.c/d", { path: "/a/b.c/d", target: "/a/b.c/d" }),
  sees("the slash at the end of a path is kept", "/a/", { path: "/a/" }),
  sees("empty segments of a path are kept", "/a//b///c", { path: "/a//b///c" }),
  sees("parameters of a segment are a part of it", "/a;v=1/b,c", { path: "/a;v=1/b,c" }),
  sees("characters that need no escape are not escaped", "/~user/-._!$&()*+=:@", {
    path: "/~user/-._!$&()*+=:@",
  }),
  sees("an escaped space is decoded", "/a%20b", { path: "/a b", target: "/a%20b" }),
  sees("escaped UTF-8 arrives byte by byte", "/%E3%81%82", { path: "/\xe3\x81\x82" }),
  sees("an escaped byte that is no UTF-8 arrives", "/caf%E9", { path: "/caf\xe9" }),
  sees("escapes may be in lower case", "/%e3%81%82", { path: "/\xe3\x81\x82", target: "/%e3%81%82" }),
  sees("the target tells an escaped slash from a slash", "/a%2Fb", {
    path: "/a/b",
    target: "/a%2Fb",
  }),
  sees("a path is decoded once only", "/a%252Fb", { path: "/a%2Fb", target: "/a%252Fb" }),
  sees("an escaped line break does not end the path (C5)", "/a%0Ab", { path: "/a\nb" }),
  sees("an escaped question mark does not start a query", "/a%3Fb?c", { path: "/a?b", query: "c" }),
  sees("a path of 5000 bytes arrives whole", `/${LONG}`, { path: `/${LONG}` }),
  {
    name: "an escaped byte 0 never reaches the application decoded (C5)",
    request: { target: "/a%00b" },
    app: { kind: "describe" },
    expected: [{ status: 400 }, { status: 200, seen: { target: "/a%00b" } }],
  },
  dots("a segment of two dots is left to the application", "/a/../b", "/a/../b"),
  dots("a segment of one dot is left to the application", "/a/./b", "/a/./b"),
  dots("an escaped segment of two dots is decoded like any other", "/a/%2e%2E/b", "/a/../b"),
  sees("a query arrives as it was written", "/?a=1&b=%26&c=d+e", { query: "a=1&b=%26&c=d+e" }),
  sees("a query without = is a query (C4)", "/?just+words", { query: "just+words" }),
  sees("an empty query is empty", "/?", { path: "/", query: "" }),
  sees("only the first ? starts the query", "/a?b?c", { path: "/a", query: "b?c" }),
  sees("a query may have slashes", "/a?b/c/../d", { path: "/a", query: "b/c/../d" }),
  sees("a query of 8000 bytes arrives whole", `/?${"q".repeat(8_000)}`, { query: "q".repeat(8_000) }),
  {
    ...sees("the mount is split off the path", "/mounted/a/b?c", {
      mount: "/mounted",
      path: "/a/b",
      query: "c",
    }),
    needs: ["mount"],
  },
  {
    ...sees("what follows a mount is decoded, the target is not", "/mounted/a%20b", {
      mount: "/mounted",
      path: "/a b",
      target: "/mounted/a%20b",
    }),
    needs: ["mount"],
  },
  {
    ...sees("a slash alone may follow a mount", "/mounted/", { mount: "/mounted", path: "/" }),
    needs: ["mount"],
  },
];
