// Users and groups of the system, by name or number: from getent(1), which asks every source that the system is set up for,
// or from the files where there is no getent.
// Tested by test/processes/isolation.test.ts.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { SallyportError } from "../exchange/index.ts";

export interface User {
  readonly name: string | undefined;
  readonly uid: number;
  /** Of its own group; undefined for a number without an entry. */
  readonly gid: number | undefined;
  readonly home: string | undefined;
}

/** Rejects with CONFIG_INVALID for a name that is not there. A number needs no entry. */
export async function findUser(user: string | number): Promise<User> {
  const found = await entryOf("passwd", user);
  if (found) {
    const [name, , uid, gid, , home] = found;
    return { name, uid: Number(uid), gid: Number(gid), home };
  }
  return { name: undefined, uid: numberOf("user", user), gid: undefined, home: undefined };
}

/** The group's number. Rejects with CONFIG_INVALID for a name that is not there. */
export async function findGroup(group: string | number): Promise<number> {
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
