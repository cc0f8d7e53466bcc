// Workers are killed while large request bodies are under way: their memory is used again (src/exchange/blocks.ts), and no
// application may ever read bytes of another request in it. Meanwhile other clients leave in the middle of their uploads.
import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { mkdtempSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { makeFolder } from "../kit/make-folder.ts";
import { descriptorsOf, memoryOf } from "../kit/processes.ts";
import { until } from "../kit/until.ts";
import { judge, KILLS, killAgainAndAgain } from "./kill-workers.ts";
import { Load, report } from "./load.ts";
import { APPS, KINDS, type Kind, PYTHON, startSite } from "./site.ts";

const CLIENTS = 16;
const LEAVERS = 4;
/** How much more memory the server may have than after its warm-up: what V8 has not collected yet, and 8 MiB of blocks. */
const MEMORY = 64 << 20;
/** Descriptors that may be under way at the moment of the count. */
const DESCRIPTORS = 8;

/** Around the sizes from which a body is a block, and behind its head, a stream, or a file. */
const SIZES = [16_384, 20_000, 32_768, 50_000, 65_536, 65_537, 79_000, 131_072, 300_000];

/** No two requests have 32 bytes in common. */
function patternOf(client: number, count: number): Buffer {
  const pattern = createHash("sha256").update(`${client}-${count}`).digest();
  return Buffer.alloc(SIZES[(client + count) % SIZES.length] as number, pattern);
}

const worker = (KINDS.ASGI as Kind).worker;
// One worker: while the next one starts, what it had not begun waits, and others go on uploading.
const one = { processes: 1, python: PYTHON, chdir: APPS };
const wsgi = { wsgi: "checksum_wsgi:app", ...one };
// With bodies of this size a write to the dying worker is nearly always under way, and what it had answered is read all the same.
const UPLOADED: Readonly<Record<string, Kind>> = {
  "WSGI, one thread": { app: wsgi, worker, inside: 1 },
  "WSGI, streamed": { app: { ...wsgi, bufferBody: false }, worker, inside: 1 },
  "WSGI, threads": { app: { ...wsgi, threads: 4 }, worker, inside: 4 },
  "WSGI, two server processes": { app: wsgi, serverProcesses: 2, worker, inside: 1 },
  ASGI: { app: { asgi: "checksum_asgi:app", ...one }, worker, inside: CLIENTS },
  "embedded, two server processes": KINDS["embedded, two server processes"] as Kind,
};

/** Of the file, not of a test: a test's would go before the server that writes in it. */
const FOLDER = makeFolder();

/**
 * Clients that leave when they have sent a part of their bodies, or all, but before the answer. Each waits between for an answer
 * to one that stays: however slow the machine, those who have left are not all that stands in the queue.
 */
class Leavers {
  #stopped = false;
  left = 0;
  readonly #load: Load;
  readonly #all: Promise<void>[];

  constructor(port: number, load: Load) {
    this.#load = load;
    this.#all = Array.from({ length: LEAVERS }, (_, client) => this.#leaveAgainAndAgain(port, -1 - client));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#all);
  }

  async #leaveAgainAndAgain(port: number, client: number): Promise<void> {
    for (let count = 0; !this.#stopped; count++) {
      const { answered } = this.#load;
      await leave(port, patternOf(LEAVERS - client, count), count);
      this.left++;
      await until(() => this.#stopped || this.#load.answered > answered);
    }
  }
}

async function leave(port: number, body: Buffer, count: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {}); // a server process was killed
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(`POST /left HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body.subarray(0, count % 3 === 0 ? body.length : randomInt(body.length)));
  await delay(randomInt(10));
  socket.destroy();
  await closed;
}

const filesIn = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;

for (const [name, kind] of Object.entries(UPLOADED))
  test(`${KILLS} kills while large bodies are under way, and no answer is for other bytes: ${name}`, async (t) => {
    const { app, serverProcesses = 1 } = kind;
    const temporary = mkdtempSync(join(FOLDER, "bodies-"));
    const site = await startSite(t, { apps: { app }, serverProcesses }, { TMPDIR: temporary });
    const load = new Load({ port: site.port, clients: CLIENTS, paths: ["/"], bodyOf: patternOf });
    const leavers = new Leavers(site.port, load);
    await until(() => load.right > 500);
    const [memory, descriptors] = [memoryOf(site.pid), descriptorsOf(site.pid)];
    const kills = await killAgainAndAgain(site, kind, load, name);
    const before = load.right;
    await until(() => load.right > before + 500);
    await leavers.stop();
    const loaded = await load.stop();
    const growth = memoryOf(site.pid) - memory;
    report(
      `${kills} kills of uploads, ${name}`,
      loaded,
      `; ${leavers.left} left; ${(growth / 2 ** 20).toFixed(0)} MiB more memory`,
    );
    judge(kind, loaded, kills, CLIENTS);
    assert.ok(leavers.left > kills, `only ${leavers.left} left`);
    assert.ok(growth < MEMORY, `${growth} bytes more memory`);
    await until(() => descriptorsOf(site.pid) <= descriptors + DESCRIPTORS);
    await until(() => filesIn(temporary) === 0);
  });
