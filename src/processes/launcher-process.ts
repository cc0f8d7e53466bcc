// The launcher's program: a small process that starts children for a large one, because starting one copies the
// starter's page tables (docs/decisions/0002-spawning.md). It lives as long as its parent and ends all children with it.
// Tested by test/processes/launcher.test.ts.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, Socket } from "node:net";
import { dirname } from "node:path";
import { type Child, startChild } from "./child.ts";
import { sweepGroup } from "./groups.ts";
import type { LauncherMessage, LauncherNotice, StartMessage } from "./launcher-messages.ts";
import { closePipe, type PipeEnds, PipeMaker } from "./pipe-maker.ts";
import { isInput } from "./pipe-stock.ts";

/** By token. */
const children = new Map<string, Child>();
const socketPath = process.argv[2] as string;
/** Milliseconds between TERM and KILL for our children when our parent has ended. */
const ORPHAN_GRACE = 1000;

const maker = new PipeMaker((pipes) => notify({ is: "pipes", pipes }));

/** Our parent may have ended without our having noticed; "disconnect" follows. */
const notify = (notice: LauncherNotice): void => {
  if (process.connected) process.send?.(notice, undefined, undefined, () => {});
};

function handle(message: LauncherMessage): void {
  if (message.do === "start") void start(message);
  else if (message.do === "signal") children.get(message.token)?.signal(message.signal);
  else if (message.do === "stop") void children.get(message.token)?.stop(message.grace);
  else if (message.do === "sweep") sweepGroup(message.group);
  else discard(message.pipes);
}

/** What a descriptor of a child is. */
type End = "ignore" | number | Socket;

async function start(message: StartMessage): Promise<void> {
  const { token, ends } = message;
  const pipes = ends.filter((end) => typeof end === "object");
  // Where there are pipes there is nothing to wait for.
  const stdio =
    pipes.length > 0
      ? ends.map(pipeEnd)
      : await Promise.all(ends.map((end, at) => (end ? connection(token, at) : "ignore")));
  const broken = stdio.find((end) => end instanceof Error);
  if (broken instanceof Error) notify({ is: "unreachable", token, reason: broken.message });
  else await run(message, stdio as End[]);
  // The child has its own copies by now.
  discard(pipes);
  for (const end of stdio) if (end instanceof Socket) end.destroy();
}

const pipeEnd = (end: PipeEnds | boolean, descriptor: number): End =>
  typeof end === "object" ? end[isInput(descriptor) ? 0 : 1] : "ignore";

function discard(pipes: readonly PipeEnds[]): void {
  for (const pipe of pipes) closePipe(pipe);
  maker.used(pipes.length);
}

async function run({ token, command, args, env, cwd }: StartMessage, stdio: End[]): Promise<void> {
  // This process ends its children itself.
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
    return notify({ is: "failed", token, reason: (failure?.cause as Error | undefined)?.message ?? "" });
  }
  children.set(token, child);
  notify({ is: "started", token, pid: child.pid });
  void child.exited.then(({ code, signal }) => {
    children.delete(token);
    notify({ is: "exited", token, code, signal });
  });
}

/** A connection to our parent that has sent the tag of its child and descriptor. */
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
  maker.close();
  // Our parent may have been killed before it could clean up.
  rmSync(dirname(socketPath), { recursive: true, force: true });
  await Promise.all([...children.values()].map((child) => child.stop(ORPHAN_GRACE)));
  process.exit(0);
}

process.title = "sallyport-launcher";
// Signals to the whole group (Ctrl-C, systemd) are for our parent to act on; it ends us by closing the channel.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"] as const) process.on(signal, () => {});
process.on("message", handle);
process.on("disconnect", end);
// It may have ended while this program was loaded.
if (process.connected) {
  notify({ is: "ready" });
  maker.used(0);
} else void end();
