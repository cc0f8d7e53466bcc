// Explanations of requests to the applications of test/apps/explain, which answer with what they were really handed.
import { fileURLToPath } from "node:url";
import type { Config } from "../../src/config/config.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { type ExplainOptions, type Explanation, explain } from "../../src/explain/explain.ts";
import type { AskedRequest } from "../../src/explain/request.ts";

export const APPS: string = fileURLToPath(new URL("../apps/explain", import.meta.url));

const python = { chdir: APPS, python: "python3" };

export const CONFIG: Config = {
  apps: {
    shop: { wsgi: "dump:wsgi", ...python },
    api: { asgi: "dump:asgi", ...python },
    program: { cgi: `${APPS}/dump.cgi`, env: { COLOUR: "blue" } },
    files: { static: APPS },
  },
  routes: [
    { path: "/", app: "files" },
    { path: "/shop", app: "shop" },
    { path: "/shop/api", app: "api" },
    { suffix: ".cgi", app: "program" },
    { path: "/inner", host: "intern.example.org", app: "shop" },
  ],
  trust: ["127.0.0.1"],
};

export const ASKED: AskedRequest = {
  method: "POST",
  scheme: "http",
  authority: "example.org",
  target: "/shop/p%20q/k%C3%A4se?x=1&y=%20",
  fields: ["Accept: */*", "X-Two-Words: one", "X-Two-Words: two"],
  body: Buffer.from("a=1"),
  remote: { address: "127.0.0.1", port: 54_321 },
  local: { address: "127.0.0.1", port: 8000 },
};

export function ask(
  asked: Partial<AskedRequest> = {},
  options: Partial<ExplainOptions> & { config?: Config } = {},
): Promise<Explanation> {
  const { config = CONFIG, ...rest } = options;
  return explain(
    { ...ASKED, ...asked },
    { settings: checkConfig(config), directory: APPS, as: undefined, diff: undefined, run: false, ...rest },
  );
}
