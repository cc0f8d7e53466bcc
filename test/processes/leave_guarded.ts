// Starts a child that ignores TERM and has a child itself, says their pids and a directory, and waits to be killed. Beside
// the directory is another one, released, whose name ends in "kept".
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guard, startChild } from "../../src/processes/index.ts";

const SCRIPT = "trap '' TERM; sleep 600 & echo $$ $!; wait";

const directory = mkdtempSync(join(tmpdir(), "sallyport-guarded two words-"));
writeFileSync(join(directory, "file"), "");
guard.enlistDirectory(directory);
for (const one of ["kept", "last"]) mkdirSync(`${directory}${one}`);
for (const one of [`${directory}kept`, `${directory}last`]) guard.enlistDirectory(one);
guard.releaseDirectory(`${directory}kept`);
const ended = startChild({ command: "/bin/true" });
await ended.exited;
const child = startChild({
  command: "/bin/sh",
  args: ["-c", SCRIPT],
  env: { PATH: process.env.PATH ?? "" },
  stdio: ["ignore", "pipe", "lines"],
});
child.streams[1]?.once("data", (pids: Buffer) =>
  process.stdout.write(`${String(pids).trim()} ${directory}\n`),
);
setInterval(() => {}, 1_000);
