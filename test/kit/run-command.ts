// Runs the built command to its end, for tests of what it says and how it exits.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { AS_ROOT } from "./serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
/** For a command that should end at once; generous, as machines may be loaded. */
const DEADLINE = 60_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function sallyport(
  args: readonly string[],
  cwd?: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...AS_ROOT, ...process.env, ...env },
      timeout: DEADLINE,
      killSignal: "SIGKILL",
      ...(cwd === undefined ? {} : { cwd }),
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    child.once("close", (code) => resolve({ code, ...output }));
  });
}
