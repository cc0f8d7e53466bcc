// Valid configurations that probably mean something else.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { warningsOf } from "../../src/explain/warnings.ts";
import { makeFolder } from "../kit/make-folder.ts";

const directory = makeFolder();
mkdirSync(join(directory, "public/deep"), { recursive: true });
mkdirSync(join(directory, "clean"));
mkdirSync(join(directory, "bin"));
for (const file of ["public/index.html", "public/deep/index.php", "public/.hidden.php", "clean/style.css"])
  writeFileSync(join(directory, file), "");
mkdirSync(join(directory, "linked"));
symlinkSync(join(directory, "public/deep"), join(directory, "linked/away"));
symlinkSync(join(directory, "linked"), join(directory, "linked/round"));
for (const file of ["bin/report", "bin/list", "bin/show.py", "key.pem", "secret.pem"])
  writeFileSync(join(directory, file), "");
chmodSync(join(directory, "bin/report"), 0o755);
chmodSync(join(directory, "bin/list"), 0o644);
chmodSync(join(directory, "key.pem"), 0o644);
chmodSync(join(directory, "secret.pem"), 0o600);

const warnings = (config: Config): Promise<string[]> => warningsOf(checkConfig(config), directory);
const apps = { site: { static: "clean" } };

test("a sound configuration has none", async () => assert.deepEqual(await warnings({ apps }), []));

describe("sources that would be sent as text", () => {
  test("are named, hidden files are not served at all", async () => {
    assert.deepEqual(await warnings({ apps: { site: { static: "public" } } }), [
      "app site: 1 file would be sent as they are, sources included: deep/index.php; for PHP say { php: DIRECTORY }",
    ]);
  });

  test("are none where another app answers their suffix", async () => {
    const config: Config = {
      apps: { site: { static: "public" }, php: { php: "public" } },
      routes: [{ app: "site" }, { suffix: ".php", app: "php" }],
    };
    assert.deepEqual(await warnings(config), []);
  });

  test("are none of those that a route which keeps its prefix does not lead to", async () => {
    const apps = { site: { static: "public", fallback: "php" }, php: { php: "public" } };
    const proof = { scheme: "http", path: "/.well-known/acme-challenge", keepPrefix: true, app: "site" };
    const rest = [{ suffix: ".php", app: "php" }, { app: "site" }];
    assert.deepEqual(await warnings({ apps, routes: [proof, ...rest] } as Config), []);
    const [first] = await warnings({ apps, routes: [{ ...proof, path: "/deep" }, ...rest] } as Config);
    assert.match(first ?? "", /sources included: deep\/index.php/);
  });

  test("are named where a longer path, another host or a fallback leads past that app", async () => {
    const apps = {
      site: { static: "public" },
      php: { php: "public" },
      top: { static: "clean", fallback: "site" },
    };
    const php = { path: "/", suffix: ".php", app: "php" };
    for (const route of [
      { path: "/a", app: "site" },
      { host: "a.example", app: "site" },
      { path: "/a", app: "top" },
    ]) {
      const [first, ...others] = await warnings({ apps, routes: [php, { path: "/b", app: "top" }, route] });
      assert.match(first ?? "", /^app site: 1 file would be sent/);
      assert.doesNotMatch(others.join(), /sources/);
    }
    const covered = [php, { path: "/a/", app: "site" }, { path: "/a", suffix: ".php", app: "php" }];
    assert.deepEqual(await warnings({ apps, routes: [...covered, { path: "/", app: "top" }] }), []);
  });

  test("are found behind links", async () => {
    assert.match(
      (await warnings({ apps: { site: { static: "linked" } } })).join(),
      /included: (round\/)*away\/index.php/,
    );
  });
});

test("a CGI program that cannot run, unless an interpreter runs it", async () => {
  assert.deepEqual(await warnings({ apps: { cgi: { cgi: "bin", interpreters: { ".py": "python3" } } } }), [
    "app cgi: bin/list is not executable: chmod +x it, or give an interpreter for its suffix",
  ]);
});

test("a private key that anybody may read", async () => {
  const at = (key: string): Config => ({
    apps,
    listen: [{ address: "127.0.0.1:0", tls: { cert: key, key } }] as never,
  });
  assert.deepEqual(await warnings(at("key.pem")), [
    `${join(directory, "key.pem")}: anybody on this machine can read this private key: chmod 600 it`,
  ]);
  assert.deepEqual(await warnings(at("secret.pem")), []);
});

test("an app that nothing leads to, and a route that never answers", async () => {
  const config: Config = {
    apps: { site: { static: "clean" }, other: { static: "clean" } },
    routes: [
      { path: "/a", app: "site" },
      { path: "/a/", app: "site" },
    ],
  };
  assert.deepEqual(await warnings(config), [
    "app other: no route leads to it",
    "routes[1]: never answers, since an earlier route has the same scheme, host, path and suffix",
  ]);
});

test("a way to TLS that those who are there already would be sent, too", async () => {
  const tls = { cert: "a.pem", key: "secret.pem" };
  const redirected = (route: object, more: object): Config => ({
    listen: ["127.0.0.1:8000"],
    apps: { safe: { redirect: "https:" } },
    routes: [{ app: "safe", ...route }],
    ...more,
  });
  const secure = { listen: [{ address: "127.0.0.1:8443", tls }] };
  for (const more of [secure, { trust: ["127.0.0.1"] }]) {
    assert.deepEqual(await warnings(redirected({}, more)), [
      "routes[0]: sends clients that come by https to the same address again: say scheme: http",
    ]);
    assert.deepEqual(await warnings(redirected({ scheme: "http" }, more)), []);
  }
  assert.deepEqual(await warnings(redirected({}, {})), []);
});

test("an app that only the fallback of another leads to is no app that nothing leads to", async () => {
  const config: Config = {
    apps: { files: { static: "clean", fallback: "site" }, site: { static: "clean" } },
    routes: [{ app: "files" }],
  };
  assert.deepEqual(await warnings(config), []);
});

test("every client believed as a proxy, on an address that others reach", async () => {
  const open: Config = { apps, trust: ["*"], listen: ["0.0.0.0:0"] };
  assert.match((await warnings(open))[0] ?? "", /^trust: every client is believed to be a proxy/);
  assert.deepEqual(await warnings({ ...open, listen: ["127.0.0.1:0"] }), []);
});
