// Large bodies through the whole server in embedded mode: what its one process holds of them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { peakMemory, serverProcessesOf } from "../kit/processes.ts";
import { pythons } from "../kit/pythons.ts";
import { type Served, serve } from "../kit/serve.ts";

const APPS = fileURLToPath(new URL("../apps/embedded", import.meta.url));
const PYTHON = pythons()[0]?.path as string;
const MIB = 1 << 20;
/** What a body may add to a process that has served before. */
const LIMIT = 96 * MIB;

const embedded = (app: string, ...args: string[]): Promise<Served> =>
  serve([app, "--embedded", "--python", PYTHON, "--max-body", "1G", ...args], { cwd: APPS });

/** The server process; the other one supervises it. */
const serverProcess = (server: Served): number => serverProcessesOf(server.pid)[0] as number;

describe("large bodies", { skip: process.platform !== "linux" && "memory is told by Linux" }, () => {
  let server: Served | undefined;
  after(() => server?.stop());

  test("1 GiB from a generator passes through 96 MiB at the most", async () => {
    server = await embedded("habits:forever");
    await drained(`${server.url}/?1`);
    const held = peakMemory(serverProcess(server));
    assert.equal(await drained(`${server.url}/?${1024 * 16}`), 1024 * MIB);
    assert.ok(
      peakMemory(serverProcess(server)) - held < LIMIT,
      `${(peakMemory(serverProcess(server)) - held) / MIB} MiB`,
    );
    await server.stop();
  });

  test("200 MB of an upload reach the application through a file, byte for byte", async () => {
    server = await embedded("habits:app");
    await uploaded(`${server.url}/received`, 1);
    const held = peakMemory(serverProcess(server));
    const { size, sha256, expected } = await uploaded(`${server.url}/received`, 200);
    assert.deepEqual([size, sha256], [200 * MIB, expected]);
    assert.ok(
      peakMemory(serverProcess(server)) - held < LIMIT,
      `${(peakMemory(serverProcess(server)) - held) / MIB} MiB`,
    );
  });
});

async function drained(url: string): Promise<number> {
  const { body } = await fetch(url);
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) size += chunk.length;
  return size;
}

async function uploaded(
  url: string,
  pieces: number,
): Promise<{ size: number; sha256: string; expected: string }> {
  const piece = Buffer.from(Array.from({ length: MIB }, (_, index) => (index * 31 + (index >> 8)) % 256));
  const hash = createHash("sha256");
  function* body() {
    for (let sent = 0; sent < pieces; sent++) {
      hash.update(piece);
      yield piece;
    }
  }
  const upload = request(url, { method: "POST", headers: { "Content-Length": pieces * MIB } });
  const answered = new Promise<string>((resolve, reject) => {
    upload.once("error", reject).once("response", (response) => {
      response
        .setEncoding("utf8")
        .toArray()
        .then((parts) => resolve(parts.join("")), reject);
    });
  });
  const [text] = await Promise.all([answered, pipeline(Readable.from(body()), upload)]);
  return { ...JSON.parse(text), expected: hash.digest("hex") };
}
