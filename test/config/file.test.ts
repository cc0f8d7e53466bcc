import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CONFIG_NAMES, loadConfig } from "../../src/config/file.ts";
import type { SallyportError } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";

const directory = makeFolder();

const load = (name: string, text: string) => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return loadConfig(path);
};

/** The lines of what is wrong with a file. */
async function problems(name: string, text: string): Promise<string[]> {
  const error: SallyportError = await load(name, text).then(
    () => assert.fail("the file was accepted"),
    (reason) => reason,
  );
  assert.equal(error.code, "ERR_SALLYPORT_CONFIG_INVALID");
  return error.detail === undefined ? [error.message] : error.detail.split("\n");
}

const SAME: Readonly<Record<string, string>> = {
  ts: 'import { defineConfig } from "sallyport";\nexport default defineConfig({ apps: { shop: { wsgi: "shop:app" as string } } });\n',
  mts: 'export default { apps: { shop: { wsgi: "shop:app" } } };\n',
  js: 'export default { apps: { shop: { wsgi: "shop:app" } } };\n',
  mjs: 'import { defineConfig } from "sallyport";\nexport default await defineConfig({ apps: { shop: { wsgi: "shop:app" } } });\n',
  json: '{ "apps": { "shop": { "wsgi": "shop:app" } } }\n',
  yaml: "apps:\n  shop: { wsgi: 'shop:app' }\n",
  yml: "apps: { shop: { wsgi: shop:app } }\n",
  toml: '[apps.shop]\nwsgi = "shop:app"\n',
};

for (const [language, text] of Object.entries(SAME)) {
  test(`a configuration in ${language} says the same as in the other languages`, async () => {
    const settings = await load(`sallyport.config.${language}`, text);
    assert.deepEqual(settings.apps, { shop: { wsgi: "shop:app" } });
    assert.equal(settings.directory, directory);
  });
}

test("a configuration in TypeScript finds modules by the paths of tsconfig.json, and does without one that cannot be read", async (t) => {
  const folder = makeFolder(t);
  const [path, tsconfig] = [join(folder, "sallyport.config.ts"), join(folder, "tsconfig.json")];
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "lib", "apps.ts"), 'export const apps = { shop: { wsgi: "shop:app" } };\n');
  writeFileSync(path, 'import { apps } from "#lib/apps";\nexport default { apps };\n');
  writeFileSync(tsconfig, '{ "compilerOptions": { "paths": { "#lib/*": ["./lib/*"] } } }');
  assert.deepEqual((await loadConfig(path)).apps, { shop: { wsgi: "shop:app" } });

  writeFileSync(tsconfig, '{ "extends": "./at-home.json" }');
  writeFileSync(path, 'import { apps } from "./lib/apps";\nexport default { apps };\n');
  assert.deepEqual((await loadConfig(path)).apps, { shop: { wsgi: "shop:app" } });
});

test("every language has a name under which it is found", () => {
  assert.deepEqual(
    Object.keys(SAME)
      .map((language) => `sallyport.config.${language}`)
      .sort(),
    [...CONFIG_NAMES].sort(),
  );
});

/** With the old names of options, in every kind of file. */
const OLD: Readonly<Record<string, string>> = {
  ts: 'import { defineConfig } from "sallyport";\nexport default defineConfig({\n  fronts: 3,\n  frontTimeout: "5s",\n  apps: { shop: { wsgi: "shop:app" } },\n});\n',
  json: '{\n  "apps": { "shop": { "wsgi": "shop:app" } },\n  "fronts": 3,\n  "frontTimeout": "5s"\n}\n',
  yaml: "apps: { shop: { wsgi: shop:app } }\n\nfronts: 3\nfrontTimeout: 5s\n",
  toml: 'fronts = 3\nfrontTimeout = "5s"\n[apps.shop]\nwsgi = "shop:app"\n',
};

for (const [language, text] of Object.entries(OLD)) {
  const lineOf = (key: string): number => text.slice(0, text.indexOf(key)).split("\n").length;
  const file = `old.${language}`;

  test(`old names of options work in ${language}, and the log is to say what they are called now`, async () => {
    const { serverProcesses, serverProcessTimeout, renamed } = await load(file, text);
    assert.deepEqual(
      { serverProcesses, serverProcessTimeout },
      { serverProcesses: 3, serverProcessTimeout: 5_000 },
    );
    assert.deepEqual(renamed, [
      `${file}:${lineOf("fronts")}: fronts is called serverProcesses now`,
      `${file}:${lineOf("frontTimeout")}: frontTimeout is called serverProcessTimeout now`,
    ]);
  });

  test(`an error in ${language} names an option as it was written`, async () => {
    const expected = `${file}:${lineOf("fronts")}: fronts: must be at least 1`;
    assert.deepEqual(await problems(file, text.replace("3", "0")), [expected]);
  });
}

test("an option under both of its names is refused", async () => {
  assert.deepEqual(
    await problems("twice.yaml", "apps: { a: { static: . } }\nserverProcesses: 2\nfronts: 2\n"),
    ["twice.yaml:3: fronts is called serverProcesses now: give one of them, not both"],
  );
});

/** In this Node's words. */
const STAR = ((): string => {
  try {
    return JSON.parse('{"listen": *x}\n');
  } catch (error) {
    return (error as Error).message;
  }
})();

const LINES: [string, string, string, string[]][] = [
  [
    "YAML: wrong, unknown and missing keys have their lines",
    "a.yaml",
    "listen: [8000, here]\napps:\n  shop:\n    wsgi: shop:app\n    procesess: 2\n    threads: many\nroutes:\n  - path: /\n  - app: shop\n",
    [
      'a.yaml:1: listen[1]: must be an address such as "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock", "fd:3" or "fastcgi://127.0.0.1:9000"',
      'a.yaml:6: apps.shop.threads: must be a number, not "many"',
      "a.yaml:5: apps.shop.procesess: unknown key; did you mean processes?",
      "a.yaml:8: routes[0].app: is missing",
    ],
  ],
  [
    "YAML that is none",
    "b.yaml",
    "apps:\n  shop: [1\n",
    ["b.yaml:3: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ],
  [
    "YAML with an alias of nothing",
    "alias.yaml",
    "apps:\n  a: { wsgi: *x }\n",
    ["alias.yaml:2: Unresolved alias (the anchor must be set before the alias): x"],
  ],
  [
    "YAML with a bomb of aliases",
    "bomb.yaml",
    `a: &a [x,x]\n${"bcdefghijk".replace(/./g, (name, i: number) => `${name}: &${name} [${`*${"abcdefghijk"[i]},`.repeat(9)}x]\n`)}`,
    ["bomb.yaml:1: Excessive alias count indicates a resource exhaustion attack"],
  ],
  ["JSON with an asterisk, an alias in YAML", "star.json", '{"listen": *x}\n', [`star.json: ${STAR}`]],
  ["YAML with a key twice", "c.yaml", "grace: 1\ngrace: 2\n", ["c.yaml:2: Map keys must be unique"]],
  [
    "JSON: a key deep inside",
    "a.json",
    '{\n\t"apps": {\n\t\t"shop": {\n\t\t\t"wsgi": "shop:app",\n\t\t\t"pyton": "python3"\n\t\t}\n\t}\n}\n',
    ["a.json:5: apps.shop.pyton: unknown key; did you mean python?"],
  ],
  [
    "JSON that is none, though it is YAML",
    "b.json",
    '{\n  "grace": 1,\n  // no\n}\n',
    ["b.json:3: Expected double-quoted property name"],
  ],
  [
    "TOML: tables, arrays of tables, dotted keys and inline tables",
    "a.toml",
    '[apps.shop]\nwsgi = "shop:app"\nthreads = 0\n\n[apps]\nfiles = { static = "public", indx = "a" }\n\n[[routes]]\napp = "shop"\n[[routes]]\napp = "file"\n',
    [
      "a.toml:3: apps.shop.threads: must be at least 1",
      "a.toml:6: apps.files.indx: unknown key; did you mean index?",
      'a.toml:11: routes[1].app: there is no app "file"; did you mean files?',
    ],
  ],
  [
    "TOML: the second of an array of tables",
    "b.toml",
    'limits.body = "1M"\n[apps.shop]\nwsgi = "shop:app"\n[[routes]]\napp = "shop"\n[[routes]]\napp = "shopp"\n',
    ['b.toml:7: routes[1].app: there is no app "shopp"; did you mean shop?'],
  ],
  ["TOML that is none", "c.toml", "grace = 1\nlisten = [\n", ["c.toml:3: invalid value"]],
  [
    "TypeScript: a key that is written once",
    "a.ts",
    'export default {\n  apps: {\n    shop: {\n      wsgi: "shop:app",\n      treads: 2,\n    },\n  },\n};\n',
    ["a.ts:5: apps.shop.treads: unknown key; did you mean threads?"],
  ],
  [
    "TypeScript: no line rather than a wrong one for a key that is written twice",
    "b.ts",
    'const app = {\n  static: "a", indx: "b" };\nconst indx: string = "";\nexport default { apps: { files: app } };\n',
    ["b.ts: apps.files.indx: unknown key; did you mean index?"],
  ],
  [
    "TypeScript that throws",
    "c.ts",
    'const a = 1;\n\nthrow new Error("no database");\n',
    ["c.ts:3: no database"],
  ],
  ["TypeScript that throws a text", "text.ts", 'throw "no database";\n', ["text.ts: no database"]],
  ["TypeScript that throws nothing", "nothing.ts", "throw null;\n", ["nothing.ts: null"]],
];

for (const [what, name, text, lines] of LINES) {
  test(what, async () => assert.deepEqual(await problems(name, text), lines));
}

test("invalid TypeScript is reported with file and line", async () => {
  const [line = ""] = await problems("d.ts", "export default {\n  apps: {,\n};\n");
  assert.match(line, /^d\.ts:2: .*[Uu]nexpected/);
});

test("code that imports a missing module is reported with file and name", async () => {
  const [line = ""] = await problems("e.ts", 'import "no-such-package";\nexport default {};\n');
  assert.match(line, /^e\.ts.*no-such-package/);
});

test("a missing file, a directory, and a file of an unknown kind are reported by name", async () => {
  for (const name of ["none.yaml", "none"])
    await assert.rejects(loadConfig(join(directory, name)), new RegExp(`${name}: there is no such file$`));
  await assert.rejects(
    loadConfig(directory),
    /: a directory; name the file in it; it may be sallyport\.config\.ts, /,
  );
  await assert.rejects(
    load("config.ini", ""),
    /config\.ini: unknown kind of file; it may be sallyport\.config\.ts, /,
  );
});

test("of several missing files each is reported, with its line and a suggestion", async () => {
  mkdirSync(join(directory, "public"));
  writeFileSync(join(directory, "fetch.js"), "");
  const text = [
    "apps:",
    "  files: { static: publc }",
    "  shop:",
    "    wsgi: shop:app",
    "    python: venv/bin/python",
    "    chdir: shop",
    "  forum: { php: fetch.js, fastcgi: { command: [php-cgi], chdir: nowhere } }",
    "  tools: { cgi: tools }",
    "  here: { static: public, links: [public, packages] }",
    "  api: { module: fetchh.js }",
    "routes: [{ app: files }]",
    "",
  ].join("\n");
  const at = (name: string) => join(directory, name);
  assert.deepEqual(await problems("places.yaml", text), [
    `places.yaml:2: apps.files.static: there is no directory ${at("publc")}; did you mean public?`,
    `places.yaml:5: apps.shop.python: there is no file ${at("venv/bin/python")}`,
    `places.yaml:6: apps.shop.chdir: there is no directory ${at("shop")}`,
    `places.yaml:7: apps.forum.php: ${at("fetch.js")} is no directory`,
    `places.yaml:7: apps.forum.fastcgi.chdir: there is no directory ${at("nowhere")}`,
    `places.yaml:8: apps.tools.cgi: there is no program or directory ${at("tools")}`,
    `places.yaml:9: apps.here.links[1]: there is no directory ${at("packages")}`,
    `places.yaml:10: apps.api.module: there is no file ${at("fetchh.js")}; did you mean fetch.js?`,
  ]);
});

test("of several addresses without their certificates each is reported, beside other missing files", async () => {
  const text = [
    "listen:",
    "  - { address: 8443, tls: { cert: a.pem, key: a.pem } }",
    "  - { address: 8444, tls: { cert: b.pem, key: b.pem } }",
    "apps: { files: { static: none } }",
    "",
  ].join("\n");
  const places = (await problems("tls.yaml", text)).map((line) => line.split(": ", 2).join(": "));
  assert.deepEqual(places, [
    "tls.yaml:4: apps.files.static",
    "tls.yaml:2: listen[0].tls.cert",
    "tls.yaml:2: listen[0].tls.key",
    "tls.yaml:3: listen[1].tls.cert",
    "tls.yaml:3: listen[1].tls.key",
  ]);
});
