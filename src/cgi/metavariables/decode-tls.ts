// The TLS connection between a server in front of us and its client: the variables of Apache's mod_ssl, read back into the
// facts that encode-tls.ts would make them of. nginx can send the same, under names chosen in its configuration.
import type { ClientCertificate, TlsFacts } from "../../exchange/index.ts";
import { registeredName } from "./cipher-names.ts";
import type { Variables } from "./names.ts";

/** The facts, as far as they were sent; undefined when none was. Only for a client that came by https. */
export function describeTls(variables: Variables): TlsFacts | undefined {
  const variable = (name: string): string => variables.get(name) ?? "";
  const facts: TlsFacts = {
    protocol: variable("SSL_PROTOCOL"),
    cipher: registeredName(variable("SSL_CIPHER")),
    serverName: text(variable("SSL_TLS_SNI")),
    certificate: pem(variable("SSL_SERVER_CERT")),
    client: clientOf(variable),
  };
  const { protocol, cipher, serverName, certificate, client } = facts;
  return protocol || cipher || serverName || certificate || client ? facts : undefined;
}

type Variable = (name: string) => string;

/** "NONE": the client showed no certificate. Without SSL_CLIENT_VERIFY, a name or a certificate shows that it did. */
function clientOf(variable: Variable): ClientCertificate | undefined {
  const verdict = variable("SSL_CLIENT_VERIFY");
  if (verdict === "NONE" || !(verdict || variable("SSL_CLIENT_CERT") || variable("SSL_CLIENT_S_DN")))
    return undefined;
  return {
    chain: chainOf(variable),
    subject: distinguishedName(variable("SSL_CLIENT_S_DN")),
    issuer: distinguishedName(variable("SSL_CLIENT_I_DN")),
    serial: variable("SSL_CLIENT_M_SERIAL"),
    validFrom: variable("SSL_CLIENT_V_START"),
    validTo: variable("SSL_CLIENT_V_END"),
    error: errorOf(verdict),
  };
}

/** Only SUCCESS is trusted: Apache says "GENEROUS" of a certificate that it did not verify. */
function errorOf(verdict: string): string {
  if (verdict === "SUCCESS") return "";
  const reason = verdict.startsWith("FAILED:") ? verdict.slice("FAILED:".length) : "";
  return text(reason) || (verdict === "FAILED" ? "verification failed" : "not verified");
}

/** Certificates beyond these are not read. */
const LONGEST_CHAIN = 16;

function chainOf(variable: Variable): string[] {
  const chain = [pem(variable("SSL_CLIENT_CERT"))];
  for (let i = 0; i < LONGEST_CHAIN; i++) chain.push(pem(variable(`SSL_CLIENT_CERT_CHAIN_${i}`)));
  return chain.filter((certificate) => certificate !== "");
}

/**
 * A certificate as it is written in a file. nginx sends it so ($ssl_client_raw_cert), with tabs at the start of its lines
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

/** UTF-8 decoded; bytes that are not UTF-8 stay as they are. */
const text = (bytes: string): string => {
  const decoded = Buffer.from(bytes, "latin1").toString("utf8");
  return decoded.includes("\ufffd") ? bytes : decoded;
};
