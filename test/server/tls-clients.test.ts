// Real clients of HTTPS, and an app in Python that learns what they said.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { Authority, textOf } from "../kit/certificate-authority.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { needs, VENV_PYTHON } from "../kit/needs.ts";

const authority = new Authority();
const server = authority.server("server", ["localhost", "127.0.0.1"]);
const client = authority.issue("client", "/C=DE/O=Exämple/CN=alice", "-set_serial", "0x0ABC");
const directory = makeFolder();

const DEADLINE = 60_000;
const run = async (program: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)(program, args, { timeout: DEADLINE })).stdout;

writeFileSync(
  join(directory, "secured.py"),
  `from flask import Flask, jsonify, request

app = Flask(__name__)


@app.route("/")
def variables():
    names = ("SSL_", "HTTPS", "wsgi.url_scheme", "HTTP_SSL")
    return jsonify({k: v for k, v in request.environ.items() if k.startswith(names)})
`,
);

/** The URL of a server that asks for certificates. */
async function serving(t: TestContext, app: object, tls: object = {}): Promise<string> {
  const configured = { ...server, ca: authority.ca, clientCertificates: "ask", ...tls };
  const config = {
    listen: [{ address: "127.0.0.1:0", tls: configured as never }],
    apps: { app: app as never },
  };
  const made = createServer(config, { directory, log: silentLog });
  t.after(() => made.stop(0));
  const [url = ""] = await made.start();
  return url;
}

const flask = { wsgi: "secured:app", python: VENV_PYTHON, chdir: directory };
const shell = join(directory, "show");
writeFileSync(shell, "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n", { mode: 0o755 });

test("a Flask app sees https, and the client's certificate in the variables of mod_ssl", async (t) => {
  if (!needs(t, "curl", "py:flask")) return;
  const url = await serving(t, flask);
  const showing = ["--cert", client.cert, "--key", client.key];
  const forged = ["-H", "SSL-Client-S-DN: CN=root", "-H", "SSL_CLIENT_S_DN: CN=root"];
  const answer = await run("curl", "-s", "--cacert", authority.ca, ...showing, ...forged, `${url}/`);
  const seen = JSON.parse(answer) as Record<string, string>;
  assert.equal(seen["wsgi.url_scheme"], "https");
  assert.equal(seen.HTTPS, "on");
  assert.equal(seen.SSL_PROTOCOL, "TLSv1.3");
  assert.match(seen.SSL_CIPHER ?? "", /^TLS_/);
  assert.equal(seen.SSL_CLIENT_VERIFY, "SUCCESS");
  assert.equal(Buffer.from(seen.SSL_CLIENT_S_DN ?? "", "latin1").toString("utf8"), "CN=alice,O=Exämple,C=DE");
  assert.equal(seen.SSL_CLIENT_I_DN, "CN=Test authority,O=Sallyport tests");
  assert.equal(seen.SSL_CLIENT_M_SERIAL, "0ABC");
  assert.match(`${seen.SSL_CLIENT_V_START} ${seen.SSL_CLIENT_V_END}`, /GMT \w{3} .* GMT$/);
  assert.equal(seen.SSL_CLIENT_CERT, textOf(client.cert));
  assert.equal(seen.HTTP_SSL_CLIENT_S_DN, "CN=root", "a header is a header");
});

test("curl shows no certificate, asks for a name, and speaks TLS 1.2 to a CGI program", async (t) => {
  if (!needs(t, "curl")) return;
  const url = (await serving(t, { cgi: shell })).replace("127.0.0.1", "localhost");
  const common = ["-s", "--cacert", authority.ca, "--tls-max", "1.2"];
  const answer = await run("curl", ...common, "-H", "SSL-Client-Verify: SUCCESS", `${url}/`);
  const lines = answer.split("\n").filter((line) => /^(HTTPS|SSL_)/.test(line));
  assert.deepEqual(lines.sort(), [
    "HTTPS=on",
    lines.find((line) => line.startsWith("SSL_CIPHER=TLS_ECDHE_")),
    "SSL_CLIENT_VERIFY=NONE",
    "SSL_PROTOCOL=TLSv1.2",
    "SSL_TLS_SNI=localhost",
  ]);
});

test("a client that speaks only TLS 1.1 is refused, and with minVersion 1.3 one of 1.2, too", async (t) => {
  if (!needs(t, "curl")) return;
  const refused = (url: string, most: string) =>
    assert.rejects(run("curl", "-s", "--cacert", authority.ca, "--tls-max", most, `${url}/`), { code: 35 });
  await refused(await serving(t, { cgi: shell }), "1.1");
  await refused(await serving(t, { cgi: shell }, { minVersion: "1.3" }), "1.2");
});

test("openssl finds the whole chain in order, and its garbage does no harm", async (t) => {
  if (!needs(t, "openssl", "curl")) return;
  const url = await serving(t, { cgi: shell });
  const { host } = new URL(url);
  const args = ["-connect", host, "-CAfile", authority.ca, "-verify_return_error", "-ign_eof"];
  const probe = spawn("openssl", ["s_client", ...args]);
  let said = "";
  probe.stdout.on("data", (text) => {
    said += text;
  });
  probe.stdin.on("error", () => {});
  probe.stdin.end(Buffer.alloc(200, 0x07));
  await once(probe, "close");
  assert.match(said, /Verify return code: 0 \(ok\)/);
  assert.match(said, /HTTP\/1\.1 400 /);
  assert.match(await run("curl", "-s", "--cacert", authority.ca, `${url}/`), /^HTTPS=on$/m);
});

const HTTPX = `
import ssl, sys, httpx
url, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
with httpx.Client(verify=context) as client:
    for n in range(20):
        body = b"x" * (n * 50_000)
        response = client.post(url, content=body)
        assert response.status_code == 200 and response.content == body, (response.status_code, n)
print("done")
`;

test("httpx keeps a connection for many requests, with bodies up to a megabyte there and back", async (t) => {
  if (!needs(t, "py:httpx")) return;
  const echo = { app: async (request: Request) => new Response(await request.arrayBuffer()) };
  const url = await serving(t, echo);
  assert.equal(await run(VENV_PYTHON, "-c", HTTPX, `${url}/`, authority.ca), "done\n");
});
