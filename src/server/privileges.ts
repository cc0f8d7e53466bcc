// Whom the server runs as. Started as root, the supervisor stays root and binds the addresses; each server process reads
// certificates and opens its logs as root, and gives its rights up before it loads an app.
import type { Settings } from "../config/config.ts";
import { type Log, SallyportError } from "../exchange/index.ts";
import { isGateway } from "../options/checks.ts";
import { type Account, accountOf } from "../processes/index.ts";

type Wanted = Pick<Settings, "user" | "group">;
type Apps = Pick<Settings, "apps">;

/** Undefined where nothing changes. Rejects with CONFIG_INVALID for an account that is not there, or that needs root. */
export function serverAccount(wanted: Wanted): Promise<Account | undefined> {
  return accountOf(wanted, "the server", "start it as root, or leave user and group out");
}

/** The types of Node's API lack it. */
const initgroups = (name: string, gid: number): void =>
  (process as unknown as { initgroups(name: string, gid: number): void }).initgroups(name, gid);

let gaveUp = false;

/** What a failure may be due to, and what to do; "" in a process that has the rights that it was started with. */
export const rightsHint = (): string =>
  gaveUp ? " (this process is no longer root: reload the server, SIGHUP, which reads them as root)" : "";

/** For good: throws INTERNAL if the way back is open. */
export function becomeAccount({ uid, gid, name, home }: Account): void {
  if (name === undefined) process.setgroups?.([]);
  else initgroups(name, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
  gaveUp = true;
  if (uid !== 0 && canReturn())
    throw new SallyportError(
      "INTERNAL",
      "the rights of root could not be given up: the system gives them back",
    );
  if (name !== undefined) Object.assign(process.env, { HOME: home || "/", USER: name, LOGNAME: name });
}

function canReturn(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

/** Warns of a server whose every fault would be one of root's; `user: root` says that it is meant. */
export function warnOfRoot(log: Log, { user, apps }: Wanted & Apps): void {
  if (process.getuid?.() !== 0 || user !== undefined) return;
  log.warn(
    `the server runs as root${alsoAsRoot(apps)}: name a user (--user www-data), or root if that is meant`,
  );
}

function alsoAsRoot(apps: Settings["apps"]): string {
  const all = Object.entries(apps);
  const names = all.filter(([, app]) => runsAsServer(app)).map(([name]) => name);
  if (names.length === all.length) return ", and so do its apps";
  return names.length > 0 ? `, and so does ${names.join(", ")}` : "";
}

/** An answer runs nothing, and these two only lead to what others have started. */
const WITHOUT_PROCESSES = ["answer", "redirect", "scgi", "uwsgi"];

/** Otherwise it is an address, or several. */
const isSection = (reached: unknown): reached is object =>
  typeof reached === "object" && reached !== null && !Array.isArray(reached);

/** Not apps whose processes have a user of their own, or were started by others. */
function runsAsServer(app: object): boolean {
  if (isGateway(app)) return true;
  if (WITHOUT_PROCESSES.some((kind) => kind in app)) return false;
  const { fastcgi, authorizer } = app as { readonly fastcgi?: unknown; readonly authorizer?: unknown };
  const sections = fastcgi === undefined ? [app] : [fastcgi, authorizer].filter(isSection);
  return sections.some((section) => (section as { readonly user?: unknown }).user === undefined);
}

/** Throws CONFIG_INVALID: a process that others have made is not ours to change. */
export function refuseAccount({ user, group, umask }: Settings): void {
  if ((user ?? group ?? umask) === undefined) return;
  const message = "user, group and umask are for sallyport serve: createServer() leaves its process as it is";
  throw new SallyportError("CONFIG_INVALID", message);
}
