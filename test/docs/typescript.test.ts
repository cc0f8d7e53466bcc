// The TypeScript of README.md and of the pages compiles, as strictly as a reader's own project may be.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What stands around the blocks that are only a part of a file, by how they begin. */
const SURROUNDINGS: readonly (readonly [begins: string, before: string, after: string])[] = [
  ["app.register(", fastify("const ml = toNodeHandler(wsgi('app'), { mount: '/ml' });"), ""],
  ["const gateway = asgi(", express("asgi, toNodeHandler, toUpgradeHandler"), ""],
  ["export default defineConfig(", 'import { defineConfig } from "sallyport";', ""],
  [
    "tls: {",
    'import type { Config } from "sallyport";\nexport const config: Config = { listen: [{ address: "a",',
    "}], apps: {} };",
  ],
];

function fastify(more: string): string {
  return `import fastify from "fastify";\nimport { toNodeHandler, wsgi } from "sallyport";\nconst app = fastify();\n${more}`;
}

function express(names: string): string {
  return `import express from "express";\nimport { ${names} } from "sallyport";\nconst app = express();`;
}

const SERVE = `
import type { IncomingMessage, ServerResponse } from "node:http";
import express from "express";
import { nodeApp, type ServedApp, serve, wsgi } from "sallyport";
await serve((request) => new Response(request.url));
await serve(async (request, { remote }) => new Response(request.method + remote.address), { listen: [1] });
await serve((req: IncomingMessage, res: ServerResponse) => void res.end(req.url));
await serve(nodeApp((req, res) => void res.end(req.url)));
await serve({ fetch: (request: Request) => new Response(request.url) });
await serve(express());
await serve(wsgi("app:app"));
await serve({} as ServedApp, {});
`;

/** The blocks of a page, each as a whole module. */
function modulesIn(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```(?:ts|js)\n(.*?)^```/gms)].map(([, code = ""]) => {
    if (/^import /m.test(code)) return code;
    const [, before, after] = SURROUNDINGS.find(([begins]) => code.startsWith(begins)) ?? [];
    assert.ok(before !== undefined, `${page}: what stands around this block?\n${code}`);
    return `${before}\n${code}\n${after}`;
  });
}

/** What is compiled, by the names of the files. */
const MODULES: Readonly<Record<string, string>> = Object.fromEntries([
  ...["README.md", ...pages()].flatMap((page) =>
    modulesIn(page).map((code, i) => [`${page}-${i + 1}.mts`, code] as const),
  ),
  ["serve.mts", SERVE],
]);

function pages(): string[] {
  const all = readdirSync(join(root, "docs"), { recursive: true }) as string[];
  return all.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
}

/** The declarations of all that the package exports, by what a program imports. */
const DECLARATIONS: Readonly<Record<string, string[]>> = Object.fromEntries(
  Object.entries(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).exports as Exports)
    .filter(([, { types }]) => types !== undefined)
    .map(([path, { types = "" }]) => [join("sallyport", path), [join(root, types)]]),
);
type Exports = Readonly<Record<string, { readonly types?: string }>>;

const ALL = Object.keys(DECLARATIONS)
  .map((path, i) => `export * as m${i} from "${path}";`)
  .join("\n");

/** What the compiler complains about, a line each. */
async function complaints(
  folder: string,
  modules: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, unknown>>,
): Promise<string[]> {
  for (const [name, code] of Object.entries(modules)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), code);
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "ES2023",
    types: ["node"],
    ...settings,
    paths: DECLARATIONS,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["**/*.mts"] }));
  const output = await new Promise<string>((resolve) => {
    execFile(join(root, "node_modules/.bin/tsc"), ["-p", "."], { cwd: folder }, (error, stdout, stderr) =>
      resolve(error ? `${stdout}${stderr}${error.message}` : ""),
    );
  });
  return output.split("\n").filter((line) => line !== "");
}

test("the TypeScript of README.md and of all pages compiles under strict, and serve() takes what it says", async (t) => {
  assert.ok(Object.keys(MODULES).length > 10 && "README.md-2.mts" in MODULES);
  const settings = { module: "NodeNext", skipLibCheck: true };
  assert.deepEqual(await complaints(makeFolder(t), MODULES, settings), []);
});

for (const [module, moduleResolution, lib] of [
  ["Node16", "Node16", ["ES2023"]],
  ["ESNext", "Bundler", ["ES2023", "DOM", "DOM.Iterable"]],
] as const)
  test(`all declarations hold where libraries are checked: ${moduleResolution}, ${lib.join(", ")}`, async (t) => {
    const settings = { module, moduleResolution, lib, skipLibCheck: false };
    assert.ok(ALL.includes('"sallyport/apps"'));
    assert.deepEqual(await complaints(makeFolder(t), { "all.mts": ALL }, settings), []);
  });
