// TLS in front of a listener, as the server uses it.

export { TlsEntrance, type TlsEntranceOptions } from "./acceptor.ts";
export type { Problem } from "./certificate.ts";
export { type Keys, readKeys, signatureOf } from "./secure-contexts.ts";
export type { CertificateFiles, ClientCertificates, TlsSettings } from "./settings.ts";
