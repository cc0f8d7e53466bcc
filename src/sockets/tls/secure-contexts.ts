// The certificates of one address: the one for each server name (SNI, RFC 6066, 3), and whether their files have changed.
import { constants } from "node:crypto";
import { stat } from "node:fs/promises";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import {
  type Certificate,
  namesOf,
  type Problem,
  readCertificate,
  readPem,
  warningOf,
} from "./certificate.ts";
import type { CertificateFiles, TlsSettings } from "./settings.ts";

/** Authenticated encryption with forward secrecy, and nothing else (RFC 9325, 4.2; for HTTP/2 RFC 9113, 9.2.2). */
const MODERN =
  "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20";
const { defaultCipherList, defaultCoreCipherList, SSL_OP_NO_RENEGOTIATION } = constants;
/** An operator's own list (`--tls-cipher-list`) is used instead. */
const CIPHERS = defaultCipherList === defaultCoreCipherList ? MODERN : defaultCipherList;

export interface SecureContexts {
  /** For clients that send no server name, or an unknown one. */
  readonly first: SecureContextOptions;
  /** By server name, in lower case; "*.example.org" for a wildcard. */
  readonly byName: ReadonlyMap<string, SecureContext>;
  readonly warnings: readonly string[];
}

export type SecureContextsRead =
  | { readonly contexts: SecureContexts }
  | { readonly problems: readonly Problem[] };

/** Reads all files of the settings. Never rejects. */
export async function readSecureContexts(settings: TlsSettings): Promise<SecureContextsRead> {
  const problems: Problem[] = [];
  const at =
    (...above: (string | number)[]) =>
    (key: string, message: string): void =>
      void problems.push({ path: [...above, key], message });
  const places: [CertificateFiles, (string | number)[]][] = [[settings, []]];
  for (const [i, files] of (settings.others ?? []).entries()) places.push([files, ["others", i]]);
  const read: (Certificate | undefined)[] = [];
  // One after the other, so that problems come in the order of the settings.
  for (const [files, path] of places) read.push(await readCertificate(files, at(...path)));
  const ca = await readAuthorities(settings, (message) => at()("ca", message));
  const made = read.map((certificate, i) => {
    const [{ cert }, path] = places[i] as (typeof places)[number];
    return certificate && makeContext(certificate, cert, { settings, ca }, at(...path));
  });
  if (problems.length > 0) return { problems };
  const whole = made as Made[];
  const warnings = whole.flatMap(({ certificate, path }) => warningOf(certificate, path) ?? []);
  return { contexts: { first: (whole[0] as Made).options, byName: contextsByName(whole), warnings } };
}

async function readAuthorities(
  { ca }: TlsSettings,
  report: (message: string) => void,
): Promise<string | undefined> {
  return ca === undefined ? undefined : readPem(ca, "CERTIFICATE", report);
}

interface Made {
  readonly certificate: Certificate;
  readonly path: string;
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
}

function makeContext(
  certificate: Certificate,
  path: string,
  { settings, ca }: { settings: TlsSettings; ca: string | undefined },
  report: (key: string, message: string) => void,
): Made | undefined {
  const { cert, key, passphrase } = certificate;
  const options: SecureContextOptions = {
    cert,
    key,
    minVersion: `TLSv${settings.minVersion}`,
    ciphers: CIPHERS,
    // Renegotiation costs us more than the client, and HTTP/2 forbids it (RFC 9113, 9.2.1). TLS 1.3 has none.
    secureOptions: SSL_OP_NO_RENEGOTIATION,
    // With no `ca`, OpenSSL falls back to the public web CAs and would accept any client they signed.
    ...(settings.clientCertificates === "off" ? {} : { ca: ca ?? [] }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  try {
    return { certificate, path, options, context: createSecureContext(options) };
  } catch (error) {
    report("cert", `${path} cannot be used: ${(error as Error).message}`);
    return undefined;
  }
}

/** For each name the first certificate that has it. */
function contextsByName(made: readonly Made[]): Map<string, SecureContext> {
  const contexts = new Map<string, SecureContext>();
  for (const { certificate, context } of made)
    for (const name of namesOf(certificate.leaf)) if (!contexts.has(name)) contexts.set(name, context);
  return contexts;
}

/** The context for a server name; undefined for an unknown one. A wildcard stands for one label (RFC 6125, 6.4.3). */
export function contextFor(name: string, { byName }: SecureContexts): SecureContext | undefined {
  const asked = name.toLowerCase();
  return byName.get(asked) ?? byName.get(asked.replace(/^[^.]+/, "*"));
}

/** Changes with each of the files: rewritten, replaced, readable now (chmod), or behind a link that now points elsewhere (certbot). */
export async function signatureOf({ cert, key, others = [], ca }: TlsSettings): Promise<string> {
  const pairs = [{ cert, key }, ...others].flatMap((files) => [files.cert, files.key]);
  const files = ca === undefined ? pairs : [...pairs, ca];
  const stats = await Promise.all(files.map((file) => stat(file).catch(() => undefined)));
  return stats
    .map((file) => (file ? `${file.ino} ${file.size} ${file.mtimeMs} ${file.ctimeMs}` : "gone"))
    .join("\n");
}
