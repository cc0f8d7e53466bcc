// TLS that ends at nginx or Apache httpd, in front of our listeners of FastCGI, SCGI and uwsgi: an application learns the
// same of its client as from our own listener of HTTP.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { type RequestOptions, request } from "node:https";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import type { Server } from "../../src/server/server.ts";
import { Authority, type Pair, textOf } from "../kit/certificate-authority.ts";
import { missing } from "../kit/needs.ts";
import { type Peer, path, startPeer } from "./peer.ts";

const NEEDS = missing("openssl", "py:json");
const PROTOCOLS = ["fastcgi", "scgi", "uwsgi"] as const;
const PORTS = { fastcgi: 8080, scgi: 8081, uwsgi: 8082 } as const;

type Told = Readonly<Record<string, unknown>>;

/** A client, by what it shows of itself. */
interface Client {
  readonly name: string;
  readonly options: RequestOptions;
}

/** Certificates of the server and of its clients; one suite of ciphers each, so that both servers in front agree on it. */
function issueCertificates() {
  const authority = new Authority();
  const alice = optionsOf(authority.issue("alice", "/C=DE/O=Exämple/CN=alice", "-set_serial", "0x0ABC"));
  const old = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" } as const;
  const clients: readonly Client[] = [
    { name: "no certificate", options: {} },
    { name: "a certificate", options: alice },
    { name: "a certificate, by TLS 1.2", options: { ...old, ...alice } },
  ];
  const eve: Client = { name: "eve", options: optionsOf(new Authority().issue("eve", "/CN=eve")) };
  return { ca: authority.ca, pair: authority.server("server", ["localhost"]), clients, eve };
}

const optionsOf = ({ cert, key }: Pair): RequestOptions => ({ cert: textOf(cert), key: textOf(key) });

interface Started {
  readonly server: Server;
  /** Our own listener of HTTPS. */
  readonly direct: string;
  /** What the configurations of the servers in front have in these places. */
  readonly places: Readonly<Record<string, string>>;
}

async function startServer(pair: Pair, ca: string): Promise<Started> {
  const app = (kind: string, target: string) => ({ [kind]: target, chdir: path("programs"), processes: 1 });
  const tls = { ...pair, ca, clientCertificates: "ask" };
  const server = createServer(
    {
      listen: [
        { address: "127.0.0.1:0", tls: tls as never },
        ...PROTOCOLS.map((name) => `${name}://127.0.0.1:0`),
      ],
      apps: {
        wsgi: app("wsgi", "secured:variables") as never,
        asgi: app("asgi", "secured:extension") as never,
      },
      routes: [
        { path: "/asgi", app: "asgi" },
        { path: "/", app: "wsgi" },
      ],
    },
    { directory: dirname(path("programs")), log: silentLog },
  );
  const [direct = "", ...others] = await server.start();
  const [fastcgi = "", scgi = "", uwsgi = ""] = others.map((other) => other.replace(/.*:/, ""));
  const files = { "/srv/server.pem": pair.cert, "/srv/server-key.pem": pair.key, "/srv/ca.pem": ca };
  return { server, direct, places: { "9001": fastcgi, "9002": scgi, "9003": uwsgi, ...files } };
}

describe("TLS ends in front of us", { skip: NEEDS }, () => {
  const { ca, pair, clients, eve } = issueCertificates();
  let started: Started;
  before(async () => {
    started = await startServer(pair, ca);
  });
  after(() => started?.server.stop(0));

  const ask = (url: string, target: string, { options }: Client): Promise<Told> =>
    told(url.replace(/^http:/, "https:") + target, { ca: textOf(ca), ...options });

  /** Behind the peer an app learns what it learns without it, but for `unsaid`. */
  function testTelling(peer: () => Peer, unsaid: readonly string[]): void {
    for (const protocol of PROTOCOLS)
      for (const client of clients) {
        test(`${protocol}, ${client.name}: a WSGI app has the variables that it has without a server in front`, async () => {
          const behind = await ask(peer().url(PORTS[protocol]), "/wsgi", client);
          assert.deepEqual(behind, await ask(started.direct, "/wsgi", client));
        });
        test(`${protocol}, ${client.name}: an ASGI app has the tls extension that it has without`, async () => {
          const behind = await ask(peer().url(PORTS[protocol]), "/asgi", client);
          const expected = { ...(await ask(started.direct, "/asgi", client)) };
          for (const name of unsaid) expected[name] = null;
          // A server in front need not pass on who signed the client's certificate.
          const own = ({ client_cert_chain: chain, ...rest }: Told) => [(chain as string[])[0], rest];
          assert.deepEqual(own(behind), own(expected));
        });
      }
  }

  describe("nginx", { skip: missing("nginx") }, () => {
    let peer: Peer;
    before(async () => {
      const command = (config: string, own: string) => [
        "nginx",
        "-p",
        own,
        "-c",
        config,
        "-g",
        "daemon off;",
      ];
      peer = await startPeer({ config: "nginx/tls.conf", places: started.places, command });
    });
    after(() => peer?.stop());

    testTelling(() => peer, ["server_cert"]);

    for (const protocol of PROTOCOLS)
      test(`${protocol}: a certificate that nobody here has signed is not trusted, by the same words`, async () => {
        const behind = await ask(peer.url(PORTS[protocol]), "/wsgi", eve);
        assert.match(String(behind.SSL_CLIENT_VERIFY), /^FAILED:/);
        assert.deepEqual(behind, await ask(started.direct, "/wsgi", eve));
      });
  });

  describe("Apache httpd", { skip: missing("apache2") }, () => {
    let peer: Peer;
    before(async () => {
      const command = (config: string) => ["apache2", "-f", config, "-DFOREGROUND"];
      peer = await startPeer({ config: "apache/tls.conf", places: started.places, command });
      // The password is "secret".
      await writeFile(join(peer.folder, "members"), "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
    });
    after(() => peer?.stop());

    testTelling(() => peer, []);

    for (const protocol of PROTOCOLS)
      test(`${protocol}: whom Apache has authenticated the application knows by name`, async () => {
        const client = { name: "ada", options: { auth: "ada:secret" } };
        const { REMOTE_USER, AUTH_TYPE } = await ask(peer.url(PORTS[protocol]), "/members", client);
        assert.deepEqual([REMOTE_USER, AUTH_TYPE], ["ada", "Basic"]);
      });
  });
});

function told(url: string, options: RequestOptions): Promise<Told> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { ...options, agent: false, servername: "localhost" }, (response) => {
      response
        .toArray()
        .then((pieces) => resolve(JSON.parse(Buffer.concat(pieces).toString("utf8")) as Told))
        .catch(reject);
    });
    asking.on("error", reject).end();
  });
}
