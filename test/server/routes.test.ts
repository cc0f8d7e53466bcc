import assert from "node:assert/strict";
import { test } from "node:test";
import { type Exchange, type Gateway, localRedirect, type SallyportError } from "../../src/exchange/index.ts";
import { type Route, Routes } from "../../src/server/routes.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const nobody: Gateway = { handle: () => {} };

function routesOf(routes: readonly Route[]): Routes {
  return new Routes(routes, new Map(routes.map(({ app }) => [app, nobody])));
}

/** `app@mount`, or the code of the error. */
function matched(routes: Routes, target: string, authority = "localhost"): string {
  return matchedIn(routes, new RecordedExchange({ target, authority }));
}

function matchedIn(routes: Routes, exchange: Exchange): string {
  try {
    return `${routes.match(exchange).app}@${exchange.mount}`;
  } catch (error) {
    return (error as SallyportError).code.replace("ERR_SALLYPORT_", "");
  }
}

const SITE = routesOf([
  { path: "/", app: "root" },
  { path: "/admin", app: "admin" },
  { path: "/admin/deep/", app: "deep" },
  { path: "/kept", keepPrefix: true, app: "kept" },
  { path: "/tools", suffix: ".cgi", app: "cgi" },
  { path: "/tools", app: "tools" },
  { path: "/caf\u00e9 au lait", app: "cafe" },
  { host: "*.example.org", app: "wild" },
  { host: "*.deep.example.org", app: "wilder" },
  { host: "www.example.org", path: "/admin", app: "www" },
]);

const PATHS: [string, string][] = [
  ["/", "root@"],
  ["/admin", "admin@/admin"],
  ["/admin?x=/admin/deep", "admin@/admin"],
  ["/admin/", "admin@/admin"],
  ["/admin/x", "admin@/admin"],
  ["/administrator", "root@"],
  ["/Admin", "root@"],
  ["/admin/deep", "deep@/admin/deep"],
  ["/admin/deeper", "admin@/admin"],
  ["/kept/x", "kept@"],
  ["/tools/a.cgi", "cgi@/tools"],
  ["/tools/a.cgi/info", "cgi@/tools"],
  ["/tools/a.txt", "tools@/tools"],
  ["/a.cgi", "root@"],
  ["/caf%C3%A9%20au%20lait/x", "cafe@/caf%C3%A9%20au%20lait"],
  ["/%61dmin/x", "admin@/%61dmin"],
  ["/%2561dmin", "root@"],
  ["/100%/x", "root@"],
];

for (const [target, result] of PATHS) {
  test(`the path ${target} leads to ${result}`, () => assert.equal(matched(SITE, target), result));
}

// Edge C5. Each of these is another app's path to software that decodes or resolves more than we do.
const DODGES = [
  "/admin/../x",
  "/x/../admin",
  "/x/%2e%2e/admin",
  "//admin",
  "/./admin",
  "/admin%2fx",
  "/admin/deep/..",
  "/x\\..\\admin",
  "/x%5c..%5cadmin",
  "/tools/a.cgi/../b.txt",
];

for (const target of DODGES) {
  test(`C5: the path ${target}, which can be read as leading to two apps, is refused`, () =>
    assert.equal(matched(SITE, target), "BAD_PATH"));
}

const HARMLESS: [string, string][] = [
  ["/a//b", "root@"],
  ["/a/../b", "root@"],
  ["/..", "root@"],
  ["/admin//x", "admin@/admin"],
  ["/admin/x/../y", "admin@/admin"],
  ["/admin/x%2fy", "admin@/admin"],
  ["/admin/.hidden", "admin@/admin"],
  ["/admin%2F..%2Fx", "root@"],
];

for (const [target, result] of HARMLESS) {
  test(`C5: the path ${target}, which leads to ${result} however it is read, passes as it was sent`, () =>
    assert.equal(matched(SITE, target), result));
}

const HOSTS: [string, string, string][] = [
  ["a.example.org", "/x", "wild@"],
  ["a.example.org:8000", "/admin", "wild@"],
  ["A.EXAMPLE.ORG.", "/", "wild@"],
  ["a.deep.example.org", "/", "wilder@"],
  ["www.example.org", "/admin", "www@/admin"],
  ["www.example.org", "/", "wild@"],
  ["example.org", "/", "root@"],
  ["evilexample.org", "/", "root@"],
  ["", "/", "root@"],
  ["[::1]:8000", "/", "root@"],
];

for (const [host, target, result] of HOSTS) {
  test(`the host ${host || "(none)"} with ${target} leads to ${result}`, () =>
    assert.equal(matched(SITE, target, host), result));
}

test("a path or host that no route takes is not found", () => {
  const routes = routesOf([{ host: "a.test", path: "/app", app: "app" }]);
  assert.equal(matched(routes, "/app", "b.test"), "NOT_FOUND");
  assert.equal(matched(routes, "/other", "a.test"), "NOT_FOUND");
  assert.equal(matched(routes, "/app", "a.test"), "app@/app");
});

test("of two routes of equal rank the first of the configuration answers", () => {
  assert.equal(matched(routesOf([{ app: "first" }, { app: "second" }]), "/"), "first@");
});

test("one route for everything takes every path as it is, also OPTIONS *", () => {
  const routes = routesOf([{ app: "only" }]);
  for (const target of ["/", "/a/../b", "//x", "/%2f", "*"]) assert.equal(matched(routes, target), "only@");
});

const FRONTED: [string, string, string][] = [
  ["/site", "/site", "root@/site"],
  ["/site", "/site/", "root@/site"],
  ["/site", "/site/admin/x", "admin@/site/admin"],
  ["/site", "/site/kept/x", "kept@/site"],
  ["/admin", "/admin/x", "root@/admin"],
  ["/site", "/site/admin/../x", "BAD_PATH"],
];

for (const [front, target, result] of FRONTED) {
  test(`below ${front}, where a server in front has mounted us, ${target} leads to ${result}`, () => {
    const exchange = new RecordedExchange({ target });
    exchange.mount = front;
    assert.equal(matchedIn(SITE, exchange), result);
  });
}

test("a local redirect stays below the place where a server in front has mounted us", () => {
  for (const routes of [SITE, routesOf([{ app: "all" }])]) {
    const exchange = new RecordedExchange({ target: "/site/admin/x" });
    exchange.mount = "/site";
    routes.match(exchange);
    const again = localRedirect(exchange, "/site/x");
    assert.match(matchedIn(routes, again), /^(root|all)@\/site$/);
    assert.match(matchedIn(routes, localRedirect(again, "/site/y")), /^(root|all)@\/site$/);
    assert.equal(matchedIn(routes, localRedirect(exchange, "/sites")), "NOT_FOUND");
  }
});
