import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { registeredName } from "../../../src/cgi/metavariables/cipher-names.ts";
import { describeRequest } from "../../../src/cgi/metavariables/decode.ts";
import { putTls } from "../../../src/cgi/metavariables/encode-tls.ts";
import type { ClientCertificate, TlsFacts } from "../../../src/exchange/index.ts";
import { missing } from "../../kit/needs.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\nAQ==\n-----END CERTIFICATE-----\n";

const ALICE: ClientCertificate = {
  chain: [PEM],
  subject: "CN=älice,O=Example",
  issuer: "CN=authority",
  serial: "0ABC",
  validFrom: "Nov 21 04:37:20 2026 GMT",
  validTo: "Nov 21 04:37:20 2027 GMT",
  error: "",
};

const FACTS: TlsFacts = {
  protocol: "TLSv1.3",
  cipher: "TLS_AES_128_GCM_SHA256",
  serverName: "example.org",
  certificate: "",
  client: undefined,
};

/** The facts that a listener reads out of these variables of a request by https. */
const read = (variables: Readonly<Record<string, string>>, https = "on"): TlsFacts | undefined =>
  describeRequest(Object.entries({ REQUEST_METHOD: "GET", HTTPS: https, ...variables }).flat()).request.tls;

function written(facts: TlsFacts): Record<string, string> {
  const variables: Record<string, string> = {};
  putTls(facts, (name, value) => {
    variables[name] = value;
  });
  return variables;
}

for (const [name, client] of Object.entries({
  "no certificate": undefined,
  "a trusted certificate": ALICE,
  "one that is not trusted": { ...ALICE, error: "certificate has expired" },
}))
  test(`what we say of TLS with ${name} is read back as the same facts`, () => {
    const facts = { ...FACTS, client };
    assert.deepEqual(read(written(facts)), facts);
  });

test("only what is told is a fact, and what is not told becomes no variable again", () => {
  assert.equal(read({}), undefined);
  assert.equal(read({ SSL_PROTOCOL: "", SSL_CLIENT_VERIFY: "NONE" }), undefined, "nginx says empty values");
  const facts = read({ SSL_CLIENT_VERIFY: "SUCCESS", SSL_CLIENT_S_DN: "CN=bob" }) as TlsFacts;
  assert.deepEqual(written(facts), { SSL_CLIENT_VERIFY: "SUCCESS", SSL_CLIENT_S_DN: "CN=bob" });
});

test("a request that did not come by https has no facts, and a header makes none", () => {
  assert.equal(read({ SSL_PROTOCOL: "TLSv1.3" }, ""), undefined);
  assert.equal(read({ HTTP_SSL_PROTOCOL: "TLSv1.3", HTTP_SSL_CLIENT_VERIFY: "SUCCESS" }), undefined);
});

for (const [verdict, error] of [
  ["SUCCESS", ""],
  ["FAILED:certificate has expired", "certificate has expired"],
  ["FAILED", "verification failed"],
  ["GENEROUS", "not verified"],
  ["", "not verified"],
] as const)
  test(`a certificate of which the server in front says "${verdict}" has the error "${error}"`, () => {
    assert.equal(read({ SSL_CLIENT_CERT: PEM, SSL_CLIENT_VERIFY: verdict })?.client?.error, error);
  });

for (const [form, value] of [
  ["as it is in a file", PEM],
  ["with carriage returns", PEM.replaceAll("\n", "\r\n")],
  ["with tabs, as nginx's $ssl_client_cert", PEM.trim().replaceAll("\n", "\n\t")],
  ["percent-encoded, as nginx's $ssl_client_escaped_cert", encodeURIComponent(PEM)],
] as const)
  test(`a certificate written ${form} is the same certificate`, () => {
    assert.deepEqual(read({ SSL_CLIENT_CERT: value, SSL_CLIENT_VERIFY: "SUCCESS" })?.client?.chain, [PEM]);
    assert.equal(read({ SSL_SERVER_CERT: value })?.certificate, PEM);
  });

test("Apache's chain follows the certificate, and no chain is read without end", () => {
  const signers = Array.from({ length: 40 }, (_, i) => [`SSL_CLIENT_CERT_CHAIN_${i}`, PEM] as const);
  const told = { SSL_CLIENT_CERT: PEM, SSL_CLIENT_VERIFY: "SUCCESS" };
  assert.equal(read({ ...told, ...Object.fromEntries(signers.slice(0, 2)) })?.client?.chain.length, 3);
  assert.equal(read({ ...told, ...Object.fromEntries(signers) })?.client?.chain.length, 17);
});

for (const [told, subject] of [
  ["CN=\xc3\xa4lice", "CN=älice"],
  ["CN=\\C3\\A4lice,O=a\\, b", "CN=älice,O=a\\, b"],
  ["CN=a\\\\C3\\0A", "CN=a\\\\C3\\0A"],
] as const)
  test(`the distinguished name ${told} is ${subject}`, () => {
    assert.equal(read({ SSL_CLIENT_VERIFY: "SUCCESS", SSL_CLIENT_S_DN: told })?.client?.subject, subject);
  });

test("a name that is not UTF-8 stays what it is", () => {
  assert.equal(
    read({ SSL_CLIENT_VERIFY: "SUCCESS", SSL_CLIENT_S_DN: "CN=\xe4" })?.client?.subject,
    "CN=\xe4",
  );
});

for (const [openssl, registered] of [
  ["TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
  ["ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
  ["ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"],
  ["DHE-RSA-AES256-SHA", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"],
  ["AES256-CCM8", "TLS_RSA_WITH_AES_256_CCM_8"],
  ["nobody-knows", "nobody-knows"],
] as const)
  test(`the cipher suite ${openssl} is registered as ${registered}`, () => {
    assert.equal(registeredName(openssl), registered);
    assert.equal(read({ SSL_CIPHER: openssl })?.cipher, registered);
  });

test("OpenSSL calls all its suites for certificates as we do", { skip: missing("openssl") }, () => {
  const list = "ALL:!aNULL:!PSK:!SRP:!ARIA";
  const lines = execFileSync("openssl", ["ciphers", "-stdname", list], { encoding: "utf8" })
    .trim()
    .split("\n");
  assert.ok(lines.length > 20, list);
  for (const line of lines) {
    const [registered, , openssl = ""] = line.split(/\s+/);
    assert.equal(registeredName(openssl), registered);
  }
});
