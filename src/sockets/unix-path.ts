// Listening at a path: the file of a dead server is taken over, that of a running one never; and no one gets in before the
// socket has its permissions.
// Tested by test/server/listen.test.ts.
import { execFile } from "node:child_process";
import { chmod, lstat, unlink } from "node:fs/promises";
import { createConnection, type ListenOptions, type Server } from "node:net";
import { promisify } from "node:util";
import { SallyportError } from "../exchange/index.ts";
import { pathFault } from "./socket-path.ts";

export interface UnixPath {
  readonly path: string;
  readonly mode?: number | undefined;
  /** User, or user:group. */
  readonly owner?: string | undefined;
}

/** Milliseconds after which another server counts as running although it has not accepted. */
const LIVE_TEST = 1000;

/** Rejects with ADDRESS_UNUSABLE, in which the place is called `shown`, or with an error of the system. */
export async function listenAtPath(
  server: Server,
  place: UnixPath,
  shown: string,
  backlog: number,
): Promise<void> {
  const fault = pathFault(place.path);
  if (fault !== undefined) throw unfit(shown, fault);
  await listenOnce(server, place, backlog).catch(async (error) => {
    if (error.code !== "EADDRINUSE") throw error;
    await removeStale(place.path, shown);
    await listenOnce(server, place, backlog);
  });
  await setModeAndOwner(place, shown);
}

export const listening = (server: Server, options: ListenOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });

/** The umask cannot set every mode: it gives no execute bits. Rejects with ADDRESS_UNUSABLE for an owner that cannot be set. */
export async function setModeAndOwner({ path, mode, owner }: UnixPath, shown: string): Promise<void> {
  if (mode !== undefined) await chmod(path, mode);
  if (owner === undefined) return;
  const env = { ...process.env, LC_ALL: "C" };
  await promisify(execFile)("chown", ["--", owner, path], { env }).catch((error) => {
    throw unusable(shown, `it cannot be given to ${JSON.stringify(owner)}: ${whyNotGiven(error)}`);
  });
}

/** By what chown(1) says, of GNU and of BusyBox, or why it could not be run. */
function whyNotGiven({ stderr, message }: Error & { readonly stderr?: string }): string {
  const said = stderr?.trim() || message;
  if (/invalid|unknown/.test(said))
    return "there is no such user, or group, on this machine (user, or user:group)";
  if (/not permitted/.test(said)) return "only root may do that; start it as root, or name no owner";
  return said;
}

/** Binds with the umask set for the moment of the (synchronous) bind, so that no one gets in before chmod. */
function listenOnce(server: Server, { path, mode }: UnixPath, backlog: number): Promise<void> {
  if (mode === undefined) return listening(server, { path, backlog });
  const umask = process.umask(0o777 & ~mode);
  try {
    return listening(server, { path, backlog });
  } finally {
    process.umask(umask);
  }
}

async function removeStale(path: string, shown: string): Promise<void> {
  const file = await lstat(path);
  if (!file.isSocket()) throw unfit(shown, "is a file of another kind; remove it or choose another path");
  if (await isServed(path)) throw unfit(shown, "belongs to a server that is running; stop it first");
  await unlink(path);
}

const unfit = (shown: string, why: string): SallyportError => unusable(shown, `the path ${why}`);

const unusable = (shown: string, why: string): SallyportError =>
  new SallyportError("ADDRESS_UNUSABLE", `cannot listen at ${shown}: ${why}`);

/** Whether a server accepts connections there. Only a refused connection shows that none does. */
export const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ path });
    const settle = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", (error: NodeJS.ErrnoException) => settle(error.code !== "ECONNREFUSED"));
    socket.setTimeout(LIVE_TEST, () => settle(true));
  });
