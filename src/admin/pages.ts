// The pages of the dashboard and the inspector: a few files beside this one, which have no data in them. A policy keeps
// out every script that is not one of them.
// Tested by test/admin/inspection.test.ts.
import { readFile } from "node:fs/promises";
import type { AdminAnswer } from "./endpoints.ts";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS: readonly string[] = [
  "Content-Security-Policy",
  POLICY,
  "X-Content-Type-Options",
  "nosniff",
  "Referrer-Policy",
  "no-referrer",
];

const OWN = new URL("pages/", import.meta.url);

/** `name`: one of the files in `folder`, as the paths of the endpoints allow them. Undefined when there is none. */
export async function page(name: string, folder: URL = OWN): Promise<AdminAnswer | undefined> {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
  const text = type && (await readFile(new URL(name, folder), "utf8").catch(() => undefined));
  return text === undefined || type === undefined ? undefined : { status: 200, type, text, headers: HEADERS };
}
