// Has WebAssembly reach out of its memory, here and in a thread of Node's, beside an application in this process; and has the
// application crash then.
import { once } from "node:events";
import { writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { silentLog } from "../../src/exchange/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

/** (module (memory 1) (func (export "f") (result i32) (i32.load offset=0 align=4 (i32.const -4096)))) */
const MODULE = "0061736d010000000105016000017f030201000503010001070501016600000a0a0108004180602802000b";
const TRAP = `
  const wasm = new WebAssembly.Module(Buffer.from("${MODULE}", "hex"));
  try { new WebAssembly.Instance(wasm).exports.f(); } catch (error) { print(error); }`;
const IN_THREAD = `const print = (error) => require("node:fs").writeSync(1, error + "\\n"); ${TRAP}`;
const print = (error: unknown): void => void writeSync(1, `${error}\n`);

const gateway = wsgi("habits:app", {
  mode: "embedded",
  python: process.argv[2],
  chdir: fileURLToPath(new URL("../apps/embedded", import.meta.url)),
});
await gateway.start?.();
for (let i = 0; i < 2; i++) await once(new Worker(IN_THREAD, { eval: true }), "exit");
new Function("print", TRAP)(print);
gateway.handle(new RecordedExchange({ target: "/crash", log: silentLog }));
setInterval(() => {}, 1_000);
