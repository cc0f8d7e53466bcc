// Where each source file is tested: in the test of the same path, or where its head comment says.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TESTED_BY = /\bTested by (test\/[\w./-]+?)\.(?=\s|$)/g;

interface Source {
  readonly path: string;
  readonly text: string;
  /** The comments, or the docstring, that it begins with. */
  readonly head: string;
}

const sourcesIn = (folder: string, ending: string, head: RegExp): Source[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .sort()
    .map((path) => {
      const text = readFileSync(join(ROOT, folder, path), "utf8");
      return { path: `${folder}/${path}`, text, head: head.exec(text)?.[0] ?? "" };
    });

const TYPESCRIPT = sourcesIn("src", ".ts", /^(?:\/\/.*\n)+/);
const PYTHON = sourcesIn("python/sallyport", ".py", /^"""[\s\S]*?"""/);

const COMMENTS = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const INTERFACES = /^(?:export )?interface [\s\S]*?^}/gm;
/** A type ends with the first semicolon that no indented line follows. */
const TYPES = /^(?:export )?type [\s\S]*?;$(?!\n[ })\]])/gm;

/** False for files of types, and for tables without a function. */
const hasLogic = ({ text }: Source): boolean =>
  /=>|\bfunction\b|\bclass \w/.test(text.replace(COMMENTS, "").replace(INTERFACES, "").replace(TYPES, ""));

const testsNamed = ({ head }: Source): string[] => [...head.matchAll(TESTED_BY)].map(([, path = ""]) => path);

/** `src/cgi/head.ts`: `test/cgi/head.test.ts`; `python/sallyport/asgi/stream.py`: `test/python/test_asgi_stream.py`. */
const mirrorOf = (path: string): string =>
  path.endsWith(".py")
    ? `test/python/test_${path.slice("python/sallyport/".length).replaceAll("/", "_")}`
    : path.replace(/^src/, "test").replace(/\.ts$/, ".test.ts");

const isTested = (source: Source): boolean =>
  existsSync(join(ROOT, mirrorOf(source.path))) || testsNamed(source).length > 0;

const pathsOf = (sources: readonly Source[]): string[] => sources.map(({ path }) => path);

test("each source file with logic has a test of its path, or its head comment says which one tests it", () => {
  const wanted = TYPESCRIPT.filter((source) => basename(source.path) !== "index.ts" && hasLogic(source));
  assert.ok(wanted.length > 200, `${wanted.length} files with logic`);
  assert.deepEqual(pathsOf(wanted.filter((source) => !isTested(source))), []);
});

test("so has each file of the Python half", () => {
  const wanted = PYTHON.filter(({ path }) => basename(path) !== "__init__.py");
  assert.ok(wanted.length > 10, `${wanted.length} files`);
  assert.deepEqual(pathsOf(wanted.filter((source) => !isTested(source))), []);
});

test("the tests that head comments name are there, and none is named beside one of the same path", () => {
  const sources = [...TYPESCRIPT, ...PYTHON];
  const absent = sources.filter((one) => testsNamed(one).some((path) => !existsSync(join(ROOT, path))));
  const needless = sources.filter((one) => testsNamed(one).includes(mirrorOf(one.path)));
  assert.deepEqual(pathsOf([...absent, ...needless]), []);
});

test("types and tables have no logic, functions and classes do", () => {
  const says = (text: string): boolean => hasLogic({ path: "", text, head: "" });
  assert.equal(says("export interface A {\n  b(): void;\n}\nexport type C = () => void;\n"), false);
  assert.equal(says("type A =\n  | { b: () => void; }\n  | undefined;\nexport const C = [1, 2];\n"), false);
  assert.equal(says("export const a = (b: number): number => b;\n"), true);
  assert.equal(says("type A = string;\n\nexport class B {}\n"), true);
});
