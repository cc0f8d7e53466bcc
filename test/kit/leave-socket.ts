// The file that a server leaves behind which was killed while it listened.
import { spawn } from "node:child_process";
import { once } from "node:events";

const CODE = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;

export async function leaveSocket(path: string): Promise<void> {
  await once(spawn(process.execPath, ["-e", CODE, path]), "exit");
}
