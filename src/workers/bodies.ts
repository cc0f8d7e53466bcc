// The directory of request bodies for Python, which opens them by their paths: one for this process, accessible to its user
// only, and removed with the process however that ends.
import { rmSync, type Stats } from "node:fs";
import { lstat, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import { guard } from "../processes/index.ts";

interface Directory {
  readonly path: string;
  readonly stats: Stats;
}

let directory: Promise<Directory> | undefined;

/** The directory, made when it is first needed. Rejects with INTERNAL. */
export async function bodyDirectory(): Promise<string> {
  const present = directory && (await directory.catch(() => undefined));
  if (present && (await isStillOurs(present))) return present.path;
  directory = makeDirectory();
  return (await directory).path;
}

async function makeDirectory(): Promise<Directory> {
  const parent = tmpdir();
  try {
    const path = await mkdtemp(join(parent, "sallyport-bodies-"));
    // The guard removes it if we are killed; at any other end we do.
    guard.enlistDirectory(path);
    process.once("exit", () => rmSync(path, { recursive: true, force: true }));
    return { path, stats: await lstat(path) };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new SallyportError("INTERNAL", `request bodies cannot be set aside in ${parent}: ${reason}`, {
      cause,
    });
  }
}

/** A cleanup of the temporary directory may have removed it, and another user may have taken its name. */
async function isStillOurs({ path, stats }: Directory): Promise<boolean> {
  const now = await lstat(path).catch(() => undefined);
  return now?.ino === stats.ino && now.dev === stats.dev;
}
