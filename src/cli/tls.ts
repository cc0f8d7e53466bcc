// The options about TLS: from pairs of files to the TLS settings of an address.
// Tested by test/server/tls.test.ts.
import { resolve } from "node:path";
import type { ListenAddress } from "../config/address.ts";
import { tls as schema } from "../config/tls.ts";
import { readFiles } from "../config/tls-files.ts";
import type { Problem, TlsSettings } from "../sockets/tls/index.ts";
import { usage } from "./command-line.ts";
import type { Flags } from "./options.ts";

const DEPENDENT = ["tls-key", "tls-ca", "tls-client-certificates"] as const;

/** The TLS settings of the options; undefined without any. Throws USAGE for options that contradict each other. */
export function tlsOf(flags: Flags, directory: string): TlsSettings | undefined {
  const certs = flags["tls-cert"] ?? [];
  const keys = flags["tls-key"] ?? [];
  if (certs.length !== keys.length)
    throw usage("--tls-cert and --tls-key come in pairs: a key for each certificate, in the same order");
  const orphan = DEPENDENT.find((name) => flags[name] !== undefined);
  if (certs.length === 0 && orphan) throw usage(`--${orphan} needs --tls-cert and --tls-key`);
  if (certs.length === 0) return undefined;
  if (flags["tls-client-certificates"] === "require" && flags["tls-ca"] === undefined)
    throw usage(
      "--tls-client-certificates require needs --tls-ca, the authorities that sign clients' certificates",
    );
  const [first, ...others] = certs.map((cert, i) => ({
    cert: resolve(directory, cert),
    key: resolve(directory, keys[i] as string),
  }));
  return schema.parse({
    ...first,
    ...(others.length > 0 ? { others } : {}),
    ...(flags["tls-ca"] === undefined ? {} : { ca: resolve(directory, flags["tls-ca"]) }),
    ...(flags["tls-client-certificates"] === undefined
      ? {}
      : { clientCertificates: flags["tls-client-certificates"] }),
  });
}

/** Checks that an address can have TLS, and that its files are in order. Rejects with USAGE or CONFIG_INVALID. */
export async function checkTls(
  listen: readonly ListenAddress[],
  flags: Flags,
  directory: string,
): Promise<void> {
  const settings = tlsOf(flags, directory);
  if (!settings) return;
  if (!listen.some(({ protocol }) => protocol === "http"))
    throw usage("--tls-cert is for HTTP, and none of the addresses is for HTTP");
  await readFiles(settings, inWords);
}

/** The message names the file. */
const inWords = ({ path, message }: Problem): string => `--tls-${path.at(-1)}: ${message}`;
