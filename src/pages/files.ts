// The files of a page: those in the folder of the page itself, and those in shared/, which the dashboard and the
// demonstration have in common.
// They have no data in them, and are all under one path, so that each imports the others by their bare names. A policy keeps
// out every script that is not one of them.
// Tested by test/admin/inspection.test.ts.
import { readFile } from "node:fs/promises";

/** Whole, with the fields that go with it. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

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

/** A name without a path: letters, digits, `_` and `-`, and an ending. */
export const PAGE_NAME: RegExp = /^[\w-]+\.\w+$/;

/** The file `name` of the page in `folder`, a URL that ends with "/"; undefined when there is none. */
export async function pageFile(folder: URL, name: string): Promise<PageFile | undefined> {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
  if (type === undefined || !PAGE_NAME.test(name)) return undefined;
  const text = (await read(name, folder)) ?? (await read(name, SHARED));
  return text === undefined ? undefined : { type, text, headers: HEADERS };
}

const SHARED = new URL("shared/", import.meta.url);

const read = (name: string, folder: URL): Promise<string | undefined> =>
  readFile(new URL(name, folder), "utf8").catch(() => undefined);
