// The program `sallyport`. Exit codes: 0 for a proper end, 1 for a failure, 2 for a wrong command line.
// Tested by test/cli/serve.test.ts.
import { runCommand } from "./command.ts";

process.exit(await runCommand(process.argv.slice(2)));
