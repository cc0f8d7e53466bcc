import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { NODE } from "../../scripts/setup/lists.mjs";
import { nodeProgram } from "../../scripts/setup/nodes.mjs";
import { loadApp } from "../../src/apps/index.ts";
import { SallyportError } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-load-"));
  await symlink(MODULES, join(folder, "node_modules"));
});
after(() => rm(folder, { recursive: true }));

async function made(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

async function answerOf(path: string): Promise<string> {
  const gateway = await loadApp(path);
  const exchange = new RecordedExchange({ target: "/x" });
  gateway.handle(exchange);
  const { body } = await exchange.done;
  await gateway.close?.(1000);
  return body.toString();
}

async function failureOf(path: string): Promise<SallyportError> {
  try {
    await loadApp(path);
  } catch (error) {
    assert.ok(error instanceof SallyportError);
    return error;
  }
  throw new Error("it was loaded");
}

const APPS: Record<string, readonly [name: string, text: string]> = {
  "a fetch function": ["f.mjs", "export default (request) => new Response(new URL(request.url).pathname)"],
  "an async fetch function without parameters": ["a.mjs", "export default async () => new Response('/x')"],
  "an object with fetch": ["o.mjs", "export default { fetch: ({ url }) => new Response(url.slice(-2)) }"],
  "a node handler": ["n.mjs", "export default function (req, res) { res.end(req.url) }"],
  "a node handler with next": ["m.mjs", "export default (req, res, next) => res.end(req.url)"],
  "a CommonJS node handler": ["c.cjs", "module.exports = (req, res) => res.end(req.url)"],
  "a CommonJS object with fetch": ["cf.cjs", "exports.fetch = () => new Response('/x')"],
  "compiled TypeScript": [
    "ct.cjs",
    "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = (req, res) => res.end(req.url)",
  ],
  "a TypeScript fetch function": [
    "t.ts",
    "import { tail } from './tail.ts';\nexport default (request: Request): Response => new Response(tail(request.url));",
  ],
  "a TypeScript node handler with enum": [
    "e.mts",
    "enum Part { Path }\nexport default (req: { url: string }, res: { end(s: string): void }) => res.end([req.url][Part.Path]!);",
  ],
  "a promise of an app": ["p.mjs", "export default Promise.resolve((req, res) => res.end(req.url))"],
  Express: ["ex.mjs", "import e from 'express'; export default e().use((req, res) => { res.send(req.url) })"],
  Koa: [
    "k.mjs",
    "import K from 'koa'; const a = new K(); a.use((c) => { c.body = c.url }); export default a",
  ],
  Fastify: [
    "fa.mjs",
    "import f from 'fastify'; const a = f(); a.get('/x', async (r) => r.url); export default a",
  ],
  "a NestJS application": [
    "nest.mjs",
    `let ready = false;
    const handler = (req, res) => res.end(ready ? req.url : 'not ready');
    export default {
      use() {},
      listen() {},
      async init() { ready = true; },
      async close() {},
      getHttpAdapter: () => ({ getInstance: () => handler }),
    };`,
  ],
  "a Next.js app": [
    "next.mjs",
    `let prepared = false;
    export default {
      async prepare() { prepared = true; },
      getRequestHandler: () => async (req, res, parsedUrl) => res.end(prepared && !parsedUrl ? req.url : 'not ready'),
      async close() {},
    };`,
  ],
  "a server of node:http": [
    "hs.mjs",
    "import { createServer } from 'node:http'; export default createServer((req, res) => res.end(req.url));",
  ],
  "a Polka or tinyhttp app": [
    "po.mjs",
    `class App {
      url = (req) => req.url;
      use() {}
      listen() {}
      handler(req, res) { res.end(this.url(req)); }
    }
    export default new App();`,
  ],
  Hono: [
    "h.ts",
    "import { Hono } from 'hono'; export default new Hono().get('/x', (c) => c.text(c.req.path))",
  ],
  h3: ["h3.mjs", "import { H3 } from 'h3'; export default new H3().get('/x', (e) => e.url.pathname)"],
};
for (const [what, [name, text]] of Object.entries(APPS)) {
  test(`a module is served whose default export is ${what}`, async () => {
    await made("tail.ts", "export const tail = (url: string): string => new URL(url).pathname;");
    assert.equal(await answerOf(await made(name, text)), "/x");
  });
}

test("a package of type module needs no .mjs", async () => {
  await made("esm/package.json", '{ "type": "module" }');
  assert.equal(await answerOf(await made("esm/app.js", "export default () => new Response('esm')")), "esm");
});

test("what does not exist is TARGET_NOT_FOUND with its path", async () => {
  const { code, message } = await failureOf(join(folder, "missing.ts"));
  assert.equal(code, "ERR_SALLYPORT_TARGET_NOT_FOUND");
  assert.match(message, /missing\.ts/);
});

for (const [what, text, found] of [
  ["a string", "export default 'hello'", "a string"],
  ["null", "export default null", "null"],
  ["a number", "export default 42", "a number"],
  ["an object of another kind", "export default { handler() {} }", "a plain object"],
  ["an instance of another kind", "export default new Map()", "an instance of Map"],
  ["a class", "export default class App {}", "a class; export an instance of it"],
] as const) {
  test(`${what} as default export is CONFIG_INVALID, and is named`, async () => {
    const { code, message } = await failureOf(await made(`bad-${what.replaceAll(" ", "-")}.mjs`, text));
    assert.equal(code, "ERR_SALLYPORT_CONFIG_INVALID");
    assert.ok(message.includes(`is ${found}. What can be served:`), message);
  });
}

test("a module without a default export is CONFIG_INVALID, and what it exports is named", async () => {
  const some = await failureOf(await made("named.mjs", "export const app = 1, other = 2"));
  assert.match(
    some.message,
    /has no default export; it exports only app, other; where it listens itself, write "export default app" instead$/,
  );
  const none = await failureOf(await made("none.mjs", "globalThis.nothing = 1"));
  assert.match(
    none.message,
    /has no default export; it exports nothing; where it listens itself, write "export default app" instead$/,
  );
});

for (const name of ["syntax.mjs", "syntax.cjs", "syntax.ts"]) {
  test(`a syntax error in ${name} is APP_IMPORT, and its place is told`, async () => {
    const error = await failureOf(await made(name, "const fine = 1;\nconst = 2;\n"));
    assert.equal(error.code, "ERR_SALLYPORT_APP_IMPORT");
    assert.ok(error.message.includes(name), error.message);
    assert.match(error.detail ?? "", new RegExp(`${name.replace(".", "\\.")}:2`));
    assert.doesNotMatch(error.detail ?? "", /^\s+at /m);
  });
}

for (const name of ["raises.mjs", "raises.cjs", "raises.ts"]) {
  test(`what ${name} throws is APP_IMPORT with its own frames, and none of ours or of the loader`, async () => {
    const text = "function inner() {\n  throw new Error('no database');\n}\ninner();\n";
    const error = await failureOf(await made(name, text));
    assert.equal(error.code, "ERR_SALLYPORT_APP_IMPORT");
    assert.match(error.message, /could not be imported: no database$/);
    assert.match(error.detail ?? "", new RegExp(`at inner .*${name.replace(".", "\\.")}:2`));
    assert.doesNotMatch(error.detail ?? "", /node:|src\/apps|jiti/);
  });
}

test("a missing import is named, as is a promise or a Fastify plugin that fails", async () => {
  const missing = await failureOf(await made("missing-import.mjs", "import './absent.mjs'"));
  assert.match(missing.message, /absent\.mjs/);
  const promise = await failureOf(
    await made("rejects.mjs", "export default Promise.reject(new Error('later'))"),
  );
  assert.deepEqual([promise.code, /later/.test(promise.detail ?? "")], ["ERR_SALLYPORT_APP_IMPORT", true]);
  const plugin =
    "import f from 'fastify'; const a = f(); a.register(async () => { throw new Error('plug') }); export default a";
  const fastify = await failureOf(await made("plugin.mjs", plugin));
  assert.equal(fastify.code, "ERR_SALLYPORT_APP_IMPORT");
  assert.match(fastify.message, /did not become ready: plug$/);
});

test("a NestJS application that does not become ready says why", async () => {
  const nest =
    "export default { init: async () => { throw new Error('db'); }, getHttpAdapter() {}, close() {} };";
  const { code, message } = await failureOf(await made("nest-fails.mjs", nest));
  assert.deepEqual([code, message.endsWith("did not become ready: db")], ["ERR_SALLYPORT_APP_IMPORT", true]);
});

test("the development of a Next.js app has its WebSockets", async () => {
  for (const dev of [true, false]) {
    const next = `const app = {
      options: { dev: ${dev} },
      prepare: async () => {},
      getRequestHandler: () => (req, res) => {
        const server = app.options.httpServer ?? req.socket.server;
        server?.on("upgrade", (req, socket) => socket.end("HTTP/1.1 403 Forbidden\\r\\n\\r\\n"));
        res.end("plain");
      },
      close: async () => {},
    };
    export default app;`;
    const gateway = await loadApp(await made(`next-${dev}.mjs`, next));
    const page = new RecordedExchange();
    gateway.handle(page);
    assert.equal((await page.done).status, 200);
    const exchange = new RecordedExchange();
    Object.assign(exchange, { handshake: { subprotocols: [], accept: () => assert.fail("accepted") } });
    gateway.handle(exchange);
    assert.equal((await exchange.done).status, dev ? 403 : 200);
  }
});

test("a server of node:http needs a handler, of requests or of upgrades", async () => {
  const none = await failureOf(
    await made("hs-none.mjs", "import h from 'node:http'; export default h.createServer();"),
  );
  assert.match(none.message, /no request handler$/);
  const source = "import h from 'node:http'; export default h.createServer().on('upgrade', () => {});";
  assert.equal(await answerOf(await made("hs-upgrade.mjs", source)), "Only WebSockets are served here.\n");
});

test("who listens for checkContinue at a server of node:http gets the requests that wait to be told to go on", async () => {
  const source = `
    import h from 'node:http';
    const server = h.createServer((req, res) => req.pipe(res));
    server.on('checkContinue', (req, res) => {
      if (req.url === '/closed') return res.writeHead(401).end();
      res.writeContinue();
      server.emit('request', req, res);
    });
    export default server;`;
  const gateway = await loadApp(await made("hs-continue.mjs", source));
  const answer = async (target: string, ...headers: string[]) => {
    const exchange = new RecordedExchange({ target, method: "POST", body: "sent", headers });
    gateway.handle(exchange);
    const { status, body } = await exchange.done;
    return [status, body.toString()];
  };
  assert.deepEqual(await answer("/closed", "Expect", "100-Continue"), [401, ""]);
  assert.deepEqual(await answer("/open", "Expect", "100-continue"), [200, "sent"]);
  assert.deepEqual(await answer("/closed"), [200, "sent"]);
});

test("an object that rejects nothing but throws a string is told as well", async () => {
  const error = await failureOf(await made("throws-string.mjs", "throw 'just text'"));
  assert.match(error.message, /could not be imported: just text$/);
});

/** How our own sources get into a node of its own, whose `import()` in them must stay its own where it can. */
const OURS_BY_JITI = `
    import { createJiti } from ${JSON.stringify(import.meta.resolve("jiti"))};
    const { loadApp } = await createJiti(import.meta.url).import(process.argv[1]);`;
const OURS_BY_NODE = "const { loadApp } = await import(process.argv[1]);";

/** Loads modules in a node of its own, which has no hook for TypeScript, and gives what it says of them. */
async function loadedPlainly(path: string | string[], node: string = process.execPath): Promise<string> {
  const script = `${node === process.execPath ? OURS_BY_JITI : OURS_BY_NODE}
    const told = (error) => error.code + "\\n" + error.detail;
    for (const path of process.argv.slice(2))
      console.log(await loadApp(path).then((app) => typeof app.handle, told));`;
  const load = fileURLToPath(new URL("../../src/apps/index.ts", import.meta.url));
  const args = ["--input-type=module", "-e", script, load, ...[path].flat()];
  const env = { ...process.env, NODE_OPTIONS: "" };
  return (await run(node, args, { env, cwd: folder })).stdout.trim();
}

for (const major of ["own", ...NODE.test])
  test(`Node (${major}) takes TypeScript with import and export in a package of type commonjs, as npm init makes it`, async (t) => {
    const node = major === "own" ? process.execPath : nodeProgram(ROOT, major);
    if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
    await made("npm-init/package.json", '{ "type": "commonjs" }');
    await made("npm-init/text.ts", "export const text: string = 'ts';");
    const app = "import { text } from './text.ts';\nexport default (): Response => new Response(text);";
    assert.equal(await loadedPlainly(await made("npm-init/app.ts", app), node), "function");
    const required =
      "const { text } = require('./text.ts');\nmodule.exports = (): Response => new Response(text);";
    assert.equal(await loadedPlainly(await made("npm-init/cjs.ts", required), node), "function");
    const named = "exports.fetch = (): Response => new Response('named');";
    assert.equal(await loadedPlainly(await made("npm-init/named.ts", named), node), "function");
    const none = await loadedPlainly(await made("npm-init/none.ts", "export const a: number = 1;"), node);
    assert.match(none, /^ERR_SALLYPORT_CONFIG_INVALID/);
    const absent = await loadedPlainly(await made("npm-init/bad.ts", `import './absent.ts';\n${app}`), node);
    assert.match(absent, /^ERR_SALLYPORT_APP_IMPORT\n.*absent\.ts/);
  });

for (const major of ["own", ...NODE.test])
  test(`Node (${major}) takes TypeScript where there is no package.json`, async (t) => {
    const node = major === "own" ? process.execPath : nodeProgram(ROOT, major);
    if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
    const app = "export default (_: Request): Response => new Response('ts' as string);";
    const paths = await Promise.all(["ts", "mts"].map((ending) => made(`bare/app.${ending}`, app)));
    assert.equal(await loadedPlainly(paths, node), "function\nfunction");
  });

test("plain node, without any loader, takes TypeScript, also where types alone cannot be stripped", async () => {
  const app = "export default (_: Request): Response => new Response('ts' as string);";
  assert.equal(await loadedPlainly(await made("plain.ts", app)), "function");
  assert.equal(await loadedPlainly(await made("enum.ts", `export enum A { B }\n${app}`)), "function");
});

/** What compilers take, and a Node that strips types does not. */
const COMPILED: readonly (readonly [what: string, source: string])[] = [
  [
    "a decorator",
    "const log = (): void => {};\nclass A { @log a(): void {} }\nexport default () => new Response(String(new A()));",
  ],
  [
    "a type among the names of an import",
    "import { text, Text } from './lib/text.ts';\nexport default (): Text => text();",
  ],
  [
    "a module named as its JavaScript will be",
    "import { text } from './lib/text.js';\nexport default () => text();",
  ],
  ["a module without its ending", "import { text } from './lib/text';\nexport default () => text();"],
  ["a folder", "import { text } from './lib';\nexport default () => text();"],
  ["a path of tsconfig.json", "import { text } from '@lib/text';\nexport default () => text();"],
];

for (const major of ["own", ...NODE.test])
  test(`Node (${major}) takes what is left to a compiler`, async (t) => {
    const node = major === "own" ? process.execPath : nodeProgram(ROOT, major);
    if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
    const place = `compiled-${major}`;
    await made(`${place}/package.json`, '{ "type": "module" }');
    await made(`${place}/tsconfig.json`, '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }');
    await made(
      `${place}/lib/text.ts`,
      "export type Text = Response;\nexport const text = (): Text => new Response('ts');",
    );
    await made(`${place}/lib/index.ts`, "export * from './text.ts';");
    const apps = COMPILED.map(([, source], i) => made(`${place}/app${i}.ts`, source));
    const kinds = (await loadedPlainly(await Promise.all(apps), node)).split("\n");
    assert.deepEqual(
      kinds.map((kind, i) => [COMPILED[i]?.[0], kind]),
      COMPILED.map(([what]) => [what, "function"]),
    );
    await made(`${place}/tsconfig.json`, '{ "extends": "not-installed/tsconfig.json" }');
    const [, decorated] = COMPILED[0] as readonly [string, string];
    const left = await made(`${place}/left.ts`, decorated);
    const absent = await made(`${place}/absent.ts`, "import './nowhere.js';\nexport default 1;");
    const told = await loadedPlainly([left, absent], node);
    assert.match(told, /^function\nERR_SALLYPORT_APP_IMPORT\n.*nowhere\.js/);
  });

for (const major of ["own", ...NODE.test])
  test(`Node (${major}) runs TypeScript once whose own code fails`, async (t) => {
    const node = major === "own" ? process.execPath : nodeProgram(ROOT, major);
    if (!existsSync(node) && process.env.CI !== "true") return t.skip(`not on this machine: Node ${major}`);
    for (const [name, fails] of [
      ["json", "JSON.parse('{')"],
      ["import", "await import('./nowhere.ts')"],
    ] as const) {
      const log = join(folder, `${name}-${major}.log`);
      const source = `import { appendFileSync } from 'node:fs';
        appendFileSync(${JSON.stringify(log)}, 'run ');
        ${fails};
        export default 1;`;
      const told = await loadedPlainly(await made(`once-${major}/${name}.mts`, source), node);
      assert.match(told, /^ERR_SALLYPORT_APP_IMPORT/);
      assert.equal(readFileSync(log, "utf8"), "run ");
    }
  });

test("plain node tells the place of an error in TypeScript", async () => {
  const syntax = await loadedPlainly(await made("plain-syntax.ts", "const fine: number = 1;\nconst = 2;\n"));
  assert.match(syntax, /^ERR_SALLYPORT_APP_IMPORT\n[\s\S]*plain-syntax\.ts:2/);
  const raised = await loadedPlainly(
    await made("plain-raises.ts", "const x: number = 1;\nthrow new Error('db');\n"),
  );
  assert.match(raised, /^ERR_SALLYPORT_APP_IMPORT\nError: db\n[\s\S]*plain-raises\.ts:2/);
});
