import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const here = mkdtempSync(join(tmpdir(), "pack-"));
const project = join(here, "project");
after(() => rmSync(here, { recursive: true, force: true }));

const APP = `
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"from the package"]
`;
const USE = `
import { cgi, createServer, defineConfig, fastcgi, fetchApp, httpListener, nodeApp, SallyportError, scgi, serve, staticFiles, uwsgi, wsgi } from "sallyport";
import { httpListener as again } from "sallyport/http";
import { wsgi as wsgiAgain } from "sallyport/wsgi";
import { cgi as cgiAgain } from "sallyport/cgi";
import { fastcgi as fastcgiAgain } from "sallyport/fastcgi";
import { scgi as scgiAgain } from "sallyport/scgi";
import { uwsgi as uwsgiAgain } from "sallyport/uwsgi";
import { fetchApp as fetchAgain } from "sallyport/apps";
import { SallyportError as errorAgain } from "sallyport/exchange";
const config = defineConfig({ listen: ["127.0.0.1:0"], apps: { hi: fetchApp(() => new Response("hi")) } });
const server = createServer(config);
const [url] = await server.start();
console.log(await (await fetch(url as string)).text());
await server.stop();
const same = [again === httpListener, wsgiAgain === wsgi, cgiAgain === cgi, fetchAgain === fetchApp, errorAgain === SallyportError];
const others = [fastcgiAgain === fastcgi, scgiAgain === scgi, uwsgiAgain === uwsgi];
const served = await serve(() => new Response("served"), { listen: ["127.0.0.1:0"], program: false });
console.log(others.join(), await (await fetch(served.urls[0] as string)).text());
await served.stop();
console.log(same.join(), typeof nodeApp, typeof staticFiles);
`;
const STRICT = {
  compilerOptions: {
    module: "NodeNext",
    target: "ES2023",
    strict: true,
    noEmit: true,
    types: ["node"],
    skipLibCheck: false,
  },
  files: ["use.mts"],
};

test("the packed package installs into an empty folder, serves an app with npx, and gives its types and subpaths", async () => {
  await run("npm", ["pack", "--pack-destination", here], { cwd: root });
  const tarball = readdirSync(here).find((name) => name.endsWith(".tgz")) ?? assert.fail("no tarball");
  mkdirSync(project);
  writeFileSync(join(project, "app.py"), APP);
  writeFileSync(join(project, "use.mts"), USE);
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(STRICT));
  writeFileSync(join(project, "package.json"), '{ "private": true }\n');
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", join(here, tarball)], {
    cwd: project,
  });
  await served();
  await imported();
});

async function served(): Promise<void> {
  const child = spawn("npx", ["sallyport", "serve", "app:app", "--port", "0"], {
    cwd: project,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true, // npx passes no signal on: the whole group gets it
  });
  const closed = once(child, "close");
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => (text += chunk));
  try {
    let url: string | undefined;
    while (!url) {
      await Promise.race([once(child.stderr, "data"), closed.then(() => assert.fail(text))]);
      url = /^listening on (\S+)$/m.exec(text)?.[1];
    }
    assert.equal(await (await fetch(url)).text(), "from the package");
  } finally {
    if (child.exitCode === null) process.kill(-(child.pid as number), "SIGTERM");
    await closed;
  }
}

async function imported(): Promise<void> {
  const bin = (name: string) => join(root, "node_modules", name);
  const types = ["--typeRoots", bin("@types"), "-p", project];
  await run(process.execPath, [bin("typescript/bin/tsc"), ...types]).catch(({ stdout }) =>
    assert.fail(stdout),
  );
  const tsx = new URL("../../node_modules/tsx/dist/esm/index.mjs", import.meta.url).href;
  const { stdout } = await run(process.execPath, ["--import", tsx, "use.mts"], { cwd: project });
  assert.equal(stdout, "hi\ntrue,true,true served\ntrue,true,true,true,true function function\n");
}
