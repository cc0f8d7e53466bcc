// The program `sallyport` where a supervisor has started it, as a server process: without what reads command lines, unless the
// configuration is code.
// Tested by test/cluster/supervisor.test.ts.
import { takeTask } from "../cluster/messages.ts";
import { handedProcess } from "./server-process.ts";

const task = takeTask();

async function run(): Promise<number> {
  if (task.isHanded) return handedProcess(task);
  const { runCommand } = await import("./command.ts");
  return runCommand(process.argv.slice(2), task);
}

process.exit(await run());
