// A server that systemd's own program starts with the first connection to the sockets that it passes (sd_listen_fds(3)).
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";
import { AS_ROOT } from "./serve.ts";
import { until } from "./until.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

export interface Activated {
  /** Of the TCP socket. */
  readonly port: number;
  readonly pid: number;
  /** All that it has written to its standard error so far. */
  readonly stderr: () => string;
}

/** `sallyport serve ...args` at a TCP socket and at `more`, which are options of systemd-socket-activate; ended with the test. */
export async function startActivated(
  t: TestContext,
  args: readonly string[],
  more: readonly string[] = [],
  cwd?: string,
): Promise<Activated> {
  const port = await freePort();
  const environment = Object.keys({ ...AS_ROOT, PATH: "", HOME: "" }).flatMap((name) => ["-E", name]);
  const command = [process.execPath, BIN, "serve", ...args];
  const sockets = ["-l", `127.0.0.1:${port}`, ...more];
  const child = spawn("systemd-socket-activate", [...sockets, ...environment, ...command], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...AS_ROOT, ...process.env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr += piece;
  });
  t.after(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await until(
    () =>
      stderr.split("Listening on").length > 1 + more.filter((arg) => arg === "-l").length ||
      child.exitCode !== null,
  );
  return { port, pid: child.pid as number, stderr: () => stderr };
}
