// docs/serving.md: each web server accepts its snippets as they stand, so that a reader may paste them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { needs } from "../kit/needs.ts";
import { readText } from "./prose.ts";

/** For a program that only reads a file; generous, as machines may be loaded. */
const DEADLINE = 60_000;
const MODULES = "/usr/lib/apache2/modules";
const LOADED = ["mpm_event", "authz_core", "alias", "cgid", "fcgid"];
const PROXIES = ["proxy", "proxy_fcgi", "proxy_scgi", "proxy_uwsgi"];
/** Of nginx, which makes their directories where only root may. */
const TEMPORARY = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"];

interface Server {
  readonly program: string;
  /** The whole file around a snippet. */
  whole(snippet: string, folder: string): string;
  /** The arguments that only check `file`. */
  check(file: string): string[];
}

const SERVERS: Readonly<Record<string, Server>> = {
  nginx: {
    program: "nginx",
    whole: (snippet, folder) => `pid ${folder}/pid;
error_log stderr;
events {}
http { access_log off;
${TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}
server { listen 127.0.0.1:8080;
${snippet.replace(/include (\w+_params)/g, "include /etc/nginx/$1")}
} }
`,
    check: (file) => ["-t", "-c", file],
  },
  apache: {
    program: "apache2",
    whole: (snippet, folder) => `ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:8080
${[...LOADED, ...PROXIES].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join("\n")}
${snippet}`,
    check: (file) => ["-t", "-f", file],
  },
  lighttpd: {
    program: "lighttpd",
    whole: (snippet, folder) => `server.document-root = "${folder}"
server.modules = ("mod_fastcgi")
${snippet}`,
    check: (file) => ["-t", "-f", file],
  },
  caddyfile: {
    program: "caddy",
    whole: (snippet) => snippet,
    check: (file) => ["validate", "--adapter", "caddyfile", "--config", file],
  },
};

const snippetsFor = (name: string): string[] =>
  [...readText("docs/serving.md").matchAll(new RegExp(`^\`\`\`${name}\\n(.*?)^\`\`\``, "gms"))].map(
    ([, snippet = ""]) => snippet,
  );

for (const [name, { program, whole, check }] of Object.entries(SERVERS))
  test(`${program} accepts the snippets of docs/serving.md as they stand`, async (t) => {
    if (!needs(t, program)) return;
    const folder = makeFolder(t);
    mkdirSync(join(folder, "logs"));
    const snippets = snippetsFor(name);
    assert.ok(snippets.length > 0);
    for (const [i, snippet] of snippets.entries()) {
      const file = join(folder, `${i}.conf`);
      writeFileSync(file, whole(snippet, folder));
      const said = await new Promise<string>((resolve) => {
        const options = { cwd: folder, timeout: DEADLINE, env: { ...process.env, HOME: folder } };
        execFile(program, check(file), options, (error, stdout, stderr) =>
          resolve(error ? `${stdout}${stderr}` : ""),
        );
      });
      assert.equal(said, "", snippet);
    }
  });
