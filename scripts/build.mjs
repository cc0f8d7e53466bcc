// `npm run build`: src/*.ts becomes dist/. Does nothing when nothing changed. Types are `npm run check`'s affair.
// Runs on bare Node as far as the message that npm has to install first.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const cache = join(root, ".cache");
const stamp = join(cache, "build");
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");

/** One digest of everything that the build is made from. */
function digest() {
  const hash = createHash("sha256");
  const sources = readdirSync(join(root, "src"), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ts"))
    .sort();
  const files = [...sources.map((name) => join("src", name)), "tsconfig.json", "package-lock.json"];
  for (const name of files)
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(root, name)))
      .update("\0");
  return hash.digest("hex");
}

const isCurrent = (now) => existsSync(dist) && existsSync(stamp) && readFileSync(stamp, "utf8") === now;

/** Compiles beside dist and then swaps: whoever starts meanwhile finds either the old build or the new one. */
function build() {
  const fresh = join(cache, `dist-${process.pid}`);
  const old = `${fresh}-old`;
  mkdirSync(cache, { recursive: true });
  const args = [compiler, "-p", root, "--noCheck", "--outDir", fresh];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status === 0) {
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
  }
  rmSync(old, { recursive: true, force: true });
  rmSync(fresh, { recursive: true, force: true });
  return status ?? 1;
}

if (!existsSync(compiler)) {
  console.error("build: the compiler is not installed; run `npm ci` first (`npm start` does it by itself)");
  process.exit(1);
}
const now = digest();
if (!isCurrent(now)) {
  const status = build();
  if (status !== 0) process.exit(status);
  writeFileSync(stamp, now);
  console.log("build: dist is new");
}
