// The launcher's program: a small process that starts children for a large one, because starting one copies the
// starter's page tables (docs/decisions/0002-spawning.md). It lives as long as its parent and ends all children with it.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname } from "node:path";
import { type Child, startChild } from "./child.ts";
import { sweepGroup } from "./groups.ts";
import type { LauncherMessage, LauncherNotice, StartMessage } from "./launcher-messages.ts";

const children = new Map<number, Child>();
const socketPath = process.argv[2] as string;
/** What children get between TERM and KILL when we lose our parent. */
const ORPHAN_GRACE = 1000;

const tell = (notice: LauncherNotice): void => {
  if (process.connected) process.send?.(notice);
};

function obey(order: LauncherMessage): void {
  if (order.do === "start") void start(order);
  else if (order.do === "signal") children.get(order.id)?.signal(order.signal);
  else if (order.do === "stop") void children.get(order.id)?.stop(order.grace);
  else sweepGroup(order.group);
}

async function start(order: StartMessage): Promise<void> {
  const { id, token } = order;
  const stdio = await Promise.all(order.connected.map((yes, at) => (yes ? connection(token, at) : "ignore")));
  const broken = stdio.find((end) => end instanceof Error);
  if (broken instanceof Error) tell({ is: "unreachable", id, reason: broken.message });
  else await run(order, stdio as ("ignore" | Socket)[]);
  // The child has its own copies by now.
  for (const end of stdio) if (end instanceof Object && "destroy" in end) end.destroy();
}

async function run(
  { id, command, args, env, cwd }: StartMessage,
  stdio: ("ignore" | Socket)[],
): Promise<void> {
  // We are their guard ourselves.
  const child = startChild({
    command,
    args,
    env,
    stdio,
    guarded: false,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (child.pid === undefined) {
    const { failure } = await child.exited;
    return tell({ is: "failed", id, reason: (failure?.cause as Error | undefined)?.message ?? "" });
  }
  children.set(id, child);
  tell({ is: "started", id, pid: child.pid });
  void child.exited.then(({ code, signal }) => {
    children.delete(id);
    tell({ is: "exited", id, code, signal });
  });
}

/** A connection to our parent that has said which descriptor of which child it will be. */
async function connection(token: string, descriptor: number): Promise<Socket | Error> {
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  socket.on("error", () => socket.destroy());
  try {
    await once(socket, "connect");
    await new Promise<void>((resolve, reject) => {
      socket.write(`${token} ${descriptor}\n`, (error) => (error ? reject(error) : resolve()));
    });
    return socket;
  } catch (error) {
    socket.destroy();
    return error as Error;
  }
}

async function end(): Promise<void> {
  // Our parent may have had no time to tidy up.
  rmSync(dirname(socketPath), { recursive: true, force: true });
  await Promise.all([...children.values()].map((child) => child.stop(ORPHAN_GRACE)));
  process.exit(0);
}

process.title = "sallyport-launcher";
// Signals to the whole group (Ctrl-C, systemd) are for our parent to act on; it ends us by closing the channel.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("message", obey);
process.on("disconnect", end);
tell({ is: "ready" });
