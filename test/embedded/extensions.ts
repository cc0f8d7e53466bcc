// Extension modules in the server process, while Node's own cryptography, compression and TLS are at work.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, createServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { silentLog } from "../../src/exchange/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";

const here = makeFolder();

const python = process.env.EMBEDDED_PYTHON as string;
const gateway = wsgi("extensions:app", {
  mode: "embedded",
  python,
  chdir: fileURLToPath(new URL("../apps/embedded", import.meta.url)),
});
before(() => gateway.start?.());
after(() => gateway.close?.(0));

async function ask(page: string): Promise<Record<string, unknown>> {
  const exchange = new RecordedExchange({ target: `/${page}`, log: silentLog });
  gateway.handle(exchange);
  const { status, body, error } = await exchange.done;
  assert.equal(status, 200, `${page}: ${body} ${error?.detail}`);
  return JSON.parse(body.toString());
}

/** Uses Node's own libraries: Python's modules must not bind to symbols of theirs. */
async function nodeWorks(): Promise<void> {
  const bytes = randomBytes(100_000);
  assert.deepEqual(gunzipSync(gzipSync(bytes)), bytes);
  generateKeyPairSync("ec", { namedCurve: "P-256" });
  const server = createServer(certificate(), (socket) => socket.end("over TLS"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  const [said] = (await once(socket, "data")) as [Buffer];
  assert.equal(said.toString(), "over TLS");
  socket.destroy();
  server.close();
}

function certificate(): { key: Buffer; cert: Buffer } {
  const [key, cert] = [join(here, "key.pem"), join(here, "cert.pem")];
  const kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
  execFileSync("openssl", ["req", ...kind, "-keyout", key, "-out", cert], { stdio: "ignore" });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

/** The expected content of each page; a function if it depends on the machine. */
const EXPECTED: Readonly<Record<string, (said: Record<string, unknown>) => void>> = {
  ssl: ({ hello, place }) => {
    assert.equal(hello, "16");
    const question = "import ssl; print(ssl.get_default_verify_paths().openssl_cafile, end='')";
    assert.equal(place, execFileSync(python, ["-c", question], { encoding: "utf8" }));
  },
  hashlib: ({ sha256, scrypt }) => {
    assert.equal(sha256, createHash("sha256").update("sallyport").digest("hex"));
    assert.equal(String(scrypt).length, 32);
  },
  sqlite3: ({ sum }) => assert.equal(sum, 4950),
  zlib: ({ same }) => assert.equal(same, true),
  lxml: ({ sum }) => assert.equal(sum, 3),
  numpy: ({ trace }) => assert.equal(trace, 3),
  cryptography: (said) => assert.deepEqual(said, { text: "secret", bits: 256 }),
  psycopg: (said) => assert.deepEqual(said, { libpq: true, quoted: "'it''s'" }),
  pillow: (said) => assert.deepEqual(said, { size: [64, 64], pixel: [255, 0, 0] }),
};

for (const [page, check] of Object.entries(EXPECTED)) {
  test(`${page} works, and so do Node's own libraries before and after`, async () => {
    await nodeWorks();
    check(await ask(page));
    await nodeWorks();
    check(await ask(page));
  });
}
