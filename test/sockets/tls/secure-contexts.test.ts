import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { namesOf, readCertificate, warningOf } from "../../../src/sockets/tls/certificate.ts";
import {
  contextFor,
  readSecureContexts,
  type SecureContexts,
  signatureOf,
} from "../../../src/sockets/tls/secure-contexts.ts";
import type { TlsSettings } from "../../../src/sockets/tls/settings.ts";
import { Authority, type Pair, textOf } from "../../kit/certificate-authority.ts";

const authority = new Authority();
const at = (name: string): string => join(authority.directory, name);
const first = authority.server("first", ["example.org", "www.example.org"]);
const second = authority.server("second", ["*.example.org", "example.net", "127.0.0.1"]);

const settings = (pair: Pair, more: Partial<TlsSettings> = {}): TlsSettings => ({
  ...pair,
  clientCertificates: "off",
  minVersion: "1.2",
  handshakeTimeout: 10_000,
  handshakes: 100,
  ...more,
});

async function contextsOf(wanted: TlsSettings): Promise<SecureContexts> {
  const read = await readSecureContexts(wanted);
  assert.ok("contexts" in read, JSON.stringify(read));
  return read.contexts;
}

async function problemsOf(wanted: TlsSettings): Promise<string[]> {
  const read = await readSecureContexts(wanted);
  assert.ok("problems" in read);
  return read.problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

test("a certificate and its key are found fit", async () => {
  const { warnings, byName } = await contextsOf(settings(first));
  assert.deepEqual(warnings, []);
  assert.deepEqual([...byName.keys()], ["example.org", "www.example.org"]);
});

test("files that are not there, or cannot be read, are all named at once with the key that leads to them", async () => {
  const missing = { cert: at("no.pem"), key: authority.directory };
  assert.deepEqual(await problemsOf(settings(first, { others: [missing], ca: at("nobody.pem") })), [
    `others.0.cert: ${at("no.pem")} does not exist`,
    `others.0.key: ${authority.directory} is a directory`,
    `ca: ${at("nobody.pem")} does not exist`,
  ]);
});

test("a file that this user may not read is told so", async (t) => {
  copyFileSync(first.key, at("secret.pem"));
  chmodSync(at("secret.pem"), 0);
  if (process.geteuid?.() === 0) {
    // Root may read everything: during the test the user is "nobody".
    chmodSync(authority.directory, 0o755);
    process.seteuid?.(65_534);
    t.after(() => process.seteuid?.(0));
  }
  assert.deepEqual(await problemsOf(settings({ cert: first.cert, key: at("secret.pem") })), [
    `key: ${at("secret.pem")} may not be read by this user`,
  ]);
});

test("a key of another certificate is refused", async () => {
  assert.deepEqual(await problemsOf(settings({ cert: first.cert, key: second.key })), [
    `key: ${second.key} is not the key of the certificate in ${first.cert}`,
  ]);
});

test("certificate and key in each other's place, and files that are no PEM, are told", async () => {
  assert.deepEqual(await problemsOf(settings({ cert: first.key, key: first.cert })), [
    `cert: ${first.key} has no PEM block "-----BEGIN CERTIFICATE-----"`,
    `key: ${first.cert} has no PEM block "-----BEGIN PRIVATE KEY-----"`,
  ]);
  writeFileSync(at("torn.pem"), textOf(first.cert).slice(0, 200));
  const [problem] = await problemsOf(settings({ cert: at("torn.pem"), key: first.key }));
  assert.match(problem ?? "", /^cert: .*torn\.pem cannot be understood: /);
});

test("an encrypted key needs its passphrase", async () => {
  const locked = authority.server("locked", ["example.com"], "-passout", "pass:sesame");
  assert.deepEqual(await problemsOf(settings(locked)), [
    `key: ${locked.key} is encrypted: passphrase is missing`,
  ]);
  assert.deepEqual(await problemsOf(settings(locked, { passphrase: "wrong" })), [
    `passphrase: does not open ${locked.key}`,
  ]);
  await contextsOf(settings(locked, { passphrase: "sesame" }));
});

test("a certificate that OpenSSL finds too weak is told with the file", async () => {
  const weak = at("weak.pem");
  const key = at("weak-key.pem");
  const { execFileSync } = await import("node:child_process");
  const size = ["-newkey", "rsa:1024", "-noenc", "-subj", "/CN=weak"];
  execFileSync("openssl", ["req", "-x509", ...size, "-keyout", key, "-out", weak], { stdio: "ignore" });
  const read = await readSecureContexts(settings({ cert: weak, key }));
  // How strict OpenSSL is depends on how Node was built.
  if ("problems" in read) assert.match(read.problems[0]?.message ?? "", /^.*weak\.pem cannot be used: /);
  else assert.equal(read.contexts.byName.size, 1);
});

test("a name is shown the first certificate that has it; a wildcard stands for exactly one label", async () => {
  const contexts = await contextsOf(settings(first, { others: [second] }));
  const { byName } = contexts;
  assert.equal(contextFor("www.example.org", contexts), byName.get("www.example.org"));
  assert.equal(contextFor("EXAMPLE.org", contexts), byName.get("example.org"));
  assert.equal(contextFor("shop.example.org", contexts), byName.get("*.example.org"));
  assert.notEqual(byName.get("*.example.org"), byName.get("example.org"));
  assert.equal(contextFor("a.shop.example.org", contexts), undefined);
  assert.equal(contextFor("example.com", contexts), undefined);
});

test("the names of a certificate are its alternative ones, and the common name only where there are none", () => {
  const named = authority.issue("named", "/O=x/CN=Old.example.org");
  assert.deepEqual(namesOf(new X509Certificate(textOf(named.cert))), ["old.example.org"]);
  assert.deepEqual(namesOf(new X509Certificate(textOf(second.cert))), ["*.example.org", "example.net"]);
});

test("a certificate that has expired, soon will, or is not valid yet is a warning", async () => {
  const certificate = await readCertificate(first, () => assert.fail());
  assert.ok(certificate);
  const days = (count: number): number => Date.now() + count * 86_400_000;
  assert.equal(warningOf(certificate, "c.pem"), undefined);
  assert.match(warningOf(certificate, "c.pem", days(31)) ?? "", /^the certificate in c\.pem has expired \(/);
  assert.match(warningOf(certificate, "c.pem", days(25)) ?? "", /expires soon/);
  assert.match(warningOf(certificate, "c.pem", days(-1)) ?? "", /is not valid before/);
});

test("the signature changes when a file is written, is replaced, or a link to it points elsewhere", async () => {
  const link = at("link.pem");
  symlinkSync(first.cert, link);
  const wanted = settings({ cert: link, key: at("own-key.pem") }, { ca: authority.ca });
  copyFileSync(first.key, at("own-key.pem"));
  const seen = new Set([await signatureOf(wanted)]);
  assert.ok(seen.has(await signatureOf(wanted)));

  appendFileSync(at("own-key.pem"), "\n");
  seen.add(await signatureOf(wanted));
  copyFileSync(at("own-key.pem"), at("new-key.pem"));
  renameSync(at("new-key.pem"), at("own-key.pem"));
  seen.add(await signatureOf(wanted));
  unlinkSync(link);
  symlinkSync(second.cert, link);
  seen.add(await signatureOf(wanted));
  unlinkSync(link);
  seen.add(await signatureOf(wanted));
  assert.equal(seen.size, 5);
});
