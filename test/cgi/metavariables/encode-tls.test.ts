import assert from "node:assert/strict";
import { test } from "node:test";
import { putTls } from "../../../src/cgi/metavariables/encode-tls.ts";
import type { ClientCertificate, TlsFacts } from "../../../src/exchange/index.ts";

const ALICE: ClientCertificate = {
  chain: ["-----BEGIN CERTIFICATE-----\n...\n", "another"],
  subject: "CN=älice,O=Example",
  issuer: "CN=authority",
  serial: "0ABC",
  validFrom: "Nov 21 04:37:20 2026 GMT",
  validTo: "Nov 21 04:37:20 2027 GMT",
  error: "",
};

const facts = (more: Partial<TlsFacts> = {}): TlsFacts => ({
  protocol: "TLSv1.3",
  cipher: "TLS_AES_128_GCM_SHA256",
  serverName: "",
  certificate: "",
  client: undefined,
  ...more,
});

function variables(of: TlsFacts): Record<string, string> {
  const found: Record<string, string> = {};
  putTls(of, (name, value) => {
    assert.ok(!(name in found), `${name} twice`);
    found[name] = value;
  });
  return found;
}

test("a client without a certificate is NONE, and has no variables of one", () => {
  assert.deepEqual(variables(facts()), {
    SSL_PROTOCOL: "TLSv1.3",
    SSL_CIPHER: "TLS_AES_128_GCM_SHA256",
    SSL_CLIENT_VERIFY: "NONE",
  });
});

test("a client's certificate is told, its own alone, and names as UTF-8 in bytes", () => {
  const connection = facts({ client: ALICE, serverName: "example.org" });
  const expected = {
    SSL_PROTOCOL: "TLSv1.3",
    SSL_CIPHER: "TLS_AES_128_GCM_SHA256",
    SSL_TLS_SNI: "example.org",
    SSL_CLIENT_VERIFY: "SUCCESS",
    SSL_CLIENT_S_DN: "CN=\xc3\xa4lice,O=Example",
    SSL_CLIENT_I_DN: "CN=authority",
    SSL_CLIENT_M_SERIAL: "0ABC",
    SSL_CLIENT_V_START: "Nov 21 04:37:20 2026 GMT",
    SSL_CLIENT_V_END: "Nov 21 04:37:20 2027 GMT",
    SSL_CLIENT_CERT: "-----BEGIN CERTIFICATE-----\n...\n",
  };
  assert.deepEqual(variables(connection), expected);
  assert.deepEqual(variables(connection), expected, "the next request of the connection");
});

test("a certificate that is not trusted has failed, with the reason", () => {
  const client = { ...ALICE, error: "certificate has expired" };
  assert.equal(variables(facts({ client })).SSL_CLIENT_VERIFY, "FAILED:certificate has expired");
});
