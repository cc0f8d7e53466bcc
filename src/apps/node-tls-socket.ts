// The connection of a request that came by TLS, as a node handler sees it: with the members of node's TLSSocket that tell who the
// client is. Applications read its certificate there, or whether it is `authorized`.
// Tested by test/apps/node-tls.test.ts.
import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, PeerCertificate } from "node:tls";
import type { Exchange, TlsFacts } from "../exchange/index.ts";
import { ExchangeSocket } from "./node-socket.ts";

export class TlsExchangeSocket extends ExchangeSocket {
  readonly #facts: TlsFacts;

  constructor(exchange: Exchange, facts: TlsFacts) {
    super(exchange);
    this.#facts = facts;
  }

  /** Whether the client has shown a certificate that is trusted. */
  get authorized(): boolean {
    return this.#facts.client?.error === "";
  }

  /** OpenSSL's words, where Node has a code; null where there is nothing to say. */
  get authorizationError(): string | null {
    return this.#facts.client?.error || null;
  }

  get servername(): string | false {
    return this.#facts.serverName || false;
  }

  getProtocol(): string {
    return this.#facts.protocol;
  }

  getPeerX509Certificate(): X509Certificate | undefined {
    return this.#certificates()[0];
  }

  /** The client's certificate, `{}` where it has shown none; `detailed` with those of its issuers that are known. */
  getPeerCertificate(detailed = false): PeerCertificate | DetailedPeerCertificate | Record<string, never> {
    const certificates = this.#certificates();
    const chain = certificates.map((one) => one.toLegacyObject() as DetailedPeerCertificate);
    const [own] = chain;
    if (!own) return {};
    for (const [i, one] of certificates.entries()) {
      const issuer = chain[one.checkIssued(one) ? i : i + 1];
      if (detailed && issuer)
        Object.assign(chain[i] as DetailedPeerCertificate, { issuerCertificate: issuer });
    }
    return own;
  }

  #certificates(): X509Certificate[] {
    return (this.#facts.client?.chain ?? []).map((text) => new X509Certificate(text));
  }
}
