// The TLS settings of an address.

/** A certificate with its intermediate ones, and its private key, as PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** For an encrypted key. */
  readonly passphrase?: string;
}

export interface TlsSettings extends CertificateFiles {
  /** More certificates, each for the server names that it has (SNI). */
  readonly others?: readonly CertificateFiles[];
  /** PEM file of the authorities (CAs) that client certificates are checked against. */
  readonly ca?: string;
  readonly clientCertificates: ClientCertificates;
  readonly minVersion: "1.2" | "1.3";
  /** Milliseconds from the connection to the end of the handshake. */
  readonly handshakeTimeout: number;
  /** Handshakes at once, with connections that have not sent a byte. More connections are closed. */
  readonly handshakes: number;
}

/** Whether clients are asked for a certificate, and served without a trusted one. */
export type ClientCertificates = "off" | "ask" | "require";
