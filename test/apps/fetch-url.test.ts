// The URL of a fetch app's request is what the URL standard makes of it, however it is come by.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { originOf, urlOf } from "../../src/apps/fetch-url.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

function url(request: RecordedRequest): string {
  const { request: head } = new RecordedExchange(request);
  return urlOf(originOf(head), head);
}

for (const [target, expected] of [
  ["/", "/"],
  ["/a/../b/./c", "/b/c"],
  ["/%2e%2E/x", "/x"],
  ["/a/..", "/"],
  ["/.well-known/x", "/.well-known/x"],
  ["/a\\b", "/a/b"],
  ['/a b"<>`{}', "/a%20b%22%3C%3E%60%7B%7D"],
  ["//host/x", "//host/x"],
  ["/%zz%41", "/%zz%41"],
  ["/?a=b c'\"<>", "/?a=b%20c%27%22%3C%3E"],
  ["/?../..", "/?../.."],
  ["/?a?b", "/?a?b"],
  ["/a?x#y", "/a?x#y"],
  ["*", "/*"],
] as const)
  test(`the target ${target} is ${expected} in the URL`, () => {
    assert.equal(url({ target }), `http://localhost${expected}`);
  });

for (const [authority, scheme, expected] of [
  ["EXAMPLE.org:80", "http", "http://example.org"],
  ["example.org:80", "https", "https://example.org:80"],
  ["example.org:443", "https", "https://example.org"],
  ["0x7f.1", "http", "http://127.0.0.1"],
  ["[::1]:8000", "http", "http://[::1]:8000"],
  ["b\u00fccher.example", "http", "http://xn--bcher-kva.example"],
] as const)
  test(`the authority ${authority} makes the origin ${expected}, also when it is asked for again`, () => {
    const { request } = new RecordedExchange({ authority, scheme });
    assert.deepEqual([originOf(request), originOf(request)], [expected, expected]);
    assert.equal(originOf({ ...request, authority: "other" }), `${scheme}://other`);
  });

test("whatever the target, the URL is as the URL standard writes it", () => {
  const piece = fc.constantFrom(..."az09/.%2eE\\?#[]{}|^`'\"<> ~!$&()*+,;=:@_-\t\u00e9");
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, (rest) => {
      const target = `/${rest}`;
      assert.equal(url({ target }), expectedUrl(target));
    }),
    { numRuns: 3000 },
  );
});

/** An empty query is no query: the exchange does not know the difference. */
function expectedUrl(target: string): string {
  const mark = target.indexOf("?");
  const wanted = mark === target.length - 1 ? target.slice(0, -1) : target;
  return new URL(`http://localhost${wanted}`).href;
}
