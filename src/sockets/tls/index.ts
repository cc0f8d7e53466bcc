// TLS in front of a listener: what the server and the config import.

export { TlsAcceptor, type TlsAcceptorOptions } from "./acceptor.ts";
export type { Problem } from "./certificate.ts";
export { readSecureContexts, type SecureContexts, signatureOf } from "./secure-contexts.ts";
export type { CertificateFiles, ClientCertificates, TlsSettings } from "./settings.ts";
