// The life of one server under measurement: started in a process group of its own, waited for, always ended.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const START_DEADLINE = 30_000;
const STOP_DEADLINE = 10_000;

/** Node 20 reads these certificates at each start, whether they are used or not (docs/decisions/0018-starts.md). */
const { NODE_EXTRA_CA_CERTS: _, ...ENVIRONMENT } = process.env;

/**
 * Starts the command that `command(port)` gives on a free port; resolves with `{ url, pid, stop }` when it accepts, or
 * when `ready(port)` resolves.
 */
export async function start(command, ready = accepts) {
  const port = await freePort();
  const [program, ...args] = command(port);
  const child = spawn(program, args, {
    detached: true,
    env: ENVIRONMENT,
    stdio: ["ignore", "ignore", "pipe"],
  });
  living.add(child);
  const said = keepEnd(child.stderr);
  const ended = once(child, "close");
  const contender = { url: `http://127.0.0.1:${port}`, pid: child.pid, stop: () => stop(child, ended) };
  try {
    await Promise.race([
      ready(port),
      ended.then(() => Promise.reject(new Error(`${program} ended:\n${said()}`))),
    ]);
    return contender;
  } catch (error) {
    await contender.stop();
    throw error;
  }
}

async function stop(child, ended) {
  signal(child, "SIGTERM");
  const timer = setTimeout(() => signal(child, "SIGKILL"), STOP_DEADLINE);
  await ended;
  clearTimeout(timer);
  living.delete(child);
}

const living = new Set();

/** Nobody else would end them: their process groups are not ours. */
function endAll() {
  for (const child of living) signal(child, "SIGKILL");
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, () => process.exit(1));
process.once("exit", endAll);

function signal({ pid }, name) {
  try {
    process.kill(-pid, name);
  } catch {
    // The whole group has ended already.
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function accepts(port) {
  const deadline = Date.now() + START_DEADLINE;
  while (Date.now() < deadline) {
    if (await tryConnect(port)) return;
    await sleep(50);
  }
  throw new Error(`nothing accepts connections on port ${port}`);
}

const tryConnect = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });

function keepEnd(stream) {
  let kept = "";
  stream.setEncoding("utf8").on("data", (text) => {
    kept = (kept + text).slice(-4000);
  });
  return () => kept.trim();
}
