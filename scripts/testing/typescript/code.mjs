// The code of our TypeScript files, kept in .cache/code: compiled once, not anew by each of the processes that a run of the
// tests starts. A kept file has the time of the source that it was made from.
import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** What tests import; other files are compiled when a process asks for them. */
const FOLDERS = ["src", "test"];
const OPTIONS = {
  format: "esm",
  target: "node20",
  sourcemap: "inline",
  // Whoever reads a stack has the file.
  sourcesContent: false,
  logLevel: "silent",
  tsconfigRaw: "{}",
};

const esbuild = () => createRequire(import.meta.url)("esbuild");

let folder;

/** Another compiler, or other options, may give other code. */
function keptIn() {
  if (folder === undefined) {
    const { version } = JSON.parse(
      readFileSync(join(ROOT, "node_modules", "esbuild", "package.json"), "utf8"),
    );
    const edition = createHash("sha256").update(version).update(JSON.stringify(OPTIONS)).digest("hex");
    folder = join(ROOT, ".cache", "code", edition.slice(0, 16));
  }
  return folder;
}

const keptFor = (file) => `${join(keptIn(), relative(ROOT, file))}.js`;

/** When a file was written last, in whole milliseconds, which `utimes` keeps exactly; undefined when it is not there. */
const timeOf = (file) => {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats && Math.round(stats.mtimeMs);
};

/** The code of a TypeScript file, compiled now if the file is newer than what is kept. Throws as `readFileSync` and esbuild do. */
export function codeOf(file) {
  const kept = keptFor(file);
  const time = timeOf(file);
  if (time !== undefined && timeOf(kept) === time) return readFileSync(kept, "utf8");
  const source = readFileSync(file, "utf8");
  const { code } = esbuild().transformSync(source, { ...OPTIONS, loader: "ts", sourcefile: basename(file) });
  keep(kept, code, time);
  return code;
}

/** Compiles all at once that the tests import and that is not kept yet. */
export async function compileAll() {
  const stale = FOLDERS.flatMap(sourcesIn).filter(({ file, time }) => timeOf(keptFor(file)) !== time);
  if (stale.length === 0) return;
  const options = { absWorkingDir: ROOT, outdir: ROOT, outbase: ROOT, bundle: false, write: false };
  const entryPoints = stale.map(({ file }) => file);
  try {
    const { outputFiles } = await esbuild().build({ ...options, ...OPTIONS, entryPoints });
    const texts = new Map(outputFiles.map(({ path, text }) => [path, text]));
    for (const { file, time } of stale) keep(keptFor(file), texts.get(file.replace(/\.ts$/, ".js")), time);
  } catch {
    // A file that cannot be compiled fails where it is imported.
  }
}

const sourcesIn = (name) =>
  readdirSync(join(ROOT, name), { recursive: true })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts") && !path.includes("node_modules"))
    .map((path) => join(ROOT, name, path))
    .map((file) => ({ file, time: timeOf(file) }));

/** In one step: another process may be reading it. */
function keep(kept, code, time) {
  const fresh = `${kept}.${process.pid}`;
  mkdirSync(dirname(kept), { recursive: true });
  writeFileSync(fresh, code);
  utimesSync(fresh, time / 1000, time / 1000);
  renameSync(fresh, kept);
}
