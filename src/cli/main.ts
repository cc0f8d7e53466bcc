// The program `sallyport`: a command line, or one of the server processes of its supervisor. Exit codes: 0 for a proper end,
// 1 for a failure, 2 for a wrong command line.
// Tested by test/cli/serve.test.ts.
import { takeTask } from "../cluster/messages.ts";

const task = takeTask();

async function run(): Promise<number> {
  if (task?.isHanded) return (await import("./server-process.ts")).handedProcess(task);
  return (await import("./command.ts")).runCommand(process.argv.slice(2), task);
}

process.exit(await run());
