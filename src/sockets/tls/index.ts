// TLS in front of a listener, as the server uses it.
export type { Problem } from "./certificate.ts";
export { TlsEntrance, type TlsEntranceOptions } from "./entrance.ts";
export { type Keys, readKeys, signatureOf } from "./keyring.ts";
export type { CertificateFiles, ClientCertificates, TlsSettings } from "./settings.ts";
