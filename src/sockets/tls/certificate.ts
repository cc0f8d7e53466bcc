// Reads certificates and keys from files, and checks that they can be used, before any client connects.
// Tested by test/sockets/tls/secure-contexts.test.ts.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { CertificateFiles } from "./settings.ts";

/** A fault of a file, and the key of the settings that names it. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Gets a problem and the key of the settings that it belongs to. */
export type ReportProblem = (key: string, message: string) => void;

export interface Certificate {
  /** PEM: the certificate, and the intermediate ones. */
  readonly cert: string;
  readonly key: string;
  readonly passphrase: string | undefined;
  readonly leaf: X509Certificate;
}

/** Undefined after a problem, which `report` has got. */
export async function readCertificate(
  files: CertificateFiles,
  report: ReportProblem,
): Promise<Certificate | undefined> {
  const cert = await readPem(files.cert, "CERTIFICATE", (message) => report("cert", message));
  const key = await readPem(files.key, "PRIVATE KEY", (message) => report("key", message));
  const leaf = cert === undefined ? undefined : parseCertificate(cert, files.cert, report);
  const secret = key === undefined ? undefined : parseKey(key, files, report);
  if (cert === undefined || key === undefined || !leaf || !secret) return undefined;
  if (!leaf.checkPrivateKey(secret)) {
    report("key", `${files.key} is not the key of the certificate in ${files.cert}`);
    return undefined;
  }
  return { cert, key, passphrase: files.passphrase, leaf };
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "may not be read by this user",
  EISDIR: "is a directory",
};

/** The text of a file with a PEM block of this kind; undefined after a problem. */
export async function readPem(
  path: string,
  kind: string,
  report: (message: string) => void,
): Promise<string | undefined> {
  const text = await readFile(path, "latin1").catch((error: NodeJS.ErrnoException) => {
    report(`${path} ${WHY[error.code ?? ""] ?? `cannot be read: ${error.message}`}`);
  });
  if (text === undefined) return undefined;
  const label = new RegExp(`^-----BEGIN [A-Z0-9 ]*${kind}-----`, "m");
  if (label.test(text)) return text;
  report(`${path} has no PEM block "-----BEGIN ${kind}-----"`);
  return undefined;
}

function parseCertificate(cert: string, path: string, report: ReportProblem): X509Certificate | undefined {
  try {
    return new X509Certificate(cert);
  } catch (error) {
    report("cert", `${path} cannot be understood: ${(error as Error).message}`);
    return undefined;
  }
}

function parseKey(key: string, files: CertificateFiles, report: ReportProblem): KeyObject | undefined {
  const { passphrase } = files;
  try {
    return createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    if (!isEncrypted(key)) report("key", `${files.key} cannot be understood: ${(error as Error).message}`);
    else if (passphrase === undefined) report("key", `${files.key} is encrypted: passphrase is missing`);
    else report("passphrase", `does not open ${files.key}`);
    return undefined;
  }
}

const isEncrypted = (key: string): boolean => /^-----BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(key);

/** The host names that a certificate is for, in lower case; a wildcard as "*.example.org". */
export function namesOf({ subjectAltName, subject }: X509Certificate): string[] {
  const names = [...(subjectAltName ?? "").matchAll(/(?:^|, )DNS:([^,"]+)/g)].map(([, name]) => name);
  // RFC 6125, 6.4.4: the common name counts only where there is no other.
  if (names.length === 0) names.push(/^CN=(.+)$/m.exec(subject)?.[1]);
  return names.flatMap((name) => (name === undefined ? [] : [name.toLowerCase()]));
}

const DAY = 24 * 60 * 60 * 1000;
/** Tools that renew certificates have done it by then. */
const SOON = 7 * DAY;

/** A warning for the operator about a certificate that can still be used. */
export function warningOf({ leaf }: Certificate, path: string, now = Date.now()): string | undefined {
  const { validFrom, validTo } = leaf;
  if (Date.parse(validTo) < now) return `the certificate in ${path} has expired (${validTo})`;
  if (Date.parse(validFrom) > now) return `the certificate in ${path} is not valid before ${validFrom}`;
  if (Date.parse(validTo) < now + SOON) return `the certificate in ${path} expires soon (${validTo})`;
  return undefined;
}
