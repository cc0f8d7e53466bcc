// Sockets that systemd passes (sd_listen_fds(3)), by systemd's own program.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { get as getHttps } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeCertificate } from "../kit/make-certificate.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { type Activated, startActivated } from "../kit/start-activated.ts";
import { until } from "../kit/until.ts";

const APPS = fileURLToPath(new URL("../apps/isolation", import.meta.url));

/** It gets a TCP and a Unix socket, the second for SCGI by its name. */
async function activated(t: TestContext, args: readonly string[]): Promise<Activated & { unix: string }> {
  const unix = join(makeFolder(t), "socket");
  const site = ["report:wsgi", "--chdir", APPS, "--access-log", "off"];
  const server = await startActivated(t, [...site, ...args], ["-l", unix, "--fdname=web:scgi"]);
  return { ...server, unix };
}

/** The answer of a CGI-like protocol, to a request without a body. */
async function askScgi(path: string): Promise<string> {
  const variables = [
    "CONTENT_LENGTH",
    "0",
    "SCGI",
    "1",
    "REQUEST_METHOD",
    "GET",
    "REQUEST_URI",
    "/",
    "SERVER_PROTOCOL",
    "HTTP/1.1",
  ];
  const head = `${[...variables, "HTTP_HOST", "localhost"].join("\0")}\0`;
  const socket = connect(path);
  socket.write(`${head.length}:${head},`);
  return text(socket);
}

interface Report {
  readonly env: Readonly<Record<string, string>>;
}

const reportOf = async (port: number): Promise<Report> =>
  (await fetch(`http://127.0.0.1:${port}/`)).json() as Promise<Report>;

const skip = missing("systemd-socket-activate");

for (const more of [[], ["--server-processes", "2"]]) {
  test(`sockets by their names, before and after a reload, and none of it for the app ${more.join(" ")}`, {
    skip,
  }, async (t) => {
    const { port, unix, pid, stderr } = await activated(t, more);
    const { env } = await reportOf(port);
    assert.deepEqual(
      Object.keys(env).filter((name) => name.startsWith("LISTEN_")),
      [],
    );
    assert.match(await askScgi(unix), /^Status: 200/);
    await until(() => new RegExp(`listening on (http://127.0.0.1:${port}|fd:3)`).test(stderr()));
    process.kill(pid, "SIGHUP");
    await until(() => /reloaded|were replaced/.test(stderr()));
    await reportOf(port);
    assert.match(await askScgi(unix), /^Status: 200/);
  });
}

test("TLS at a socket that was passed", { skip }, async (t) => {
  const certificate = makeCertificate();
  t.after(() => certificate.remove());
  const { port } = await activated(t, certificate.options);
  const ca = readFileSync(certificate.cert, "utf8");
  const body = await new Promise<string>((resolve, reject) => {
    getHttps(`https://127.0.0.1:${port}/`, { ca, agent: false }, (response) => resolve(text(response))).on(
      "error",
      reject,
    );
  });
  assert.match(body, /"umask"/);
});
