import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, promises, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { serveSettingsOf } from "../../src/cli/settings.ts";
import type { Config } from "../../src/config/config.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { loadConfig } from "../../src/config/file.ts";
import { type SallyportError, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { Encryption } from "../../src/server/encryption.ts";
import { type Server, serverOf } from "../../src/server/server.ts";
import { Authority, textOf } from "../kit/certificate-authority.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { allFrom, GET, plain, secure, trusting } from "../kit/serve-tls.ts";

const authority = new Authority();
const first = authority.server("first", ["example.org"]);
const second = authority.server("second", ["example.net"]);
const trust = trusting(authority.ca);
const directory = makeFolder();

const hello = {
  handle: (exchange: import("../../src/exchange/index.ts").Exchange) => exchange.respond(OK, "hello"),
};
const OK = { status: 200, reason: "", headers: [] };
const configured = (tls: object, address = "127.0.0.1:0"): Config => ({
  listen: [{ address, tls } as never],
  apps: { app: hello },
});

async function started(t: TestContext, server: Server): Promise<number> {
  t.after(() => server.stop(0));
  const [url = ""] = await server.start();
  assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
  return Number(new URL(url).port);
}

/** The certificate that a new connection is shown. */
async function shown(port: number, servername = "example.org"): Promise<string> {
  const socket = await secure(port, { ...trust, servername, checkServerIdentity: () => undefined });
  const certificate = socket.getPeerX509Certificate()?.toString() ?? "";
  socket.destroy();
  return certificate;
}

const problemsOf = (config: unknown): string => {
  try {
    checkConfig(config);
  } catch (error) {
    const { message, detail } = error as SallyportError;
    return detail ?? message;
  }
  return assert.fail("nothing is wrong with it");
};

test("the URL of an address with tls is https, and it serves by TLS", async (t) => {
  const port = await started(t, createServer(configured(first), { log: silentLog }));
  const socket = await secure(port, trust);
  socket.write(GET);
  assert.match(await allFrom(socket), /^HTTP\/1\.1 200 OK\r\n.*hello$/s);
});

test("an error in a section tls is reported with its key", () => {
  const { cert, key } = first;
  assert.match(problemsOf(configured({ cert })), /listen\[0\]\.tls\.key: is missing/);
  assert.match(
    problemsOf(configured({ cert, key, minVersion: "1.1" })),
    /minVersion: must be one of "1\.2", "1\.3"/,
  );
  assert.match(
    problemsOf(configured({ cert, key, clientCertificates: "require" })),
    /listen\[0\]\.tls\.clientCertificates: "require" needs ca/,
  );
  assert.match(
    problemsOf(configured({ cert, key, ca: "ca.pem", clientCertificates: "off" })),
    /listen\[0\]\.tls\.ca: has no use while/,
  );
  assert.match(problemsOf(configured({ cert, kee: key })), /unknown key; did you mean key\?/);
  assert.match(
    problemsOf(configured({ cert, key }, "fastcgi://127.0.0.1:9000")),
    /listen\[0\]\.tls: is for HTTP only, not for FastCGI, SCGI or uwsgi/,
  );
  assert.match(
    problemsOf({ listen: ["https://127.0.0.1:1"], apps: { app: hello } }),
    /listen\[0\]: must for HTTPS be a section: /,
  );
});

test("a faulty file of the configuration is reported with file, line and key", async () => {
  const file = join(directory, "sallyport.config.yaml");
  writeFileSync(
    file,
    `apps: { files: { static: . } }
listen:
  - address: 127.0.0.1:0
    tls:
      cert: ${first.cert}
      key: missing.pem
      ca: ${first.key}
`,
  );
  await assert.rejects(loadConfig(file), ({ code, detail }: SallyportError) => {
    assert.equal(code, "ERR_SALLYPORT_CONFIG_INVALID");
    assert.deepEqual(detail?.split("\n"), [
      `sallyport.config.yaml:6: listen[0].tls.key: ${join(directory, "missing.pem")} does not exist`,
      `sallyport.config.yaml:7: listen[0].tls.ca: ${first.key} has no PEM block "-----BEGIN CERTIFICATE-----"`,
    ]);
    return true;
  });
});

test("a server whose key does not fit does not start, and leaves no listener", async () => {
  const server = createServer(configured({ cert: first.cert, key: second.key }), { log: silentLog });
  await assert.rejects(server.start(), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: `configuration: listen[0].tls.key: ${second.key} is not the key of the certificate in ${first.cert}`,
  });
});

const settings = async (...args: string[]) => {
  const { flags } = parseCommandLine(["serve", ...args]);
  return (await serveSettingsOf({ kind: "files", name: directory }, flags, directory)).settings.listen;
};

test("pairs of --tls-cert and --tls-key make HTTPS of every HTTP address", async () => {
  const pairs = [
    "--tls-cert",
    first.cert,
    "--tls-key",
    first.key,
    "--tls-cert",
    second.cert,
    "--tls-key",
    second.key,
  ];
  const [web, fastcgi] = await settings("--http", "8443", "--fastcgi", "9000", ...pairs);
  assert.equal(web?.tls?.cert, first.cert);
  assert.deepEqual(web?.tls?.others, [second]);
  assert.equal(web?.tls?.clientCertificates, "off");
  assert.equal(fastcgi?.tls, undefined);
  const [usual] = await settings(...pairs, "--tls-ca", authority.ca);
  assert.equal(usual?.tls?.clientCertificates, "require");
});

test("options about TLS that contradict each other are refused", async () => {
  const pair = ["--tls-cert", first.cert, "--tls-key", first.key];
  const refused = (pattern: RegExp, ...args: string[]) =>
    assert.rejects(settings(...args), (error: SallyportError) => {
      assert.match(error.message, pattern);
      return true;
    });
  await refused(/come in pairs/, "--tls-cert", first.cert);
  await refused(/--tls-ca needs --tls-cert/, "--tls-ca", authority.ca);
  await refused(/require needs --tls-ca/, ...pair, "--tls-client-certificates", "require");
  await refused(/none of the addresses is for HTTP/, ...pair, "--scgi", "4000");
  await refused(
    /^--tls-key: .*second-key\.pem is not the key/,
    "--tls-cert",
    first.cert,
    "--tls-key",
    second.key,
  );
});

/** A server whose files can be replaced. */
async function renewable(
  t: TestContext,
): Promise<{ server: Server; port: number; put(pair: typeof first): void }> {
  const folder = mkdtempSync(join(directory, "live-"));
  const put = ({ cert, key }: typeof first): void => {
    copyFileSync(cert, join(folder, "cert.pem"));
    copyFileSync(key, join(folder, "key.pem"));
  };
  put(first);
  const server = createServer(configured({ cert: "cert.pem", key: "key.pem" }), {
    directory: folder,
    log: silentLog,
  });
  return { server, port: await started(t, server), put };
}

test("a reload shows new certificates to new connections, and drops none of the old", async (t) => {
  const { server, port, put } = await renewable(t);
  const old = await secure(port, trust);
  put(second);
  await server.reload();
  assert.equal(await shown(port), textOf(second.cert));
  old.write(GET);
  assert.match(await allFrom(old), /^HTTP\/1\.1 200 /);
});

test("a reload with faulty files fails, and the old certificate stays", async (t) => {
  const { server, port, put } = await renewable(t);
  put({ cert: second.cert, key: first.key });
  await assert.rejects(server.reload(), { code: "ERR_SALLYPORT_CONFIG_INVALID" });
  assert.equal(await shown(port), textOf(first.cert));
});

test("changed files are noticed by the check; faulty ones are reported once, and good ones are used", async (t) => {
  const folder = mkdtempSync(join(directory, "look-"));
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const put = (from: typeof first) => {
    copyFileSync(from.cert, files.cert);
    copyFileSync(from.key, files.key);
  };
  put(first);
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  const encryption = new Encryption("/", {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
  });
  t.after(() => encryption.close(0));
  const [address] = checkConfig(configured(files)).listen;
  assert.ok(address?.tls);
  await encryption.acceptAt(address.tls, 0, (socket) => void socket.destroy());
  await encryption.renewChanged();
  assert.deepEqual(lines, []);
  copyFileSync(second.cert, files.cert);
  await encryption.renewChanged();
  await encryption.renewChanged();
  assert.deepEqual(lines, [
    `error: changed certificates cannot be used and the old ones stay: ${files.key} is not the key of the certificate in ${files.cert}`,
  ]);
  put(second);
  await encryption.renewChanged();
  assert.equal(lines[1], `info: certificates were read again: ${files.cert}`);
  // What could not be read is tried again, though the files are the same.
  put(first);
  const noDescriptors = t.mock.method(promises, "readFile", async () => {
    throw new Error("EMFILE: too many open files");
  });
  syncBuiltinESMExports();
  await encryption.renewChanged();
  await encryption.renewChanged();
  noDescriptors.mock.restore();
  syncBuiltinESMExports();
  await encryption.renewChanged();
  await encryption.renewChanged();
  assert.match(lines[2] ?? "", /^error: .* the configuration has 2 problems/);
  assert.deepEqual(lines.slice(3), [lines[1]]);
});

test("L3: a server that stops ends idle TLS connections, and handshakes under way", async (t) => {
  const server = createServer(configured(first), { log: silentLog });
  const port = await started(t, server);
  const idle = await secure(port, trust);
  idle.write(GET.replace("Connection: close\r\n", ""));
  const { plain } = await import("../kit/serve-tls.ts");
  const arriving = await plain(port);
  await new Promise((resolve) => idle.once("data", resolve));
  const ends = [allFrom(idle), allFrom(arriving)];
  await server.stop(60_000);
  await Promise.all(ends);
});

const BESIDE: [string, object][] = [
  ["by TLS", { tls: first }],
  ["behind a PROXY header", { proxyProtocol: true }],
  ["by TLS behind a PROXY header", { tls: first, proxyProtocol: true }],
];

for (const [how, settings] of BESIDE) {
  test(`L3: connections that came ${how} just before the stop are answered; those that stay silent do not hold it up`, async (t) => {
    const listen = [{ address: "127.0.0.1:0", ...settings } as never];
    const server = createServer({ listen, apps: { app: hello } }, { log: silentLog });
    t.after(() => server.stop(0));
    const [url = ""] = await server.start();
    const port = Number(new URL(url).port);
    const [last, silent] = [await plain(port), await plain(port)];
    await new Promise((resolve) => setTimeout(resolve, 20)); // for the server to accept them
    const stopped = server.stop(60_000);
    await new Promise((resolve) => setTimeout(resolve, 100)); // as long as a request may be on its way
    if ("proxyProtocol" in settings) last.write("PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n");
    const socket =
      "tls" in settings ? connectTls({ socket: last, servername: "example.org", ...trust }) : last;
    socket.write(GET.replace("Connection: close\r\n", ""));
    assert.match(await allFrom(socket), /^HTTP\/1\.1 200 .*\r\nConnection: close\r\n.*hello$/s);
    await stopped;
    assert.equal(await allFrom(silent), "");
  });
}

test("a reload to other certificates does not need the files of those before", async (t) => {
  const here = mkdtempSync(join(directory, "moved-"));
  const before = { cert: join(here, "before.pem"), key: join(here, "before.key") };
  copyFileSync(first.cert, before.cert);
  copyFileSync(first.key, before.key);
  let config = configured(before);
  const server = serverOf(checkConfig(config), { log: silentLog, reread: async () => checkConfig(config) });
  const port = await started(t, server);
  const old = await shown(port);
  config = configured({ cert: second.cert, key: second.key });
  for (const file of Object.values(before)) rmSync(file);
  await server.reload();
  assert.notEqual(await shown(port), old);
});
