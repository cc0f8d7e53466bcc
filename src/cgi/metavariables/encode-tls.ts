// The facts of a TLS connection for applications: the variables of Apache's mod_ssl. No client can forge them: a header
// only ever becomes a name that begins with HTTP_.
import type { ClientCertificate, TlsFacts } from "../../exchange/index.ts";

type Put = (name: string, value: string) => void;
type Pair = readonly [name: string, value: string];

const made = new WeakMap<TlsFacts, readonly Pair[]>();

/** Gives the variables to `put`; they are made once for a connection. */
export function putTls(facts: TlsFacts, put: Put): void {
  let pairs = made.get(facts);
  if (!pairs) {
    pairs = pairsOf(facts);
    made.set(facts, pairs);
  }
  for (const [name, value] of pairs) put(name, value);
}

function pairsOf({ protocol, cipher, serverName, client }: TlsFacts): Pair[] {
  const pairs: Pair[] = [
    ["SSL_PROTOCOL", protocol],
    ["SSL_CIPHER", cipher],
    ["SSL_TLS_SNI", bytes(serverName)],
    ["SSL_CLIENT_VERIFY", verdict(client)],
  ];
  if (client) pairs.push(...clientPairs(client));
  // An unknown fact, or one that a server in front of us did not send (decode-tls.ts), has no variable.
  return pairs.filter(([, value]) => value !== "");
}

const verdict = (client: ClientCertificate | undefined): string => {
  if (!client) return "NONE";
  return client.error === "" ? "SUCCESS" : `FAILED:${client.error}`;
};

const clientPairs = ({ chain, subject, issuer, serial, validFrom, validTo }: ClientCertificate): Pair[] => [
  ["SSL_CLIENT_S_DN", bytes(subject)],
  ["SSL_CLIENT_I_DN", bytes(issuer)],
  ["SSL_CLIENT_M_SERIAL", serial],
  ["SSL_CLIENT_V_START", validFrom],
  ["SSL_CLIENT_V_END", validTo],
  ["SSL_CLIENT_CERT", chain[0] ?? ""],
];

/** UTF-8, each byte a character, like all values of variables. */
const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
