// What TLS is to be like at an address.

/** A certificate with the others that lead to a root, and its private key, as PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** Of the key, where it is encrypted. */
  readonly passphrase?: string;
}

export interface TlsSettings extends CertificateFiles {
  /** More certificates: each for the clients that ask for one of its names. */
  readonly others?: readonly CertificateFiles[];
  /** PEM file of the authorities that client certificates are checked against. */
  readonly ca?: string;
  readonly clientCertificates: ClientCertificates;
  readonly minVersion: "1.2" | "1.3";
  /** Milliseconds from the connection to the end of the handshake. */
  readonly handshakeTimeout: number;
  /** Handshakes, and connections that have said nothing yet, at once. More connections are closed. */
  readonly handshakes: number;
}

/** Whether clients are asked for a certificate, and answered without one that can be trusted. */
export type ClientCertificates = "off" | "ask" | "require";
