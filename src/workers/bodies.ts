// The directories of request bodies for Python, which opens them by their paths: one for the workers of this process's user,
// and one for each group of workers of other users, who may open in it what they know the name of, and make nothing. They are
// removed with the process however that ends.
import { rmSync, type Stats } from "node:fs";
import { chmod, chown, lstat, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import { guard } from "../processes/index.ts";

interface Directory {
  readonly path: string;
  readonly stats: Stats;
}

/** By group; undefined is this process's user. */
const directories = new Map<number | undefined, Promise<Directory>>();

/** The directory, made when it is first needed. Rejects with INTERNAL. */
export async function bodyDirectory(group?: number): Promise<string> {
  const present = await directories.get(group)?.catch(() => undefined);
  if (present && (await isStillOurs(present))) return present.path;
  const made = makeDirectory(group);
  directories.set(group, made);
  return (await made).path;
}

async function makeDirectory(group: number | undefined): Promise<Directory> {
  const parent = tmpdir();
  try {
    const path = await mkdtemp(join(parent, "sallyport-bodies-"));
    // The guard removes it if we are killed; at any other end we do.
    guard.enlistDirectory(path);
    process.once("exit", () => rmSync(path, { recursive: true, force: true }));
    if (group !== undefined) await letEnter(group, path);
    return { path, stats: await lstat(path) };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new SallyportError("INTERNAL", `request bodies cannot be set aside in ${parent}: ${reason}`, {
      cause,
    });
  }
}

/** The owner stays root, so that its user cannot have us write elsewhere by a link in its place. */
async function letEnter(group: number, path: string): Promise<void> {
  await chown(path, process.getuid?.() ?? 0, group);
  await chmod(path, 0o710);
}

/** A cleanup of the temporary directory may have removed it, and another user may have taken its name. */
async function isStillOurs({ path, stats }: Directory): Promise<boolean> {
  const now = await lstat(path).catch(() => undefined);
  return now?.ino === stats.ino && now.dev === stats.dev;
}
