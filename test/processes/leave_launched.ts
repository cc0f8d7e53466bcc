// Has a child launched, says its pid, and waits to be killed.
import { sharedLauncher } from "../../src/processes/index.ts";

const child = await sharedLauncher.launch({
  command: "/bin/sleep",
  args: ["600"],
  stdio: ["pipe", "pipe", "lines"],
});
process.stdout.write(String(child.pid));
