// What a server in front of us says about the TLS connection of its client: the variables of Apache's mod_ssl, read back
// into the facts that encode-tls.ts would make them of. nginx has the same to tell, under names chosen in its config.
import type { ClientCertificate, TlsFacts } from "../../exchange/index.ts";
import { registeredName } from "./cipher-names.ts";
import type { Variables } from "./names.ts";

/** The facts, as far as they are told; undefined when nothing is. To be asked only where the client came by https. */
export function describeTls(variables: Variables): TlsFacts | undefined {
  const said = (name: string): string => variables.get(name) ?? "";
  const facts: TlsFacts = {
    protocol: said("SSL_PROTOCOL"),
    cipher: registeredName(said("SSL_CIPHER")),
    serverName: text(said("SSL_TLS_SNI")),
    certificate: pem(said("SSL_SERVER_CERT")),
    client: clientOf(said),
  };
  const { protocol, cipher, serverName, certificate, client } = facts;
  return protocol || cipher || serverName || certificate || client ? facts : undefined;
}

type Said = (name: string) => string;

/** "NONE": the client showed no certificate. Where nothing is said of it, a name or the certificate itself tells of one. */
function clientOf(said: Said): ClientCertificate | undefined {
  const verdict = said("SSL_CLIENT_VERIFY");
  if (verdict === "NONE" || !(verdict || said("SSL_CLIENT_CERT") || said("SSL_CLIENT_S_DN")))
    return undefined;
  return {
    chain: chainOf(said),
    subject: distinguishedName(said("SSL_CLIENT_S_DN")),
    issuer: distinguishedName(said("SSL_CLIENT_I_DN")),
    serial: said("SSL_CLIENT_M_SERIAL"),
    validFrom: said("SSL_CLIENT_V_START"),
    validTo: said("SSL_CLIENT_V_END"),
    error: errorOf(verdict),
  };
}

/** Nobody is trusted but by the word SUCCESS: "GENEROUS" is Apache's for a certificate that it did not look into. */
function errorOf(verdict: string): string {
  if (verdict === "SUCCESS") return "";
  const reason = verdict.startsWith("FAILED:") ? verdict.slice("FAILED:".length) : "";
  return text(reason) || (verdict === "FAILED" ? "verification failed" : "not verified");
}

/** Certificates that a chain is read of at most. */
const LONGEST_CHAIN = 16;

function chainOf(said: Said): string[] {
  const chain = [pem(said("SSL_CLIENT_CERT"))];
  for (let i = 0; i < LONGEST_CHAIN; i++) chain.push(pem(said(`SSL_CLIENT_CERT_CHAIN_${i}`)));
  return chain.filter((certificate) => certificate !== "");
}

/**
 * A certificate as it is written in a file. nginx tells it so ($ssl_client_raw_cert), with tabs at the start of its lines
 * ($ssl_client_cert), or with its line ends percent-encoded ($ssl_client_escaped_cert).
 */
function pem(value: string): string {
  const plain = value.includes("%") ? unescaped(value) : value;
  const lines = plain.split(/[\r\n]+/).map((line) => line.trim());
  const kept = lines.filter((line) => line !== "");
  return kept.length === 0 ? "" : `${kept.join("\n")}\n`;
}

const unescaped = (value: string): string =>
  value.replace(/%([0-9A-Fa-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

/** RFC 4514, 2.4: nginx and Apache write bytes above 127 in hexadecimal ("Ex\C3\A4mple"), though UTF-8 need not be escaped. */
const distinguishedName = (name: string): string =>
  text(
    name.replace(/\\(?:([89A-Fa-f][0-9A-Fa-f])|.)/gs, (sequence, code: string | undefined) =>
      code === undefined ? sequence : String.fromCharCode(Number.parseInt(code, 16)),
    ),
  );

/** Bytes that are UTF-8, or what they are where they are none. */
const text = (bytes: string): string => {
  const decoded = Buffer.from(bytes, "latin1").toString("utf8");
  return decoded.includes("\ufffd") ? bytes : decoded;
};
