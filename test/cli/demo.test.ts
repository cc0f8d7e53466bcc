import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { needs } from "../kit/needs.ts";
import { type Served, serve } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

let site: Served;
before(async () => {
  site = await serve([
    "--config",
    `${root}examples/demo/sallyport.config.yaml`,
    "--port",
    "0",
    "--access-log",
    "off",
  ]);
});
after(() => site.stop());

/** The names and values of all tables of a page. */
function tableOf(html: string): Record<string, string> {
  const rows = html.matchAll(/<tr><th>(.*?)<\/th><td>(.*?)<\/td><\/tr>/gs);
  return Object.fromEntries([...rows].map(([, name, value]) => [name, value]));
}

test("every link of the index page answers 200", async () => {
  const index = await (await fetch(site.url)).text();
  const links = [...index.matchAll(/href="(\/[^"]*)"/g)].map(([, href]) => href as string);
  assert.ok(links.length >= 8, links.join());
  for (const href of links) assert.equal((await fetch(site.url + href)).status, 200, href);
});

const NASTY = "<b>&amp;";

/** A page, the program it needs, and what its table must show. */
const PAGES: [string, string, Record<string, string>][] = [
  [
    "/wsgi",
    "python3",
    { SCRIPT_NAME: "/wsgi", PATH_INFO: "/café", REQUEST_METHOD: "POST", "wsgi.url_scheme": "http" },
  ],
  [
    "/asgi",
    "python3",
    { root_path: "/asgi", path: "/asgi/café", method: "POST", http_version: "1.1", type: "http" },
  ],
  [
    "/cgi-bin/show.py",
    "python3",
    { SCRIPT_NAME: "/cgi-bin/show.py", PATH_INFO: "/café", GATEWAY_INTERFACE: "CGI/1.1" },
  ],
  [
    "/cgi-bin/show.sh",
    "awk",
    { SCRIPT_NAME: "/cgi-bin/show.sh", PATH_INFO: "/café", GATEWAY_INTERFACE: "CGI/1.1" },
  ],
  [
    "/cgi-bin/show.pl",
    "perl",
    { SCRIPT_NAME: "/cgi-bin/show.pl", PATH_INFO: "/café", GATEWAY_INTERFACE: "CGI/1.1" },
  ],
  ["/fetch", "node", { method: "POST", mount: "/fetch" }],
  [
    "/node",
    "node",
    { method: "POST", url: "/caf%C3%A9?name=value", originalUrl: "/node/caf%C3%A9?name=value" },
  ],
];

for (const [path, program, expected] of PAGES) {
  test(`the page ${path} shows what it was handed, escaped, and the body`, async (t) => {
    if (!needs(t, program)) return;
    const response = await fetch(`${site.url}${path}/caf%C3%A9?name=value`, {
      method: "POST",
      body: NASTY,
      headers: { "X-Greeting": NASTY, "Content-Type": "text/plain" },
    });
    const html = await response.text();
    assert.equal(response.status, 200, html);
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
    const table = tableOf(html);
    for (const [name, value] of Object.entries(expected)) assert.equal(table[name], value, name);
    const escaped = "&lt;b&gt;&amp;amp;";
    assert.equal(table.HTTP_X_GREETING ?? table["x-greeting"], escaped);
    assert.ok(html.includes(`<pre>${escaped}</pre>`), html);
    assert.ok(!html.includes("<b>"));
  });
}

test("the ASGI door has a chat: what one says, all hear", async (t) => {
  if (!needs(t, "python3")) return;
  const [ann, bob] = await Promise.all([
    WebSocketClient.open(`${site.url}/asgi`),
    WebSocketClient.open(`${site.url}/asgi`),
  ]);
  ann.say("hello, all");
  assert.deepEqual([await ann.hear(), await bob.hear()], ["hello, all", "hello, all"]);
  await Promise.all([ann.close(), bob.close()]);
});

test("no page shows the server's own environment", async () => {
  for (const path of ["/wsgi", "/asgi", "/cgi-bin/show.py", "/cgi-bin/show.sh", "/cgi-bin/show.pl"]) {
    const table = tableOf(await (await fetch(site.url + path)).text());
    assert.ok(!("HOME" in table), path);
  }
});

test("npm start serves the site at PORT and HOST, and stops when it is told to", async () => {
  const child = spawn("npm", ["start", "--", "--access-log", "off"], {
    cwd: root,
    env: { ...process.env, PORT: "0", HOST: "127.0.0.1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = once(child, "close"); // the pipe closes when the server, which shares it, has ended
  let text = "";
  let url: string | undefined;
  for await (const chunk of child.stderr.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    text += chunk;
    url = /^listening on (\S+)$/m.exec(text)?.[1];
    if (url) break;
  }
  child.stderr.resume();
  assert.equal((await fetch(url ?? assert.fail(text))).status, 200);
  child.kill("SIGTERM");
  await closed;
  await assert.rejects(fetch(String(url)));
});
