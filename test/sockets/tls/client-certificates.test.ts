import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { distinguishedName } from "../../../src/sockets/tls/facts.ts";
import { Authority, type Pair, textOf } from "../../kit/certificate-authority.ts";
import {
  allFrom,
  GET,
  secure,
  serveTls,
  type Told,
  tellConnection,
  told,
  trusting,
} from "../../kit/serve-tls.ts";

const authority = new Authority();
const strangers = new Authority();
const server = authority.server("server", ["example.org"]);
const alice = authority.issue("alice", "/C=DE/O=Exämple, Ltd./CN=alice", "-set_serial", "0xABCDEF12");
const mallory = strangers.issue("mallory", "/CN=mallory");
const trust = trusting(authority.ca);
const showing = (pair: Pair) => ({ ...trust, cert: readFileSync(pair.cert), key: readFileSync(pair.key) });
const asking = { ...server, ca: authority.ca, clientCertificates: "ask" } as const;
const requiring = { ...server, ca: authority.ca, clientCertificates: "require" } as const;

test("a client that was asked and shows nothing has no certificate", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: asking });
  assert.equal((await told(port, trust)).tls.client, undefined);
});

test("a client is not asked unless that is wanted, whatever it could show", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: server });
  assert.equal((await told(port, showing(alice))).tls.client, undefined);
});

test("a client's certificate is told with its names, serial, times and chain", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: requiring });
  for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const) {
    const { client } = (await told(port, { ...showing(alice), maxVersion })).tls;
    const { chain, validFrom, validTo, ...rest } = client ?? {};
    assert.deepEqual(rest, {
      subject: "CN=alice,O=Exämple\\, Ltd.,C=DE",
      issuer: "CN=Test authority,O=Sallyport tests",
      serial: "ABCDEF12",
      error: "",
    });
    assert.equal((chain as string[])[0], textOf(alice.cert));
    assert.match(
      `${validFrom} ${validTo}`,
      /^\w{3} [ \d]\d [\d:]{8} \d{4} GMT \w{3} [ \d]\d [\d:]{8} \d{4} GMT$/,
    );
  }
});

test("a certificate of an unknown issuer is passed on, or refused, with the reason", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: asking });
  assert.equal(
    (await told(port, showing(mallory))).tls.client?.error,
    "unable to verify the first certificate",
  );
  const strict = await serveTls(t, tellConnection, { settings: requiring });
  assert.match(
    await refusal(strict.port, showing(mallory)),
    /^HTTP\/1\.1 403 Forbidden\r\n.*ERR_SALLYPORT_FORBIDDEN\nthe client's certificate is not trusted: unable to verify the first certificate\n$/s,
  );
  assert.match(await refusal(strict.port, trust), /the client showed no certificate\n$/);
  assert.deepEqual(
    strict.lines.map(({ message }) => message),
    [
      "TLS: the client's certificate is not trusted: unable to verify the first certificate",
      "TLS: the client showed no certificate",
    ],
  );
});

async function refusal(port: number, options: Parameters<typeof secure>[1]): Promise<string> {
  const socket = await secure(port, options);
  const answer = allFrom(socket);
  socket.write(GET);
  return answer;
}

test("without authorities no certificate is trusted, not even one of the web's", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: { ...server, clientCertificates: "ask" } });
  assert.notEqual((await told(port, showing(alice))).tls.client?.error, "");
});

test("a client of HTTP/2 that is refused is cut off", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: requiring, protocols: ["h2"] });
  const socket = await secure(port, { ...trust, ALPNProtocols: ["h2"] });
  assert.equal(await allFrom(socket), "");
});

test("the certificate is known again when the session is resumed, and judged again", async (t) => {
  const { port } = await serveTls(t, tellConnection, { settings: requiring });
  for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const) {
    const one = await secure(port, { ...showing(alice), maxVersion });
    one.write(GET);
    await once(one, "data");
    const session = one.getSession();
    const again = await secure(port, { ...showing(alice), maxVersion, session });
    assert.equal(again.isSessionReused(), true, maxVersion);
    const second = allFrom(again);
    again.write(GET);
    const answer = await second;
    const { tls } = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as Told;
    assert.equal(tls.client?.subject, "CN=alice,O=Exämple\\, Ltd.,C=DE");
    assert.equal(tls.client?.error, "");
  }
});

test("distinguished names are written from the last part to the first, with plus signs inside of one", () => {
  assert.equal(distinguishedName("C=DE\nOU=a + O=b\\, c\nCN=x \\+ y"), "CN=x \\+ y,OU=a+O=b\\, c,C=DE");
  assert.equal(distinguishedName(undefined), "");
});
