// The facts of a TLS connection: read once, after its handshake, for all its requests.
// Tested by test/sockets/tls/client-certificates.test.ts.
import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ClientCertificate, TlsFacts } from "../../exchange/index.ts";

/** On the socket, not in a WeakMap: facts refer to their socket, which would then outlive all young collections. */
const FACTS: unique symbol = Symbol("facts");
type WithFacts = Socket & { [FACTS]?: TlsFacts };

/** Undefined for a connection without TLS. */
export const tlsFactsOf = (socket: Socket): TlsFacts | undefined => (socket as WithFacts)[FACTS];

/** Reads the facts, and stores them on `socket`. `asked`: whether the client was asked for a certificate. */
export function setTlsFacts(socket: TLSSocket, asked: boolean): TlsFacts {
  const facts = new Facts(socket, asked);
  (socket as WithFacts)[FACTS] = facts;
  return facts;
}

class Facts implements TlsFacts {
  readonly protocol: string;
  readonly cipher: string;
  readonly serverName: string;
  /** Read now: once the client has left, Node reports no certificate. */
  readonly client: ClientCertificate | undefined;
  readonly #socket: TLSSocket;
  #certificate: string | undefined;

  constructor(socket: TLSSocket, asked: boolean) {
    this.#socket = socket;
    this.protocol = socket.getProtocol() ?? "";
    this.cipher = socket.getCipher()?.standardName ?? "";
    this.serverName = (socket as { servername?: string | false | null }).servername || "";
    this.client = asked ? clientOf(socket) : undefined;
  }

  /** Read on demand, since few ask for it. */
  get certificate(): string {
    this.#certificate ??= this.#socket.getX509Certificate()?.toString() ?? "";
    return this.#certificate;
  }
}

function clientOf(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  const { serialNumber, validFrom, validTo } = certificate;
  return {
    chain: chainOf(certificate),
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    serial: serialNumber,
    validFrom,
    validTo,
    error: socket.authorized ? "" : errorText(String(socket.authorizationError)),
  };
}

function chainOf(certificate: X509Certificate): string[] {
  const chain: string[] = [];
  const seen = new Set<string>();
  for (let one: X509Certificate | undefined = certificate; one; one = one.issuerCertificate) {
    if (seen.has(one.fingerprint256)) break;
    seen.add(one.fingerprint256);
    chain.push(one.toString());
  }
  return chain;
}

/**
 * Node's lines in the form of RFC 4514: the last name first, commas between. Values are escaped already; only parts joined by
 * "+" in one line, which certificates rarely have, have blanks around it.
 */
export const distinguishedName = (lines: string | undefined): string =>
  (lines ?? "").split("\n").filter(Boolean).reverse().join(",").replaceAll(" + ", "+");

/** OpenSSL's messages for the codes that Node gives instead; other codes become words. */
const ERRORS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "self-signed certificate in certificate chain",
  UNABLE_TO_GET_ISSUER_CERT: "unable to get issuer certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unable to get local issuer certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unable to verify the first certificate",
  CERT_HAS_EXPIRED: "certificate has expired",
  CERT_NOT_YET_VALID: "certificate is not yet valid",
  CERT_SIGNATURE_FAILURE: "certificate signature failure",
  INVALID_PURPOSE: "unsuitable certificate purpose",
  INVALID_CA: "invalid CA certificate",
};

const errorText = (code: string): string => ERRORS[code] ?? code.toLowerCase().replaceAll("_", " ");
