// A certificate for 127.0.0.1, localhost and `NAME`, that lives as long as a test; clients must be told to trust it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A host name, for what depends on one. */
export const NAME = "shop.example";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** Certificate and key in one file, as some servers want them. */
  readonly both: string;
  /** The options of the command line that use it. */
  readonly options: readonly string[];
  remove(): void;
}

/** In `folder`, or in one of its own that `remove` removes. */
export function makeCertificate(
  folder: string = mkdtempSync(join(tmpdir(), "sallyport-certificate-")),
): Certificate {
  const [cert, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const names = `subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:${NAME}`;
  const usage = "keyUsage=critical,digitalSignature,keyCertSign";
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const files = ["-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", names, "-addext", usage];
  execFileSync("openssl", ["req", "-x509", ...made, ...files], { stdio: "pipe" });
  writeFileSync(both, readFileSync(cert, "utf8") + readFileSync(key, "utf8"));
  const options = ["--tls-cert", cert, "--tls-key", key];
  return { cert, key, both, options, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
