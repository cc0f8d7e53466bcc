// docs/behind-other-servers.md: what it shows is what the tests run.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

const CONFIGURATIONS: Readonly<Record<string, string>> = {
  nginx: "nginx/nginx.conf",
  apache: "apache/httpd.conf",
  lighttpd: "lighttpd/lighttpd.conf",
  caddy: "caddy/Caddyfile",
  ini: "uwsgi/uwsgi.ini",
};

/** Indentation and empty lines are not looked at. */
const linesOf = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");

const snippets = [...read("../../docs/behind-other-servers.md").matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];

for (const [language, config] of Object.entries(CONFIGURATIONS))
  test(`each snippet for ${language} stands in test/interop/${config}`, () => {
    const shown = snippets.filter(([, fence]) => fence === language);
    assert.notEqual(shown.length, 0);
    const tested = linesOf(read(`../interop/${config}`));
    for (const [, , text = ""] of shown) assert.ok(tested.includes(linesOf(text)), text);
  });
