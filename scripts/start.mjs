// `npm start`: from a fresh clone to the demonstration, on Node alone. PORT and HOST change its address.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT, setUpNode } from "./setup/setup.mjs";

const { PORT = "8000", HOST = "127.0.0.1" } = process.env;

/** Runs until a signal stops it, and then gives its exit code. */
function demonstrate() {
  const given = process.argv.slice(2);
  const unlessGiven = (option, value) =>
    given.some((arg) => arg === option || arg.startsWith(`${option}=`)) ? [] : [option, value];
  const address = [...unlessGiven("--host", HOST), ...unlessGiven("--port", PORT)];
  const args = [join(ROOT, "bin", "sallyport.js"), "demo", ...address, ...given];
  const server = spawn(process.execPath, args, { stdio: "inherit" });
  // A terminal's Ctrl-C reaches the server by itself; what a process manager sends to us is passed on.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1"]) process.on(signal, () => server.kill(signal));
  server.on("exit", (code) => process.exit(code ?? 1));
}

try {
  setUpNode();
  demonstrate();
} catch (error) {
  console.error(`start: ${error.message}`);
  process.exitCode = 1;
}
