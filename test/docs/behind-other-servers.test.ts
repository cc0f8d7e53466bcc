// docs/behind-other-servers.md: what it shows is what the tests run.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

const CONFIGURATIONS: Readonly<Record<string, readonly string[]>> = {
  nginx: ["nginx/nginx.conf", "nginx/tls.conf"],
  apache: ["apache/httpd.conf", "apache/tls.conf"],
  lighttpd: ["lighttpd/lighttpd.conf"],
  caddy: ["caddy/Caddyfile"],
  ini: ["uwsgi/uwsgi.ini"],
};

/** Indentation and empty lines are not looked at. */
const linesOf = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");

const snippets = [...read("../../docs/behind-other-servers.md").matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];

for (const [language, configs] of Object.entries(CONFIGURATIONS))
  test(`each snippet for ${language} stands in test/interop/${configs.join(" or ")}`, () => {
    const shown = snippets.filter(([, fence]) => fence === language);
    assert.notEqual(shown.length, 0);
    const tested = configs.map((config) => linesOf(read(`../interop/${config}`)));
    for (const [, , text = ""] of shown)
      assert.ok(
        tested.some((lines) => lines.includes(linesOf(text))),
        text,
      );
  });
