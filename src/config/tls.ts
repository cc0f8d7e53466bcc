// The configuration's section `tls` of an address.
// Tested by test/config/config.test.ts.

import type { TlsSettings } from "../sockets/tls/index.ts";
import { about, count, path, positiveTime, section, text } from "./schema.ts";
import * as z from "./zod.ts";

const pair = {
  cert: about(
    path(),
    "PEM file: the certificate, then those that lead to a root (certbot's `fullchain.pem`)",
  ),
  key: about(path(), "PEM file of its private key"),
  passphrase: about(text().exactOptional(), "of the key, where it is encrypted"),
};

const otherCertificate = section(pair);

export const tls = section({
  ...pair,
  others: about(
    z.array(otherCertificate).min(1).exactOptional(),
    "more certificates, each with `cert`, `key` and `passphrase`: a client is shown the first that has the name it asks for",
  ),
  ca: about(path().exactOptional(), "PEM file of the authorities that sign clients' certificates"),
  clientCertificates: about(
    z.enum(["off", "ask", "require"]).exactOptional(),
    "whether clients are asked for a certificate, and refused without one that `ca` signed (`require` with `ca`, otherwise `off`)",
  ),
  minVersion: about(z.enum(["1.2", "1.3"]).prefault("1.2"), "oldest version of TLS"),
  handshakeTimeout: about(positiveTime().prefault("10s"), "for a handshake to end"),
  handshakes: about(
    count().prefault(2_000),
    "handshakes at the same time, including connections that have sent nothing yet; more are closed",
  ),
})
  .superRefine(({ ca, clientCertificates }, context) => {
    const error = (message: string, ...path: string[]) => context.addIssue({ code: "custom", message, path });
    if (clientCertificates === "require" && ca === undefined)
      error('"require" needs ca, the authorities that sign clients\' certificates', "clientCertificates");
    if (clientCertificates === "off" && ca !== undefined)
      error("has no use while clientCertificates is off", "ca");
  })
  .transform(
    ({ clientCertificates, ...rest }): TlsSettings => ({
      ...rest,
      clientCertificates: clientCertificates ?? (rest.ca === undefined ? "off" : "require"),
    }),
  );
