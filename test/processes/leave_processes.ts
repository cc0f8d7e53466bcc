// Starts three processes that the guard knows, one of them released, says their pids, and waits to be killed.
import { spawn } from "node:child_process";
import { guard } from "../../src/processes/index.ts";

const pids = [0, 1, 2].map(() => spawn("/bin/sleep", ["600"], { stdio: "ignore" }).pid as number);
for (const pid of pids) guard.enlistProcess(pid, 1);
guard.releaseProcess(pids[1] as number, 1);
process.stdout.write(`${pids.join(" ")}\n`);
setInterval(() => {}, 1_000);
