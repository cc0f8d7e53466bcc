// Runs a file of tests in a process of its own, for what a process can do only once.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { Silence } from "../../scripts/testing/silence.mjs";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { reportProgress } from "./report-progress.ts";

/** Milliseconds of an idle machine without any of its tests ending. */
const SILENCE = 240_000;

/** How many passed; what was said of the others, or of a process that did not come to its end. */
export async function runTests(
  file: string,
  env: Readonly<Record<string, string>>,
  node: string = process.execPath,
): Promise<{ passed: number; failures: string }> {
  // Without the variables by which a test runner knows its children.
  const { NODE_TEST_CONTEXT: _, ...own } = process.env;
  const child = spawn(node, [...LOADER, "--test-reporter=tap", file], {
    env: { ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const silence = new Silence(SILENCE, () => child.kill("SIGKILL"));
  child.once("close", () => silence.end());
  child.stdout.on("data", (chunk: Buffer) => {
    silence.heard();
    reportProgress(lastLine(chunk));
  });
  const [output, complaints, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<[number | null, string | null]>((resolve) => child.once("close", (...end) => resolve(end))),
  ]);
  const passed = output.match(/^# pass (\d+)$/m)?.[1];
  const good = code === 0 && passed !== undefined;
  const failures = good
    ? ""
    : `${signal ?? code}\n${output.match(/^ *not ok [\s\S]*?\n *\.\.\./gm)?.join("\n")}\n${complaints}`;
  return { passed: Number(passed), failures };
}

/** Of TAP: "ok 3 - a test". */
const lastLine = (chunk: Buffer): string =>
  `${chunk}`
    .match(/^ *(?:not )?ok .*$/gm)
    ?.at(-1)
    ?.trim() ?? "";
