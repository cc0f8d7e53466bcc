// An authority that signs certificates for tests, as openssl makes them.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

export class Authority {
  /** Where all of its files are. */
  readonly directory: string;
  readonly #own: Pair;
  readonly #config: string;

  /** It, and its files, are gone when the tests of the file have run. */
  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "tls-"));
    after(() => rmSync(this.directory, { recursive: true, force: true }));
    this.#config = join(this.directory, "openssl.cnf");
    this.#own = this.#files("ca");
    // The configuration of the machine would add to what is said here.
    writeFileSync(this.#config, "[req]\ndistinguished_name = name\n[name]\n");
    const may = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
    this.#make(this.#own, "/O=Sallyport tests/CN=Test authority", ["-noenc", ...may]);
  }

  /** The file that its clients trust. */
  get ca(): string {
    return this.#own.cert;
  }

  /** A certificate of a server, in files of this name. */
  server(file: string, names: readonly string[], ...more: string[]): Pair {
    const alternatives = names.map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`));
    return this.issue(file, "/CN=a server", "-addext", `subjectAltName=${alternatives.join()}`, ...more);
  }

  /** Any certificate that it has signed. The key is elliptic, and not encrypted, unless `more` says so. */
  issue(file: string, subject: string, ...more: string[]): Pair {
    const pair = this.#files(file);
    const noenc = more.includes("-passout") ? [] : ["-noenc"];
    const signed = ["-CA", this.#own.cert, "-CAkey", this.#own.key];
    const may = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "authorityKeyIdentifier=keyid"];
    this.#make(pair, subject, [...signed, ...may, ...noenc, ...more]);
    return pair;
  }

  #make({ cert, key }: Pair, subject: string, more: readonly string[]): void {
    const args = [
      "req",
      "-x509",
      "-config",
      this.#config,
      "-addext",
      "subjectKeyIdentifier=hash",
      ...(more.includes("-newkey") ? [] : EC),
      "-utf8",
      "-days",
      "30",
      "-subj",
      subject,
      "-keyout",
      key,
      "-out",
      cert,
    ];
    execFileSync("openssl", [...args, ...more], { stdio: ["ignore", "ignore", "pipe"] });
  }

  #files(name: string): Pair {
    const path = (ending: string) => join(this.directory, `${name}${ending}`);
    return { cert: path(".pem"), key: path("-key.pem") };
  }
}

export const textOf = (file: string): string => readFileSync(file, "latin1");
