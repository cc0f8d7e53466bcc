// What a node handler reads of its client's certificate, compared with node's own server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { ConnectionOptions, DetailedPeerCertificate, TLSSocket } from "node:tls";
import { nodeApp } from "../../src/apps/node.ts";
import { ExchangeSocket } from "../../src/apps/node-socket.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { Authority, type Pair, textOf } from "../kit/certificate-authority.ts";
import { allFrom, GET, secure, serveTls, trusting } from "../kit/serve-tls.ts";

const authority = new Authority();
const strangers = new Authority();
const server = authority.server("server", ["example.org"]);
const alice = authority.issue("alice", "/C=DE/O=Example/CN=alice");
const mallory = strangers.issue("mallory", "/CN=mallory");
const trust = trusting(authority.ca);
const showing = (pair: Pair) => ({ ...trust, cert: readFileSync(pair.cert), key: readFileSync(pair.key) });

/** Answers with what applications ask a TLSSocket. */
function tell({ socket }: { socket: unknown }, response: ServerResponse): void {
  const tls = socket as TLSSocket & { servername: string | false };
  const own = tls.getPeerCertificate();
  const detailed: Partial<DetailedPeerCertificate> = tls.getPeerCertificate(true);
  const facts = {
    authorized: tls.authorized,
    servername: tls.servername,
    protocol: tls.getProtocol(),
    subject: own.subject,
    issuer: own.issuer,
    serial: own.serialNumber,
    fingerprint: own.fingerprint256,
    from: own.valid_from,
    raw: own.raw?.toString("base64"),
    hasIssuer: "issuerCertificate" in own,
    keys: Object.keys(own).length,
    detailed: detailed.issuerCertificate?.subject.CN ?? null,
    x509: tls.getPeerX509Certificate()?.fingerprint512 ?? null,
  };
  response.end(
    JSON.stringify({ ...facts, error: own.subject !== undefined && tls.authorizationError !== null }),
  );
}

async function portOfNode(t: TestContext): Promise<number> {
  const options = { cert: textOf(server.cert), key: textOf(server.key), ca: textOf(authority.ca) };
  const https = createServer({ ...options, requestCert: true, rejectUnauthorized: false }, tell);
  https.listen(0, "127.0.0.1");
  await once(https, "listening");
  t.after(() => https.close());
  return (https.address() as AddressInfo).port;
}

async function askedAt(port: number, options: ConnectionOptions): Promise<Record<string, unknown>> {
  const socket = await secure(port, options);
  socket.write(GET);
  const text = await allFrom(socket);
  return JSON.parse(/\{.*\}/.exec(text)?.[0] ?? text);
}

test("a handler sees its client's certificate as it does on node's own server", async (t) => {
  const ask = { ...server, ca: authority.ca, clientCertificates: "ask" } as const;
  const gateway = nodeApp(tell);
  const { port } = await serveTls(t, (exchange) => gateway.handle(exchange), { settings: ask });
  const other = await portOfNode(t);
  for (const [client, authorized] of [
    [showing(alice), true],
    [showing(mallory), false],
    [trust, false],
  ] as const) {
    const seen = await askedAt(port, client);
    assert.equal(seen.authorized, authorized);
    assert.deepEqual(seen, await askedAt(other, client));
  }
});

test("without TLS, and behind a proxy that ends it, there are no such members, as on a socket of node's", () => {
  assert.ok(!("getPeerCertificate" in new ExchangeSocket(new RecordedExchange())));
});
