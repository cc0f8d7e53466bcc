// The servers that are tried: the real command line in a process of its own, with a configuration file that can change.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Config } from "../../src/config/config.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { findProgram } from "../kit/needs.ts";
import { pythons } from "../kit/pythons.ts";
import { type Served, serve } from "../kit/serve.ts";

/** `npm run chaos` asks for the long form; `npm test` runs the short one. */
export const LONG: boolean = process.env.CHAOS === "long";

export const APPS: string = fileURLToPath(new URL("apps", import.meta.url));
export const PYTHON: string = pythons()[0]?.path as string;
const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const python = { python: PYTHON, chdir: APPS };

type App = Config["apps"][string];

export interface Kind {
  readonly app: App;
  readonly serverProcesses?: number;
  /** What the processes that run the application have in their command line. */
  readonly worker: RegExp;
  /** Most requests that one such process has begun at once. */
  readonly inside: number;
}

const CLIENTS_ALL = Number.POSITIVE_INFINITY;
const PYTHON_WORKER = /python[\d.]*\0.*\/python\0$/;

/** FastCGI by PHP where it is installed, and by our own application half. */
export const KINDS: Readonly<Record<string, Kind>> = {
  "WSGI threads": {
    app: { wsgi: "checksum_wsgi:app", processes: 2, threads: 4, ...python },
    worker: PYTHON_WORKER,
    inside: 4,
  },
  ASGI: {
    app: { asgi: "checksum_asgi:app", processes: 2, ...python },
    worker: PYTHON_WORKER,
    inside: CLIENTS_ALL,
  },
  ...(findProgram("php-cgi")
    ? { "FastCGI (php-cgi)": { app: { php: APPS }, worker: /^php-cgi\0/, inside: 1 } }
    : {}),
  "FastCGI (our application half)": {
    app: {
      fastcgi: {
        command: [process.execPath, BIN, "serve", join(APPS, "checksum_module.mjs"), "--access-log", "off"],
        processes: 2,
      },
    },
    worker: /checksum_module/,
    inside: CLIENTS_ALL,
  },
  "embedded, two server processes": {
    app: { wsgi: "checksum_wsgi:app", mode: "embedded", ...python },
    serverProcesses: 2,
    worker: /bin\/sallyport\.js\0/,
    inside: CLIENTS_ALL,
  },
};

export interface Site extends Served {
  readonly folder: string;
  readonly port: number;
  /** Writes the configuration anew, as editors do: another file takes the place of the old one. */
  write(config: object): void;
}

/** Starts a server of `config`, which is stopped with the test. */
export async function startSite(
  t: TestContext,
  config: object,
  env: Record<string, string> = {},
): Promise<Site> {
  const folder = makeFolder(t);
  const write = (next: object): void => {
    writeFileSync(join(folder, "next.json"), JSON.stringify({ ...DEFAULTS, ...next }));
    renameSync(join(folder, "next.json"), join(folder, "site.json"));
  };
  write(config);
  const server = await serve(["--config", join(folder, "site.json")], { cwd: folder, env });
  t.after(() => server.stop());
  return Object.assign(server, { folder, write, port: Number(new URL(server.url).port) });
}

const DEFAULTS = { listen: ["127.0.0.1:0"], log: { access: "off" } };
