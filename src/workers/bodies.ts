// Where request bodies wait for Python, which opens them by their paths: one directory of this process, that only its
// user may enter, and that goes with the process, whatever ends it.
import { rmSync, type Stats } from "node:fs";
import { lstat, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import { guard } from "../processes/index.ts";

interface Place {
  readonly path: string;
  readonly stats: Stats;
}

let place: Promise<Place> | undefined;

/** The directory, made when it is first needed. Rejects with INTERNAL. */
export async function bodyDirectory(): Promise<string> {
  const present = place && (await place.catch(() => undefined));
  if (present && (await isStillOurs(present))) return present.path;
  place = made();
  return (await place).path;
}

async function made(): Promise<Place> {
  const parent = tmpdir();
  try {
    const path = await mkdtemp(join(parent, "sallyport-bodies-"));
    // The guard for when we are killed; at any other end there is nothing left for it to do.
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

/** Somebody may have tidied the temporary directory, and another user taken the name. */
async function isStillOurs({ path, stats }: Place): Promise<boolean> {
  const now = await lstat(path).catch(() => undefined);
  return now?.ino === stats.ino && now.dev === stats.dev;
}
