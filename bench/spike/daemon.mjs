// The spike in daemon mode: what the link can do at the most, as a yardstick. No bodies, no errors, no limits, a request
// a packet; nothing to serve anybody with. node daemon.mjs APP FOLDER PORT PYTHON PROCESSES
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Environs } from "./environ.mjs";

const FRAME = 8;
/** A batch leaves early when it has become as large, so that the next environ fits for certain. */
const BATCH = 1 << 16;

class Worker {
  #environs = new Environs();
  #waiting = new Map();
  #id = 0;
  #due = false;
  #rest = Buffer.alloc(0);

  constructor(python, app, folder) {
    const program = fileURLToPath(new URL("worker.py", import.meta.url));
    const child = spawn(python, [program, app, folder], { stdio: ["ignore", "ignore", "inherit", "pipe"] });
    child.once("exit", () => process.exit(1));
    this.link = child.stdio[3];
    this.link.on("data", (data) => this.#answers(data));
  }

  get busy() {
    return this.#waiting.size;
  }

  ask(head, client) {
    const environs = this.#environs;
    const start = environs.end;
    environs.end += FRAME;
    environs.add(head);
    this.#id = (this.#id + 1) >>> 0;
    environs.bytes.writeUInt32LE(environs.end - start - FRAME, start);
    environs.bytes.writeUInt32LE(this.#id, start + 4);
    this.#waiting.set(this.#id, client);
    if (environs.end > BATCH) this.#flush();
    else if (!this.#due) {
      this.#due = true;
      setImmediate(() => this.#flush());
    }
  }

  /** All requests of one turn of the loop leave in one write. */
  #flush() {
    const { bytes, end } = this.#environs;
    this.#due = false;
    if (end > 0) this.link.write(Buffer.from(bytes.subarray(0, end)));
    this.#environs.end = 0;
  }

  #answers(data) {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    let at = 0;
    while (all.length - at >= FRAME) {
      const start = at + FRAME;
      const end = start + all.readUInt32LE(at);
      if (end > all.length) break;
      const id = all.readUInt32LE(at + 4);
      this.#waiting.get(id).write(all.subarray(start, end));
      this.#waiting.delete(id);
      at = end;
    }
    this.#rest = all.subarray(at);
  }
}

const [app, folder, port, python, processes] = process.argv.slice(2);
const workers = Array.from({ length: Number(processes) }, () => new Worker(python, app, folder));
const idlest = () => workers.reduce((best, worker) => (worker.busy < best.busy ? worker : best));

createServer({ noDelay: true }, (client) => {
  client.on("data", (data) => idlest().ask(data.latin1Slice(), client)).on("error", () => {});
}).listen(Number(port), "127.0.0.1");
