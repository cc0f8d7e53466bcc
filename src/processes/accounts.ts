// Users and groups of the system, by name or number: from getent(1), which asks every source that the system is set up for,
// or from the files where there is no getent.
// Tested by test/processes/isolation.test.ts.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { SallyportError } from "../exchange/index.ts";

/** What a process can become. */
export interface Account {
  /** Undefined for a number without an entry, and so without groups. */
  readonly name: string | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly home: string | undefined;
}

interface Wanted {
  readonly user?: string | number | undefined;
  readonly group?: string | number | undefined;
}

/**
 * The account that `who` ("an app") is to run as; undefined when it is ours. Rejects with CONFIG_INVALID for one that is not
 * there, and, with `advice`, for one that only root may become.
 */
export async function accountOf(wanted: Wanted, who: string, advice: string): Promise<Account | undefined> {
  const { user, group } = wanted;
  if (user === undefined && group === undefined) return undefined;
  const [ownUid, ownGid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const found = await findUser(user ?? ownUid);
  const gid = group === undefined ? found.gid : await findGroup(group);
  if (gid === undefined)
    throw new SallyportError(
      "CONFIG_INVALID",
      `user ${user} has no entry on this machine: name its group, too`,
    );
  if (found.uid === ownUid && gid === ownGid) return undefined;
  if (ownUid === 0) return { ...found, gid };
  throw new SallyportError("CONFIG_INVALID", `only root may run ${who} as ${accountText(wanted)}: ${advice}`);
}

const accountText = ({ user, group }: Wanted): string =>
  [user === undefined ? [] : `user ${user}`, group === undefined ? [] : `group ${group}`].flat().join(", ");

interface User {
  readonly name: string | undefined;
  readonly uid: number;
  /** Of its own group; undefined for a number without an entry. */
  readonly gid: number | undefined;
  readonly home: string | undefined;
}

/** Rejects with CONFIG_INVALID for a name that is not there. A number needs no entry. */
async function findUser(user: string | number): Promise<User> {
  const found = await entryOf("passwd", user);
  if (found) {
    const [name, , uid, gid, , home] = found;
    return { name, uid: Number(uid), gid: Number(gid), home };
  }
  return { name: undefined, uid: numberOf("user", user), gid: undefined, home: undefined };
}

/** The group's number. Rejects with CONFIG_INVALID for a name that is not there. */
async function findGroup(group: string | number): Promise<number> {
  const found = await entryOf("group", group);
  return found ? Number(found[2]) : numberOf("group", group);
}

function numberOf(what: string, given: string | number): number {
  if (/^\d+$/.test(String(given))) return Number(given);
  const message = `there is no ${what} ${JSON.stringify(given)} on this machine; create it, or name another`;
  throw new SallyportError("CONFIG_INVALID", message);
}

/** The fields of an entry. */
async function entryOf(database: "passwd" | "group", key: string | number): Promise<string[] | undefined> {
  const lines =
    (await ask(database, String(key))) ?? (await readFile(`/etc/${database}`, "utf8").catch(() => ""));
  const entries = lines.split("\n").map((line) => line.split(":"));
  return entries.find(([name, , id]) => name === key || id === String(key));
}

/** Undefined where there is no getent. */
function ask(database: string, key: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile("getent", [database, key], { timeout: 10_000 }, (error, stdout) => {
      resolve(error && (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : stdout);
    });
  });
}
