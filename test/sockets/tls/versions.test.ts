// What of TLS itself is spoken: its versions, its ciphers, and no renegotiation (RFC 9325; RFC 9113, 9.2).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { LOADER } from "../../../scripts/testing/typescript/loader.mjs";
import { Authority } from "../../kit/certificate-authority.ts";
import { GET, secure, serveTls, tellConnection, told, trusting } from "../../kit/serve-tls.ts";

const authority = new Authority();
const settings = authority.server("example", ["example.org"]);
/** Without forward secrecy TLS 1.2 has ciphers for such keys alone. */
const rsa = authority.server("rsa", ["example.org"], "-newkey", "rsa:2048");
const trust = trusting(authority.ca);
const OLD = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;

for (const version of ["TLSv1", "TLSv1.1"] as const) {
  test(`${version} is refused with the alert that says so`, async (t) => {
    const { port } = await serveTls(t, tellConnection, { settings });
    const client = { minVersion: version, maxVersion: version, ciphers: "ALL:@SECLEVEL=0" };
    await assert.rejects(secure(port, { ...trust, ...client }), /protocol version/);
    assert.equal((await told(port, trust)).scheme, "https");
  });
}

test("a listener of TLS 1.3 alone refuses TLS 1.2", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: { ...settings, minVersion: "1.3" } });
  await assert.rejects(secure(port, { ...trust, ...OLD }), /protocol version/);
  assert.equal((await told(port, trust)).tls.protocol, "TLSv1.3");
});

for (const [name, ciphers] of [
  ["authenticated encryption", "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA384"],
  ["forward secrecy", "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA"],
  ["encryption", "eNULL:@SECLEVEL=0"],
  ["a certificate", "aNULL:@SECLEVEL=0"],
] as const) {
  test(`a client of ciphers without ${name} is refused`, async (t) => {
    const { port } = await serveTls(t, tellConnection, { settings: rsa });
    await assert.rejects(secure(port, { ...trust, ...OLD, ciphers }), /handshake failure/);
  });
}

for (const cipher of ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"] as const) {
  test(`TLS 1.2 is spoken with ${cipher}`, async (t) => {
    const { port } = await serveTls(t, tellConnection, { settings });
    assert.equal((await told(port, { ...trust, ...OLD, ciphers: cipher })).tls.protocol, "TLSv1.2");
  });
}

test("Node's own option --tls-cipher-list is used", () => {
  const file = new URL("../../../src/sockets/tls/secure-contexts.ts", import.meta.url).href;
  const read = { ...settings, clientCertificates: "off", minVersion: "1.2" };
  const script = `import { readSecureContexts } from ${JSON.stringify(file)};
const { contexts } = await readSecureContexts(${JSON.stringify(read)});
console.log(contexts.first.ciphers);`;
  const args = ["--tls-cipher-list=AES128-SHA", ...LOADER, "--input-type=module", "--eval", script];
  assert.equal(execFileSync(process.execPath, args, { encoding: "utf8" }), "AES128-SHA\n");
});

test("a client cannot renegotiate, and the next client is served", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings });
  const socket = await secure(port, { ...trust, ...OLD } satisfies ConnectionOptions);
  socket.write(GET.replace("Connection: close\r\n", ""));
  await once(socket, "data");
  await assert.rejects(renegotiated(socket), /no renegotiation/);
  socket.destroy();
  assert.equal((await told(port, trust)).scheme, "https");
});

function renegotiated(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.renegotiate({}, (error) => (error ? reject(error) : resolve()));
  });
}
