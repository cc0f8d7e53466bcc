// `npm run build`: src/*.ts becomes dist/: a declaration for each module, and few files of code (scripts/bundle.mjs), one of
// them with what we use of zod. Does nothing when nothing changed. `npm run check` checks the types.
// Runs on bare Node as far as the message that npm has to install first.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const cache = join(root, ".cache");
const stamp = join(cache, "build");
const modules = join(root, "node_modules");
const compiler = join(modules, "typescript", "bin", "tsc");
/** Files that are served, or run, as they are. */
const COPIED = [join("pages", "shared"), join("admin", "pages"), join("demo", "pages"), join("demo", "apps")];
const bundler = join(modules, "esbuild", "lib", "main.js");

const isCopied = (name) => COPIED.some((folder) => name.startsWith(folder)) && !name.includes("__pycache__");

/** One digest of everything that the build is made from. */
function digest() {
  const hash = createHash("sha256");
  const sources = readdirSync(join(root, "src"), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ts") || isCopied(name))
    .filter((name) => statSync(join(root, "src", name)).isFile())
    .sort();
  const settings = [
    "tsconfig.json",
    "package-lock.json",
    join("scripts", "build.mjs"),
    join("scripts", "bundle.mjs"),
  ];
  const files = [...sources.map((name) => join("src", name)), ...settings];
  for (const name of files)
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(root, name)))
      .update("\0");
  return hash.digest("hex");
}

const isCurrent = (now) => existsSync(dist) && existsSync(stamp) && readFileSync(stamp, "utf8") === now;

/** Compiles beside dist and then swaps: a server that starts meanwhile finds either the old build or the new one. */
async function build() {
  const fresh = join(cache, `dist-${process.pid}`);
  const old = `${fresh}-old`;
  mkdirSync(cache, { recursive: true });
  const status = compile(fresh);
  if (status === 0) {
    await gather(join(fresh, "config", "zod.js"));
    await bundle(fresh, publicFiles());
    for (const folder of COPIED) copy(folder, fresh);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
  }
  rmSync(old, { recursive: true, force: true });
  rmSync(fresh, { recursive: true, force: true });
  return status;
}

/** What users of the package import. */
function publicFiles() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.values(exports).flatMap(({ default: file }) => file?.replace("./dist/", "") ?? []);
}

function copy(folder, fresh) {
  const filter = (name) => !name.includes("__pycache__");
  cpSync(join(root, "src", folder), join(fresh, folder), { recursive: true, filter });
}

function compile(directory) {
  const args = [compiler, "-p", root, "--noCheck", "--outDir", directory];
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
}

/** Puts what `file` imports into it, with the licence that goes with that. */
async function gather(file) {
  const { buildSync } = await import("esbuild");
  const licence = readFileSync(join(modules, "zod", "LICENSE"), "utf8").trim();
  buildSync({
    entryPoints: [file],
    outfile: file,
    allowOverwrite: true,
    bundle: true,
    format: "esm",
    target: "node20",
    banner: { js: `/*! With parts of zod:\n\n${licence}\n*/` },
  });
}

if (!existsSync(compiler) || !existsSync(bundler)) {
  console.error("build: the compiler is not installed; run `npm ci` first (`npm start` does it by itself)");
  process.exit(1);
}
const now = digest();
if (!isCurrent(now)) {
  const status = await build();
  if (status !== 0) process.exit(status);
  writeFileSync(stamp, now);
  console.log("build: dist is new");
}
