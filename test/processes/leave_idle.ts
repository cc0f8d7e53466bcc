// Has a child launched, passes on what it says, and then has nothing more to do.
import { sharedLauncher } from "../../src/processes/index.ts";

const child = await sharedLauncher.launch({
  command: "/bin/echo",
  args: ["hello"],
  stdio: ["ignore", "pipe", "lines"],
});
child.streams[1]?.pipe(process.stdout);
await child.exited;
