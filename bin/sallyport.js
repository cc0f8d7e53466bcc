#!/usr/bin/env node
// Starts the built command, or says why it cannot. Plain JavaScript that old versions of Node can read, too.
import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

// Until the command has handlers of its own, signals to all of our processes do nothing: Node would end at SIGHUP, which asks
// for a reload, and open its debugger at SIGUSR1, which asks for new log files.
const isServer =
  "SALLYPORT_SERVER_PROCESS" in process.env ||
  process.argv.some((word) => word === "serve" || word === "dev");
for (const signal of isServer ? ["SIGUSR1", "SIGHUP"] : ["SIGUSR1"]) process.on(signal, () => {});

const [major, minor] = process.versions.node.split(".").map(Number);
// A supervisor starts its own command line once more, for a server process, and says so in JSON (src/cluster/messages.ts).
// Anything else is a misspelt SALLYPORT_SERVER_PROCESSES, of which the command warns.
const program = process.env.SALLYPORT_SERVER_PROCESS?.startsWith("{") ? "server-main" : "main";
const main = new URL(`../dist/cli/${program}.js`, import.meta.url);

const fail = (message) => {
  process.stderr.write(`sallyport: ${message}\n`);
  process.exit(1);
};

if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node ${process.versions.node} is too old; install Node 20.19 or newer`);
} else if (!existsSync(main)) {
  fail("it has not been built; run `npm run build` in the checkout first");
} else {
  // Compiled once where Node can keep that (22.1) and the directory can be written. Within the package, as whoever may
  // write there may write our code as well.
  module.enableCompileCache?.(fileURLToPath(new URL("../.cache/compiled", import.meta.url)));
  await import(main.href);
}
