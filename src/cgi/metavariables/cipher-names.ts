// Cipher suites by their names in IANA's registry. Servers in front of us send OpenSSL's names, which have the same parts
// in another order: "ECDHE-RSA-AES128-GCM-SHA256" is TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.
// Tested by test/cgi/metavariables/decode-tls.test.ts.

/** Suites for certificates. Without key exchange and signature, both are by RSA; without a mode, it is CBC. */
const SUITE =
  /^(?:(DHE|ECDHE)-(RSA|ECDSA|DSS)-)?(AES|CAMELLIA|ARIA)(128|256)(?:-(GCM|CCM|CCM8))?(?:-(SHA(?:256|384)?))?$/;
const CHACHA = /^(DHE|ECDHE)-(RSA|ECDSA)-CHACHA20-POLY1305$/;

/** A name that is neither OpenSSL's nor for a certificate is given back as it is: those of TLS 1.3 are the same in both. */
export function registeredName(name: string): string {
  const chacha = CHACHA.exec(name);
  if (chacha) return `TLS_${chacha[1]}_${chacha[2]}_WITH_CHACHA20_POLY1305_SHA256`;
  const suite = SUITE.exec(name);
  if (!suite) return name;
  const [, exchange, signature, cipher, bits, mode = "CBC", hash] = suite;
  const keys = exchange ? `${exchange}_${signature}` : "RSA";
  return ["TLS", keys, "WITH", cipher, bits, MODES[mode] ?? mode, hash].filter(Boolean).join("_");
}

const MODES: Readonly<Record<string, string>> = { CCM8: "CCM_8" };
