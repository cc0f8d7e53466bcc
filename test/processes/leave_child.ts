// Starts a child, says its pid, and exits when its input ends, without stopping the child.
import { startChild } from "../../src/processes/index.ts";

const child = startChild({ command: "/bin/sleep", args: ["600"] });
process.stdout.write(String(child.pid));
process.stdin.resume().once("end", () => process.exit(0));
